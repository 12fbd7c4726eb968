/**
 * The arithmetic of shifts and rotates (SDM Vol. 2 "RCL/RCR/ROL/ROR", "SAL/SAR/SHL/SHR", "SHLD", "SHRD"): each function
 * takes a value and a count that is already masked to 5 bits and not zero, sets the flags and returns the result.
 * 32-bit values are int32; 8- and 16-bit values are unsigned, and `bits` is 8 or 16.
 * Undefined flags: OF of counts above 1 follows the formula of count 1, AF is 0 and CF is the last bit shifted out of a
 * zero- (SAR: sign-) extended operand, as sandpile.org "rFLAGS" has it for the Pentium 4 (family 15). The P6 leaves OF and
 * AF alone, which would cost every shift working out the flags before it.
 */
import { FLAG_CF, FLAG_OF } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { changeArith, getCF, setShift } from '../flags.js';

/** Rotates change CF and OF alone. */
function setRotate(c: Cpu, carry: number, overflow: number): void {
  changeArith(c, FLAG_CF | FLAG_OF, carry | (overflow << 11));
}

export function shl32(c: Cpu, v: number, n: number): number {
  const r = v << n;
  const carry = (v >>> (32 - n)) & 1;
  setShift(c, r, carry, carry ^ (r >>> 31));
  return r;
}

export function shr32(c: Cpu, v: number, n: number): number {
  const r = (v >>> n) | 0;
  setShift(c, r, (v >>> (n - 1)) & 1, ((r << 1) ^ r) >>> 31);
  return r;
}

export function sar32(c: Cpu, v: number, n: number): number {
  const r = v >> n;
  setShift(c, r, (v >> (n - 1)) & 1, 0);
  return r;
}

export function rol32(c: Cpu, v: number, n: number): number {
  const r = (v << n) | (v >>> (32 - n));
  setRotate(c, r & 1, (r & 1) ^ (r >>> 31));
  return r;
}

export function ror32(c: Cpu, v: number, n: number): number {
  const r = (v >>> n) | (v << (32 - n));
  setRotate(c, r >>> 31, ((r << 1) ^ r) >>> 31);
  return r;
}

export function rcl32(c: Cpu, v: number, n: number): number {
  const low = n === 1 ? 0 : v >>> (33 - n);
  const r = (v << n) | (getCF(c) << (n - 1)) | low;
  const carry = (v >>> (32 - n)) & 1;
  setRotate(c, carry, carry ^ (r >>> 31));
  return r;
}

export function rcr32(c: Cpu, v: number, n: number): number {
  const high = n === 1 ? 0 : v << (33 - n);
  const r = (v >>> n) | (getCF(c) << (32 - n)) | high;
  setRotate(c, (v >>> (n - 1)) & 1, ((r << 1) ^ r) >>> 31);
  return r;
}

/** Result of an 8- or 16-bit shift, sign-extended for the lazy flags. */
function extend(r: number, bits: number): number {
  return (r << (32 - bits)) >> (32 - bits);
}

export function shlSmall(c: Cpu, v: number, n: number, bits: number): number {
  const r = n >= bits ? 0 : extend(v << n, bits);
  const carry = n > bits ? 0 : (v >>> (bits - n)) & 1;
  setShift(c, r, carry, carry ^ (r >>> 31));
  return r;
}

export function shrSmall(c: Cpu, v: number, n: number, bits: number): number {
  const r = extend(v >>> n, bits);
  setShift(c, r, (v >>> (n - 1)) & 1, (((r << 1) ^ r) >> (bits - 1)) & 1);
  return r;
}

export function sarSmall(c: Cpu, v: number, n: number, bits: number): number {
  const signed = extend(v, bits);
  const r = signed >> n;
  setShift(c, r, (signed >> (n - 1)) & 1, 0);
  return r;
}

export function rolSmall(c: Cpu, v: number, n: number, bits: number): number {
  const k = n & (bits - 1);
  const r = (v << k) | (v >>> (bits - k));
  setRotate(c, r & 1, (r ^ (r >> (bits - 1))) & 1);
  return r;
}

export function rorSmall(c: Cpu, v: number, n: number, bits: number): number {
  const k = n & (bits - 1);
  const r = (v >>> k) | (v << (bits - k));
  setRotate(c, (r >> (bits - 1)) & 1, (((r << 1) ^ r) >> (bits - 1)) & 1);
  return r;
}

export function rclSmall(c: Cpu, v: number, n: number, bits: number): number {
  const k = n % (bits + 1);
  if (k === 0) return v;
  const r = (v << k) | (getCF(c) << (k - 1)) | (v >>> (bits + 1 - k));
  const carry = (v >>> (bits - k)) & 1;
  setRotate(c, carry, carry ^ ((r >> (bits - 1)) & 1));
  return r;
}

export function rcrSmall(c: Cpu, v: number, n: number, bits: number): number {
  const k = n % (bits + 1);
  if (k === 0) return v;
  const r = (v >>> k) | (getCF(c) << (bits - k)) | (v << (bits + 1 - k));
  setRotate(c, (v >>> (k - 1)) & 1, (((r << 1) ^ r) >> (bits - 1)) & 1);
  return r;
}

export function shld32(c: Cpu, d: number, v: number, n: number): number {
  const r = (d << n) | (v >>> (32 - n));
  const carry = (d >>> (32 - n)) & 1;
  setShift(c, r, carry, carry ^ (r >>> 31));
  return r;
}

export function shrd32(c: Cpu, d: number, v: number, n: number): number {
  const r = (d >>> n) | (v << (32 - n));
  setShift(c, r, (d >>> (n - 1)) & 1, ((r << 1) ^ r) >>> 31);
  return r;
}

/** Counts above 16 are undefined; the P6 shifts d:v:d, the 386 d:v:v. */
export function shld16(c: Cpu, d: number, v: number, n: number): number {
  const pair = (d << 16) | v;
  let both = pair << n;
  if (n > 16) both |= d << (n - 16); // undefined
  const r = both >> 16;
  const carry = (pair >>> (32 - n)) & 1;
  setShift(c, r, carry, carry ^ (r >>> 31));
  return r;
}

/** Counts above 16 are undefined; the P6 shifts d:v:d. */
export function shrd16(c: Cpu, d: number, v: number, n: number): number {
  const pair = (v << 16) | d;
  let both = pair >>> n;
  if (n > 16) both |= d << (32 - n); // undefined
  const r = extend(both, 16);
  const carry = n > 16 ? (v >>> (n - 17)) & 1 : (d >>> (n - 1)) & 1;
  setShift(c, r, carry, (((r << 1) ^ r) >> 15) & 1);
  return r;
}
