/**
 * FDIV: 64 quotient bits by long division, the remainder making the sticky bits (SDM Vol. 2, "FDIV/FDIVP/FIDIV—Divide",
 * table 3-24). x / 0 raises ZE, 0 / 0 and infinity / infinity are invalid.
 */
import { divider } from './divider.js';
import { BIAS, compareSignificands, INFINITE, ZERO, type Extended } from './extended.js';
import { ZE, type Fpu } from './fpu.js';
import { acceptDenormal, noteDenormalSource, settledByTwo } from './nan.js';
import { round } from './round.js';

/** out = a / b. Destroys a and b. */
export function div(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  if (!a.isNormal() || !b.isNormal()) {
    if (settled(f, a, b, out)) return;
  }
  noteDenormalSource(f);
  exactQuotient(a, b, out);
  round(f, out, f.precision);
}

/** out = b / a. */
export function divReversed(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  div(f, b, a, out);
}

/** The quotient of two normalized numbers, not rounded yet. */
export function exactQuotient(a: Extended, b: Extended, out: Extended): void {
  out.sign = a.sign ^ b.sign;
  out.exp = a.exp - b.exp + BIAS;
  let { hi, lo } = a;
  if (compareSignificands(a, b) < 0) {
    // 2a - b, the first quotient bit being one; modulo 2^64 that is right, because b > a.
    out.exp--;
    hi = (hi << 1) | (lo >>> 31);
    lo <<= 1;
  }
  const borrow = lo >>> 0 < b.lo >>> 0 ? 1 : 0;
  divider.start((hi - b.hi - borrow) | 0, (lo - b.lo) | 0, b.hi, b.lo);
  const q1 = divider.step(21);
  const q2 = divider.step(21);
  const q3 = divider.step(21);
  out.hi = 0x80000000 | (q1 << 10) | (q2 >>> 11) | 0;
  out.lo = (q2 << 21) | q3;
  const order = divider.compareHalf();
  out.ext = order > 0 ? 0xc0000000 | 0 : order === 0 ? 0x80000000 | 0 : divider.isZero() ? 0 : 1;
}

function settled(f: Fpu, a: Extended, b: Extended, out: Extended): boolean {
  const ka = a.kind();
  const kb = b.kind();
  if (settledByTwo(f, ka, kb, a, b, out)) return true;
  if ((ka === INFINITE && kb === INFINITE) || (ka === ZERO && kb === ZERO)) {
    f.invalid(out);
    return true;
  }
  const sign = a.sign ^ b.sign;
  if (kb === ZERO && ka !== INFINITE) {
    f.raise(ZE);
    out.setInfinity(sign);
    return true;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  if (ka === INFINITE) out.setInfinity(sign);
  else if (ka === ZERO || kb === INFINITE) out.setZero(sign);
  else return false;
  noteDenormalSource(f);
  return true;
}
