/**
 * The fuzzer's random numbers: xorshift32, seeded with a number, the same everywhere. Nothing of a program depends on
 * anything else, so that a seed is a program.
 */
export class Random {
  constructor(seed) {
    this.state = Math.imul((seed | 0) ^ 0x9e3779b9, 0x85ebca6b) | 1;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** 32 random bits, unsigned. */
  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.imul(x, 0x9e3779b1) >>> 0;
  }

  /** 0 .. n-1. */
  below(n) {
    return Math.floor((this.next() / 0x100000000) * n);
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** One of `[weight, value]`. */
  weighted(list) {
    let at = this.below(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) if ((at -= weight) < 0) return value;
    return list[0][1];
  }

  byte() {
    return this.next() >>> 24;
  }

  /** A 32-bit value of the kind that finds bugs: small, a boundary, a single bit, or anything. */
  value() {
    switch (this.below(5)) {
      case 0:
        return this.below(16);
      case 1:
        return this.pick([0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]);
      case 2:
        return (1 << this.below(32)) >>> 0;
      case 3:
        return -this.below(300) >>> 0;
      default:
        return this.next();
    }
  }
}
