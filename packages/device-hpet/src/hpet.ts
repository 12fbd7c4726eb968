/**
 * High precision event timers (Intel, IA-PC HPET Specification 1.0a): a 32-bit main counter of 100 MHz and three comparators, all
 * able to be periodic; interrupts to inputs 20-23 of the I/O APIC or, by legacy replacement, in place of the 8254 (IRQ 0) and the
 * RTC (IRQ 8), whose own requests are then cut off. The count derives from the clock at each read. No 64-bit counter, no front
 * side bus delivery. A periodic comparator whose interrupt is off stands still; one that falls due several times within one tick
 * of the clock interrupts once.
 */
import {
  type Clock,
  type Device,
  type IrqInput,
  type IrqInputs,
  type MmioHandler,
  type StateRecord,
  type Timer,
  Tokens,
  checkedState,
  inject,
  injectable,
  scaleTicks,
  stateNumber,
  ticksForCount,
} from '@ringfence/sdk';
import * as R from './registers.js';

const COMPONENT = 'hpet';
const VERSION = 1;

const WRAP = 2 ** 32;
/** What legacy replacement takes over, by timer. */
const LEGACY_IRQS = [0, 8];
const FIRST_ROUTE = 20;
const LAST_ROUTE = 23;

class Comparator {
  config = R.TN_PERIODIC_CAP;
  /** What is compared. */
  value = 0xffffffff;
  /** Added at each match in periodic mode. */
  period = 0;
  /** VAL_SET: the next write sets the comparator, not only the period. */
  setting = false;
  /** An edge-triggered match: the line stays high until the next, for an 8259 forgets a request that falls before its INTA. */
  pulse = false;

  constructor(readonly timer: Timer) {}

  reset(): void {
    this.config = R.TN_PERIODIC_CAP;
    this.value = 0xffffffff;
    this.period = 0;
    this.setting = false;
    this.pulse = false;
  }
}

const FIELDS = ['config', 'value', 'period'] as const;

