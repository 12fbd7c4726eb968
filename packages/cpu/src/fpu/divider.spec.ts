/** The long division and the square root against BigInt, where their floating-point estimates are at their worst. */
import { describe, expect, it } from 'vitest';
import { Divider } from './divider.js';
import { BIAS, Extended } from './extended.js';
import { Fpu, CONTROL_INIT } from './fpu.js';
import { sqrt } from './sqrt.js';

const TOP = 1n << 63n;
const LAST = (1n << 64n) - 1n;
const high = (v: bigint) => Number(v >> 32n) | 0;
const low = (v: bigint) => Number(v & 0xffffffffn) | 0;
const join = (hi: number, lo: number) => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

let seed = 88172645463325252n;
function random64(): bigint {
  seed ^= (seed << 13n) & LAST;
  seed ^= seed >> 7n;
  seed ^= (seed << 17n) & LAST;
  return seed;
}

const divisors = [
  TOP,
  TOP | 1n,
  TOP + (1n << 32n),
  TOP + 0xffffffffn,
  LAST,
  LAST - 1n,
  (LAST << 32n) & LAST,
  0xaaaaaaaaaaaaaaabn,
];
for (let i = 0; i < 200; i++) divisors.push(random64() | TOP);

describe('Divider', () => {
  it('gives exact digits and remainders next to whole quotients', () => {
    const divider = new Divider();
    let wrong = 0;
    for (const divisor of divisors) {
      for (const bits of [1, 7, 20, 21]) {
        const dividends = [0n, 1n, divisor - 1n, divisor - 2n, divisor / 2n, divisor / 2n + 1n];
        for (let i = 0; i < 40; i++) {
          // remainder * 2^bits just below, at and just above a multiple of the divisor
          const digit = random64() % (1n << BigInt(bits));
          const near = (digit * divisor) >> BigInt(bits);
          dividends.push(near, near + 1n, near > 0n ? near - 1n : 0n);
        }
        for (const dividend of dividends.filter((value) => value < divisor)) {
          divider.start(high(dividend), low(dividend), high(divisor), low(divisor));
          const digit = BigInt(divider.step(bits));
          const scaled = dividend << BigInt(bits);
          if (digit !== scaled / divisor || join(divider.hi, divider.lo) !== scaled % divisor) wrong++;
        }
      }
    }
    expect(wrong).toBe(0);
  });
});

function integerRoot(n: bigint): bigint {
  let root = BigInt(Math.floor(Math.sqrt(Number(n))));
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next === root || next === root + 1n) break;
    root = next;
  }
  while (root * root > n) root--;
  while ((root + 1n) * (root + 1n) <= n) root++;
  return root;
}

describe('sqrt', () => {
  it('gives the exact root chopped, with the right bits below it', () => {
    const f = new Fpu(new Int32Array(128));
    f.setControl(CONTROL_INIT | 0xc00);
    const a = new Extended();
    const out = new Extended();
    let wrong = 0;
    const significands = [TOP, TOP | 1n, LAST, LAST - 1n, LAST - 2n, 0xc000000000000000n];
    for (let i = 0; i < 4000; i++) {
      const root = random64() | TOP;
      // Squares of 32-bit roots, and what lies next to squares of 64-bit roots.
      const short = root >> 32n;
      const exact = short * short;
      for (const value of [
        exact,
        (root * root) >> 64n,
        ((root * root) >> 64n) + 1n,
        (root * root) >> 63n,
        random64(),
      ]) {
        if (value >= TOP && value <= LAST) significands.push(value);
      }
    }
    for (const significand of significands) {
      for (const exp of [BIAS, BIAS + 1]) {
        a.set(0, exp, high(significand), low(significand));
        f.begin();
        sqrt(f, a, out);
        const radicand = significand << (exp === BIAS ? 63n : 64n);
        const root = integerRoot(radicand);
        if (join(out.hi, out.lo) !== root || (f.raised !== 0) !== (root * root !== radicand)) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });
});
