/**
 * A decoded instruction and a basic block of them: what the decoder makes and the run loop executes.
 * One shape for every instruction, all fields set in the constructor, so that the loop stays monomorphic.
 * Nothing here decodes or executes.
 */
import { ZERO } from '@ringfence/sdk';
import type { Cpu } from './cpu.js';
import type { OpcodeRow } from './table/row.js';

/**
 * Executes one instruction. Order inside a handler: everything that may fault first, then the commits; a fault (thrown by
 * the memory accessors or `Cpu.fault`) must leave no trace.
 */
export type Handler = (c: Cpu, op: Op) => void;

// Op.rep
export const REP_NONE = 0;
export const REP_E = 1; // F3: REP, REPE
export const REP_NE = 2; // F2: REPNE

export class Op {
  exec: Handler;
  /** Offset of the instruction's first byte from the block's first byte. */
  off = 0;
  /** Offset of the next instruction: `off + length`. */
  next = 0;
  length = 0;
  /**
   * Register operands. 32-bit operands: index into `Cpu.s` (EAX..EDI). 16-bit: index into `Cpu.w`. 8-bit: index into
   * `Cpu.b`. Segment, control and debug registers: their number. `dst` is the r/m operand of register forms (or the
   * opcode's register), `src` the reg field of ModR/M.
   */
  dst = 0;
  src = 0;
  /** Memory operand: `(s[base] + (s[index] << scale) + disp) & mask` within segment `seg`. */
  base = ZERO;
  index = ZERO;
  scale = 0;
  disp = 0;
  /** -1 with 32-bit addressing, 0xFFFF with 16-bit. Also set for string and stack-free forms: the address size. */
  mask = -1;
  /** Segment register number of the memory operand (default or override); of the source in string instructions. */
  seg = 3;
  /**
   * Immediate as an int32. Ib: 0..255. Ibs, Jb: sign-extended byte. Iw: 0..65535. Iz, Jz: 32 bits, or 16 bits
   * sign-extended when the operand size is 16. Ap: the offset (0..65535 or int32).
   */
  imm = 0;
  /** Second immediate: ENTER's level (0..255), a far pointer's selector. */
  imm2 = 0;
  /** True when the operand size is 32 bits. */
  wide = true;
  rep = REP_NONE;
  lock = false;
  /** The operand is memory (ModR/M mod != 3, or moffs). */
  mem = false;
  readonly row: OpcodeRow;
  /** The row's own handler; differs from `exec` where a check stands before it (the assist's sensitive instructions). */
  inner: Handler;

  constructor(row: OpcodeRow, exec: Handler) {
    this.row = row;
    this.exec = exec;
    this.inner = exec;
  }
}

/** Straight-line code: starts anywhere, ends at a transfer of control, at an instruction that ends blocks, or at the page's end. */
export class Block {
  /** Physical address of the first byte. */
  readonly address: number;
  readonly ops: Op[];
  readonly count: number;
  /** Bytes of the whole block. */
  readonly bytes: number;
  /** CS.D and CS-independent decode mode the block was decoded for: 0 = 16-bit code, 1 = 32-bit code. */
  readonly mode: number;
  /** Physical page number of the second page when the (single) instruction crosses a page, else -1. */
  readonly crossPage: number;
  /** Cleared when its bytes change; a block that is not valid is never entered. */
  valid = true;
  /** Decoded for a single step: one instruction, and not in the table that the run loop looks into. */
  cut = false;

  constructor(address: number, ops: Op[], bytes: number, mode: number, crossPage: number) {
    this.address = address;
    this.ops = ops;
    this.count = ops.length;
    this.bytes = bytes;
    this.mode = mode;
    this.crossPage = crossPage;
  }
}
