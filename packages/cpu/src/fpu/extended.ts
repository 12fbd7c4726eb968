/**
 * The x87's own number format, unpacked: sign, biased exponent, 64-bit significand with its integer bit (SDM Vol. 1, 4.2.2
 * "Floating-Point Data Types", 8.2.2 "Unsupported Double Extended-Precision Floating-Point Encodings and Pseudo-Denormals").
 * While a result is worked out, `exp` may lie outside 0..7FFFh and `ext` holds the 32 bits below the significand, the last
 * of them sticky. Nothing here rounds or raises exceptions.
 */
export const MIN_HI = 0x80000000 | 0;
export const BIAS = 16383;
export const EXP_MAX = 0x7fff;

export const ZERO = 0;
export const NORMAL = 1;
/** Denormal or pseudo-denormal. */
export const DENORMAL = 2;
export const INFINITE = 3;
export const QNAN = 4;
export const SNAN = 5;
/** Unnormal, pseudo-infinity, pseudo-NaN. */
export const UNSUPPORTED = 6;

export class Extended {
  sign = 0;
  exp = 0;
  hi = 0;
  lo = 0;
  ext = 0;

  set(sign: number, exp: number, hi: number, lo: number): void {
    this.sign = sign;
    this.exp = exp;
    this.hi = hi;
    this.lo = lo;
    this.ext = 0;
  }

  copy(x: Extended): void {
    this.sign = x.sign;
    this.exp = x.exp;
    this.hi = x.hi;
    this.lo = x.lo;
    this.ext = x.ext;
  }

  setZero(sign: number): void {
    this.set(sign, 0, 0, 0);
  }

  setInfinity(sign: number): void {
    this.set(sign, EXP_MAX, MIN_HI, 0);
  }

  /** The QNaN that stands for the result of an invalid operation. */
  setIndefinite(): void {
    this.set(1, EXP_MAX, 0xc0000000 | 0, 0);
  }

  /** An integer of 64 bits given as sign and magnitude. */
  setInteger(sign: number, hi: number, lo: number): void {
    if ((hi | lo) === 0) {
      this.setZero(sign);
      return;
    }
    this.set(sign, BIAS + 63, hi, lo);
    normalize(this);
  }

  isNormal(): boolean {
    return this.hi < 0 && (this.exp - 1) >>> 0 < EXP_MAX - 1;
  }

  isZero(): boolean {
    return this.exp === 0 && (this.hi | this.lo) === 0;
  }

  kind(): number {
    if (this.exp === 0) return (this.hi | this.lo) === 0 ? ZERO : DENORMAL;
    if (this.hi >= 0) return UNSUPPORTED;
    if (this.exp !== EXP_MAX) return NORMAL;
    if (this.hi === MIN_HI && this.lo === 0) return INFINITE;
    return (this.hi & 0x40000000) !== 0 ? QNAN : SNAN;
  }
}

/** Shifts significand and extension right by `count` >= 0; what falls out stays as a sticky last bit. */
export function shiftRight(x: Extended, count: number): void {
  if (count === 0) return;
  let { hi, lo, ext } = x;
  if (count >= 96) {
    x.ext = (hi | lo | ext) !== 0 ? 1 : 0;
    x.hi = 0;
    x.lo = 0;
    return;
  }
  let lost = 0;
  while (count >= 32) {
    lost |= ext;
    ext = lo;
    lo = hi;
    hi = 0;
    count -= 32;
  }
  if (count !== 0) {
    const up = 32 - count;
    lost |= ext << up;
    ext = (ext >>> count) | (lo << up);
    lo = (lo >>> count) | (hi << up);
    hi = hi >>> count;
  }
  x.hi = hi;
  x.lo = lo;
  x.ext = lost !== 0 ? ext | 1 : ext;
}

/** Shifts left until the integer bit is set, counting the exponent down. The significand must not be all zero. */
export function normalize(x: Extended): void {
  let { hi, lo, ext } = x;
  if (hi < 0) return;
  while (hi === 0) {
    hi = lo;
    lo = ext;
    ext = 0;
    x.exp -= 32;
  }
  const count = Math.clz32(hi);
  if (count !== 0) {
    const down = 32 - count;
    hi = (hi << count) | (lo >>> down);
    lo = (lo << count) | (ext >>> down);
    ext <<= count;
    x.exp -= count;
  }
  x.hi = hi;
  x.lo = lo;
  x.ext = ext;
}

/** Makes the exponent of a denormal explicit: afterwards it is a normal number with an exponent of 1 or less. */
export function normalizeDenormal(x: Extended): void {
  x.exp = 1;
  normalize(x);
}

/** Unsigned comparison of significands: negative, 0, positive. */
export function compareSignificands(a: Extended, b: Extended): number {
  if (a.hi !== b.hi) return a.hi >>> 0 < b.hi >>> 0 ? -1 : 1;
  if (a.lo === b.lo) return 0;
  return a.lo >>> 0 < b.lo >>> 0 ? -1 : 1;
}
