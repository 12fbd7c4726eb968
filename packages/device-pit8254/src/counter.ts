/**
 * One counter of an Intel 8254 (order number 231164), as a function of time. Nothing ticks: the counter keeps when its
 * counting element was loaded and with what, and works out count and OUT for any later time.
 *
 * Times are whole cycles of the CLK input since power-on. A count written (or a gate that rises) at time p reaches the
 * counting element with the next CLK, at `start = p + 1`; `elapsed = now - start` cycles later the element shows, say in
 * mode 0, `count - elapsed`. Invariants:
 * - `loaded` is 1 once the counting element has a count in the current mode; before, OUT is the mode's idle level.
 * - `held` is the elapsed time at which a low gate froze the counting, or -1 while it counts.
 * - `next` is a count that waits in the count register: for the end of the period (modes 2, 3; at `switchAt`) or for a
 *   trigger (modes 1, 5; 2 and 3 with a low gate); -1 if none. `settle(now)` moves it in when its time has come, and
 *   every question about a time `now` settles first; time never runs backwards.
 */
import { type StateRecord, stateNumbers } from '@ringfence/sdk';

const ACCESS_LATCH = 0;
const ACCESS_LOW = 1;
const ACCESS_HIGH = 2;
const ACCESS_BOTH = 3;

const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

const FIELDS = [
  'control', // RW1 RW0 M2 M1 M0 BCD, as written
  'gate',
  'count', // what the counting element was loaded with, 1..65536
  'start',
  'loaded',
  'held',
  'lowBefore', // mode 1: OUT was low already when the last trigger came
  'next',
  'switchAt',
  'lowByte', // first byte of a two-byte write, or -1
  'readHigh', // 1 when the next read of a two-byte read is the high byte
  'latch', // latched count, or -1
  'statusLatch', // latched status, or -1
] as const;
export type CounterState = Record<(typeof FIELDS)[number], number>;

export class Counter8254 {
  private r: CounterState;

  constructor(gate: number) {
    this.r = {
      control: ACCESS_BOTH << 4,
      gate,
      count: 0x10000,
      start: 0,
      loaded: 0,
      held: -1,
      lowBefore: 0,
      next: -1,
      switchAt: 0,
      lowByte: -1,
      readHigh: 0,
      latch: -1,
      statusLatch: -1,
    };
  }

  /** Modes 6 and 7 are 2 and 3. */
  get mode(): number {
    const mode = (this.r.control >>> 1) & 7;
    return mode > 5 ? mode - 4 : mode;
  }

  /** Bits 0-5 of a control word for this counter: a mode, or the latch command. */
  writeControl(value: number, now: number): void {
    if (((value >>> 4) & 3) === ACCESS_LATCH) {
      this.latchCount(now);
      return;
    }
    this.r.control = value & 0x3f;
    this.r.loaded = 0;
    this.r.held = -1;
    this.r.next = -1;
    this.r.lowByte = -1;
    this.r.readHigh = 0;
    this.r.latch = -1;
    this.r.statusLatch = -1;
  }

  write(value: number, now: number): void {
    const access = (this.r.control >>> 4) & 3;
    if (access === ACCESS_LOW) this.writeCount(value, now);
    else if (access === ACCESS_HIGH) this.writeCount(value << 8, now);
    else if (this.r.lowByte < 0) {
      this.r.lowByte = value;
      if (this.mode === 0) this.r.loaded = 0; // "Writing the first byte disables counting. OUT is set low immediately"
    } else {
      this.writeCount(this.r.lowByte | (value << 8), now);
      this.r.lowByte = -1;
    }
  }

  read(now: number): number {
    if (this.r.statusLatch >= 0) {
      const status = this.r.statusLatch;
      this.r.statusLatch = -1;
      return status;
    }
    const value = this.r.latch >= 0 ? this.r.latch : this.encodedCount(now);
    const access = (this.r.control >>> 4) & 3;
    const high = access === ACCESS_HIGH || (access === ACCESS_BOTH && this.r.readHigh !== 0);
    if (access === ACCESS_BOTH) this.r.readHigh ^= 1;
    if (access !== ACCESS_BOTH || high) this.r.latch = -1;
    return high ? value >>> 8 : value & 0xff;
  }

  latchCount(now: number): void {
    if (this.r.latch < 0) this.r.latch = this.encodedCount(now);
  }

  latchStatus(now: number): void {
    if (this.r.statusLatch >= 0) return;
    const out = this.out(now) ? STATUS_OUT : 0;
    const waiting = this.r.loaded === 0 || this.r.next >= 0 || now < this.r.start;
    this.r.statusLatch = out | (waiting ? STATUS_NULL_COUNT : 0) | this.r.control;
  }

  setGate(level: boolean, now: number): void {
    if ((this.r.gate !== 0) === level) return;
    this.settle(now);
    const elapsed = Math.max(0, this.elapsed(now));
    this.r.gate = level ? 1 : 0;
    switch (this.mode) {
      case 0:
      case 4: // the gate only pauses
        if (this.r.loaded === 0) break;
        if (level) {
          this.r.start = Math.max(this.r.start, now - this.r.held);
          this.r.held = -1;
        } else {
          this.r.held = elapsed;
        }
        break;
      case 2:
      case 3: // low stops and forces OUT high, a rise starts over
        if (this.r.loaded === 0) break;
        if (level) this.load(this.r.next >= 0 ? this.r.next : this.r.count, now);
        else this.r.held = elapsed;
        break;
      default: // 1 and 5: a rise triggers
        if (level && (this.r.loaded !== 0 || this.r.next >= 0)) {
          this.r.lowBefore = this.mode === 1 && !this.out(now) ? 1 : 0;
          this.load(this.r.next >= 0 ? this.r.next : this.r.count, now);
        }
    }
  }

