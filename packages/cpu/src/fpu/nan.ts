/**
 * Operands that arithmetic does not compute with: NaNs, encodings that are none, and denormals (SDM Vol. 1, 4.8.3.5
 * "Operating on SNaNs and QNaNs", table 4-7 "Rules for Handling NaNs"). Only operands are looked at here; invalid
 * combinations of good ones are each operation's business.
 */
import {
  compareSignificands,
  DENORMAL,
  normalizeDenormal,
  QNAN,
  SNAN,
  UNSUPPORTED,
  type Extended,
} from './extended.js';
import { DE, IE, type Fpu } from './fpu.js';

export function quiet(x: Extended): void {
  x.hi |= 0x40000000;
}

/** Deals with one operand of `kind`: answers true when the result, in `out`, is settled by it. */
export function settledByOne(f: Fpu, kind: number, a: Extended, out: Extended): boolean {
  if (kind < QNAN) return false;
  if (kind === UNSUPPORTED) {
    f.invalid(out);
    return true;
  }
  if (kind === SNAN) f.raise(IE);
  out.copy(a);
  quiet(out);
  return true;
}

/** The same for two operands. */
export function settledByTwo(f: Fpu, ka: number, kb: number, a: Extended, b: Extended, out: Extended): boolean {
  if (ka < QNAN && kb < QNAN) return false;
  if (ka === UNSUPPORTED || kb === UNSUPPORTED) {
    f.invalid(out);
    return true;
  }
  if (ka === SNAN || kb === SNAN) f.raise(IE);
  out.copy(firstNan(ka, kb, a, b) ? a : b);
  quiet(out);
  return true;
}

/** Which NaN is delivered: a quiet one before a signaling one, then the larger significand, then the positive one. */
function firstNan(ka: number, kb: number, a: Extended, b: Extended): boolean {
  if (kb < QNAN) return true;
  if (ka < QNAN) return false;
  if (ka !== kb) return ka === QNAN;
  const order = compareSignificands(a, b);
  return order === 0 ? a.sign <= b.sign : order > 0;
}

/** Notes a denormal operand and gives it an explicit exponent. */
export function acceptDenormal(f: Fpu, kind: number, x: Extended): void {
  if (kind !== DENORMAL) return;
  f.raise(DE);
  normalizeDenormal(x);
}

/** The memory operand was converted from a denormal of a narrower format. */
export function noteDenormalSource(f: Fpu): void {
  if (f.denormalSource) f.raise(DE);
}
