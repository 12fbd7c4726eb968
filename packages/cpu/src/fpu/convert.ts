/**
 * Between the extended format and the formats of memory: single and double precision, integers of 16, 32 and 64 bits (SDM
 * Vol. 1, 4.2.2, 8.3.3 "Data Transfer Instructions", 8.5.1.2 "Invalid Arithmetic Operand Exception"). Loading is exact; storing
 * rounds. Results of stores are left in `f.r`'s hi and lo as the bits of the format. Packed BCD is in bcd.ts.
 */
import {
  BIAS,
  EXP_MAX,
  INFINITE,
  MIN_HI,
  NORMAL,
  normalize,
  QNAN,
  shiftRight,
  ZERO,
  type Extended,
} from './extended.js';
import { PE, type Fpu } from './fpu.js';
import { settledByOne } from './nan.js';
import { round, roundSignificand } from './round.js';

const SINGLE_BIAS = 127;
const DOUBLE_BIAS = 1023;

/** Single precision to extended. A signaling NaN stays one. */
export function fromSingle(f: Fpu, bits: number, out: Extended): void {
  const sign = bits >>> 31;
  const exp = (bits >>> 23) & 0xff;
  const fraction = bits << 8;
  if (exp === 0) {
    const nonzero = fraction << 1 !== 0;
    if (!nonzero) {
      out.setZero(sign);
      return;
    }
    f.denormalSource = true;
    out.set(sign, 1 - SINGLE_BIAS + BIAS, fraction & 0x7fffffff, 0);
    normalize(out);
    return;
  }
  out.set(sign, exp === 0xff ? EXP_MAX : exp - SINGLE_BIAS + BIAS, fraction | MIN_HI, 0);
}

/** Double precision to extended. */
export function fromDouble(f: Fpu, hi: number, lo: number, out: Extended): void {
  const sign = hi >>> 31;
  const exp = (hi >>> 20) & 0x7ff;
  const high = ((hi << 11) | (lo >>> 21)) & 0x7fffffff;
  const low = lo << 11;
  if (exp === 0) {
    if ((high | low) === 0) {
      out.setZero(sign);
      return;
    }
    f.denormalSource = true;
    out.set(sign, 1 - DOUBLE_BIAS + BIAS, high, low);
    normalize(out);
    return;
  }
  out.set(sign, exp === 0x7ff ? EXP_MAX : exp - DOUBLE_BIAS + BIAS, high | MIN_HI, low);
}

export function fromInt32(value: number, out: Extended): void {
  out.setInteger(value >>> 31, 0, value < 0 ? -value | 0 : value);
}

export function fromInt64(hi: number, lo: number, out: Extended): void {
  if (hi >= 0) out.setInteger(0, hi, lo);
  else out.setInteger(1, (lo === 0 ? -hi : ~hi) | 0, -lo | 0);
}

/** Rounds x to single precision; the bits go to `f.r.lo`. Destroys x. */
export function toSingle(f: Fpu, x: Extended): void {
  toNarrow(f, x, 24, SINGLE_BIAS, 0xff);
  f.r.lo = (x.sign << 31) | (x.exp << 23) | ((x.hi >>> 8) & 0x7fffff);
}

/** Rounds x to double precision; the bits go to `f.r.hi` and `f.r.lo`. Destroys x. */
export function toDouble(f: Fpu, x: Extended): void {
  toNarrow(f, x, 53, DOUBLE_BIAS, 0x7ff);
  f.r.hi = (x.sign << 31) | (x.exp << 20) | ((x.hi >>> 11) & 0xfffff);
  f.r.lo = (x.hi << 21) | (x.lo >>> 11);
}

/** Brings x to a format of `bits` with exponents up to `top`. */
function toNarrow(f: Fpu, x: Extended, bits: number, bias: number, top: number): void {
  const kind = x.kind();
  if (kind === ZERO) return;
  if (kind >= QNAN || kind === INFINITE) {
    settledByOne(f, kind, x, x);
    x.exp = top;
    return;
  }
  if (kind !== NORMAL) {
    x.exp = 1;
    normalize(x);
  }
  x.exp += bias - BIAS;
  round(f, x, bits, top);
}

/**
 * Rounds x to an integer: magnitude in x.hi:x.lo, sign in x.sign. Answers false, having raised nothing, when 64 bits
 * cannot hold it.
 */
function toMagnitude(f: Fpu, x: Extended): boolean {
  const kind = x.kind();
  if (kind === ZERO) return true;
  if (kind >= INFINITE) return false;
  const shift = BIAS + 63 - x.exp;
  if (shift < 0) return false;
  shiftRight(x, shift);
  x.exp = 0;
  const inexact = roundSignificand(f, x, 64);
  if (x.exp !== 0) return false;
  if (inexact) f.raise(PE);
  return true;
}

/** Rounds x to an integer of `size` (2, 4, 8) bytes; the bits go to `f.r.hi` and `f.r.lo`. Destroys x. */
export function toInteger(f: Fpu, x: Extended, size: number): void {
  const before = f.raised;
  if (!toMagnitude(f, x) || !fits(x, size)) {
    f.raised = before;
    f.up = false;
    f.invalid(f.r);
    f.r.hi = MIN_HI;
    f.r.lo = size === 8 ? 0 : size === 4 ? MIN_HI : 0x8000;
    return;
  }
  const negative = x.sign !== 0;
  f.r.lo = negative ? -x.lo | 0 : x.lo;
  f.r.hi = negative ? (x.lo === 0 ? -x.hi : ~x.hi) | 0 : x.hi;
}

/** Whether a magnitude fits a signed integer of `size` bytes. */
function fits(x: Extended, size: number): boolean {
  const negative = x.sign !== 0;
  if (size === 8) return x.hi >= 0 || (negative && x.hi === MIN_HI && x.lo === 0);
  if (x.hi !== 0) return false;
  const most = size === 4 ? 0x7fffffff : 0x7fff;
  return x.lo >>> 0 <= most + x.sign;
}

/** FRNDINT: rounds x to an integral value, in place. */
export function roundToIntegral(f: Fpu, x: Extended): void {
  const shift = BIAS + 63 - x.exp;
  if (shift <= 0) return;
  const { sign } = x;
  shiftRight(x, shift);
  x.exp = BIAS + 63;
  if (roundSignificand(f, x, 64)) f.raise(PE);
  if ((x.hi | x.lo) === 0) x.setZero(sign);
  else normalize(x);
}
