/**
 * A third-party monitor policy, as its author would write it outside this repository: it imports `@ringfence/sdk` and
 * nothing else of ours. It steps one access to a structure and emulates the next, so that both techniques meet in one run;
 * an idea for measuring, not one for speed. Structures stand shadowed; it has nothing to hide.
 */
import {
  SDK_VERSION,
  definePlugin,
  injectable,
  type MonitorPolicy,
  type Placement,
  type PolicyServices,
  type SavedMapping,
  type StructureAccess,
} from '@ringfence/sdk';

@injectable()
export class Alternating implements MonitorPolicy {
  readonly name = 'alternating';
  readonly placement: Placement = 'shadowed';
  private readonly opened: SavedMapping[] = [];
  private stepNext = false;

  access(access: StructureAccess, services: PolicyServices): void {
    // An instruction that has begun to step goes on stepping: it may touch a second page.
    if (this.opened.length === 0) {
      this.stepNext = !this.stepNext;
      if (!this.stepNext) {
        services.emulate();
        return;
      }
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
  }
}

export default definePlugin({
  name: 'ringfence-policy-alternating',
  sdk: SDK_VERSION,
  parts: [
    { kind: 'policy', name: 'alternating', summary: 'steps one access, emulates the next', useClass: Alternating },
  ],
});
