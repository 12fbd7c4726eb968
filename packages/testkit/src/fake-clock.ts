/**
 * Virtual time that a spec moves by hand. `advance` stops at every deadline on the way, in order, so a callback sees
 * exactly its own time, as on a machine. Timers with the same deadline fire in the order they were created.
 */
import type { Clock, Timer } from '@ringfence/sdk';

class FakeTimer implements Timer {
  deadline: number | undefined;

  constructor(
    readonly name: string,
    readonly callback: () => void,
  ) {}

  arm(at: number): void {
    this.deadline = at;
  }

  disarm(): void {
    this.deadline = undefined;
  }
}

export class FakeClock implements Clock {
  private time: number;
  private readonly timers: FakeTimer[] = [];

  constructor(
    readonly hz = 100_000_000,
    start = 0,
  ) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  createTimer(name: string, callback: () => void): Timer {
    const timer = new FakeTimer(name, callback);
    this.timers.push(timer);
    return timer;
  }

  /** Lets `ticks` pass. */
  advance(ticks: number): void {
    this.advanceTo(this.time + ticks);
  }

  /** Lets time pass up to tick `at`, with every timer that falls due. */
  advanceTo(at: number): void {
    for (let next = this.nextTimer(at); next !== undefined; next = this.nextTimer(at)) {
      this.time = Math.max(this.time, next.deadline!);
      next.deadline = undefined;
      next.callback();
    }
    this.time = Math.max(this.time, at);
  }

  /** Lets whole nanoseconds pass. */
  advanceNs(ns: number): void {
    this.advance(Math.round((ns / 1e9) * this.hz));
  }

  /** Puts the clock at a time without running anything: a snapshot is about to be loaded. */
  jumpTo(at: number): void {
    this.time = at;
  }

  /** Armed deadlines by timer name. */
  deadlines(): Record<string, number> {
    const armed = this.timers.filter((timer) => timer.deadline !== undefined);
    return Object.fromEntries(armed.map((timer) => [timer.name, timer.deadline!]));
  }

  private nextTimer(at: number): FakeTimer | undefined {
    let best: FakeTimer | undefined;
    for (const timer of this.timers) {
      if (timer.deadline === undefined || timer.deadline > at) continue;
      if (best === undefined || timer.deadline < best.deadline!) best = timer;
    }
    return best;
  }
}
