/**
 * Long division of 64-bit significands, up to 21 quotient bits at a step. A step estimates its digit with doubles; the estimate
 * is wrong by at most one, and then the exact quotient lies within 2^-29 of an integer, so the estimate's fraction tells on
 * which side. The remainder is kept modulo 2^64, and the same fraction tells a small negative remainder from a large one.
 *
 *   invariant: 0 <= remainder < divisor, divisor >= 2^63.
 */
const TWO32 = 0x100000000;

export class Divider {
  hi = 0;
  lo = 0;
  private dhi = 0;
  private dlo = 0;
  private divisor = 0;

  /** Preconditions: the divisor's top bit is set, the dividend is less than the divisor. */
  start(hi: number, lo: number, dhi: number, dlo: number): void {
    this.hi = hi;
    this.lo = lo;
    this.dhi = dhi;
    this.dlo = dlo;
    this.divisor = (dhi >>> 0) * TWO32 + (dlo >>> 0);
  }

  /** The next `bits` (1..21) bits of the quotient. */
  step(bits: number): number {
    const { hi, lo, dhi, dlo } = this;
    const estimate = (((hi >>> 0) * TWO32 + (lo >>> 0)) * (1 << bits)) / this.divisor;
    let digit = Math.floor(estimate);
    const fraction = estimate - digit;
    // digit * dlo < 2^53: exact.
    const high = Math.imul(digit, dhi) + Math.floor((digit * (dlo >>> 0)) / TWO32);
    const low = (lo << bits) - Math.imul(digit, dlo);
    const borrow = (lo << bits) >>> 0 < Math.imul(digit, dlo) >>> 0 ? 1 : 0;
    this.lo = low | 0;
    this.hi = (((hi << bits) | (lo >>> (32 - bits))) - high - borrow) | 0;
    if (fraction < 0.5) {
      if (this.hi >>> 0 >= 0xc0000000) {
        digit--;
        this.adjust(1);
      }
    } else if (this.hi >>> 0 < 0x20000000 || this.reachesDivisor()) {
      digit++;
      this.adjust(-1);
    }
    return digit;
  }

  /** Compares twice the remainder with the divisor: negative, 0, positive. */
  compareHalf(): number {
    if (this.hi < 0) return 1;
    const hi = (this.hi << 1) | (this.lo >>> 31);
    const lo = this.lo << 1;
    if (hi !== this.dhi) return hi >>> 0 < this.dhi >>> 0 ? -1 : 1;
    if (lo === this.dlo) return 0;
    return lo >>> 0 < this.dlo >>> 0 ? -1 : 1;
  }

  isZero(): boolean {
    return (this.hi | this.lo) === 0;
  }

  /** remainder = divisor - remainder. */
  complement(): void {
    const borrow = this.dlo >>> 0 < this.lo >>> 0 ? 1 : 0;
    this.lo = (this.dlo - this.lo) | 0;
    this.hi = (this.dhi - this.hi - borrow) | 0;
  }

  private reachesDivisor(): boolean {
    if (this.hi !== this.dhi) return this.hi >>> 0 > this.dhi >>> 0;
    return this.lo >>> 0 >= this.dlo >>> 0;
  }

  /** Adds the divisor to the remainder, or takes it away. */
  private adjust(sign: number): void {
    const lo = (this.lo >>> 0) + sign * (this.dlo >>> 0);
    this.lo = lo | 0;
    this.hi = (this.hi + sign * this.dhi + Math.floor(lo / TWO32)) | 0;
  }
}

export const divider = new Divider();
