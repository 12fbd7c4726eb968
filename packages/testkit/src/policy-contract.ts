/**
 * What every monitor policy keeps, driven with fake services that write down each call: an access is either emulated or
 * stepped; whatever was opened is put back, with an INVLPG behind it; bytes that went in come out; nothing is left over.
 * Whether guests end alike under the policy is for the harness's matrix.
 */
import type { MonitorPolicy, PolicyServices, SavedMapping, StructureAccess } from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';

/** Services that only write down what was asked of them: `map 1000`, `invlpg 1000`, `step`, ... (addresses in hex). */
export class FakePolicyServices implements PolicyServices {
  readonly calls: string[] = [];

  saveMapping(linear: number): SavedMapping {
    this.note('save', linear);
    return { linear };
  }
  mapGuestPage(access: StructureAccess): void {
    this.note('map', access.linear);
  }
  restoreMapping(saved: SavedMapping): void {
    this.note('restore', saved.linear);
  }
  invlpg(linear: number): void {
    this.note('invlpg', linear);
  }
  singleStep(): void {
    this.calls.push('step');
  }
  swapIn(frame: number): void {
    this.note('swap-in', frame);
  }
  swapOut(frame: number): void {
    this.note('swap-out', frame);
  }
  actOnChange(): void {
    this.calls.push('act');
  }
  emulate(): void {
    this.calls.push('emulate');
  }

  /** The calls so far, which are then forgotten. */
  take(): string[] {
    return this.calls.splice(0);
  }

  private note(what: string, address: number): void {
    this.calls.push(`${what} ${(address >>> 0).toString(16)}`);
  }
}

/** A write of the guest to a page of its page tables, or what `changes` say. */
export function structureAccess(changes: Partial<StructureAccess> = {}): StructureAccess {
  return { linear: 0xc0001004, frame: 0x1000, write: true, kind: 'page-table', placement: 'shadowed', ...changes };
}

const FIRST = structureAccess();
const SECOND = structureAccess({ linear: 0xc0002000, frame: 0x2000 });

export function policyContract(name: string, make: () => MonitorPolicy): void {
  describe(`${name} as a monitor policy`, () => {
    let policy: MonitorPolicy;
    let services: FakePolicyServices;
    beforeEach(() => {
      policy = make();
      services = new FakePolicyServices();
    });

    const steps = (): boolean => services.calls.includes('step');

    it('has a name and a placement', () => {
      expect(policy.name).toMatch(/^[a-z0-9-]+$/);
      expect(['shadowed', 'in-place']).toContain(policy.placement);
    });

    it('either emulates an access or steps it, and saves a mapping before it changes it', () => {
      policy.access(FIRST, services);
      const calls = services.take();
      expect(calls.filter((call) => call === 'emulate' || call === 'step')).toHaveLength(1);
      const mapped = calls.findIndex((call) => call.startsWith('map'));
      if (mapped >= 0) expect(calls.slice(0, mapped)).toContain(`save ${(FIRST.linear >>> 0).toString(16)}`);
    });

    it('puts back every page an instruction had opened, last one first, each with an INVLPG, and then acts', () => {
      policy.access(FIRST, services);
      policy.access(SECOND, services);
      if (!steps()) return;
      services.take();
      policy.stepped(services);
      const calls = services.take();
      const undone = calls.filter((call) => /^(restore|invlpg)/.test(call));
      expect(undone).toEqual(['restore c0002000', 'invlpg c0002000', 'restore c0001004', 'invlpg c0001004']);
      expect(calls.indexOf('act')).toBeGreaterThan(calls.lastIndexOf('invlpg c0001004'));
    });

    it('takes in-place bytes in once a page and puts them back after it has acted', () => {
      const inPlace = structureAccess({ kind: 'descriptor-table', placement: 'in-place' });
      policy.access(inPlace, services);
      policy.access({ ...inPlace, linear: inPlace.linear + 8, write: false }, services);
      if (!steps()) return;
      policy.stepped(services);
      const calls = services.take();
      const swapped = calls.filter((call) => call.startsWith('swap'));
      expect(swapped).toEqual(policy.placement === 'in-place' ? ['swap-in 1000', 'swap-out 1000'] : []);
      if (swapped.length > 0) expect(calls.indexOf('swap-out 1000')).toBeGreaterThan(calls.indexOf('act'));
    });

    it('keeps nothing from one instruction to the next', () => {
      policy.access(FIRST, services);
      policy.stepped(services);
      services.take();
      policy.access(SECOND, services);
      policy.stepped(services);
      expect(services.take().filter((call) => call.includes('c0001004'))).toEqual([]);
    });
  });
}
