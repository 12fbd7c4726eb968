/**
 * RCPPS and RSQRTPS: approximations with a relative error of at most 1.5 * 2^-12, which the manual leaves to the processor (SDM
 * Vol. 2, "RCPPS—Compute Reciprocals of Packed Single-Precision Floating-Point Values", "RSQRTPS—Compute Reciprocals of Square Roots
 * of Packed Single-Precision Floating-Point Values"). The rule of this processor: the operand's fraction is cut to 11 bits and the
 * middle of its interval taken; its reciprocal (of its root), as a single, is rounded to 12 fraction bits, halves up. That is what a
 * table of 2048 (for roots 2 * 2048) entries would hold, and gives 1 - 2^-12 for 1/1, as real ones do.
 * Error: at most 2^-12 from the middle, where the rounding's is at most 2^-14; at the other end of the binade 2^-13 and 2^-13. The
 * largest over all singles are 1.23 * 2^-12 and 0.86 * 2^-12.
 *
 * Neither raises exceptions nor looks at MXCSR: denormals are zeros, tiny results are zero.
 */
import type { SseState } from './state.js';

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;
const QUIET = 0x400000;
const INDEFINITE = 0xffc00000 | 0;
const MIN_NORMAL = 0x00800000;

const scratch = new Float32Array(1);
const scratchBits = new Int32Array(scratch.buffer);

/** The middle of the operand's interval. */
function middle(bits: number): number {
  scratchBits[0] = (bits & 0x7ffff000) | 0x800;
  return scratch[0];
}

/** Bits of a positive result with 12 bits of fraction; zero when it is tiny. */
function rounded(value: number): number {
  scratch[0] = value;
  const bits = (scratchBits[0] + 0x400) & ~0x7ff;
  return bits < MIN_NORMAL ? 0 : bits;
}

export function reciprocal(u: SseState, _a: number, b: number, r: number): void {
  const bits = u.w[b];
  const size = bits & 0x7fffffff;
  let result: number;
  if (size > INFINITY) {
    u.w[r] = bits | QUIET;
    return;
  }
  if (size === INFINITY) result = 0;
  else if (size < MIN_NORMAL) result = INFINITY;
  else result = rounded(1 / middle(bits));
  u.w[r] = (bits & SIGN) | result;
}

export function reciprocalRoot(u: SseState, _a: number, b: number, r: number): void {
  const bits = u.w[b];
  const size = bits & 0x7fffffff;
  if (size > INFINITY) u.w[r] = bits | QUIET;
  else if (size < MIN_NORMAL) u.w[r] = (bits & SIGN) | INFINITY;
  else if (bits < 0) u.w[r] = INDEFINITE;
  else u.w[r] = size === INFINITY ? 0 : rounded(1 / Math.sqrt(middle(bits)));
}
