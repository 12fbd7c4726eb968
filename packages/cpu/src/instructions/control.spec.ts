/** Near transfers: targets of both operand sizes, CS limit before stack, counters of LOOP and JCXZ, all Jcc. */
import { CS, ECX, EIP, ESP, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { cc } from '../flags.js';
import { BenchCpu } from '../testing/bench-cpu.js';

const CODE32 = 0xc09b;

function bench(eip: number): BenchCpu {
  const c = new BenchCpu();
  c.s[EIP] = eip;
  c.s[ESP] = 0x2000;
  return c;
}

const dword = (c: BenchCpu, at: number) => c.view.getInt32(0x40000 + at, true);

describe('near transfers of control', () => {
  it('JMP wraps at 32 bits, and at 16 with a 16-bit operand', () => {
    const c = bench(0x10);
    c.one(0xeb, 0x80);
    expect(c.s[EIP]).toBe(0x12 - 0x80);
    c.s[EIP] = 0x1fff0;
    c.one(0x66, 0xeb, 0x20);
    expect(c.s[EIP]).toBe(0x0013);
    c.s[EIP] = 0x100;
    c.one(0x66, 0xe9, 0xf0, 0xff);
    expect(c.s[EIP]).toBe(0x104 - 0x10);
  });

  it('CALL and RET go there and back', () => {
    const c = bench(0x1000);
    c.one(0xe8, 0x00, 0x01, 0x00, 0x00);
    expect([c.s[EIP], c.s[ESP], dword(c, 0x1ffc), c.end]).toEqual([0x1105, 0x1ffc, 0x1005, -1]);
    c.one(0xc2, 0x08, 0x00);
    expect([c.s[EIP], c.s[ESP]]).toEqual([0x1005, 0x2008]);
    c.s[EIP] = 0x21234;
    c.one(0x66, 0xff, 0xd1);
    expect([c.s[EIP], c.s[ESP]]).toEqual([0, 0x2006]);
    c.one(0x66, 0xc3);
    expect([c.s[EIP], c.s[ESP]]).toEqual([0x1237, 0x2008]);
  });

  it('CALL through ESP-based memory reads before it pushes', () => {
    const c = bench(0x1000);
    c.poke(0x2000, 0x44, 0x33, 0, 0);
    c.one(0xff, 0x14, 0x24);
    expect([c.s[EIP], dword(c, 0x1ffc)]).toEqual([0x3344, 0x1003]);
  });

  it('checks the CS limit before it touches the stack', () => {
    const c = bench(0x10);
    c.setSegment(CS, 0, 0xfff, CODE32);
    c.mmu.unmap(0x1000);
    expect(c.one(0xe8, 0x00, 0x10, 0x00, 0x00)).toBe(13);
    expect(c.one(0xe8, 0x00, 0x01, 0x00, 0x00)).toBe(14);
    expect([c.s[EIP], c.s[ESP]]).toEqual([0x10, 0x2000]);
    c.poke(0x2000, 0x00, 0x10, 0, 0);
    expect(c.one(0xc3)).toBe(13);
    expect([c.s[EIP], c.s[ESP]]).toEqual([0x10, 0x2000]);
    c.s[ECX] = 5;
    expect(c.one(0xe2, 0x80)).toBe(13);
    expect([c.s[EIP], c.s[ECX]]).toEqual([0x10, 5]);
  });

  it('LOOP counts by address size and leaves the flags alone', () => {
    const c = bench(0x100);
    c.s[ECX] = 0x10001;
    c.one(0x67, 0xe2, 0x10);
    expect([c.s[EIP], c.s[ECX]]).toEqual([0x103, 0x10000]);
    c.one(0x67, 0xe3, 0x10);
    expect(c.s[EIP]).toBe(0x116);
    c.one(0xe3, 0x10);
    expect(c.s[EIP]).toBe(0x118);
    c.one(0xe2, 0x10);
    expect([c.s[EIP], c.s[ECX]]).toEqual([0x12a, 0xffff]);
    c.setFlags(FLAG_ZF);
    c.one(0xe0, 0x10);
    expect([c.s[EIP], c.s[ECX], c.flags]).toEqual([0x12c, 0xfffe, FLAG_ZF | 2]);
    c.one(0xe1, 0x10);
    expect([c.s[EIP], c.s[ECX]]).toEqual([0x13e, 0xfffd]);
  });

  it('Jcc, SETcc and CMOVcc test the same sixteen conditions', () => {
    const bits = [FLAG_CF, FLAG_PF, FLAG_ZF, FLAG_SF, FLAG_OF];
    for (let set = 0; set < 32; set++) {
      const flags = bits.reduce((sum, bit, i) => sum | ((set >> i) & 1 ? bit : 0), 0);
      for (let n = 0; n < 16; n++) {
        const c = bench(0x1000);
        c.setFlags(flags);
        c.s[0] = 0;
        c.s[1] = 0x12345678;
        c.poke(0x5000, 1, 2, 3, 4);
        const taken = cc(c, n);
        c.one(0x70 + n, 0x40);
        expect(c.s[EIP]).toBe(taken ? 0x1042 : 0x1002);
        c.s[EIP] = 0x21000;
        c.one(0x66, 0x0f, 0x80 + n, 0x40, 0x00);
        expect(c.s[EIP]).toBe(taken ? 0x1045 : 0x21005);
        c.one(0x0f, 0x40 + n, 0xc1);
        expect(c.s[0]).toBe(taken ? 0x12345678 : 0);
        c.one(0x66, 0x0f, 0x40 + n, 0x05, 0x00, 0x50, 0x00, 0x00);
        expect(c.s[0]).toBe(taken ? 0x12340201 : 0);
        c.one(0x0f, 0x90 + n, 0x05, 0x00, 0x50, 0x00, 0x00);
        expect(c.bytes(0x5000, 2)).toEqual([taken ? 1 : 0, 2]);
        expect(c.flags).toBe(flags | 2);
      }
    }
  });

  it('CMOVcc reads its memory operand also when the condition is false', () => {
    const c = bench(0);
    c.mmu.unmap(0x5000);
    expect(c.one(0x0f, 0x44, 0x05, 0x00, 0x50, 0x00, 0x00)).toBe(14);
  });
});
