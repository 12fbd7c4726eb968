/**
 * One Intel 8259A (order number 231468, "8259A Programmable Interrupt Controller"): registers, initialisation sequence,
 * priority resolver. Knows its eight inputs and whether it wants to interrupt; the pair is wired up in pic8259.ts.
 * Always answers as in 8086 mode; the MCS-80 CALL sequence and buffered mode do not exist on a PC.
 */
import { type StateRecord, stateNumbers } from '@ringfence/sdk';

// ICW1
const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW1_LTIM = 0x08;
const ICW1_SELECT = 0x10;
// ICW4
const ICW4_AEOI = 0x02;
const ICW4_SFNM = 0x10;
// OCW3
const OCW3_SELECT = 0x08;
const OCW3_RIS = 0x01;
const OCW3_RR = 0x02;
const OCW3_POLL = 0x04;
const OCW3_SMM = 0x20;
const OCW3_ESMM = 0x40;
// OCW2
const OCW2_EOI = 0x20;
const OCW2_SL = 0x40;
const OCW2_R = 0x80;

const POLL_PENDING = 0x80;
const NO_PRIORITY = 8;

/** Everything the chip remembers. */
const FIELDS = [
  'lines', // levels of IR0..IR7
  'edges', // rising edges not yet acknowledged (and whose input is still high)
  'imr',
  'isr',
  'icw1',
  'icw2',
  'icw3',
  'icw4',
  'nextIcw', // 2..4 while an initialisation sequence waits for that word, else 0
  'lowest', // the input with the lowest priority; 7 unless rotated
  'rotateInAeoi',
  'readIsr',
  'specialMask',
  'poll',
  'elcr',
] as const;
type Registers = Record<(typeof FIELDS)[number], number>;

export class Pic8259Chip {
  private r: Registers;

  /** `cascade`: mask of the inputs that carry a slave's INT (0 for a slave); `icw2`, `icw3` as a BIOS leaves them. */
  constructor(
    private readonly cascade: number,
    private readonly biosIcw2: number,
    private readonly biosIcw3: number,
  ) {
    this.r = this.initial();
  }

  /** As a BIOS leaves it: vectors set, 8086 mode, everything but the cascade masked. */
  reset(): void {
    this.r = { ...this.initial(), lines: this.r.lines };
  }

