/**
 * The local APIC's timer: initial count, divide configuration, one-shot and periodic (SDM Vol. 3A, "APIC Timer"). Its bus
 * clock is a whole number of ticks of virtual time, so that every count falls on an exact instruction. Nothing counts: the
 * current count is worked out when it is asked for, and a deadline is armed only while an expiry would be heard.
 * A count begins anew where the divider or the mode changes; the real divider's phase is not kept. No TSC deadline.
 */
import { stateFields, stateNumbers, type Clock, type StateRecord, type Timer } from '@ringfence/sdk';

const FIELDS = ['initial', 'from', 'since', 'divide', 'periodic', 'running', 'audible'] as const;
type Fields = Record<(typeof FIELDS)[number], number>;
type TimerState = Fields & { readonly deadline: number };

const POWER_UP: Fields = { initial: 0, from: 0, since: 0, divide: 0, periodic: 0, running: 0, audible: 0 };
const DIVIDE_WRITABLE = 0xb;

export class ApicTimer {
  /** `from`: the count at tick `since`. */
  private f: Fields = { ...POWER_UP };
  private readonly timer: Timer;

  constructor(
    private readonly clock: Clock,
    private readonly ticksPerBusClock: number,
    private readonly expired: () => void,
  ) {
    this.timer = clock.createTimer('lapic', () => this.expire());
  }

  reset(): void {
    this.f = { ...POWER_UP };
    this.arm();
  }

  get initial(): number {
    return this.f.initial;
  }

  /** Starts the timer, or stops it (0). */
  setInitial(value: number): void {
    const initial = value >>> 0;
    this.f.initial = this.f.from = initial;
    this.f.since = this.clock.now();
    this.f.running = initial !== 0 ? 1 : 0;
    this.arm();
  }

  get divide(): number {
    return this.f.divide;
  }

  setDivide(value: number): void {
    if ((value & DIVIDE_WRITABLE) === this.f.divide) return;
    this.beginAnew();
    this.f.divide = value & DIVIDE_WRITABLE;
    this.arm();
  }

  /** As the timer's vector says: the mode, and whether it is unmasked. */
  setMode(periodic: boolean, audible: boolean): void {
    if (periodic !== (this.f.periodic !== 0)) {
      this.beginAnew();
      this.f.periodic = periodic ? 1 : 0;
    }
    this.f.audible = audible ? 1 : 0;
    this.arm();
  }

  current(): number {
    const { running, from, initial, periodic } = this.f;
    if (running === 0) return 0;
    const counted = this.counted();
    if (counted < from) return from - counted;
    return periodic !== 0 ? initial - ((counted - from) % initial) : 0;
  }

  /** With the deadline: one that is due already, but has not been called yet, must not be lost. */
  saveState(): TimerState {
    return { ...this.f, deadline: this.timer.deadline ?? -1 };
  }

  static parseState(data: StateRecord['data'], key: string): TimerState {
    return stateNumbers(stateFields(data, key), [...FIELDS, 'deadline']);
  }

  restore(state: TimerState): void {
    const { deadline, ...fields } = state;
    this.f = fields;
    if (deadline < 0) this.timer.disarm();
    else this.timer.arm(deadline);
  }

  /** Ticks of one count. */
  private period(): number {
    const { divide } = this.f;
    // 000b is by 2, 110b by 128, 111b by 1.
    const code = ((divide >> 1) & 4) | (divide & 3);
    return this.ticksPerBusClock * (code === 7 ? 1 : 2 << code);
  }

  private counted(): number {
    return Math.floor((this.clock.now() - this.f.since) / this.period());
  }

  private beginAnew(): void {
    this.f.from = this.current();
    this.f.since = this.clock.now();
    // A one-shot that has run down stays down, whatever it becomes.
    if (this.f.from === 0) this.f.running = 0;
  }

  private arm(): void {
    const { running, audible, from, since, initial, periodic } = this.f;
    const counted = this.counted();
    if (running === 0 || audible === 0 || (counted >= from && periodic === 0)) {
      this.timer.disarm();
      return;
    }
    const at = counted < from ? from : from + (Math.floor((counted - from) / initial) + 1) * initial;
    this.timer.arm(since + at * this.period());
  }

  private expire(): void {
    this.arm();
    this.expired();
  }
}
