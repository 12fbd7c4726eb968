/**
 * FADD and FSUB: exact sums of extended numbers, rounded once (SDM Vol. 2, "FADD/FADDP/FIADD—Add", table 3-18). The operand
 * with the smaller exponent is shifted right into 32 extension bits; the last of them is sticky, which is enough because
 * only operands at most one binade apart can cancel more than one bit.
 */
import { compareSignificands, INFINITE, normalize, shiftRight, ZERO, type Extended } from './extended.js';
import { DOWN, type Fpu } from './fpu.js';
import { acceptDenormal, noteDenormalSource, settledByTwo } from './nan.js';
import { round } from './round.js';

/** out = a + b. Destroys a and b; `out` is neither. */
export function add(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  if (!a.isNormal() || !b.isNormal()) {
    if (settled(f, a, b, out)) return;
  }
  noteDenormalSource(f);
  exactSum(f, a, b, out);
  if (!out.isZero()) round(f, out, f.precision);
}

/** out = a - b. */
export function sub(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  // A NaN keeps its sign.
  if (b.exp !== 0x7fff || (b.hi === (0x80000000 | 0) && b.lo === 0)) b.sign ^= 1;
  add(f, a, b, out);
}

/** out = b - a. */
export function subReversed(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  sub(f, b, a, out);
}

function settled(f: Fpu, a: Extended, b: Extended, out: Extended): boolean {
  const ka = a.kind();
  const kb = b.kind();
  if (settledByTwo(f, ka, kb, a, b, out)) return true;
  if (ka === INFINITE && kb === INFINITE && a.sign !== b.sign) {
    f.invalid(out);
    return true;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  if (ka === INFINITE || kb === INFINITE) {
    noteDenormalSource(f);
    out.setInfinity(ka === INFINITE ? a.sign : b.sign);
    return true;
  }
  if (ka !== ZERO && kb !== ZERO) return false;
  noteDenormalSource(f);
  if (ka === ZERO && kb === ZERO) {
    out.setZero(a.sign === b.sign ? a.sign : zeroSign(f));
    return true;
  }
  out.copy(ka === ZERO ? b : a);
  round(f, out, f.precision);
  return true;
}

/** Sign of an exact zero that comes from operands of different signs. */
export function zeroSign(f: Fpu): number {
  return f.rounding === DOWN ? 1 : 0;
}

/** The sum of two normalized numbers, not rounded yet (of an exact zero, `f` settles the sign). Destroys a and b. */
export function exactSum(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  let big = a;
  let small = b;
  if (a.exp < b.exp || (a.exp === b.exp && compareSignificands(a, b) < 0)) {
    big = b;
    small = a;
  }
  shiftRight(small, big.exp - small.exp);
  out.sign = big.sign;
  out.exp = big.exp;
  if (a.sign === b.sign) addMagnitudes(big, small, out);
  else {
    subMagnitudes(big, small, out);
    if ((out.hi | out.lo | out.ext) === 0) {
      out.setZero(zeroSign(f));
      return;
    }
    normalize(out);
  }
}

function addMagnitudes(a: Extended, b: Extended, out: Extended): void {
  const lo = (a.lo >>> 0) + (b.lo >>> 0);
  const hi = (a.hi >>> 0) + (b.hi >>> 0) + (lo > 0xffffffff ? 1 : 0);
  out.lo = lo | 0;
  out.hi = hi | 0;
  out.ext = b.ext;
  if (hi <= 0xffffffff) return;
  out.ext = (out.ext >>> 1) | (out.lo << 31) | (out.ext & 1);
  out.lo = (out.lo >>> 1) | (out.hi << 31);
  out.hi = (out.hi >>> 1) | (0x80000000 | 0);
  out.exp++;
}

/** |a| - |b|, not negative. */
function subMagnitudes(a: Extended, b: Extended, out: Extended): void {
  const borrow = b.ext !== 0 ? 1 : 0;
  const lo = (a.lo >>> 0) - (b.lo >>> 0) - borrow;
  out.ext = -b.ext | 0;
  out.lo = lo | 0;
  out.hi = (a.hi - b.hi - (lo < 0 ? 1 : 0)) | 0;
}
