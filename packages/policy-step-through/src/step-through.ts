/**
 * Monitor policy `step-through`, after the seed: let the processor itself execute the instruction that touched a
 * virtualized structure, with the guest's page mapped for just that one instruction.
 * Costs two exits an access (the page fault and the single-step trap) and emulates no user instruction at all.
 * It does not hide private bytes; structures stand shadowed, so there are none in the guest's pages.
 */
import {
  injectable,
  type MonitorPolicy,
  type Placement,
  type PolicyServices,
  type SavedMapping,
  type StructureAccess,
} from '@ringfence/sdk';

@injectable()
export class StepThrough implements MonitorPolicy {
  readonly name = 'step-through';
  readonly placement: Placement = 'shadowed';
  /** What this instruction has had opened so far: one that touches several protected pages faults once for each. */
  private readonly opened: SavedMapping[] = [];

  access(access: StructureAccess, services: PolicyServices): void {
    this.opened.push(services.saveMapping(access.linear));
    services.mapGuestPage(access);
    services.invlpg(access.linear);
    services.singleStep();
  }

  stepped(services: PolicyServices): void {
    for (let saved = this.opened.pop(); saved !== undefined; saved = this.opened.pop()) {
      services.restoreMapping(saved);
      services.invlpg(saved.linear);
    }
    services.actOnChange();
  }
}
