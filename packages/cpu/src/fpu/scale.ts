/**
 * FSCALE, FXTRACT and FRNDINT: exponent and integer part (SDM Vol. 2, "FSCALE—Scale", table 3-38; "FXTRACT—Extract Exponent and
 * Significand"; "FRNDINT—Round to Integer"). Precision control does not concern them.
 */
import { roundToIntegral } from './convert.js';
import { BIAS, INFINITE, ZERO, type Extended } from './extended.js';
import { ZE, type Fpu } from './fpu.js';
import { acceptDenormal, settledByOne, settledByTwo } from './nan.js';
import { round } from './round.js';

/** Scales beyond this overflow or underflow whatever they meet. */
const MOST = 0x10000;

/** out = a * 2^trunc(b). */
export function scale(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  const ka = a.kind();
  const kb = b.kind();
  if (settledByTwo(f, ka, kb, a, b, out)) return;
  if (kb === INFINITE) {
    if (b.sign === 0 ? ka === ZERO : ka === INFINITE) {
      f.invalid(out);
      return;
    }
    acceptDenormal(f, ka, a);
    if (b.sign !== 0) out.setZero(a.sign);
    else out.setInfinity(a.sign);
    return;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  out.copy(a);
  if (ka === ZERO || ka === INFINITE) return;
  if (kb !== ZERO) out.exp += truncated(b);
  round(f, out, 64);
}

/** The integer part of b, within +-MOST. */
function truncated(b: Extended): number {
  const shift = b.exp - BIAS;
  if (shift < 0) return 0;
  const magnitude = shift >= 16 ? MOST : b.hi >>> (31 - shift);
  return b.sign === 0 ? magnitude : -magnitude;
}

/** Splits a: its exponent as a number goes to `exponent`, its significand to `significand`. */
export function extract(f: Fpu, a: Extended, exponent: Extended, significand: Extended): void {
  const kind = a.kind();
  if (settledByOne(f, kind, a, exponent)) {
    significand.copy(exponent);
    return;
  }
  if (kind === ZERO) {
    f.raise(ZE);
    significand.setZero(a.sign);
    exponent.setInfinity(1);
    return;
  }
  if (kind === INFINITE) {
    significand.setInfinity(a.sign);
    exponent.setInfinity(0);
    return;
  }
  acceptDenormal(f, kind, a);
  const power = a.exp - BIAS;
  significand.copy(a);
  significand.exp = BIAS;
  exponent.setInteger(power < 0 ? 1 : 0, 0, power < 0 ? -power : power);
}

/** out = a rounded to an integral value. */
export function roundInteger(f: Fpu, a: Extended, out: Extended): void {
  const kind = a.kind();
  if (settledByOne(f, kind, a, out)) return;
  acceptDenormal(f, kind, a);
  out.copy(a);
  if (kind !== ZERO && kind !== INFINITE) roundToIntegral(f, out);
}
