/**
 * Moves, exchanges and bit strings where memory matters: moffs, 8-bit registers, XLAT, LEA, BOUND, CMPXCHG8B, BT's reach;
 * and that a read-modify-write to a read-only page faults as a write and leaves no trace.
 */
import { CR2, EAX, EBX, ECX, EDX, ESI, FLAG_CF, FLAG_ZF, LAZY_OP } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { LAZY_NONE } from '../flags.js';
import { BenchCpu } from '../testing/bench-cpu.js';

const dword = (c: BenchCpu, at: number) => c.view.getInt32(0x40000 + at, true);

/** disp32 of address 5000. */
const AT = [0x00, 0x50, 0x00, 0x00];

describe('moves', () => {
  it('reaches the accumulator by moffs at every size', () => {
    const c = new BenchCpu();
    c.poke(0x5000, 0x11, 0x22, 0x33, 0x44);
    c.s[EAX] = -1;
    c.one(0xa0, ...AT);
    expect(c.s[EAX]).toBe(0xffffff11 | 0);
    c.one(0x66, 0xa1, ...AT);
    expect(c.s[EAX]).toBe(0xffff2211 | 0);
    c.one(0xa1, ...AT);
    expect(c.s[EAX]).toBe(0x44332211);
    c.s[EAX] = 0x01020304;
    c.one(0x67, 0xa2, 0x00, 0x60);
    c.one(0x66, 0xa3, 0x04, 0x60, 0x00, 0x00);
    c.one(0xa3, 0x08, 0x60, 0x00, 0x00);
    expect(c.bytes(0x6000, 12)).toEqual([4, 0, 0, 0, 4, 3, 0, 0, 4, 3, 2, 1]);
  });

  it('addresses AH..BH in byte forms', () => {
    const c = new BenchCpu();
    c.one(0xb4, 0x12);
    c.one(0xb7, 0x34);
    c.one(0x88, 0xfc);
    expect([c.s[EAX], c.s[EBX]]).toEqual([0x3400, 0x3400]);
    c.one(0x86, 0xe0);
    expect(c.s[EAX]).toBe(0x34);
    c.one(0x0f, 0xb6, 0xcf);
    expect(c.s[ECX]).toBe(0x34);
  });

  it('extends from register and memory', () => {
    const c = new BenchCpu();
    c.poke(0x5000, 0x80, 0x90);
    c.one(0x0f, 0xbe, 0x05, ...AT);
    expect(c.s[EAX]).toBe(-0x80);
    c.one(0x0f, 0xbf, 0x05, ...AT);
    expect(c.s[EAX]).toBe(0xffff9080 | 0);
    c.one(0x66, 0x0f, 0xb6, 0x05, ...AT);
    expect(c.s[EAX]).toBe(0xffff0080 | 0);
    c.one(0x0f, 0xb7, 0x05, ...AT);
    expect(c.s[EAX]).toBe(0x9080);
  });

  it('LEA and XLAT obey the address size, LEA the operand size', () => {
    const c = new BenchCpu();
    c.s[EBX] = 0x1fff0;
    c.s[ESI] = 0x20;
    c.one(0x8d, 0x44, 0x73, 0x04);
    expect(c.s[EAX]).toBe(0x1fff0 + 0x40 + 4);
    c.one(0x67, 0x8d, 0x40, 0x04);
    expect(c.s[EAX]).toBe(0x0014);
    c.s[EAX] = -1;
    c.one(0x66, 0x8d, 0x44, 0x73, 0x04);
    expect(c.s[EAX]).toBe(0xffff0034 | 0);
    c.s[EAX] = 0x120;
    c.poke(0x0010, 0x77);
    c.one(0x67, 0xd7);
    expect(c.s[EAX]).toBe(0x177);
  });

  it('XCHG with the accumulator and 90 as NOP', () => {
    const c = new BenchCpu();
    c.s[EAX] = 1;
    c.s[ECX] = 2;
    c.one(0x91);
    c.one(0x90);
    expect([c.s[EAX], c.s[ECX]]).toEqual([2, 1]);
    c.one(0x66, 0x91);
    expect([c.s[EAX], c.s[ECX]]).toEqual([1, 2]);
  });
});

describe('BOUND', () => {
  it('raises #BR outside the signed bounds only', () => {
    const c = new BenchCpu();
    c.poke(0x5000, 0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0);
    const vectors = [-3, -2, 3, 4].map((index) => {
      c.s[ECX] = index;
      return c.one(0x62, 0x0d, ...AT);
    });
    expect(vectors).toEqual([5, -1, -1, 5]);
    expect(c.one(0x62, 0xc0)).toBe(6);
  });
});

