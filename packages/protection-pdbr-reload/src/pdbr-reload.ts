/**
 * Protection `pdbr-reload`: to write its window the monitor loads its own page directory, in which those pages are
 * writable, and goes back to the guest's shadow directory before it resumes. CR0.WP stays set throughout. Each way
 * flushes the TLB, which is its price.
 */
import { injectable, type ProtectionContext, type ProtectionStrategy } from '@ringfence/sdk';

@injectable()
export class PdbrReload implements ProtectionStrategy {
  readonly name = 'pdbr-reload';

  open(context: ProtectionContext): void {
    context.hardware.writeCr3(context.monitorCr3());
  }

  close(context: ProtectionContext): void {
    context.hardware.writeCr3(context.guestCr3());
  }
}