  get gate(): boolean {
    return this.r.gate !== 0;
  }

  /** The level of OUT. */
  out(now: number): boolean {
    this.settle(now);
    const { count, loaded, gate, lowBefore } = this.r;
    if (loaded === 0) return this.mode !== 0;
    const elapsed = this.elapsed(now);
    switch (this.mode) {
      case 0:
        return elapsed >= count;
      case 1:
        return elapsed < 0 ? lowBefore === 0 : elapsed >= count;
      case 2:
        return gate === 0 || count === 1 || elapsed < 0 || elapsed % count !== count - 1;
      case 3:
        return gate === 0 || count === 1 || elapsed < 0 || elapsed % count < highCycles(count);
      default:
        return elapsed !== count;
    }
  }

  /** The first time after `now` at which OUT may change if nothing is written; undefined when it will not. */
  nextEdge(now: number): number | undefined {
    this.settle(now);
    const { count, loaded, start, held, next, switchAt } = this.r;
    if (loaded === 0 || held >= 0) return undefined;
    if (now < start && this.mode === 1) return start;
    const elapsed = Math.max(0, this.elapsed(now));
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed < count ? start + count : undefined;
      case 2: {
        if (count === 1) return next >= 0 ? switchAt : undefined; // illegal: OUT stays high here
        const phase = elapsed % count;
        return start + elapsed - phase + (phase < count - 1 ? count - 1 : count);
      }
      case 3: {
        if (count === 1) return next >= 0 ? switchAt : undefined;
        const phase = elapsed % count;
        return start + elapsed - phase + (phase < highCycles(count) ? highCycles(count) : count);
      }
      default:
        return elapsed < count ? start + count : elapsed === count ? start + count + 1 : undefined;
    }
  }

  saveState(): CounterState {
    return { ...this.r };
  }

  static parseState(data: StateRecord['data']): CounterState {
    return stateNumbers(data, FIELDS);
  }

  restore(state: CounterState): void {
    this.r = state;
  }

  private get modulus(): number {
    return (this.r.control & 1) !== 0 ? 10000 : 0x10000;
  }

  private writeCount(raw: number, now: number): void {
    this.settle(now);
    const count = (this.modulus === 10000 ? fromBcd(raw) : raw) || this.modulus;
    const triggered = this.mode === 1 || this.mode === 5;
    const periodic = this.mode === 2 || this.mode === 3;
    if (triggered) {
      this.r.next = count;
    } else if (!periodic || this.r.loaded === 0) {
      this.load(count, now);
    } else if (now < this.r.start) {
      this.r.count = count; // the count register had not reached the counting element yet
    } else {
      if (this.r.next < 0) this.r.switchAt = this.periodEnd(now);
      this.r.next = count;
    }
  }

  /** The counting element takes `count` at the next CLK. */
  private load(count: number, now: number): void {
    this.r.count = count;
    this.r.start = now + 1;
    this.r.loaded = 1;
    this.r.next = -1;
    const stopped = this.r.gate === 0 && this.mode !== 1 && this.mode !== 5;
    this.r.held = stopped ? 0 : -1;
  }

  /** When mode 2's period, or mode 3's half period, ends. */
  private periodEnd(now: number): number {
    const { count, start } = this.r;
    const phase = (now - start) % count;
    const half = this.mode === 3 && phase < highCycles(count) ? highCycles(count) : count;
    return now - phase + half;
  }

  private settle(now: number): void {
    const { next, held, loaded, switchAt } = this.r;
    if (next < 0 || held >= 0 || loaded === 0 || now < switchAt || (this.mode !== 2 && this.mode !== 3)) return;
    const { count, start } = this.r;
    const endsHighHalf = this.mode === 3 && (switchAt - start) % count !== 0;
    this.r.start = endsHighHalf ? switchAt - highCycles(next) : switchAt;
    this.r.count = next;
    this.r.next = -1;
  }

  /** Cycles since the load; negative until the CLK that loads has come. */
  private elapsed(now: number): number {
    return this.r.held >= 0 ? this.r.held : now - this.r.start;
  }

  /** The counting element now. */
  private currentCount(now: number): number {
    this.settle(now);
    const { count, loaded } = this.r;
    if (loaded === 0) return 0; // undefined: nothing was written since the control word
    const elapsed = Math.max(0, this.elapsed(now));
    if (this.mode === 2) return count - (elapsed % count);
    if (this.mode === 3) {
      const phase = elapsed % count;
      const high = highCycles(count);
      return (count & ~1) - 2 * (phase < high ? phase : phase - high);
    }
    return (((count - elapsed) % this.modulus) + this.modulus) % this.modulus;
  }

  private encodedCount(now: number): number {
    const value = this.currentCount(now) % this.modulus;
    return this.modulus === 10000 ? toBcd(value) : value;
  }
}

/** Mode 3: OUT is high for (N + 1) / 2 cycles of an odd N. */
function highCycles(count: number): number {
  return (count + 1) >>> 1;
}

function fromBcd(value: number): number {
  return (value >>> 12) * 1000 + ((value >>> 8) & 15) * 100 + ((value >>> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (unit: number) => Math.floor(value / unit) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
