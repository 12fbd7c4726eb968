/**
 * Comparisons and classification: FCOM, FUCOM, FTST, FXAM (SDM Vol. 2, "FCOM/FCOMP/FCOMPP—Compare Floating Point Values",
 * "FXAM—Examine Floating-Point"). Results are condition codes; FCOMI turns them into flags.
 */
import { compareSignificands, DENORMAL, INFINITE, QNAN, SNAN, UNSUPPORTED, ZERO, type Extended } from './extended.js';
import { C0, C1, C2, C3, IE, type Fpu } from './fpu.js';
import { acceptDenormal, noteDenormalSource } from './nan.js';

export const LESS = C0;
export const EQUAL = C3;
export const GREATER = 0;
export const UNORDERED = C0 | C2 | C3;

/**
 * Compares a with b. A QNaN is invalid too unless `quietly`. Destroys a and b.
 */
export function compare(f: Fpu, a: Extended, b: Extended, quietly: boolean): number {
  const ka = a.kind();
  const kb = b.kind();
  if (ka >= QNAN || kb >= QNAN) {
    if (!quietly || ka === SNAN || kb === SNAN || ka === UNSUPPORTED || kb === UNSUPPORTED) f.raise(IE);
    return UNORDERED;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  noteDenormalSource(f);
  if (ka === ZERO || kb === ZERO) {
    if (ka === kb) return EQUAL;
    const positive = ka === ZERO ? b.sign !== 0 : a.sign === 0;
    return positive ? GREATER : LESS;
  }
  if (a.sign !== b.sign) return a.sign === 0 ? GREATER : LESS;
  const order = a.exp !== b.exp ? a.exp - b.exp : compareSignificands(a, b);
  if (order === 0) return EQUAL;
  return order > 0 === (a.sign === 0) ? GREATER : LESS;
}

/** Condition codes of FXAM, all four. */
export function examine(x: Extended, empty: boolean): number {
  const sign = x.sign !== 0 ? C1 : 0;
  if (empty) return sign | C3 | C0;
  switch (x.kind()) {
    case ZERO:
      return sign | C3;
    case DENORMAL:
      return sign | C3 | C2;
    case INFINITE:
      return sign | C2 | C0;
    case QNAN:
    case SNAN:
      return sign | C0;
    case UNSUPPORTED:
      return sign;
    default:
      return sign | C2;
  }
}