  private initial(): Registers {
    const zero = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Registers;
    const icw1 = ICW1_SELECT | ICW1_IC4;
    return { ...zero, lowest: 7, imr: ~this.cascade & 0xff, icw1, icw2: this.biosIcw2, icw3: this.biosIcw3, icw4: 1 };
  }

  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    if (!level) {
      this.r.lines &= ~bit;
      // "IR input must remain high until after the falling edge of the first INTA": a request that goes away is lost.
      this.r.edges &= ~bit;
    } else if ((this.r.lines & bit) === 0) {
      this.r.lines |= bit;
      this.r.edges |= bit;
    }
  }

  set elcr(value: number) {
    this.r.elcr = value;
  }

  get elcr(): number {
    return this.r.elcr;
  }

  /** The interrupt request register. */
  get irr(): number {
    const level = (this.r.icw1 & ICW1_LTIM) !== 0 ? 0xff : this.r.elcr;
    return (this.r.lines & level) | (this.r.edges & ~level);
  }

  /** The level of the INT output. */
  get int(): boolean {
    return this.winner() >= 0;
  }

  /** INTA: the input served, or -1 when the request has gone (the chip then answers with IR7, nothing in service). */
  acknowledge(): number {
    const input = this.winner();
    if (input >= 0) this.serve(input);
    return input;
  }

  /** The next read is a poll. */
  get polled(): boolean {
    return this.r.poll !== 0;
  }

  vector(input: number): number {
    return (this.r.icw2 & 0xf8) | input;
  }

  /** Reads port A0 = 0 or 1. */
  read(a0: number): number {
    if (this.r.poll !== 0) {
      this.r.poll = 0;
      const input = this.acknowledge();
      return input >= 0 ? POLL_PENDING | input : 0;
    }
    if (a0 !== 0) return this.r.imr;
    return this.r.readIsr !== 0 ? this.r.isr : this.irr;
  }

  write(a0: number, value: number): void {
    if (a0 === 0) {
      if ((value & ICW1_SELECT) !== 0) this.initialize(value);
      else if ((value & OCW3_SELECT) !== 0) this.ocw3(value);
      else this.ocw2(value);
    } else if (this.r.nextIcw === 0) {
      this.r.imr = value; // OCW1
    } else {
      this.nextInitializationWord(value);
    }
  }

  saveState(): Registers {
    return { ...this.r };
  }

  /** Reads a saved state; `restore` puts it in place, so that a bad one leaves no trace. */
  static parseState(data: StateRecord['data']): Registers {
    return stateNumbers(data, FIELDS);
  }

  restore(registers: Registers): void {
    this.r = registers;
  }

  /** ICW1 clears what the datasheet lists under "Initialization Command Words", and restarts edge detection. */
  private initialize(icw1: number): void {
    const { lines, elcr, icw2, icw3 } = this.r;
    const zero = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Registers;
    this.r = { ...zero, lines, elcr, icw1, icw2, icw3, nextIcw: 2, lowest: 7 };
  }

  private nextInitializationWord(value: number): void {
    const last = (this.r.icw1 & ICW1_IC4) !== 0 ? 4 : 0;
    if (this.r.nextIcw === 2) {
      this.r.icw2 = value;
      this.r.nextIcw = (this.r.icw1 & ICW1_SNGL) !== 0 ? last : 3;
    } else if (this.r.nextIcw === 3) {
      this.r.icw3 = value;
      this.r.nextIcw = last;
    } else {
      this.r.icw4 = value;
      this.r.nextIcw = 0;
    }
  }

  /** End of interrupt and priority rotation. */
  private ocw2(value: number): void {
    const rotate = (value & OCW2_R) !== 0;
    const specific = (value & OCW2_SL) !== 0;
    if ((value & OCW2_EOI) !== 0) {
      const input = specific ? value & 7 : this.highestInService();
      if (input < 0) return;
      this.r.isr &= ~(1 << input);
      if (rotate) this.r.lowest = input;
    } else if (specific) {
      if (rotate) this.r.lowest = value & 7; // set priority; R = 0 is no operation
    } else {
      this.r.rotateInAeoi = rotate ? 1 : 0;
    }
  }

  private ocw3(value: number): void {
    if ((value & OCW3_ESMM) !== 0) this.r.specialMask = (value & OCW3_SMM) !== 0 ? 1 : 0;
    if ((value & OCW3_POLL) !== 0) this.r.poll = 1;
    else if ((value & OCW3_RR) !== 0) this.r.readIsr = value & OCW3_RIS;
  }

  private serve(input: number): void {
    this.r.edges &= ~(1 << input);
    if ((this.r.icw4 & ICW4_AEOI) === 0) this.r.isr |= 1 << input;
    else if (this.r.rotateInAeoi !== 0) this.r.lowest = input;
  }

  /** The input that may interrupt now, or -1. */
  private winner(): number {
    const request = this.firstOf(this.irr & ~this.r.imr);
    if (request === NO_PRIORITY) return -1;
    const service = this.firstOf(this.blockingService());
    const input = this.inputAt(request);
    if (request < service) return input;
    // Special fully nested mode: a slave in service may interrupt again with a higher one of its own.
    const nested = (this.r.icw4 & ICW4_SFNM) !== 0 && (this.cascade & (1 << input)) !== 0;
    return nested && request === service ? input : -1;
  }

  /** In special mask mode, levels that are masked neither hold others off nor take a non-specific EOI. */
  private blockingService(): number {
    return this.r.specialMask !== 0 ? this.r.isr & ~this.r.imr : this.r.isr;
  }

  private highestInService(): number {
    const priority = this.firstOf(this.blockingService());
    return priority === NO_PRIORITY ? -1 : this.inputAt(priority);
  }

  /** Priority (0 is the highest) of the first input set in `mask`, or NO_PRIORITY. */
  private firstOf(mask: number): number {
    if (mask === 0) return NO_PRIORITY;
    let priority = 0;
    while ((mask & (1 << this.inputAt(priority))) === 0) priority++;
    return priority;
  }

  private inputAt(priority: number): number {
    return (this.r.lowest + 1 + priority) & 7;
  }
}
