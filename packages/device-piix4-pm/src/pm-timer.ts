/**
 * The power management timer (82371AB datasheet, 7.2 "PMTMR"; ACPI 6.4, 4.8.2.1 "Power Management Timer"): 24 bits counting at
 * 3.579545 MHz from power-on, whatever anyone does. TMROF_STS is set whenever bit 23 changes. The count derives from the clock at
 * each read, and so does the status: only an enabled interrupt costs a deadline.
 */
import { scaleTicks, ticksForCount, type Clock, type Timer } from '@ringfence/sdk';

export const PM_TIMER_HZ = 3_579_545;
const MASK = 0xffffff;
/** Counts from one change of bit 23 to the next. */
const HALF = 0x800000;

export class PmTimer {
  /** How many changes of bit 23 software has acknowledged. */
  acknowledged = 0;
  private readonly timer: Timer;

  constructor(
    private readonly clock: Clock,
    overflowed: () => void,
  ) {
    this.timer = clock.createTimer('pm-timer', overflowed);
  }

  get value(): number {
    return this.count % (MASK + 1);
  }

  get overflowed(): boolean {
    return this.changes > this.acknowledged;
  }

  acknowledge(): void {
    this.acknowledged = this.changes;
  }

  /** Calls back at the next overflow, or no more. */
  watch(on: boolean): void {
    if (on) this.timer.arm(ticksForCount((this.changes + 1) * HALF, this.clock.hz, PM_TIMER_HZ));
    else this.timer.disarm();
  }

  private get count(): number {
    return scaleTicks(this.clock.now(), this.clock.hz, PM_TIMER_HZ);
  }

  private get changes(): number {
    return Math.floor(this.count / HALF);
  }
}
