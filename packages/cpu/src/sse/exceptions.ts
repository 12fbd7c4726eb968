/**
 * How SSE and SSE2 floating-point instructions begin and end: MXCSR's modes, and its exceptions (SDM Vol. 1, 11.5 "SSE, SSE2, and
 * SSE3 Exceptions", 4.9 "Overview of Floating-Point Exceptions"). All elements of an instruction gather exceptions in `raised` and
 * results at RESULT; the flags are set even when an exception is not masked, registers and memory only when all are. It computes
 * nothing.
 */
import * as layout from '@ringfence/sdk';
import { NO_CODE } from '../core/fault.js';
import type { Cpu } from '../cpu.js';
import { DE, EXCEPTIONS, IE, PE, ZE } from '../fpu/fpu.js';
import { RESULT as RESULT_AT, sseReady, type SseState } from './state.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { CR4, CR4_OSXMMEXCPT, MXCSR, VEC_UD, VEC_XM } = layout;
const RESULT = RESULT_AT;

// MXCSR. The flags are the x87's exceptions: same bits.
export const MASK_SHIFT = 7;
export const ROUNDING_SHIFT = 13;
export const ROUNDING = 3 << ROUNDING_SHIFT;
export const FLUSH_TO_ZERO = 0x8000;
const INEXACT_KNOWN = PE | (PE << MASK_SHIFT);
const PRECOMPUTATION = IE | DE | ZE;

/** Before every floating-point instruction: may it run, how does it round. */
export function begin(c: Cpu): SseState {
  sseReady(c);
  return beginUnchecked(c);
}

/** The same where the caller has made the checks. */
export function beginUnchecked(c: Cpu): SseState {
  const u = c.sse;
  const mxcsr = u.w[MXCSR];
  u.raised = 0;
  u.nearest = (mxcsr & ROUNDING) === 0;
  u.inexactKnown = (mxcsr & INEXACT_KNOWN) === INEXACT_KNOWN;
  return u;
}

/**
 * Sets the flags of what was raised, and raises #XM (or #UD where the system has not said that it handles #XM) for what is not
 * masked. An unmasked exception of operands keeps every element from being computed: then no flag of a result is set.
 */
export function settle(c: Cpu, u: SseState): void {
  let raised = u.raised;
  if (raised === 0) return;
  const mxcsr = u.w[MXCSR];
  const unmasked = raised & ~(mxcsr >> MASK_SHIFT) & EXCEPTIONS;
  if ((unmasked & PRECOMPUTATION) !== 0) raised &= PRECOMPUTATION;
  u.w[MXCSR] = mxcsr | raised;
  if (unmasked !== 0) c.fault((c.s[CR4] & CR4_OSXMMEXCPT) !== 0 ? VEC_XM : VEC_UD, NO_CODE);
}

/** Ends an instruction whose result is the four words at RESULT. `to`: word index of the register. */
export function finish16(c: Cpu, u: SseState, to: number): void {
  if (u.raised !== 0) settle(c, u);
  const w = u.w;
  w[to] = w[RESULT];
  w[to + 1] = w[RESULT + 1];
  w[to + 2] = w[RESULT + 2];
  w[to + 3] = w[RESULT + 3];
}

/** Ends an instruction whose result is the two words at RESULT. */
export function finish8(c: Cpu, u: SseState, to: number): void {
  if (u.raised !== 0) settle(c, u);
  const w = u.w;
  w[to] = w[RESULT];
  w[to + 1] = w[RESULT + 1];
}

/** Ends an instruction whose result is the word at RESULT. */
export function finish4(c: Cpu, u: SseState, to: number): void {
  if (u.raised !== 0) settle(c, u);
  u.w[to] = u.w[RESULT];
}
