/**
 * Virtual time and its timers. Now = instructions retired + ticks slept, so every deadline falls on the same guest
 * instruction in every run. A machine has a handful of timers: a small array, and the earliest deadline cached.
 * It does not run the guest; the run loop asks it for the next deadline, and is told when one moved nearer.
 */
import { RingfenceError, type Clock, type Timer } from '@ringfence/sdk';

/** More callbacks than this between two instructions is a device arming itself in the past for ever. */
const MAX_CALLBACKS = 100_000;

class BoardTimer implements Timer {
  at: number | undefined = undefined;
  constructor(
    private readonly owner: Scheduler,
    readonly name: string,
    readonly callback: () => void,
  ) {}

  get deadline(): number | undefined {
    return this.at;
  }

  arm(at: number): void {
    this.at = Math.ceil(at);
    this.owner.changed();
  }

  disarm(): void {
    if (this.at === undefined) return;
    this.at = undefined;
    this.owner.changed();
  }
}

export class Scheduler implements Clock {
  /** Ticks slept, plus what a loaded snapshot brought along. */
  idleTicks = 0;
  /** The earliest deadline, or Infinity. */
  next = Infinity;
  /** Called when the earliest deadline moved nearer. */
  onEarlier: () => void = () => {};
  private readonly timers: BoardTimer[] = [];

  constructor(
    readonly hz: number,
    /** Instructions retired. */
    private readonly retired: () => number,
  ) {}

  now(): number {
    return this.retired() + this.idleTicks;
  }

  createTimer(name: string, callback: () => void): Timer {
    const timer = new BoardTimer(this, name, callback);
    this.timers.push(timer);
    return timer;
  }

  /** Calls back every timer that is due, earliest first, in order of creation among equals. */
  fireDue(): void {
    let calls = 0;
    while (this.next <= this.now()) {
      let due: BoardTimer | undefined;
      for (const timer of this.timers) {
        if (timer.at !== undefined && (due === undefined || timer.at < due.at!)) due = timer;
      }
      if (due === undefined) return;
      due.at = undefined;
      this.changed();
      due.callback();
      if (++calls > MAX_CALLBACKS) {
        throw new RingfenceError('RF_INTERNAL', {
          message: `timer "${due.name}" arms itself in the past without end`,
          value: due.name,
        });
      }
    }
  }

  changed(): void {
    let next = Infinity;
    for (const timer of this.timers) if (timer.at !== undefined && timer.at < next) next = timer.at;
    const earlier = next < this.next;
    this.next = next;
    if (earlier) this.onEarlier();
  }
}
