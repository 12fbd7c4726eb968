/**
 * FMUL: the 128-bit product of two significands, rounded once (SDM Vol. 2, "FMUL/FMULP/FIMUL—Multiply", table 3-29). Also
 * gives the whole product to sqrt.ts.
 */
import { BIAS, INFINITE, ZERO, type Extended } from './extended.js';
import type { Fpu } from './fpu.js';
import { acceptDenormal, noteDenormalSource, settledByTwo } from './nan.js';
import { round } from './round.js';

/** High half of the unsigned product of two 32-bit numbers. */
export function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const mid = ah * bl + ((al * bl) >>> 16);
  const mid2 = al * bh + (mid & 0xffff);
  return (ah * bh + Math.floor(mid / 0x10000) + (mid2 >>> 16)) | 0;
}

/** A 128-bit product, most significant word first. */
export class Product {
  p3 = 0;
  p2 = 0;
  p1 = 0;
  p0 = 0;

  multiply(ahi: number, alo: number, bhi: number, blo: number): void {
    const mid1 = (mulHigh(alo, blo) >>> 0) + (Math.imul(ahi, blo) >>> 0) + (Math.imul(alo, bhi) >>> 0);
    const carry1 = mid1 > 0xffffffff ? (mid1 > 0x1ffffffff ? 2 : 1) : 0;
    const high1 = mulHigh(ahi, blo) >>> 0;
    const mid2 = high1 + (mulHigh(alo, bhi) >>> 0) + (Math.imul(ahi, bhi) >>> 0) + carry1;
    const carry2 = mid2 > 0xffffffff ? (mid2 > 0x1ffffffff ? 2 : 1) : 0;
    this.p0 = Math.imul(alo, blo);
    this.p1 = mid1 | 0;
    this.p2 = mid2 | 0;
    this.p3 = (mulHigh(ahi, bhi) + carry2) | 0;
  }
}

const product = new Product();

/** out = a * b. Destroys a and b. */
export function mul(f: Fpu, a: Extended, b: Extended, out: Extended): void {
  if (!a.isNormal() || !b.isNormal()) {
    if (settled(f, a, b, out)) return;
  }
  noteDenormalSource(f);
  exactProduct(a, b, out);
  round(f, out, f.precision);
}

/** The product of two normalized numbers, not rounded yet. */
export function exactProduct(a: Extended, b: Extended, out: Extended): void {
  product.multiply(a.hi, a.lo, b.hi, b.lo);
  let { p3, p2, p1 } = product;
  let exp = a.exp + b.exp - BIAS + 1;
  let sticky = product.p0 !== 0 ? 1 : 0;
  if (p3 >= 0) {
    exp--;
    p3 = (p3 << 1) | (p2 >>> 31);
    p2 = (p2 << 1) | (p1 >>> 31);
    p1 = (p1 << 1) | (product.p0 >>> 31);
    sticky = product.p0 << 1 !== 0 ? 1 : 0;
  }
  out.set(a.sign ^ b.sign, exp, p3, p2);
  out.ext = p1 | sticky;
}

function settled(f: Fpu, a: Extended, b: Extended, out: Extended): boolean {
  const ka = a.kind();
  const kb = b.kind();
  if (settledByTwo(f, ka, kb, a, b, out)) return true;
  if ((ka === INFINITE && kb === ZERO) || (ka === ZERO && kb === INFINITE)) {
    f.invalid(out);
    return true;
  }
  acceptDenormal(f, ka, a);
  acceptDenormal(f, kb, b);
  const sign = a.sign ^ b.sign;
  if (ka === INFINITE || kb === INFINITE) out.setInfinity(sign);
  else if (ka === ZERO || kb === ZERO) out.setZero(sign);
  else return false;
  noteDenormalSource(f);
  return true;
}