@injectable()
export class Hpet implements Device, MmioHandler {
  private genConf = 0;
  private status = 0;
  /** The counter's value at `since`, or now while it stands. */
  private origin = 0;
  private since = 0;
  private readonly comparators: readonly Comparator[];
  private readonly legacy: readonly IrqInput[];
  private readonly routes: readonly IrqInput[];

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.IrqInputs) irqs: IrqInputs,
  ) {
    this.comparators = Array.from(
      { length: R.TIMERS },
      (_, n) => new Comparator(clock.createTimer(`hpet${n}`, () => this.match(n))),
    );
    this.legacy = LEGACY_IRQS.map((irq) => irqs.input(irq));
    this.routes = Array.from({ length: LAST_ROUTE - FIRST_ROUTE + 1 }, (_, i) => irqs.input(FIRST_ROUTE + i));
  }

  reset(): void {
    this.genConf = 0;
    this.status = 0;
    this.origin = 0;
    this.since = 0;
    for (const comparator of this.comparators) comparator.reset();
    this.apply();
  }

  mmioRead(offset: number, size: number): number {
    // Aligned accesses of four bytes are all that is defined; narrower ones give their part, others what the words hold.
    const word = this.readWord(offset & ~3) >>> (8 * (offset & 3));
    return size === 4 ? word | 0 : size === 2 ? word & 0xffff : word & 0xff;
  }

  mmioWrite(offset: number, size: number, value: number): void {
    if (size === 4 && (offset & 3) === 0) this.writeWord(offset, value >>> 0);
  }

  saveState(): StateRecord {
    const { genConf, status, origin, since } = this;
    const data: Record<string, number> = { genConf, status, origin, since };
    this.comparators.forEach((comparator, n) => {
      for (const field of FIELDS) data[`${field}${n}`] = comparator[field];
      data[`setting${n}`] = comparator.setting ? 1 : 0;
      data[`pulse${n}`] = comparator.pulse ? 1 : 0;
      data[`deadline${n}`] = comparator.timer.deadline ?? -1;
    });
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const globals = (['genConf', 'status', 'origin', 'since'] as const).map((name) => stateNumber(data, name));
    const timers = this.comparators.map((_, n) => ({
      fields: FIELDS.map((field) => stateNumber(data, `${field}${n}`)),
      setting: stateNumber(data, `setting${n}`) !== 0,
      pulse: stateNumber(data, `pulse${n}`) !== 0,
      deadline: stateNumber(data, `deadline${n}`),
    }));
    [this.genConf, this.status, this.origin, this.since] = globals;
    this.comparators.forEach((comparator, n) => {
      const { fields, setting, pulse, deadline } = timers[n];
      [comparator.config, comparator.value, comparator.period] = fields;
      comparator.setting = setting;
      comparator.pulse = pulse;
      if (deadline < 0) comparator.timer.disarm();
      else comparator.timer.arm(deadline);
    });
    this.drive();
  }

  private get running(): boolean {
    return (this.genConf & R.ENABLE_CNF) !== 0;
  }

  /** Counts since the counter was last started or set. */
  private get elapsed(): number {
    return this.running ? scaleTicks(this.clock.now() - this.since, this.clock.hz, R.HPET_HZ) : 0;
  }

  private get count(): number {
    return (this.origin + this.elapsed) % WRAP;
  }

  private readWord(at: number): number {
    switch (at) {
      case R.REG_GCAP:
        return R.GCAP_ID;
      case R.REG_PERIOD:
        return R.PERIOD_FS;
      case R.REG_GEN_CONF:
        return this.genConf;
      case R.REG_GINTR_STA:
        return this.status;
      case R.REG_MAIN_CNT:
        return this.count;
    }
    const comparator = this.comparatorAt(at);
    if (comparator === undefined) return 0;
    switch ((at - R.REG_TIMER) % R.TIMER_STRIDE) {
      case R.TN_CONF:
        return comparator.config;
      case R.TN_ROUTE_CAP:
        return R.ROUTE_CAP;
      case R.TN_COMPARATOR:
        return comparator.value;
      default:
        return 0;
    }
  }

  private writeWord(at: number, value: number): void {
    if (at === R.REG_GEN_CONF) {
      // Started or stopped; otherwise a part of a count would be lost.
      if (((value ^ this.genConf) & R.ENABLE_CNF) !== 0) {
        this.origin = this.count;
        this.since = this.clock.now();
      }
      if (((value ^ this.genConf) & R.LEG_RT_CNF) !== 0)
        for (const comparator of this.comparators) comparator.pulse = false;
      this.genConf = value & (R.ENABLE_CNF | R.LEG_RT_CNF);
    } else if (at === R.REG_GINTR_STA) this.status &= ~value;
    else if (at === R.REG_MAIN_CNT) {
      this.origin = value;
      this.since = this.clock.now();
    } else if (!this.writeComparator(at, value)) return;
    this.apply();
  }

  private writeComparator(at: number, value: number): boolean {
    const comparator = this.comparatorAt(at);
    if (comparator === undefined) return false;
    const register = (at - R.REG_TIMER) % R.TIMER_STRIDE;
    if (register === R.TN_CONF) {
      const before = comparator.config;
      comparator.config = R.TN_PERIODIC_CAP | (value & R.TN_WRITABLE);
      if (((before ^ comparator.config) & ~R.TN_PERIODIC) !== 0) comparator.pulse = false;
      comparator.setting = (value & R.TN_VAL_SET) !== 0;
    } else if (register === R.TN_COMPARATOR) {
      const periodic = (comparator.config & R.TN_PERIODIC) !== 0;
      if (periodic) comparator.period = value;
      if (!periodic || comparator.setting) comparator.value = value;
      comparator.setting = false;
    } else return false;
    return true;
  }

  private comparatorAt(at: number): Comparator | undefined {
    return at < R.REG_TIMER ? undefined : this.comparators[Math.floor((at - R.REG_TIMER) / R.TIMER_STRIDE)];
  }

  /** After any write: deadlines and lines follow the registers. A comparator that equals the counter matches at once. */
  private apply(): void {
    for (const comparator of this.comparators) this.schedule(comparator, 0);
    this.drive();
  }

  /** `least`: counts that must pass first, 1 after a match. */
  private schedule(comparator: Comparator, least: number): void {
    if (!this.running || (comparator.config & R.TN_ENABLE) === 0) {
      comparator.timer.disarm();
      return;
    }
    const elapsed = this.elapsed;
    const now = (this.origin + elapsed) % WRAP;
    let wait = (comparator.value - now + WRAP) % WRAP;
    if (wait < least) wait += WRAP;
    comparator.timer.arm(this.since + ticksForCount(elapsed + wait, this.clock.hz, R.HPET_HZ));
  }

  private match(n: number): void {
    const comparator = this.comparators[n];
    if ((comparator.config & R.TN_PERIODIC) !== 0 && comparator.period !== 0) {
      // To the first multiple that lies ahead: a period may be shorter than the clock's tick.
      const late = (this.count - comparator.value + WRAP) % WRAP;
      const steps = Math.floor(late / comparator.period) + 1;
      comparator.value = (comparator.value + steps * comparator.period) % WRAP;
    }
    if ((comparator.config & R.TN_LEVEL) !== 0) this.status |= 1 << n;
    else {
      const line = this.lineOf(n);
      this.comparators.forEach((other, m) => {
        if (this.lineOf(m) === line) other.pulse = false;
      });
      this.drive();
      comparator.pulse = true;
    }
    this.drive();
    this.schedule(comparator, 1);
  }

  private lineOf(n: number): IrqInput | undefined {
    if ((this.genConf & R.LEG_RT_CNF) !== 0 && n < LEGACY_IRQS.length) return this.legacy[n];
    return this.routes[((this.comparators[n].config >>> R.TN_ROUTE_SHIFT) & 0x1f) - FIRST_ROUTE];
  }

  /** The levels of all lines, and whose the legacy ones are. */
  private drive(): void {
    const replaces = (this.genConf & R.LEG_RT_CNF) !== 0;
    const high = new Set<IrqInput>();
    this.comparators.forEach(({ config, pulse }, n) => {
      const level = (config & R.TN_LEVEL) !== 0 ? (this.status & (1 << n)) !== 0 : pulse;
      const asserted = level && (config & R.TN_ENABLE) !== 0;
      const line = this.lineOf(n);
      if (asserted && line !== undefined) high.add(line);
    });
    for (const line of this.legacy) {
      line.set(high.has(line));
      line.alone(replaces);
    }
    for (const line of this.routes) line.set(high.has(line));
  }
}
