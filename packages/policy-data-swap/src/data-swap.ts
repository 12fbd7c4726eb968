/**
 * Monitor policy `data-swap`, after the seed: a structure that shares its page with other guest data stands in place,
 * with the monitor's private bytes where the guest's were. On an access the guest's bytes are put in, the instruction is
 * single-stepped, and the private bytes, made anew from what it wrote, go back.
 * The page is hidden meanwhile (not present), so that the guest never reads private bytes; accesses to its ordinary data
 * cost two exits as well. A structure that fills pages of its own stands shadowed and is stepped without a swap.
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
export class DataSwap implements MonitorPolicy {
  readonly name = 'data-swap';
  readonly placement: Placement = 'in-place';
  private readonly opened: SavedMapping[] = [];
  private readonly swapped: number[] = [];

  access(access: StructureAccess, services: PolicyServices): void {
    if (access.placement === 'in-place' && !this.swapped.includes(access.frame)) {
      services.swapIn(access.frame);
      this.swapped.push(access.frame);
    }
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
    for (let frame = this.swapped.pop(); frame !== undefined; frame = this.swapped.pop()) services.swapOut(frame);
  }
}
