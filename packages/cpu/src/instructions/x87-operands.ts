/**
 * What x87 instructions share: the checks before them, their memory operands, and how they end (SDM Vol. 1, 8.1.8 "x87 FPU
 * Instruction and Data (Operand) Pointers", 8.7 "Handling x87 FPU Exceptions in Software"). The order within a handler: `ready`;
 * memory reads; the computation on scratch values; memory writes, all rights checked before the first; then `finish`.
 *
 * A pending exception is reported before the next waiting instruction. With CR0.NE = 1 that is #MF. With CR0.NE = 0 it is FERR#: unless the
 * board answers with IGNNE# the processor waits there for an interrupt, and tries the instruction again afterwards (SDM
 * Vol. 3A, 2.5 "Control Registers", NE; Vol. 1, D.2.2 "MS-DOS Compatibility Sub-mode in the P6 Family and Pentium 4
 * Processors"). So do all our models; the Intel486 and the Pentium report some exceptions earlier than that.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { checkSegment } from '../core/slow-access.js';
import { HOLD, NO_CODE } from '../core/fault.js';
import { fromDouble, fromInt32, fromInt64, fromSingle } from '../fpu/convert.js';
import type { Extended } from '../fpu/extended.js';
import { PRECOMPUTATION, type Fpu } from '../fpu/fpu.js';
import type { Op } from '../op.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const {
  CR0,
  CR0_EM,
  CR0_NE,
  CR0_TS,
  CS,
  EIP,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_FERR,
  FPU_IP,
  FPU_OPCODE,
  SEG,
  SEG_BASE,
  SEG_WORDS,
  VEC_MF,
} = layout;
const UNAVAILABLE = CR0_EM | CR0_TS;

/** Before every instruction: #NM when the FPU is not to be used. Resets what the instruction raises. */
export function readyNoWait(c: Cpu): Fpu {
  if ((c.s[CR0] & UNAVAILABLE) !== 0) c.nm();
  const f = c.fpu;
  f.begin();
  return f;
}

/** Before waiting instructions: also #MF for an exception that an earlier instruction left. */
export function ready(c: Cpu): Fpu {
  const f = readyNoWait(c);
  checkPending(c);
  return f;
}

export function checkPending(c: Cpu): void {
  if (c.fpu.pending) reportPending(c);
}

function reportPending(c: Cpu): void {
  if ((c.s[CR0] & CR0_NE) !== 0) c.fault(VEC_MF, NO_CODE);
  const { w } = c.fpu;
  const again = w[FPU_FERR] !== 0;
  w[FPU_FERR] = 1;
  if (!c.bus.floatError(again)) c.fault(HOLD, NO_CODE);
}

/**
 * Remembers a non-control instruction and its memory operand. Selectors only outside protected mode: there they are kept as
 * zero, as by processors that deprecate them (CPUID.7.EBX bit 13), because their RPL would tell a guest its true ring.
 */
export function note(c: Cpu, op: Op, f: Fpu): void {
  const w = f.w;
  const s = c.s;
  const selectors = c.isProtected ? 0 : 0xffff;
  w[FPU_IP] = (s[EIP] + op.off) | 0;
  w[FPU_CS] = s[SEG + CS * SEG_WORDS] & selectors;
  w[FPU_OPCODE] = op.imm & 0x7ff;
  if (!op.mem) return;
  w[FPU_DP] = c.ea(op);
  w[FPU_DS] = s[SEG + op.seg * SEG_WORDS] & selectors;
}

/** Ends an instruction whose result `f.r` goes to ST(i), and that then pops `pops` registers. */
export function finish(c: Cpu, op: Op, f: Fpu, i: number, pops: number): void {
  note(c, op, f);
  if (!f.blockedBy(PRECOMPUTATION)) {
    f.put(i, f.r);
    for (let n = 0; n < pops; n++) f.pop();
  }
  f.commit();
}

// --- memory operands ---
export type Load = (c: Cpu, op: Op, f: Fpu, out: Extended) => void;

/**
 * The segment's limit holds for an operand as a whole, before any page of it is looked at, and operands of more than 4 bytes are aligned
 * to 8 where alignment is checked; the accesses below would ask for their own 4 bytes only.
 */
function checkWhole(c: Cpu, seg: number, off: number, size: number, write: boolean): void {
  const last = (off >>> 0) + size - 4;
  if (c.alignOn || last > (write ? c.segWriteMax : c.segReadMax)[seg]) checkSegment(c, seg, off, size, write, 8);
}

export const loadSingle: Load = (c, op, f, out) => {
  fromSingle(f, c.read32(op.seg, c.ea(op)), out);
};