describe('CMPXCHG8B', () => {
  it('stores ECX:EBX when EDX:EAX matches, else loads EDX:EAX', () => {
    const c = new BenchCpu();
    c.poke(0x5000, 1, 0, 0, 0, 2, 0, 0, 0);
    [c.s[EAX], c.s[EDX], c.s[EBX], c.s[ECX]] = [1, 3, 0x11, 0x22];
    c.setFlags(FLAG_ZF | FLAG_CF);
    c.one(0x0f, 0xc7, 0x0d, ...AT);
    expect([c.s[EAX], c.s[EDX], c.flags, dword(c, 0x5000), dword(c, 0x5004)]).toEqual([1, 2, FLAG_CF | 2, 1, 2]);
    c.one(0xf0, 0x0f, 0xc7, 0x0d, ...AT);
    expect([c.flags, dword(c, 0x5000), dword(c, 0x5004)]).toEqual([FLAG_ZF | FLAG_CF | 2, 0x11, 0x22]);
    expect(c.one(0x0f, 0xc7, 0xc8)).toBe(6);
  });

  it('leaves no trace when its second half faults', () => {
    const c = new BenchCpu();
    c.mmu.writeCr0(0x10000);
    c.mmu.setReadOnly(0x6000);
    expect(c.one(0x0f, 0xc7, 0x0d, 0xfc, 0x5f, 0x00, 0x00)).toBe(14);
    expect([c.s[EAX], c.s[EDX], c.flags, dword(c, 0x5ffc)]).toEqual([0, 0, 2, 0]);
  });
});

describe('bit strings', () => {
  it('reach before and after the memory operand by a register, and stay inside by an immediate', () => {
    const c = new BenchCpu();
    c.s[ECX] = -1;
    c.one(0x0f, 0xab, 0x0d, ...AT);
    expect([dword(c, 0x4ffc), c.flags & FLAG_CF]).toEqual([0x80000000 | 0, 0]);
    c.one(0x0f, 0xa3, 0x0d, ...AT);
    expect(c.flags & FLAG_CF).toBe(FLAG_CF);
    c.s[ECX] = 0x10023;
    c.one(0x66, 0x0f, 0xbb, 0x0d, ...AT);
    expect(c.bytes(0x5004, 2)).toEqual([8, 0]);
    c.s[ECX] = 0x1fff0;
    c.one(0x66, 0x0f, 0xab, 0x0d, ...AT);
    expect(c.bytes(0x4ffe, 1)).toEqual([1]);
    c.one(0x0f, 0xba, 0x2d, ...AT, 0x22);
    expect(dword(c, 0x5000)).toBe(4);
    c.one(0x0f, 0xba, 0x35, ...AT, 0x02);
    expect([dword(c, 0x5000), c.flags & FLAG_CF]).toEqual([0, FLAG_CF]);
  });
});

describe('read-modify-write of a read-only page', () => {
  // Operand at 5000; register operands EAX and ECX differ from memory so that any commit would show.
  const forms: [string, number[]][] = [
    ['add', [0x01, 0x05, ...AT]],
    ['adc imm', [0x83, 0x15, ...AT, 1]],
    ['inc', [0xff, 0x05, ...AT]],
    ['neg byte', [0xf6, 0x1d, ...AT]],
    ['not', [0xf7, 0x15, ...AT]],
    ['shl', [0xc1, 0x25, ...AT, 3]],
    ['rcl by cl', [0xd3, 0x15, ...AT]],
    ['shld', [0x0f, 0xa4, 0x05, ...AT, 3]],
    ['bts', [0x0f, 0xba, 0x2d, ...AT, 3]],
    ['xchg', [0x87, 0x05, ...AT]],
    ['cmpxchg', [0x0f, 0xb1, 0x0d, ...AT]],
    ['xadd', [0x0f, 0xc1, 0x05, ...AT]],
    ['setb', [0x0f, 0x92, 0x05, ...AT]],
  ];
  for (const [name, bytes] of forms) {
    it(`${name} faults as a write and leaves no trace`, () => {
      const c = new BenchCpu();
      c.poke(0x5000, 0x55, 0x66, 0x77, 0x88);
      c.mmu.writeCr0(0x10000);
      c.mmu.setReadOnly(0x5000);
      c.s[EAX] = 0x1234567;
      c.s[ECX] = 0x7654321;
      c.setFlags(FLAG_CF);
      const before = [...c.s];
      expect([c.one(...bytes), c.mmu.faultCode]).toEqual([14, 3]);
      before[CR2] = c.s[CR2];
      expect([...c.s]).toEqual(before);
      expect(c.bytes(0x5000, 4)).toEqual([0x55, 0x66, 0x77, 0x88]);
      expect(c.s[LAZY_OP]).toBe(LAZY_NONE);
    });
  }
});
