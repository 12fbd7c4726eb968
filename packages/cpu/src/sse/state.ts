/**
 * The state that SSE adds, XMM0..XMM7 and MXCSR (SDM Vol. 1, 10.2 "SSE Programming Environment"), as views on the words that
 * the x87 state stands in too: one per machine. A register or an operand is named by the index of its first 32-bit word, the
 * same for XMM registers, MMX registers and a memory operand, which is read to the words at OPERAND: so an instruction has
 * one handler for its register and memory forms. Also who may use it at all: the #UD and #NM checks. Memory operands are in
 * operands.ts; it computes nothing.
 */
import * as layout from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';
import type { Cpu } from '../cpu.js';
import { checkPending } from '../instructions/x87-operands.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { CR0, CR0_EM, CR0_TS, CR4, CR4_OSFXSR, FPU_REGISTERS, FPU_STATUS, FPU_TAGS, FPU_TOP, MXCSR, XMM, XMM_WORDS } =
  layout;
const CR0_UNAVAILABLE = CR0_EM | CR0_TS;
/** FPU_STATUS: an unmasked x87 exception is pending. */
const FPU_ES = 0x80;

/** Word index of scratch for a memory operand of up to 16 bytes, 16-byte aligned as the registers are; not saved. */
export const OPERAND = 96;
/** Word index of scratch for results; not saved. */
export const RESULT = 100;

export const MXCSR_INIT = 0x1f80;
/** Denormals are zeros. The Pentium III has no such bit (SDM Vol. 1, 10.2.3.4 "Denormals-Are-Zeros"). */
export const MXCSR_DAZ = 0x40;
/** Bits of MXCSR that exist without DAZ, also what MXCSR_MASK = 0 in an FXSAVE image stands for. */
const MXCSR_MASK_SSE = 0xffbf;
const MXCSR_MASK_DAZ = 0xffff;

export class SseState {
  readonly w: Int32Array;
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly f32: Float32Array;
  /** Indexed by word index / 2. */
  readonly f64: Float64Array;
  /** The running floating-point instruction, see exceptions.ts: exceptions raised so far. */
  raised = 0;
  /** It rounds to nearest. */
  nearest = true;
  /** It need not find out whether a result is exact: PE is set already, and masked. */
  inexactKnown = false;
  /** Bits of MXCSR that may be set (SDM Vol. 1, 11.6.6 "Guidelines for Writing to the MXCSR Register"). */
  readonly mxcsrMask: number;

  constructor(words: Int32Array, daz: boolean) {
    const { buffer, byteOffset, length } = words;
    this.w = words;
    this.u8 = new Uint8Array(buffer, byteOffset, length * 4);
    this.i8 = new Int8Array(buffer, byteOffset, length * 4);
    this.u16 = new Uint16Array(buffer, byteOffset, length * 2);
    this.i16 = new Int16Array(buffer, byteOffset, length * 2);
    this.f32 = new Float32Array(buffer, byteOffset, length);
    this.f64 = new Float64Array(buffer, byteOffset, length / 2);
    this.mxcsrMask = daz ? MXCSR_MASK_DAZ : MXCSR_MASK_SSE;
  }

  get mxcsr(): number {
    return this.w[MXCSR];
  }

  set mxcsr(value: number) {
    this.w[MXCSR] = value;
  }

  /** SDM Vol. 3A, table 9-1 "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
  powerUp(): void {
    this.w.fill(0, XMM, XMM + 8 * XMM_WORDS);
    this.w[MXCSR] = MXCSR_INIT;
  }
}

/**
 * Before every instruction on XMM registers or MXCSR: #UD when there is no SSE support (EM, or no OSFXSR), then #NM (SDM Vol. 2A,
 * 2.5 "Intel AVX and Intel SSE Instruction Exception Classification"). Move, store and cache-control instructions on general
 * registers (MOVNTI, PREFETCHh, fences, CLFLUSH) ask nothing.
 */
export function sseReady(c: CpuBase): void {
  const s = c.s;
  if ((s[CR0] & CR0_UNAVAILABLE) !== 0 || (s[CR4] & CR4_OSFXSR) === 0) refuse(c, (s[CR4] & CR4_OSFXSR) === 0);
}

/**
 * Before every instruction on MMX registers: #UD, #NM, #MF for a pending x87 exception (SDM Vol. 3A, 12.1 "Emulation of the
 * MMX Instruction Set", 12.5 "Exception Handling in MMX Code"). They need no OSFXSR, also those that came with SSE.
 */
export function mmxReady(c: Cpu): void {
  if ((c.s[CR0] & CR0_UNAVAILABLE) !== 0) refuse(c, false);
  if ((c.fpu.w[FPU_STATUS] & FPU_ES) !== 0) checkPending(c);
}

/** Before instructions on both kinds of registers. */
export function mmxAndSseReady(c: Cpu): void {
  sseReady(c);
  if ((c.fpu.w[FPU_STATUS] & FPU_ES) !== 0) checkPending(c);
}

function refuse(c: CpuBase, noSupport: boolean): never {
  if (noSupport || (c.s[CR0] & CR0_EM) !== 0) c.ud();
  c.nm();
}

/**
 * What every MMX instruction but EMMS does to the x87 state, once it cannot fault any more: TOP = 0, all tags valid (SDM Vol.
 * 3A, table 12-1 "Action Taken By MMX Instructions on the Floating-Point Registers' Tag and TOS").
 */
export function enterMmx(w: Int32Array): void {
  w[FPU_TOP] = 0;
  w[FPU_TAGS] = 0xff;
}

/** Word index of MMX register n: the significand of R(n). */
export function mmxAt(n: number): number {
  return FPU_REGISTERS + n * 4;
}

/** Ends an MMX instruction that wrote the register at word `at`. */
export function endMmx(w: Int32Array, at: number): void {
  w[at + 2] = 0xffff;
  w[FPU_TOP] = 0;
  w[FPU_TAGS] = 0xff;
}
