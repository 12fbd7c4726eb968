/**
 * FSQRT (SDM Vol. 2, "FSQRT—Square Root"). A double gives the root to 52 bits, one Newton step the other 12; the exact
 * remainder then corrects the last bit and makes the sticky bits. A root is never half way between two significands.
 */
import { BIAS, INFINITE, ZERO, type Extended } from './extended.js';
import type { Fpu } from './fpu.js';
import { Product } from './mul.js';
import { acceptDenormal, settledByOne } from './nan.js';
import { round } from './round.js';

const TWO32 = 0x100000000;
const TWO64 = TWO32 * TWO32;
const square = new Product();

/** The root under construction and the 128-bit remainder `radicand - root^2`, which may be negative. */
let rootHi = 0;
let rootLo = 0;

export function sqrt(f: Fpu, a: Extended, out: Extended): void {
  const kind = a.kind();
  if (settledByOne(f, kind, a, out)) return;
  if (kind === ZERO || (kind === INFINITE && a.sign === 0)) {
    out.copy(a);
    return;
  }
  if (a.sign !== 0) {
    f.invalid(out);
    return;
  }
  acceptDenormal(f, kind, a);
  exactRoot(a, out);
  round(f, out, f.precision);
}

/** The square root of a positive normalized number, not rounded yet. */
export function exactRoot(a: Extended, out: Extended): void {
  const odd = ((a.exp - BIAS) & 1) !== 0;
  out.sign = 0;
  out.exp = ((a.exp - BIAS) >> 1) + BIAS;
  // The radicand is the significand times 2^64, or times 2^63 when the exponent is even.
  const top = odd ? a.hi : a.hi >>> 1;
  const next = odd ? a.lo : (a.lo >>> 1) | (a.hi << 31);
  const last = odd ? 0 : a.lo << 31;
  root(top, next, last);
  out.hi = rootHi;
  out.lo = rootLo;
  out.ext = square.p2 !== 0 || above(square.p1, square.p0) ? 0xc0000000 | 0 : (square.p1 | square.p0) !== 0 ? 1 : 0;
}

/** Leaves the integer root in rootHi:rootLo and the remainder in `square`. */
function root(top: number, next: number, last: number): void {
  let estimate = Math.sqrt(((top >>> 0) * TWO32 + (next >>> 0)) * TWO64);
  if (estimate >= TWO64) estimate = TWO64 - 2048;
  setRoot(estimate);
  subtractSquare(top, next, last);
  const rest = ((square.p3 * TWO32 + (square.p2 >>> 0)) * TWO32 + (square.p1 >>> 0)) * TWO32;
  // Slightly too large rather than too small: only that is corrected below.
  const digit = Math.floor(rest / (2 * estimate) + 2 ** -30);
  const lo = (rootLo >>> 0) + digit;
  rootHi = (rootHi + Math.floor(lo / TWO32)) | 0;
  rootLo = lo | 0;
  if (rootHi >= 0) {
    // Carried out of 64 bits: the root is just below 2^64.
    rootHi = -1;
    rootLo = -1;
  }
  subtractSquare(top, next, last);
  while (square.p3 < 0) {
    if (rootLo === 0) rootHi = (rootHi - 1) | 0;
    rootLo = (rootLo - 1) | 0;
    subtractSquare(top, next, last);
  }
}

function setRoot(value: number): void {
  const hi = Math.floor(value / TWO32);
  rootHi = hi | 0;
  rootLo = (value - hi * TWO32) | 0;
}

/** square = radicand - root^2. */
function subtractSquare(top: number, next: number, last: number): void {
  square.multiply(rootHi, rootLo, rootHi, rootLo);
  const d0 = 0 - (square.p0 >>> 0);
  const d1 = (last >>> 0) - (square.p1 >>> 0) + (d0 < 0 ? -1 : 0);
  const d2 = (next >>> 0) - (square.p2 >>> 0) + (d1 < 0 ? -1 : 0);
  square.p0 = d0 | 0;
  square.p1 = d1 | 0;
  square.p2 = d2 | 0;
  square.p3 = (top - square.p3 + (d2 < 0 ? -1 : 0)) | 0;
}

/** Whether the 64-bit remainder exceeds the root. */
function above(hi: number, lo: number): boolean {
  if (hi !== rootHi) return hi >>> 0 > rootHi >>> 0;
  return lo >>> 0 > rootLo >>> 0;
}
