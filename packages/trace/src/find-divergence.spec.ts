/**
 * The search on machines that only count: where they part, and what that depends on, is told to them. Real guests and
 * broken monitors: apps/runner/test/trace.spec.ts.
 */
import type { GuestView } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { findDivergence, type Divergence, type Pair } from './find-divergence.js';
import type { ComparableMachine, SavedState } from './types.js';

interface Script {
  /** The state differs from this count on. */
  readonly partsAt?: number;
  readonly endsAt?: number;
  /** A machine that loaded a snapshot never parts. */
  readonly curedBySnapshot?: boolean;
  /** Parts only if it was looked at no more than so many times before. */
  readonly shyness?: number;
}

class CountingMachine implements ComparableMachine {
  retired = 0;
  end: ComparableMachine['end'];
  private loaded = false;
  private parted = false;
  private looks = 0;
  readonly view = {} as GuestView;

  constructor(private readonly script: Script) {}

  runSlice(count: number): 'budget' | 'ended' {
    const { endsAt = Infinity, partsAt = Infinity, shyness = Infinity, curedBySnapshot } = this.script;
    const to = Math.min(this.retired + count, endsAt);
    if (this.retired < partsAt && to >= partsAt && !(this.loaded && curedBySnapshot === true)) {
      this.parted = this.looks <= shyness;
    }
    this.retired = to;
    if (to < endsAt) return 'budget';
    this.end = { outcome: 'reset' };
    return 'ended';
  }

  stateHash(): string {
    this.looks++;
    return `${this.retired} ${this.parted}`;
  }

  serialSha256 = (): string => '';
  observe(): void {}

  saveState(): SavedState {
    const data = { retired: this.retired, parted: this.parted };
    return { version: 1, components: { counter: { component: 'counter', version: 1, data } } };
  }

  loadState(saved: SavedState): void {
    const { retired, parted } = saved.components.counter.data;
    [this.retired, this.parted, this.loaded] = [Number(retired), parted === true, true];
  }
}

function find(b: Script, a: Script = {}, to = 10_000_000): Promise<Divergence> {
  const make = (): Pair => ({ a: new CountingMachine(a), b: new CountingMachine(b) });
  return findDivergence(make, { from: 0, to, compare: 'state' });
}

describe('by state', () => {
  it.each([1, 2, 999, 1000, 1001, 3000, 3001, 123_456, 7_654_321])('finds instruction %i', async (partsAt) => {
    expect(await find({ partsAt })).toMatchObject({ kind: 'diverged', good: partsAt - 1, bad: partsAt });
  });

  it('finds nothing where there is nothing', async () => {
    expect(await find({})).toEqual({ kind: 'same', count: 10_000_001, ended: false });
    expect(await find({ endsAt: 5000 }, { endsAt: 5000 })).toEqual({ kind: 'same', count: 5000, ended: true });
  });

  it('looks no further than asked', async () => {
    expect(await find({ partsAt: 5000 }, {}, 4998)).toMatchObject({ kind: 'same', count: 4999 });
    expect(await find({ partsAt: 5000 }, {}, 4999)).toMatchObject({ kind: 'diverged', good: 4999 });
  });

  it('finds that one ends earlier', async () => {
    expect(await find({ endsAt: 5000 }, { endsAt: 5001 })).toMatchObject({ kind: 'diverged', good: 4999, bad: 5000 });
  });

  it('says that machines differ from the start', async () => {
    const make = (): Pair => {
      const b = new CountingMachine({});
      b.loadState({
        version: 1,
        components: { counter: { component: '', version: 1, data: { retired: 0, parted: true } } },
      });
      return { a: new CountingMachine({}), b };
    };
    expect((await findDivergence(make, { from: 0, to: 10, compare: 'state' })).kind).toBe('unlike');
  });

  it('runs from the start when a snapshot cures the difference', async () => {
    const found = await find({ partsAt: 123_456, curedBySnapshot: true });
    expect(found).toMatchObject({ kind: 'diverged', good: 123_455, bad: 123_456 });
    const { a } = await (found as Extract<Divergence, { kind: 'diverged' }>).rewind(123_450);
    expect(a.retired).toBe(123_450);
  });

  it('answers the interval when closer looks cure the difference', async () => {
    // Looked at once before it runs and at 1000, 3000, 7000: four times.
    const found = await find({ partsAt: 10_000, curedBySnapshot: true, shyness: 4 });
    expect(found).toMatchObject({ kind: 'diverged', good: 7000, bad: 15_000 });
  });

  it('stops at the signal', async () => {
    const make = (): Pair => ({ a: new CountingMachine({}), b: new CountingMachine({}) });
    const signal = AbortSignal.abort();
    expect(await findDivergence(make, { from: 0, to: Infinity, compare: 'state', signal })).toMatchObject({
      kind: 'aborted',
    });
  });
});
