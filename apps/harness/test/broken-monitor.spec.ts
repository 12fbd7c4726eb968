/**
 * Monitors with a mistake in them are caught: one that skips INVLPG, one that forgets to put a mapping back, one that
 * writes its window without opening it. The mistakes are third-party style plugins; the guest is one that checks what it
 * sees. A suite that these pass would prove nothing about the monitors we ship.
 */
import {
  SDK_VERSION,
  definePlugin,
  type MonitorPolicy,
  type Placement,
  type Plugin,
  type PolicyServices,
  type ProtectionStrategy,
  type SavedMapping,
  type StructureAccess,
} from '@ringfence/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { guestImage, runGuest, type GuestRun } from './run-guest.js';

/** The seed's step, with its two ways to undo left to the subclass. */
class CarelessStep implements MonitorPolicy {
  readonly name = 'careless';
  readonly placement: Placement = 'shadowed';
  private readonly opened: SavedMapping[] = [];

  access(access: StructureAccess, services: PolicyServices): void {
    this.opened.push(services.saveMapping(access.linear));
    services.mapGuestPage(access);
    services.invlpg(access.linear);
    services.singleStep();
  }

  stepped(services: PolicyServices): void {
    for (const saved of this.opened.splice(0)) this.undo(saved, services);
    services.actOnChange();
  }

  protected undo(saved: SavedMapping, services: PolicyServices): void {
    services.restoreMapping(saved);
    services.invlpg(saved.linear);
  }
}

class SkipsInvlpg extends CarelessStep {
  protected override undo(saved: SavedMapping, services: PolicyServices): void {
    services.restoreMapping(saved);
  }
}

class ForgetsToRestore extends CarelessStep {
  protected override undo(saved: SavedMapping, services: PolicyServices): void {
    services.invlpg(saved.linear);
  }
}

class NeverOpens implements ProtectionStrategy {
  readonly name = 'never-opens';
  open(): void {}
  close(): void {}
}

const broken: Plugin = definePlugin({
  name: 'broken-monitors',
  sdk: SDK_VERSION,
  parts: [
    { kind: 'policy', name: 'careful', summary: 'the same step done right', useClass: CarelessStep },
    { kind: 'policy', name: 'skips-invlpg', summary: 'leaves the writable mapping in the TLB', useClass: SkipsInvlpg },
    { kind: 'policy', name: 'forgets-to-restore', summary: 'leaves the page writable', useClass: ForgetsToRestore },
    { kind: 'protection', name: 'never-opens', summary: 'writes read-only pages', useClass: NeverOpens },
  ],
});

async function paging(monitor: Record<string, string> | 'none'): Promise<GuestRun> {
  const limits = { maxInstructions: 5_000_000 };
  return runGuest(guestImage('paging'), { memory: '16M', monitor: monitor as never, limits }, [broken]);
}

describe('a broken monitor is caught', () => {
  let bare: GuestRun;
  beforeAll(async () => {
    bare = await paging('none');
  });

  const sameAsBare = (run: GuestRun): boolean =>
    run.status === bare.status &&
    run.report.retired === bare.report.retired &&
    run.report.stateHash === bare.report.stateHash;

  it('while the same policy done right is equivalent', async () => {
    expect(bare.status).toBe(33);
    expect(sameAsBare(await paging({ policy: 'careful' }))).toBe(true);
  });

  it.each(['skips-invlpg', 'forgets-to-restore'])('%s: the run differs from the bare one', async (policy) => {
    expect(sameAsBare(await paging({ policy, shadowCache: 'tracked-lru' }))).toBe(false);
  });

  it('never-opens: its first write of the window faults, in the monitor', async () => {
    const run = await paging({ policy: 'careful', protection: 'never-opens' });
    expect(run.status).toBe(70);
    expect(run.report.outcome).toBe('internal-error');
    expect(run.report.detail).toMatch(/vector 14, (error )?code 3/);
  });
});
