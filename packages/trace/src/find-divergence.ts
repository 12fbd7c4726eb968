/**
 * Where two runs part, without a trace of either: both run side by side at full speed and are compared at stops that grow
 * apart; the interval in which they parted is searched again, finer each time, down to one instruction.
 *
 * Two ways back to the last stop at which they were the same. A snapshot is quick, but a machine that loads one has lost
 * what is not the guest's state (a stale TLB entry, a monitor's shadow tables), and such may be the very cause. So the
 * snapshot is used only if the runs part again from it; else both run again from the start, looked at where the first pass
 * looked. If they do not part then either (being looked at more often cured them), the interval is the answer.
 *
 * Compared is the whole guest: RAM, processor, devices, serial output (`state`); or, for two machines that differ from the
 * start (other memory, other input), registers after each single instruction (`registers`): exact, but slow.
 * Two runs that part and meet again between two stops, with the same output, are taken for the same in `state`.
 */
import { setImmediate } from 'node:timers/promises';
import { EIP } from '@ringfence/sdk';
import { advance } from './range.js';
import { changes, takeSnapshot } from './registers.js';
import type { ComparableMachine, SavedState } from './types.js';

const FIRST_INTERVAL = 1000;
const MAX_INTERVAL = 32_000_000;
/** Pieces into which an interval is cut at each turn of the search. */
const PIECES = 16;
const STEPS_PER_TURN = 1024;

export interface Pair {
  readonly a: ComparableMachine;
  readonly b: ComparableMachine;
}

export interface DivergenceOptions {
  /** Where registers are compared from; before, both run at full speed. Means nothing for `state`. */
  readonly from: number;
  /** No instruction with a higher count is compared. */
  readonly to: number;
  readonly compare: 'state' | 'registers';
  readonly signal?: AbortSignal;
  /** Told now and then how far the comparison has come. */
  readonly progress?: (count: number) => void;
}

export type Divergence =
  /** The same as far as `count`; `ended`: that is where both guests ended. */
  | { readonly kind: 'same'; readonly count: number; readonly ended: boolean }
  | { readonly kind: 'aborted'; readonly count: number }
  /** They differ where the comparison begins. */
  | { readonly kind: 'unlike'; readonly states: readonly [SavedState, SavedState] }
  /**
   * The same at count `good`, not at `bad`; exact when that is one instruction further. `rewind` makes a new pair at any
   * count up to `good`, by the way that was found to part again.
   */
  | {
      readonly kind: 'diverged';
      readonly good: number;
      readonly bad: number;
      readonly states: readonly [SavedState, SavedState];
      readonly rewind: (count: number) => Promise<Pair>;
    };

interface Stop {
  readonly count: number;
  readonly states?: readonly [SavedState, SavedState];
}

/** Runs pairs from `make` until they part, both end, or `to`. Throws for faults of ours only. */
export async function findDivergence(make: () => Pair, options: DivergenceOptions): Promise<Divergence> {
  const search = new Search(make, options);
  return options.compare === 'state' ? search.byState() : search.byRegisters();
}

class Search {
  /** Counts at which the first pass looked, in order. */
  private readonly stops: number[] = [];

  constructor(
    private readonly make: () => Pair,
    private readonly options: DivergenceOptions,
  ) {}

  async byState(): Promise<Divergence> {
    const { signal, progress } = this.options;
    // `to` is the last instruction compared: the last stop is behind it.
    const limit = this.options.to + 1;
    const pair = this.make();
    if (!same(pair)) return { kind: 'unlike', states: states(pair) };
    let good: Stop = { count: 0, states: states(pair) };
    for (let interval = FIRST_INTERVAL; ; interval = Math.min(interval * 2, MAX_INTERVAL)) {
      if (good.count >= limit) return { kind: 'same', count: good.count, ended: false };
      const goal = Math.min(good.count + interval, limit);
      if (!(await run(pair, goal, signal))) return { kind: 'aborted', count: good.count };
      if (!same(pair)) return this.refine(good, goal, states(pair));
      if (pair.a.end !== undefined) return { kind: 'same', count: pair.a.retired, ended: true };
      good = { count: goal, states: states(pair) };
      this.stops.push(goal);
      progress?.(goal);
    }
  }

  /** The runs are the same at `good` and part before or at `bad`, where they are `found`. */
  private async refine(good: Stop, bad: number, found: readonly [SavedState, SavedState]): Promise<Divergence> {
    const first = good;
    for (const quick of [true, false]) {
      const rewind = (count: number): Promise<Pair> => this.rewind(quick ? first : { count: 0 }, count);
      const narrowed = await this.narrow(first, bad, found, quick, rewind);
      if (narrowed === undefined) continue;
      if (narrowed === 'aborted') return { kind: 'aborted', count: good.count };
      return { kind: 'diverged', ...narrowed, rewind };
    }
    return {
      kind: 'diverged',
      good: good.count,
      bad,
      states: found,
      rewind: (count) => this.rewind({ count: 0 }, count),
    };
  }

