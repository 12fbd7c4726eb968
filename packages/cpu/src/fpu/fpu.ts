/**
 * The x87 FPU's state: register stack, control and status words, and what the running instruction has raised so far. One per
 * machine, in the words that `MachineMemory.fpuWords` gives (SDM Vol. 1, 8.1 "x87 FPU Execution Environment").
 * An instruction works on scratch values and gathers exceptions in `raised`; nothing of the state changes before `commit`,
 * so a page fault on the way leaves no trace. It knows no processor, no memory and no instruction.
 */
import * as layout from '@ringfence/sdk';
import { Extended } from './extended.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { FPU_CONTROL, FPU_STATUS, FPU_TOP, FPU_TAGS, FPU_FERR, FPU_REGISTERS, FPU_REGISTER_WORDS } = layout;

// Status word: exceptions, in the places of their masks in the control word
export const IE = 0x01;
export const DE = 0x02;
export const ZE = 0x04;
export const OE = 0x08;
export const UE = 0x10;
export const PE = 0x20;
export const EXCEPTIONS = 0x3f;
/** Stack fault: C1 says overflow (1) or underflow (0). */
export const SF = 0x40;
/** An unmasked exception is pending; B repeats it. */
export const ES = 0x80;
export const BUSY = 0x8000;
export const C0 = 0x100;
export const C1 = 0x200;
export const C2 = 0x400;
export const C3 = 0x4000;
export const CONDITIONS = C0 | C1 | C2 | C3;
export const TOP_SHIFT = 11;

/** Exceptions that, unmasked, keep an operation from delivering anything. */
export const PRECOMPUTATION = IE | DE | ZE;
/** The same for stores to memory in a narrower format. */
export const STORE_BLOCKING = IE | OE | UE;

export const CONTROL_INIT = 0x37f;
/** Bits of the control word that exist; bit 6 always reads as one. */
export const CONTROL_BITS = 0x1f7f;
export const CONTROL_ONE = 0x40;

// Rounding control
export const NEAREST = 0;
export const DOWN = 1;
export const UP = 2;
export const CHOP = 3;

/** Significand bits by the precision-control field; 1 is reserved and acts as 64. */
const PRECISIONS = [24, 64, 53, 64];

export class Fpu {
  /** Exceptions of the running instruction, with SF. */
  raised = 0;
  /** C1 of the running instruction: the result was rounded up, or the stack overflowed. */
  up = false;
  /** The memory operand was a denormal of its own format. */
  denormalSource = false;
  /** Scratch: operands and result. */
  readonly a = new Extended();
  readonly b = new Extended();
  readonly r = new Extended();

  constructor(readonly w: Int32Array) {}

  get control(): number {
    return this.w[FPU_CONTROL];
  }

  get rounding(): number {
    return (this.w[FPU_CONTROL] >> 10) & 3;
  }

  /** Significand bits to which arithmetic rounds. */
  get precision(): number {
    return PRECISIONS[(this.w[FPU_CONTROL] >> 8) & 3];
  }

  /** The status word with TOP. */
  get status(): number {
    return this.w[FPU_STATUS] | (this.w[FPU_TOP] << TOP_SHIFT);
  }

  /** Power-up values: SDM Vol. 3A, table 9-1 "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
  powerUp(): void {
    this.w.fill(0);
    this.w[FPU_CONTROL] = CONTROL_ONE;
    this.w[FPU_TAGS] = 0xff;
  }

  /** FNINIT: registers keep their contents. */
  init(): void {
    const w = this.w;
    w.fill(0, FPU_STATUS, FPU_FERR + 1);
    w[FPU_CONTROL] = CONTROL_INIT;
  }

  // --- the control and status words as software writes them ---
  setControl(value: number): void {
    this.w[FPU_CONTROL] = (value & CONTROL_BITS) | CONTROL_ONE;
    this.refreshSummary();
  }

  setStatus(value: number): void {
    this.w[FPU_STATUS] = value & (EXCEPTIONS | SF | CONDITIONS);
    this.w[FPU_TOP] = (value >> TOP_SHIFT) & 7;
    this.refreshSummary();
  }

