/**
 * Rounding to a format: precision, rounding mode, and what becomes of exponents that do not fit (SDM Vol. 1, 4.8.4
 * "Rounding", 4.9.1.4 and 4.9.1.5 "Numeric Overflow/Underflow Exception", 8.5.4 and 8.5.5 for the x87). Tininess is detected after
 * rounding. The narrower formats use the same code with their own largest exponent: their denormals, too, count from an
 * exponent of 1. It leaves packing to convert.ts.
 */
import { EXP_MAX, MIN_HI, shiftRight, type Extended } from './extended.js';
import { DOWN, NEAREST, OE, PE, UE, UP, type Fpu } from './fpu.js';

/** What an unmasked overflow or underflow adds to or takes from the exponent of a result in a register. */
const WRAP = 24576;

/** Whether rounding `inexact` bits away goes away from zero; `half`: the first of them is set, `sticky`: a later one. */
function roundsUp(mode: number, sign: number, odd: boolean, half: boolean, sticky: boolean): boolean {
  if (mode === NEAREST) return half && (sticky || odd);
  if (!half && !sticky) return false;
  if (mode === UP) return sign === 0;
  return mode === DOWN && sign !== 0;
}

/**
 * Rounds the significand to `bits` (24, 53, 64) and clears what lies below; a carry out of the integer bit moves the exponent
 * on. Sets `f.up`; answers whether bits were lost.
 */
export function roundSignificand(f: Fpu, x: Extended, bits: number): boolean {
  const mode = f.rounding;
  const { hi, lo, ext } = x;
  x.ext = 0;
  f.up = false;
  if (bits === 64) {
    if (ext === 0) return false;
    if (!roundsUp(mode, x.sign, (lo & 1) !== 0, ext < 0, ext << 1 !== 0)) return true;
    increment(x, 1);
  } else if (bits === 53) {
    const rest = lo & 0x7ff;
    if ((rest | ext) === 0) return false;
    x.lo = lo & ~0x7ff;
    const sticky = (rest & 0x3ff) !== 0 || ext !== 0;
    if (!roundsUp(mode, x.sign, (lo & 0x800) !== 0, (rest & 0x400) !== 0, sticky)) return true;
    increment(x, 0x800);
  } else {
    const rest = hi & 0xff;
    if ((rest | lo | ext) === 0) return false;
    x.lo = 0;
    x.hi = hi & ~0xff;
    const sticky = ((rest & 0x7f) | lo | ext) !== 0;
    if (!roundsUp(mode, x.sign, (hi & 0x100) !== 0, (rest & 0x80) !== 0, sticky)) return true;
    x.hi = (x.hi + 0x100) | 0;
    if (x.hi === 0) carry(x);
  }
  f.up = true;
  return true;
}

function increment(x: Extended, by: number): void {
  x.lo = (x.lo + by) | 0;
  if (x.lo !== 0) return;
  x.hi = (x.hi + 1) | 0;
  if (x.hi === 0) carry(x);
}

function carry(x: Extended): void {
  x.hi = MIN_HI;
  x.exp++;
}

/**
 * Rounds a normalized number to `bits` and fits it into exponents 1..`top` - 1, raising OE, UE and PE. Afterwards an
 * exponent of 0 marks a denormal or zero, one of `top` an infinity. With OE or UE unmasked the exponent is wrapped instead.
 */
export function round(f: Fpu, x: Extended, bits: number, top = EXP_MAX): void {
  if (x.exp <= 0) {
    roundTiny(f, x, bits);
    return;
  }
  const inexact = roundSignificand(f, x, bits);
  if (inexact) f.raise(PE);
  if (x.exp >= top) overflow(f, x, bits, top);
}

function roundTiny(f: Fpu, x: Extended, bits: number): void {
  if ((f.control & UE) === 0) {
    roundTinyUnmasked(f, x, bits);
    return;
  }
  const tiny = x.exp < 0 || !carriesOut(f, x, bits);
  shiftRight(x, 1 - x.exp);
  x.exp = 0;
  if (roundSignificand(f, x, bits)) f.raise(tiny ? UE | PE : PE);
  if (x.hi < 0) x.exp = 1;
}

/** Whether rounding makes the significand overflow into the next exponent. */
function carriesOut(f: Fpu, x: Extended, bits: number): boolean {
  const { exp, hi, lo, ext } = x;
  roundSignificand(f, x, bits);
  const carried = x.exp !== exp;
  x.exp = exp;
  x.hi = hi;
  x.lo = lo;
  x.ext = ext;
  return carried;
}

/** The result is delivered with its exponent wrapped, unless rounding lifts it out of the tiny range. */
function roundTinyUnmasked(f: Fpu, x: Extended, bits: number): void {
  if (roundSignificand(f, x, bits)) f.raise(PE);
  if (x.exp > 0) return;
  f.raise(UE);
  x.exp += WRAP;
  // FSCALE can go further than that.
  if (x.exp > 0) return;
  f.raise(PE);
  f.up = false;
  x.setZero(x.sign);
}

function overflow(f: Fpu, x: Extended, bits: number, top: number): void {
  f.raise(OE);
  if ((f.control & OE) === 0) {
    x.exp -= WRAP;
    if (x.exp < top) return;
    // FSCALE can go further than that.
    f.raise(PE);
    f.up = true;
    x.setInfinity(x.sign);
    return;
  }
  f.raise(PE);
  const mode = f.rounding;
  f.up = mode === NEAREST || mode === (x.sign === 0 ? UP : DOWN);
  if (f.up) {
    x.exp = top;
    x.hi = MIN_HI;
    x.lo = 0;
    return;
  }
  x.exp = top - 1;
  x.hi = bits === 24 ? 0xffffff00 | 0 : -1;
  x.lo = bits === 64 ? -1 : bits === 53 ? 0xfffff800 | 0 : 0;
}
