/**
 * The local vector table (SDM Vol. 3A, "Local Vector Table"): what the timer, the two pins LINT0 and LINT1 and an error
 * make an interrupt of. The levels of the pins are kept here, for entries that are unmasked while one is asserted.
 * Performance counters and the thermal sensor have their entries and never use them.
 */
import {
  APIC_EXTINT,
  APIC_FIXED,
  APIC_NMI,
  stateFields,
  stateNumber,
  stateNumbers,
  type StateRecord,
} from '@ringfence/sdk';
import * as R from './registers.js';

const NAMES = ['timer', 'thermal', 'performance', 'lint0', 'lint1', 'error'] as const;
type Saved = Record<(typeof NAMES)[number] | 'lines', number>;

export class LocalVectors {
  private readonly table = new Int32Array(R.LVT_ENTRIES).fill(R.MASKED);
  /** Bit n: LINTn is asserted. */
  private lines = 0;

  constructor(
    /** Bit n: the entry with index n is there. */
    private readonly present: number,
    private readonly deliver: (mode: number, vector: number, level: boolean) => void,
  ) {}

  /** As after power-up; the pins are the board's. */
  reset(): void {
    this.table.fill(R.MASKED);
  }

  virtualWire(): void {
    this.table[R.LVT_LINT0] = APIC_EXTINT << R.DELIVERY_MODE_SHIFT;
    this.table[R.LVT_LINT1] = APIC_NMI << R.DELIVERY_MODE_SHIFT;
  }

  /** Which entry a register is, or -1. */
  indexOf(register: number): number {
    const index = (register - R.LVT) >> 4;
    return index >= 0 && index < R.LVT_ENTRIES && (this.present & (1 << index)) !== 0 ? index : -1;
  }

  /** "Max LVT Entry": their number less one. */
  get last(): number {
    let count = 0;
    for (let i = 0; i < R.LVT_ENTRIES; i++) if ((this.present & (1 << i)) !== 0) count++;
    return count - 1;
  }

  read(index: number): number {
    return this.table[index];
  }

  /** `masked`: whatever the value says. */
  write(index: number, value: number, masked: boolean): void {
    const remote = (value & R.TRIGGER_LEVEL) !== 0 ? this.table[index] & R.REMOTE_IRR : 0;
    this.table[index] = (value & R.LVT_WRITABLE[index]) | remote | (masked ? R.MASKED : 0);
    if (index === R.LVT_LINT0) this.sample(0, false);
  }

  /** True when the level is another than before. */
  setLine(pin: number, level: boolean): boolean {
    if (this.line(pin) === level) return false;
    this.lines ^= 1 << pin;
    return true;
  }

  line(pin: number): boolean {
    return (this.lines & (1 << pin)) !== 0;
  }

  /** Has a pin's entry hear it. `rising`: just now. */
  sample(pin: number, rising: boolean): void {
    const index = R.LVT_LINT0 + pin;
    const entry = this.table[index];
    // LINT1 has no level-triggered interrupts, and other modes than fixed have none.
    const byLevel = pin === 0 && (entry & R.TRIGGER_LEVEL) !== 0 && this.mode(index) === APIC_FIXED;
    if (!byLevel) {
      if (rising && this.mode(index) !== APIC_EXTINT) this.raise(index, false);
    } else if (this.line(pin) && (entry & (R.REMOTE_IRR | R.MASKED)) === 0) {
      this.table[index] |= R.REMOTE_IRR;
      this.raise(index, true);
    }
  }

  /** What an entry stands for has happened. */
  raise(index: number, level = false): void {
    const entry = this.table[index];
    const fixed = index === R.LVT_TIMER || index === R.LVT_ERROR;
    if ((entry & R.MASKED) === 0) this.deliver(fixed ? APIC_FIXED : this.mode(index), entry & R.VECTOR, level);
  }

  /** A level-triggered vector was served. */
  endOfInterrupt(vector: number): void {
    const entry = this.table[R.LVT_LINT0];
    if ((entry & R.REMOTE_IRR) === 0 || (entry & R.VECTOR) !== vector) return;
    this.table[R.LVT_LINT0] &= ~R.REMOTE_IRR;
    this.sample(0, false);
  }

  /** A pin that is wired through to the processor is asserted. */
  get externalWaits(): boolean {
    return this.lines !== 0 && (this.passes(0, APIC_EXTINT) || this.passes(1, APIC_EXTINT));
  }

  get routesNmi(): boolean {
    return (this.table[R.LVT_LINT0] & R.MASKED) === 0 && this.mode(R.LVT_LINT0) === APIC_NMI;
  }

  private passes(pin: number, mode: number): boolean {
    const index = R.LVT_LINT0 + pin;
    return this.line(pin) && (this.table[index] & R.MASKED) === 0 && this.mode(index) === mode;
  }

  private mode(index: number): number {
    return (this.table[index] >>> R.DELIVERY_MODE_SHIFT) & 7;
  }

  saveState(): StateRecord['data'] {
    return { ...Object.fromEntries(NAMES.map((name, i) => [name, this.table[i]])), lines: this.lines };
  }

  static parseState(data: StateRecord['data'], key: string): Saved {
    const fields = stateFields(data, key);
    return { ...stateNumbers(fields, NAMES), lines: stateNumber(fields, 'lines') };
  }

  restore(saved: Saved): void {
    this.table.set(NAMES.map((name) => saved[name]));
    this.lines = saved.lines;
  }
}