  clearExceptions(): void {
    this.w[FPU_STATUS] &= CONDITIONS;
    this.w[FPU_FERR] = 0;
  }

  /** ES and B follow from the exceptions and their masks; FERR# goes with them. */
  private refreshSummary(): void {
    const w = this.w;
    if ((w[FPU_STATUS] & ~w[FPU_CONTROL] & EXCEPTIONS) !== 0) w[FPU_STATUS] |= ES | BUSY;
    else {
      w[FPU_STATUS] &= ~(ES | BUSY);
      w[FPU_FERR] = 0;
    }
  }

  /** A waiting instruction must raise #MF. */
  get pending(): boolean {
    return (this.w[FPU_STATUS] & ES) !== 0;
  }

  // --- the running instruction ---
  begin(): void {
    this.raised = 0;
    this.up = false;
    this.denormalSource = false;
  }

  raise(exceptions: number): void {
    this.raised |= exceptions;
  }

  /** Whether one of `exceptions` was raised and is not masked. */
  unmasked(exceptions: number): boolean {
    return (this.raised & ~this.w[FPU_CONTROL] & exceptions) !== 0;
  }

  /**
   * Answers true when an unmasked one of `exceptions` keeps the result from being delivered; the instruction then ends
   * there, and raises nothing of lower priority.
   */
  blockedBy(exceptions: number): boolean {
    if ((this.raised & ~this.w[FPU_CONTROL] & exceptions) === 0) return false;
    this.raised &= exceptions | SF;
    if ((this.raised & SF) === 0) this.up = false;
    return true;
  }

  /** The result of an invalid operation. */
  invalid(out: Extended): void {
    this.raised |= IE;
    out.setIndefinite();
  }

  stackUnderflow(out: Extended): void {
    this.raised |= IE | SF;
    this.up = false;
    out.setIndefinite();
  }

  stackOverflow(out: Extended): void {
    this.raised |= IE | SF;
    this.up = true;
    out.setIndefinite();
  }

  /** Merges the instruction's exceptions and C1 into the status word. */
  commit(): void {
    const w = this.w;
    const raised = this.raised;
    let status = (w[FPU_STATUS] & ~C1) | raised;
    if (this.up) status |= C1;
    if ((raised & ~w[FPU_CONTROL] & EXCEPTIONS) !== 0) status |= ES | BUSY;
    w[FPU_STATUS] = status;
  }

  setConditions(bits: number): void {
    this.w[FPU_STATUS] = (this.w[FPU_STATUS] & ~CONDITIONS) | bits;
  }

  // --- the register stack ---
  /** Index of ST(i)'s words. */
  private place(i: number): number {
    return FPU_REGISTERS + ((this.w[FPU_TOP] + i) & 7) * FPU_REGISTER_WORDS;
  }

  isEmpty(i: number): boolean {
    return ((this.w[FPU_TAGS] >> ((this.w[FPU_TOP] + i) & 7)) & 1) === 0;
  }

  get(i: number, x: Extended): void {
    const w = this.w;
    const at = this.place(i);
    const se = w[at + 2];
    x.lo = w[at];
    x.hi = w[at + 1];
    x.ext = 0;
    x.exp = se & 0x7fff;
    x.sign = se >>> 15;
  }

  put(i: number, x: Extended): void {
    const w = this.w;
    const at = this.place(i);
    w[at] = x.lo;
    w[at + 1] = x.hi;
    w[at + 2] = (x.sign << 15) | x.exp;
    w[FPU_TAGS] |= 1 << ((w[FPU_TOP] + i) & 7);
  }

  push(x: Extended): void {
    this.w[FPU_TOP] = (this.w[FPU_TOP] - 1) & 7;
    this.put(0, x);
  }

  pop(): void {
    const w = this.w;
    const top = w[FPU_TOP];
    w[FPU_TAGS] &= ~(1 << top);
    w[FPU_TOP] = (top + 1) & 7;
  }

  free(i: number): void {
    this.w[FPU_TAGS] &= ~(1 << ((this.w[FPU_TOP] + i) & 7));
  }

  /** FINCSTP, FDECSTP: tags stay. */
  rotate(by: number): void {
    this.w[FPU_TOP] = (this.w[FPU_TOP] + by) & 7;
  }
}
