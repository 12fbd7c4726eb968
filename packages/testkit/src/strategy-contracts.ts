/**
 * What every shadow-cache strategy and every protection keeps, driven with fakes of what the monitor gives them.
 * Whether kept tables are right is the monitor's business and the matrix's.
 */
import {
  CR0,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR3,
  STATE_WORDS,
  type Processor,
  type ProtectionContext,
  type ProtectionStrategy,
  type ShadowCache,
  type ShadowCacheStrategy,
  type ShadowTable,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';

/** A cache of fake tables that tells its strategy what happens, as the monitor's pager does. */
export class FakeShadowCache implements ShadowCache {
  readonly kept = new Set<ShadowTable>();
  readonly hooked = new Map<ShadowTable, ShadowTable[]>();
  private lastId = 0;

  constructor(private readonly strategy: ShadowCacheStrategy) {}

  /** Makes a table; `under` hooks it below a directory. */
  add(under?: ShadowTable): ShadowTable {
    const id = ++this.lastId;
    const table: ShadowTable = { id, root: under === undefined, guestFrames: [id * 0x1000] };
    this.kept.add(table);
    if (under !== undefined) this.hooked.set(under, [...(this.hooked.get(under) ?? []), table]);
    this.strategy.used(table);
    return table;
  }

  tables(): Iterable<ShadowTable> {
    return this.kept;
  }
  drop(table: ShadowTable): void {
    if (this.kept.delete(table)) this.strategy.dropped(table);
  }
  dropAll(): void {
    for (const table of [...this.kept]) this.drop(table);
  }
  resync(): number {
    return 0;
  }
  setTraced(): void {}
  children(root: ShadowTable): Iterable<ShadowTable> {
    return (this.hooked.get(root) ?? []).filter((table) => this.kept.has(table));
  }
}

export function shadowCacheContract(name: string, make: () => ShadowCacheStrategy): void {
  describe(`${name} as a shadow-cache strategy`, () => {
    function setUp() {
      const strategy = make();
      const cache = new FakeShadowCache(strategy);
      const first = cache.add();
      const leaf = cache.add(first);
      const second = cache.add();
      return { strategy, cache, first, leaf, second };
    }

    it('has a name and room for at least eight tables', () => {
      expect(make().name).toMatch(/^[a-z0-9-]+$/);
      expect(make().capacity).toBeGreaterThanOrEqual(8);
    });

    it('gives up only a table that may go and is still kept', () => {
      const { strategy, cache, first, leaf, second } = setUp();
      expect(strategy.victim(cache, (table) => table === leaf)).toBe(leaf);
      cache.drop(leaf);
      expect(strategy.victim(cache, (table) => table === leaf)).toBeUndefined();
      expect([first, second]).toContain(strategy.victim(cache, () => true));
    });

    it('gives up nothing when nothing may go', () => {
      const { strategy, cache } = setUp();
      expect(strategy.victim(cache, () => false)).toBeUndefined();
    });

    it('takes a reload with and without directories kept from before', () => {
      const { strategy, cache, first, second } = setUp();
      strategy.reload(cache, undefined, undefined);
      strategy.reload(cache, cache.kept.has(first) ? first : undefined, cache.kept.has(second) ? second : undefined);
      const fresh = cache.add();
      expect(strategy.victim(cache, (table) => table === fresh)).toBe(fresh);
    });
  });
}

/** A processor of which only CR0 and CR3 can be written. */
function fakeHardware(): { hardware: Processor; state: Int32Array } {
  const state = new Int32Array(STATE_WORDS);
  state[CR0] = CR0_PE | CR0_PG | CR0_WP;
  const hardware = {
    state,
    writeCr0: (value: number) => void (state[CR0] = value),
    writeCr3: (value: number) => void (state[CR3] = value),
  };
  return { hardware: hardware as unknown as Processor, state };
}

export function protectionContract(name: string, make: () => ProtectionStrategy): void {
  describe(`${name} as a protection`, () => {
    const GUEST = 0x200000;
    const MONITOR = 0x300000;

    it("opens the window by CR0.WP or the monitor's directory, and leaves both as the guest needs them", () => {
      const { hardware, state } = fakeHardware();
      state[CR3] = GUEST;
      const context: ProtectionContext = { hardware, monitorCr3: () => MONITOR, guestCr3: () => GUEST };
      const protection = make();
      for (let round = 0; round < 2; round++) {
        protection.open(context);
        expect((state[CR0] & CR0_WP) === 0 || state[CR3] === MONITOR).toBe(true);
        protection.close(context);
        expect(state[CR0]).toBe(CR0_PE | CR0_PG | CR0_WP);
        expect(state[CR3]).toBe(GUEST);
      }
    });
  });
}
