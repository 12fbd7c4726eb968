/**
 * Sleep of the host while a guest is in HLT: ends after its time or when something wants the machine (input, an abort).
 * One timer a sleep and no polling. A wake-up with nobody asleep is kept for the next sleep, so that none is lost between
 * looking and lying down.
 */
import { performance } from 'node:perf_hooks';
import type { Machine } from './types.js';

/** The longest a timer of Node's can be set to; a sleep without end is one of these after another. */
const LONGEST_MS = 2 ** 31 - 1;

export class Sleeper {
  private woken = false;
  private end: (() => void) | undefined;

  wake(): void {
    this.woken = true;
    this.end?.();
  }

  /** Answers whether it was woken; after `milliseconds` (or 24 days, for Infinity) it was not. */
  async sleep(milliseconds: number): Promise<boolean> {
    if (!this.woken) {
      await new Promise<void>((resolve) => {
        // The timer also keeps the process alive, which standard input alone does not.
        const timer = setTimeout(resolve, Math.min(milliseconds, LONGEST_MS));
        this.end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.end = undefined;
    }
    const { woken } = this;
    this.woken = false;
    return woken;
  }
}

/** Sleep owed by the guest is slept in pieces of at least this: timers of the host are no finer. */
const SHORTEST_MS = 2;
/** A host that was busier than this does not have the guest hurry after it. */
const LATEST_MS = 100;

/** Sleeps for a guest in HLT: until its deadline (which an unpaced guest does not have), input, an abort or a limit. */
export class GuestNap {
  /** Virtual sleep that has passed without the host sleeping yet; negative when it slept longer. */
  private owedMs = 0;

  constructor(
    private readonly machine: Machine,
    private readonly sleeper: Sleeper,
  ) {}

  async sleep(limitMs: number): Promise<void> {
    const { machine, sleeper } = this;
    const ticks = machine.sleepTicks;
    if (ticks === Infinity) {
      await sleeper.sleep(limitMs);
      return;
    }
    const { hz } = machine.config.clock;
    const milliseconds = this.owedMs + (ticks / hz) * 1000;
    if (milliseconds < SHORTEST_MS) {
      this.owedMs = milliseconds;
      machine.passTime(ticks);
      return;
    }
    const started = performance.now();
    const woken = await sleeper.sleep(Math.min(limitMs, milliseconds));
    const slept = performance.now() - started;
    if (woken || limitMs < milliseconds) {
      machine.passTime(((slept - this.owedMs) / 1000) * hz);
      this.owedMs = 0;
    } else {
      // Nothing came between: the deadline is met exactly. What the host's timer was late by, the next sleeps make up for.
      machine.passTime(ticks);
      this.owedMs = Math.max(-LATEST_MS, milliseconds - slept);
    }
  }
}
