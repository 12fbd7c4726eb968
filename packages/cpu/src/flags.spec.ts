/** Lazy flags against plain arithmetic, for every kind and size, and what reading and changing single flags keeps. */
import { EFLAGS, FLAGS_ARITH, FLAG_CF, FLAG_OF, FLAG_ZF, LAZY_DST, LAZY_OP, LAZY_RES, LAZY_SRC } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import * as flags from './flags.js';
import { BenchCpu } from './testing/bench-cpu.js';

const EDGES = [0, 1, 0xf, 0x10, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff];
const SIZES = [8, 16, 32];

/** An edge value of 8 bits carried over to `size`. */
function widen(edge: number, size: number): bigint {
  const value = BigInt(edge);
  return edge >= 0x70 ? value << BigInt(size - 8) : value;
}

/** EFLAGS bits of d + v + carry or d - v - carry, worked out with big integers. */
function expected(subtract: boolean, size: number, d: bigint, v: bigint, carry: bigint): number {
  const wide = subtract ? d - v - carry : d + v + carry;
  const r = BigInt.asUintN(size, wide);
  const signed = (x: bigint) => BigInt.asIntN(size, x);
  const full = subtract ? signed(d) - signed(v) - carry : signed(d) + signed(v) + carry;
  const low = subtract ? (d & 15n) - (v & 15n) - carry : (d & 15n) + (v & 15n) + carry;
  const parity = (r & 255n).toString(2).replaceAll('0', '').length % 2 === 0;
  const bit = (on: boolean, value: number) => (on ? value : 0);
  return (
    bit(wide !== r, 1) |
    bit(parity, 4) |
    bit(low < 0n || low > 15n, 0x10) |
    bit(r === 0n, 0x40) |
    bit(signed(r) < 0n, 0x80) |
    bit(signed(r) !== full, 0x800)
  );
}

describe('lazy flags', () => {
  it('of ADD, ADC, SUB, SBB are those of the arithmetic', () => {
    const c = new BenchCpu();
    for (const subtract of [false, true]) {
      for (const carry of [0n, 1n]) {
        SIZES.forEach((size, at) => {
          for (const first of EDGES) {
            for (const second of EDGES) {
              const [d, v] = [widen(first, size), widen(second, size)];
              const r = BigInt.asIntN(size, subtract ? d - v - carry : d + v + carry);
              c.s[LAZY_OP] = flags.LAZY_ADD8 + at + (subtract ? 6 : 0) + Number(carry) * 3;
              c.s[LAZY_RES] = Number(r);
              c.s[LAZY_DST] = Number(BigInt.asIntN(size, d));
              c.s[LAZY_SRC] = Number(BigInt.asIntN(size, v));
              expect(flags.getArith(c)).toBe(expected(subtract, size, d, v, carry));
            }
          }
        });
      }
    }
  });

  it('of INC and DEC keep CF', () => {
    const c = new BenchCpu();
    SIZES.forEach((size, at) => {
      for (const edge of EDGES) {
        for (const decrement of [false, true]) {
          for (const carry of [0, FLAG_CF]) {
            const d = widen(edge, size);
            c.s[EFLAGS] = 2 | carry;
            c.s[LAZY_OP] = (decrement ? flags.LAZY_DEC8 : flags.LAZY_INC8) + at;
            c.s[LAZY_RES] = Number(BigInt.asIntN(size, decrement ? d - 1n : d + 1n));
            const other = expected(decrement, size, d, 1n, 0n) & ~FLAG_CF;
            expect(flags.getArith(c)).toBe(other | carry);
          }
        }
      }
    });
  });

  it('read the same before and after materialize, one by one and through every condition', () => {
    const c = new BenchCpu();
    for (let kind = flags.LAZY_NONE; kind <= flags.LAZY_SHIFT; kind++) {
      for (const [d, v, r] of [
        [5, 7, -2],
        [-128, 1, 127],
        [0, 0, 0],
        [-1, 1, 0],
      ]) {
        const lazy = () => {
          c.s[EFLAGS] = 2 | FLAG_CF | FLAG_OF;
          [c.s[LAZY_OP], c.s[LAZY_DST], c.s[LAZY_SRC], c.s[LAZY_RES]] = [kind, d, v, r];
        };
        const one = () => [
          flags.getCF(c),
          flags.getPF(c),
          flags.getAF(c),
          flags.getZF(c),
          flags.getSF(c),
          flags.getOF(c),
        ];
        lazy();
        // SUB's conditions compare the operands: the result must be their difference.
        if (kind === flags.LAZY_SUB8) c.s[LAZY_RES] = ((d - v) << 24) >> 24;
        if (kind === flags.LAZY_SUB16 || kind === flags.LAZY_SUB32) c.s[LAZY_RES] = d - v;
        const before = [one(), Array.from({ length: 16 }, (_, n) => flags.cc(c, n)), flags.getEflags(c)];
        flags.materialize(c);
        expect(c.s[LAZY_OP]).toBe(flags.LAZY_NONE);
        const after = [one(), Array.from({ length: 16 }, (_, n) => flags.cc(c, n)), flags.getEflags(c)];
        expect(after, `kind ${kind}`).toEqual(before);
      }
    }
  });

  it('change alone what they are asked to', () => {
    const c = new BenchCpu();
    flags.setArith(c, FLAGS_ARITH);
    flags.setCF(c, 0);
    flags.setZF(c, false);
    expect(flags.getEflags(c)).toBe(2 | (FLAGS_ARITH & ~FLAG_CF & ~FLAG_ZF));
    flags.setShift(c, 0, 1, 0);
    expect(flags.getEflags(c)).toBe(2 | FLAG_CF | FLAG_ZF | 4);
    flags.keepCF(c);
    expect(flags.getCF(c)).toBe(1);
    flags.setCompare(c, flags.LAZY_SUB32, 1, 2, -1);
    flags.keepCF(c);
    expect(c.s[EFLAGS] & FLAG_CF).toBe(1);
  });
});
