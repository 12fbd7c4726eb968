/**
 * Protection `wp-toggle`: the monitor's pages are read-only in the guest's address space and CR0.WP is set while the
 * guest runs; the monitor clears WP to write there and sets it again before it resumes the guest (SDM Vol. 3A, 4.6
 * "Access Rights"). No TLB entry has to go: WP is looked at on each access.
 */
import { CR0, CR0_WP, injectable, type ProtectionContext, type ProtectionStrategy } from '@ringfence/sdk';

@injectable()
export class WpToggle implements ProtectionStrategy {
  readonly name = 'wp-toggle';

  open(context: ProtectionContext): void {
    context.hardware.writeCr0(context.hardware.state[CR0] & ~CR0_WP);
  }

  close(context: ProtectionContext): void {
    context.hardware.writeCr0(context.hardware.state[CR0] | CR0_WP);
  }
}
