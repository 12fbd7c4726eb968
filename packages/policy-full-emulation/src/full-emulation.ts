/**
 * Monitor policy `full-emulation`: decode the instruction that touched a virtualized structure and emulate it against
 * the guest's view. One exit an access instead of two, and nothing is ever mapped for the guest. It has no state.
 */
import {
  injectable,
  type MonitorPolicy,
  type Placement,
  type PolicyServices,
  type StructureAccess,
} from '@ringfence/sdk';

@injectable()
export class FullEmulation implements MonitorPolicy {
  readonly name = 'full-emulation';
  readonly placement: Placement = 'shadowed';

  access(_access: StructureAccess, services: PolicyServices): void {
    services.emulate();
  }

  /** Never called: this policy asks for no step. */
  stepped(_services: PolicyServices): void {}
}
