/**
 * Virtual time. One tick is one retired guest instruction (plus the ticks skipped while the guest sat in HLT), so that
 * everything that derives from time falls on the same instruction in every run. Ticks are whole numbers below 2^53.
 */

export interface Timer {
  /** Calls back once when `Clock.now()` reaches `at`; replaces an earlier deadline. `at` in the past means "next". */
  arm(at: number): void;
  disarm(): void;
  /** The armed deadline in ticks, or undefined. */
  readonly deadline: number | undefined;
}

/** A device's view of virtual time: a capability. */
export interface Clock {
  /** Ticks per virtual second. */
  readonly hz: number;
  /** Ticks since power-on, exact to the instruction that asks. */
  now(): number;
  /** `name` identifies the timer in traces; `callback` runs between two guest instructions. */
  createTimer(name: string, callback: () => void): Timer;
}

/** floor(ticks * to / from) without losing bits: counts of a clock of `to` Hz in `ticks` of one of `from` Hz. */
export function scaleTicks(ticks: number, from: number, to: number): number {
  const whole = Math.floor(ticks / from);
  const rest = ticks - whole * from;
  const product = rest * to;
  // Past 2^53 a product is rounded, and the clock would stumble.
  const part = product <= Number.MAX_SAFE_INTEGER ? product / from : Number((BigInt(rest) * BigInt(to)) / BigInt(from));
  return whole * to + Math.floor(part);
}

/** The first tick at which `scaleTicks(tick, from, to) >= count`: when the slower clock reaches `count`. */
export function ticksForCount(count: number, from: number, to: number): number {
  const whole = Math.floor(count / to);
  const rest = count - whole * to;
  let tick = whole * from + Math.ceil((rest * from) / to);
  while (tick > 0 && scaleTicks(tick - 1, from, to) >= count) tick--;
  while (scaleTicks(tick, from, to) < count) tick++;
  return tick;
}
