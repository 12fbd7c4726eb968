/**
 * Fixed-point arithmetic on BigInt for the transcendental instructions: numbers with 128 fraction bits, power series, and how a
 * long result becomes an extended one. A value is `m * 2^-s`; what the callers compute has at least 110 correct bits, so rounding it
 * to 64 is correct except where the true value lies within 2^-46 of an ulp from a boundary. None but the results that the
 * callers declare `exact` can lie on one: the functions are transcendental. It raises nothing but what `round` raises.
 */
import { BIAS, normalize, type Extended } from './extended.js';
import type { Fpu } from './fpu.js';
import { round } from './round.js';

/** Fraction bits. */
export const BITS = 128;
export const POINT = BigInt(BITS);
export const ONE = 1n << POINT;
const WORD = 0xffffffffn;
const LOW_WORD = 32n;

/** Bits of a result that are looked at one by one: 64 and the 32 of `Extended.ext`. */
const RESULT_BITS = 96;

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/** Bits of `m` >= 0; one too many when `m` is just below a power of two. At most 2^1023. */
export function bitLength(m: bigint): number {
  double[0] = Number(m);
  const exponent = doubleWords[1] >>> 20;
  return exponent === 0 ? 0 : exponent - 1022;
}

/** The significand as an integer: |x| = significand * 2^(exp - BIAS - 63). */
export function significand(x: Extended): bigint {
  return (BigInt(x.hi >>> 0) << LOW_WORD) | BigInt(x.lo >>> 0);
}

/** m * 2^by, rounded down. */
export function scaled(m: bigint, by: number): bigint {
  return by >= 0 ? m << BigInt(by) : m >> BigInt(-by);
}

/** out = +-m * 2^-s, rounded to 64 bits. `exact`: nothing lies below the last bit of m. */
export function deliver(f: Fpu, out: Extended, sign: number, m: bigint, s: number, exact: boolean): void {
  const length = bitLength(m);
  const excess = length - RESULT_BITS;
  const top = scaled(m, -excess);
  const lost = !exact || (excess > 0 && top << BigInt(excess) !== m);
  out.set(sign, BIAS + length - 1 - s, Number(top >> 64n) | 0, Number((top >> LOW_WORD) & WORD) | 0);
  out.ext = Number(top & WORD) | (lost ? 1 : 0);
  normalize(out);
  round(f, out, 64);
}

/** A power series with fixed-point coefficients and, by the size of its argument, how many terms matter. */
export class Series {
  private readonly coefficients: bigint[] = [];
  /** By leading zero bits of the argument: the last term that is not below 2^-BITS. */
  private readonly last = new Uint8Array(BITS + 1);

  /** `divisor` gives the k-th coefficient's reciprocal; arguments are below 2^-`zeros`. */
  constructor(divisor: (k: number) => bigint, zeros: number) {
    let k = 0;
    for (; k * zeros + bitLength(divisor(k)) - 1 <= BITS; k++) this.coefficients.push(ONE / divisor(k));
    for (let z = zeros; z <= BITS; z++) {
      let n = 0;
      while (n + 1 < k && (n + 1) * z + bitLength(divisor(n + 1)) - 1 <= BITS) n++;
      this.last[z] = n;
    }
    this.last.fill(k - 1, 0, zeros);
  }

  private terms(x: bigint): number {
    return this.last[BITS - bitLength(x < 0n ? -x : x)];
  }

  /** c0 + c1 x + c2 x^2 + ... */
  sum(x: bigint): bigint {
    const c = this.coefficients;
    let sum = 0n;
    for (let k = this.terms(x); k > 0; k--) sum = ((c[k] + sum) * x) >> POINT;
    return c[0] + sum;
  }

  /** c0 - c1 x + c2 x^2 - ... for x >= 0, made to lie below c0 however small x is. */
  alternating(x: bigint): bigint {
    const c = this.coefficients;
    let sum = 0n;
    for (let k = this.terms(x); k > 0; k--) sum = ((c[k] - sum) * x) >> POINT;
    return c[0] - sum - 1n;
  }
}

/** n! */
export function factorial(n: number): bigint {
  let product = 1n;
  for (let k = 2; k <= n; k++) product *= BigInt(k);
  return product;
}

/** atan(x)/x in x^2 with `alternating`, atanh(x)/x with `sum`; x up to 1/5. */
export const ARC = new Series((k) => BigInt(2 * k + 1), 4);

/** numerator/denominator, fixed-point. */
export const quotient = (numerator: number, denominator: number): bigint =>
  (BigInt(numerator) << POINT) / BigInt(denominator);

/** atan(x) and atanh(x) of a fixed-point x up to 1/5. */
export const arcTangent = (x: bigint): bigint => (ARC.alternating((x * x) >> POINT) * x) >> POINT;
export const arcTangentH = (x: bigint): bigint => (ARC.sum((x * x) >> POINT) * x) >> POINT;
