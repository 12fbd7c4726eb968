/**
 * FPREM and FPREM1 (SDM Vol. 2, "FPREM—Partial Remainder", "FPREM1—Partial Remainder"): exact remainders by long division. When the
 * exponents differ by 64 or more, one execution takes between 32 and 63 quotient bits off and sets C2.
 */
import { divider } from './divider.js';
import { compareSignificands, INFINITE, normalize, ZERO, type Extended } from './extended.js';
import { C0, C1, C2, C3, type Fpu } from './fpu.js';
import { acceptDenormal, settledByTwo } from './nan.js';
import { round } from './round.js';

/** No quotient: C0 and C3 stay, C1 and C2 are cleared. */
export const UNSETTLED = -1;

/** out = remainder of a / b; answers the condition codes, or UNSETTLED. `nearest` rounds the quotient to nearest (FPREM1), else chops it. */
export function remainder(f: Fpu, a: Extended, b: Extended, out: Extended, nearest: boolean): number {
  const ka = a.kind();
  const kb = b.kind();
  if (settledByTwo(f, ka, kb, a, b, out)) return UNSETTLED;
  if (ka === INFINITE || kb === ZERO) {
    f.invalid(out);
    return UNSETTLED;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  out.copy(a);
  if (ka === ZERO) return 0;
  if (kb === INFINITE) {
    round(f, out, 64);
    return 0;
  }
  const distance = a.exp - b.exp;
  if (distance < (nearest ? -1 : 0)) {
    round(f, out, 64);
    return 0;
  }
  if (distance >= 64) {
    const bits = (distance & 31) | 32;
    divide(a, b, bits);
    deliver(f, out, b.exp + distance - bits);
    return C2;
  }
  let quotient = distance < 0 ? halfway(a) : divide(a, b, distance);
  let exp = b.exp;
  if (distance < 0) exp--;
  if (nearest) {
    const order = distance < 0 ? compareSignificands(a, b) : divider.compareHalf();
    if (order > 0 || (order === 0 && (quotient & 1) !== 0)) {
      if (distance < 0) subtractFromTwice(a, b);
      else divider.complement();
      quotient++;
      out.sign ^= 1;
    }
  }
  deliver(f, out, exp);
  return ((quotient & 1) !== 0 ? C1 : 0) | ((quotient & 2) !== 0 ? C3 : 0) | ((quotient & 4) !== 0 ? C0 : 0);
}

/** Divides by b the significand of a, shifted left by `bits`; answers the quotient's low bits. */
function divide(a: Extended, b: Extended, bits: number): number {
  let quotient = 0;
  let { hi, lo } = a;
  if (compareSignificands(a, b) >= 0) {
    const borrow = lo >>> 0 < b.lo >>> 0 ? 1 : 0;
    lo = (lo - b.lo) | 0;
    hi = (hi - b.hi - borrow) | 0;
    quotient = 1;
  }
  divider.start(hi, lo, b.hi, b.lo);
  for (let left = bits; left > 0; left -= 21) {
    const step = left < 21 ? left : 21;
    quotient = (quotient << step) | divider.step(step);
  }
  return quotient;
}

/** a lies one binade below b: the quotient is 0, and what remains is a itself. */
function halfway(a: Extended): number {
  divider.hi = a.hi;
  divider.lo = a.lo;
  return 0;
}

/** remainder = 2b - a, at a's scale; less than 2^64 because a > b there. */
function subtractFromTwice(a: Extended, b: Extended): void {
  const lo = b.lo << 1;
  const borrow = lo >>> 0 < a.lo >>> 0 ? 1 : 0;
  divider.lo = (lo - a.lo) | 0;
  divider.hi = (((b.hi << 1) | (b.lo >>> 31)) - a.hi - borrow) | 0;
}

/** The divider's remainder as a number with exponent `exp` and the sign that `out` has. */
function deliver(f: Fpu, out: Extended, exp: number): void {
  out.set(out.sign, exp, divider.hi, divider.lo);
  if (divider.isZero()) {
    out.setZero(out.sign);
    return;
  }
  normalize(out);
  round(f, out, 64);
  f.up = false;
}
