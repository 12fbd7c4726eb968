/**
 * One row of the opcode table: the single place that says which encodings exist. The decoder, the disassembly checks,
 * the vector recorder and the tests are all driven by it. Rows live in table/*.ts by opcode map; handlers are named per
 * operand shape and come from instructions/<family>.ts.
 */
import type { Handler } from '../op.js';

/** Operand codes after the SDM's own (Vol. 2D, A.2 "Key to Abbreviations"). */
export type Operand =
  | 'Eb'
  | 'Ew'
  | 'Ev'
  | 'Ed' // ModR/M r/m: byte, word, operand size, dword
  | 'Gb'
  | 'Gw'
  | 'Gv'
  | 'Gd' // ModR/M reg
  | 'Ib'
  | 'Iw'
  | 'Iz'
  | 'Ibs' // immediates: byte, word, operand size, sign-extended byte
  | 'Jb'
  | 'Jz' // relative
  | 'Ob'
  | 'Ov' // moffs
  | 'Zb'
  | 'Zv' // register in the opcode's low three bits
  | 'AL'
  | 'AX'
  | 'eAX'
  | 'CL'
  | 'DX'
  | '1'
  | 'Sw'
  | 'Cd'
  | 'Dd' // segment, control, debug register by reg field
  | 'ES'
  | 'CS'
  | 'SS'
  | 'DS'
  | 'FS'
  | 'GS'
  | 'Ap'
  | 'Mp'
  | 'Ma'
  | 'M'
  | 'Mb'
  | 'Mw'
  | 'Md'
  | 'Mq'
  | 'Ms' // far pointers and memory-only operands
  | 'Xb'
  | 'Xv'
  | 'Yb'
  | 'Yv' // string operands
  | 'ST' // x87 stack register by the r/m field
  | 'Pq'
  | 'Pd'
  | 'Qq'
  | 'Qd'
  | 'Nq' // MMX: reg field; r/m register or memory of 8 or 4 bytes; r/m register only
  | 'Vdq'
  | 'Vps'
  | 'Vpd'
  | 'Vss'
  | 'Vsd'
  | 'Vq'
  | 'Wdq'
  | 'Wps'
  | 'Wpd'
  | 'Wss'
  | 'Wsd'
  | 'Wq'
  | 'Udq'
  | 'Ups'
  | 'Upd' // XMM: reg field; r/m register or memory of 16 (dq, ps, pd), 8 (sd, q) or 4 (ss) bytes; r/m register only
  | 'Mdq' // memory only, 16 bytes
  | 'Fv';

/** Handlers by operand size and by register or memory form. Absent forms raise #UD. */
export interface RowHandlers {
  /** Register form (or no ModR/M) with 16- and 32-bit operands. Byte instructions use `r32` for both sizes. */
  r16?: Handler;
  r32?: Handler;
  /** Memory form. */
  m16?: Handler;
  m32?: Handler;
}

export interface OpcodeRow {
  readonly mnemonic: string;
  /** Opcode map: 1 = one byte, 2 = 0F two-byte. */
  readonly map: 1 | 2;
  readonly opcode: number;
  /**
   * Mandatory prefix: 0 = none of 66, F2, F3. F2 and F3 win over 66. Rows of one opcode either all say it or none does; without
   * it the prefixes mean what they mean to integer instructions (SDM Vol. 2A, 2.1.2 "Instruction Opcode Format").
   */
  readonly prefix?: 0 | 0x66 | 0xf2 | 0xf3;
  /** ModR/M reg field that selects this row within a group. */
  readonly ext?: number;
  /** R/m field that selects this row within a group, in the register form: the x87's operations without operand. */
  readonly rm?: number;
  readonly operands: readonly Operand[];
  readonly handlers: RowHandlers;
  /** First instruction-set level that has it: 3 = 386 (default), 4, 5, 6. */
  readonly isa?: number;
  /** CPUID feature it belongs to, a key of `CpuModel.features`. */
  readonly feature?: string;
  /** LOCK is allowed on the memory form. */
  readonly lockable?: boolean;
  /** The block ends after it: transfers of control, mode changes, anything after which interrupts must be looked at. */
  readonly ends?: boolean;
  /** Privileged, sensitive or segment-loading: see `InstructionInfo.system`. */
  readonly system?: boolean;
  /** One of the seventeen sensitive instructions that `assist: trap` makes fault when deprivileged. */
  readonly sensitive?: boolean;
  /** Takes REP / REPE / REPNE. */
  readonly string?: boolean;
  /** Operand size defaults are fixed (e.g. MOV CR is always 32 bits). */
  readonly fixedSize?: 16 | 32;
}
