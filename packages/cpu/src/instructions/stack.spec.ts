/** PUSH POP PUSHA POPA ENTER LEAVE: what ESP-relative forms see, 16-bit stacks, and that faults leave no trace. */
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { BenchCpu } from '../testing/bench-cpu.js';

const DATA16 = 0x93;

function bench(esp: number): BenchCpu {
  const c = new BenchCpu();
  c.s[ESP] = esp;
  return c;
}

const dword = (c: BenchCpu, at: number) => c.view.getInt32(0x40000 + at, true);
const word = (c: BenchCpu, at: number) => c.view.getUint16(0x40000 + at, true);

describe('stack instructions', () => {
  it('PUSH ESP pushes the value before, POP ESP ends with the popped value', () => {
    const c = bench(0x2000);
    c.one(0x54);
    expect([c.s[ESP], dword(c, 0x1ffc)]).toEqual([0x1ffc, 0x2000]);
    c.poke(0x1ffc, 0x78, 0x56, 0x34, 0x12);
    c.one(0x5c);
    expect(c.s[ESP]).toBe(0x12345678);
  });

  it('PUSH [esp+4] addresses before, POP [esp+4] after ESP moves', () => {
    const c = bench(0x2000);
    c.poke(0x2000, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0);
    c.one(0xff, 0x74, 0x24, 0x04);
    expect([c.s[ESP], dword(c, 0x1ffc)]).toEqual([0x1ffc, 2]);
    c.one(0x8f, 0x44, 0x24, 0x04);
    expect([c.s[ESP], dword(c, 0x2004)]).toEqual([0x2000, 2]);
    c.s[ESP] = 0x2000;
    c.one(0x66, 0x8f, 0x04, 0x24);
    expect([c.s[ESP], word(c, 0x2002)]).toEqual([0x2002, 1]);
  });

  it('sign-extends PUSH imm8 and obeys the operand size', () => {
    const c = bench(0x2000);
    c.one(0x6a, 0xfe);
    expect([c.s[ESP], dword(c, 0x1ffc)]).toEqual([0x1ffc, -2]);
    c.one(0x66, 0x6a, 0x80);
    expect([c.s[ESP], word(c, 0x1ffa)]).toEqual([0x1ffa, 0xff80]);
    c.one(0x66, 0x5b);
    expect([c.s[ESP], c.s[EBX] & 0xffff]).toEqual([0x1ffc, 0xff80]);
  });

  it('wraps SP on a 16-bit stack and keeps the high half of ESP', () => {
    const c = bench(0x12340002);
    c.setSegment(SS, 0x1000, 0xffff, DATA16);
    c.s[EAX] = 0x11223344;
    c.one(0x66, 0x50);
    c.one(0x50);
    expect([c.s[ESP], word(c, 0x1000), dword(c, 0x1000 + 0xfffc)]).toEqual([0x1234fffc, 0x3344, 0x11223344]);
    c.one(0x59);
    c.one(0x66, 0x5a);
    expect([c.s[ESP], c.s[ECX], c.s[EDX] & 0xffff]).toEqual([0x12340002, 0x11223344, 0x3344]);
  });

  it('PUSHA stores the old ESP, POPA skips it', () => {
    const c = bench(0x2000);
    const registers = [EAX, ECX, EDX, EBX, EBP, ESI, EDI];
    registers.forEach((register) => (c.s[register] = 0x100 + register));
    c.one(0x60);
    const stored = Array.from({ length: 8 }, (_, i) => dword(c, 0x1fe0 + 4 * i));
    expect(stored).toEqual([0x107, 0x106, 0x105, 0x2000, 0x103, 0x102, 0x101, 0x100]);
    registers.forEach((register) => (c.s[register] = 0));
    c.one(0x61);
    expect(registers.map((register) => c.s[register])).toEqual(registers.map((register) => 0x100 + register));
    expect(c.s[ESP]).toBe(0x2000);
    c.one(0x66, 0x60);
    expect([c.s[ESP], word(c, 0x1ff6), word(c, 0x1ffe)]).toEqual([0x1ff0, 0x2000, 0x100]);
    c.one(0x66, 0x61);
    expect([c.s[ESP], c.s[EDI]]).toEqual([0x2000, 0x107]);
  });

  it('leaves no trace when PUSHA faults at either end', () => {
    for (const page of [0x1000, 0x2000]) {
      const c = bench(0x2010);
      c.mmu.setReadOnly(page);
      c.mmu.writeCr0(0x10000);
      c.s[EAX] = -1;
      c.s[EDI] = -1;
      expect(c.one(0x60)).toBe(14);
      expect(c.s[ESP]).toBe(0x2010);
      expect(c.bytes(0x1fe0, 0x40).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('ENTER copies the display of outer frames', () => {
    const c = bench(0x2000);
    c.s[EBP] = 0x3000;
    c.poke(0x2ff8, 0xaa, 0, 0, 0, 0xbb, 0, 0, 0);
    c.one(0xc8, 0x10, 0x00, 0x03);
    const frame = [0x1ffc, 0x1ff8, 0x1ff4, 0x1ff0].map((at) => dword(c, at));
    expect(frame).toEqual([0x3000, 0xbb, 0xaa, 0x1ffc]);
    expect([c.s[EBP], c.s[ESP]]).toEqual([0x1ffc, 0x1fe0]);
    c.one(0xc9);
    expect([c.s[EBP], c.s[ESP]]).toEqual([0x3000, 0x2000]);
  });

  it('ENTER and LEAVE of 16 bits', () => {
    const c = bench(0x2000);
    c.s[EBP] = 0x77773000;
    c.one(0x66, 0xc8, 0x04, 0x00, 0x01);
    expect([c.s[EBP], c.s[ESP], word(c, 0x1ffe), word(c, 0x1ffc)]).toEqual([0x77771ffe, 0x1ff8, 0x3000, 0x1ffe]);
    c.s[EBP] = 0x1ffe;
    c.one(0x66, 0xc9);
    expect([c.s[EBP], c.s[ESP]]).toEqual([0x3000, 0x2000]);
  });

  it('ENTER faults when the new top of stack is not writable', () => {
    const c = bench(0x2000);
    c.s[EBP] = 0x3000;
    c.mmu.unmap(0);
    expect(c.one(0xc8, 0x00, 0x18, 0x00)).toBe(14);
    expect([c.s[EBP], c.s[ESP]]).toEqual([0x3000, 0x2000]);
  });

  it('POP to a page that faults does not move ESP', () => {
    const c = bench(0x2000);
    c.mmu.unmap(0x8000);
    expect(c.one(0x8f, 0x05, 0x00, 0x80, 0x00, 0x00)).toBe(14);
    expect(c.s[ESP]).toBe(0x2000);
  });
});