export const loadDouble: Load = (c, op, f, out) => {
  const at = c.ea(op);
  checkWhole(c, op.seg, at, 8, false);
  const lo = c.read32(op.seg, at);
  const hi = c.read32(op.seg, (at + 4) | 0);
  fromDouble(f, hi, lo, out);
};

export const loadExtended: Load = (c, op, _f, out) => {
  const at = c.ea(op);
  checkWhole(c, op.seg, at, 10, false);
  const lo = c.read32(op.seg, at);
  const hi = c.read32(op.seg, (at + 4) | 0);
  const se = c.read16(op.seg, (at + 8) | 0);
  out.set(se >>> 15, se & 0x7fff, hi, lo);
};

export const loadInt16: Load = (c, op, _f, out) => {
  fromInt32((c.read16(op.seg, c.ea(op)) << 16) >> 16, out);
};

export const loadInt32: Load = (c, op, _f, out) => {
  fromInt32(c.read32(op.seg, c.ea(op)), out);
};

export const loadInt64: Load = (c, op, _f, out) => {
  const at = c.ea(op);
  checkWhole(c, op.seg, at, 8, false);
  const lo = c.read32(op.seg, at);
  const hi = c.read32(op.seg, (at + 4) | 0);
  fromInt64(hi, lo, out);
};

/** Whether `size` bytes at `off` may be written by 4-byte accesses of which only the first can fault. */
function contiguous(c: Cpu, seg: number, off: number, size: number): boolean {
  const last = (off >>> 0) + size - 4;
  if (last > c.segWriteMax[seg]) return false;
  const linear = c.s[SEG + SEG_BASE + seg * SEG_WORDS] + off;
  return (linear & 0xfff) + size <= 4096;
}

export function storeQword(c: Cpu, op: Op, hi: number, lo: number): void {
  const { seg } = op;
  const at = c.ea(op);
  checkWhole(c, seg, at, 8, true);
  if (!contiguous(c, seg, at, 8)) {
    c.readRmw32(seg, at);
    c.readRmw32(seg, (at + 4) | 0);
  }
  c.write32(seg, at, lo);
  c.write32(seg, (at + 4) | 0, hi);
}

export function storeTenBytes(c: Cpu, op: Op, se: number, hi: number, lo: number): void {
  const { seg } = op;
  const at = c.ea(op);
  checkWhole(c, seg, at, 10, true);
  if (!contiguous(c, seg, at, 12)) {
    c.readRmw32(seg, at);
    c.readRmw32(seg, (at + 4) | 0);
    c.readRmw16(seg, (at + 8) | 0);
  }
  c.write32(seg, at, lo);
  c.write32(seg, (at + 4) | 0, hi);
  c.write16(seg, (at + 8) | 0, se);
}

/** The checks of a store that delivers nothing, because of an exception that is not masked: its operand faults all the same. */
export function checkStore(c: Cpu, op: Op, size: number): void {
  const { seg } = op;
  const at = c.ea(op);
  if (size === 2) {
    c.readRmw16(seg, at);
    return;
  }
  if (size > 4) checkWhole(c, seg, at, size, true);
  c.readRmw32(seg, at);
  if (size === 8) c.readRmw32(seg, (at + 4) | 0);
  if (size === 10) {
    c.readRmw32(seg, (at + 4) | 0);
    c.readRmw16(seg, (at + 8) | 0);
  }
}

/** Reads `words.length` 16-bit words at the operand. */
export function loadWords(c: Cpu, op: Op, words: Uint16Array, count: number): void {
  const at = c.ea(op);
  checkImage(c, op, at, count * 2, false);
  for (let i = 0; i < count; i++) words[i] = c.read16(op.seg, (at + i * 2) | 0);
}

/** Writes an image of at most a page; its first and last words cover every page and limit it can touch. */
export function storeWords(c: Cpu, op: Op, words: Uint16Array, count: number): void {
  const at = c.ea(op);
  checkImage(c, op, at, count * 2, true);
  c.readRmw16(op.seg, at);
  c.readRmw16(op.seg, (at + (count - 1) * 2) | 0);
  for (let i = 0; i < count; i++) c.write16(op.seg, (at + i * 2) | 0, words[i]);
}

/**
 * The limit holds for the whole image. Images are aligned to their operand size (SDM Vol. 3A, table 6-7 "Alignment Requirements by Data
 * Type").
 */
function checkImage(c: Cpu, op: Op, at: number, bytes: number, write: boolean): void {
  checkSegment(c, op.seg, at, bytes, write, op.wide ? 4 : 2);
}