  /** The smallest interval found; undefined when the runs do not part again this way. */
  private async narrow(
    first: Stop,
    end: number,
    found: readonly [SavedState, SavedState],
    quick: boolean,
    rewind: (count: number) => Promise<Pair>,
  ): Promise<{ good: number; bad: number; states: readonly [SavedState, SavedState] } | 'aborted' | undefined> {
    const { signal } = this.options;
    let good = first;
    let bad = end;
    let last = found;
    let parted = false;
    while (bad - good.count > 1 || !parted) {
      const pair = quick ? this.load(good) : await rewind(good.count);
      const piece = Math.max(1, Math.ceil((bad - good.count) / PIECES));
      let lost = true;
      while (good.count < bad) {
        const goal = Math.min(good.count + piece, bad);
        if (!(await run(pair, goal, signal))) return 'aborted';
        if (same(pair)) {
          good = { count: goal, states: quick ? states(pair) : undefined };
          continue;
        }
        [bad, last, lost, parted] = [goal, states(pair), false, true];
        break;
      }
      // Parted before, not now: what was found so far is the answer, unless nothing was.
      if (lost) return undefined;
    }
    return { good: good.count, bad, states: last };
  }

  async byRegisters(): Promise<Divergence> {
    const { from, to, signal, progress } = this.options;
    const pair = this.make();
    const { a, b } = pair;
    if (!(await run(pair, from, signal))) return { kind: 'aborted', count: 0 };
    for (let steps = 1; a.retired <= to; steps++) {
      const count = a.retired;
      if (!sameRegisters(pair)) return this.parted(count, pair);
      if (a.end !== undefined) return { kind: 'same', count, ended: true };
      a.runSlice(1);
      b.runSlice(1);
      if (steps % STEPS_PER_TURN !== 0) continue;
      await setImmediate();
      progress?.(count);
      if (signal?.aborted === true) return { kind: 'aborted', count };
    }
    if (!sameRegisters(pair)) return this.parted(a.retired, pair);
    return { kind: 'same', count: a.retired, ended: false };
  }

  private parted(bad: number, pair: Pair): Divergence {
    const good = bad - 1;
    if (good < this.options.from) return { kind: 'unlike', states: states(pair) };
    return { kind: 'diverged', good, bad, states: states(pair), rewind: (count) => this.rewind({ count: 0 }, count) };
  }

  // ----------------------------------------------------------------------------------------- going back

  private load(stop: Stop): Pair {
    const pair = this.make();
    if (stop.states !== undefined) {
      pair.a.loadState(stop.states[0]);
      pair.b.loadState(stop.states[1]);
    }
    return pair;
  }

  /** A pair at `count`: from `stop` if that is not too late, else from the start, with the first pass's looks. */
  private async rewind(stop: Stop, count: number): Promise<Pair> {
    const pair = stop.count <= count ? this.load(stop) : this.make();
    for (const at of this.stops) {
      if (at <= pair.a.retired || at >= count) continue;
      await run(pair, at, this.options.signal);
      same(pair);
    }
    await run(pair, count, this.options.signal);
    return pair;
  }
}

/** Runs both to `count` or their ends; false when the signal came first. */
async function run({ a, b }: Pair, count: number, signal: AbortSignal | undefined): Promise<boolean> {
  return (await advance(a, count, signal)) !== 'aborted' && (await advance(b, count, signal)) !== 'aborted';
}

function same({ a, b }: Pair): boolean {
  if (a.retired !== b.retired || !sameEnd(a, b)) return false;
  return a.serialSha256() === b.serialSha256() && a.stateHash() === b.stateHash();
}

function sameEnd(a: ComparableMachine, b: ComparableMachine): boolean {
  return a.end?.outcome === b.end?.outcome;
}

function sameRegisters({ a, b }: Pair): boolean {
  a.view.settle();
  b.view.settle();
  if (a.retired !== b.retired || !sameEnd(a, b)) return false;
  const [x, y] = [takeSnapshot(a.view.processor), takeSnapshot(b.view.processor)];
  for (const _ in changes(x, y)) return false;
  return x.words[EIP] === y.words[EIP];
}

function states({ a, b }: Pair): readonly [SavedState, SavedState] {
  return [a.saveState(), b.saveState()];
}
