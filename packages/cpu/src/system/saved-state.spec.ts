/** Saved state: a full round trip, equal records for equal guest states, refusal of others. */
import { EAX, ECX, EFLAGS, EIP, LAZY_OP, RingfenceError } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, TestMachine } from '../testing/machine.js';

const PROGRAM = [0x40, 0x01, 0xc1, 0x39, 0xc8, 0x0f, 0x97, 0xc3, 0x6a, 0x01, 0x83, 0xc4, 0x04, 0xeb, 0xf1];

function machine(): TestMachine {
  const m = new TestMachine().protectedMode();
  m.poke(CODE, ...PROGRAM);
  return m;
}

describe('saveState and loadState', () => {
  it('a core that takes over goes on as the original', () => {
    const a = machine();
    a.cpu.run(1234);
    const b = machine();
    b.cpu.run(7);
    b.cpu.loadState(structuredClone(a.cpu.saveState()));
    expect(b.cpu.saveState()).toEqual(a.cpu.saveState());
    a.cpu.run(555);
    b.cpu.run(555);
    expect(b.cpu.saveState()).toEqual(a.cpu.saveState());
  });

  it('says nothing of how flags came about', () => {
    const lazy = machine();
    lazy.cpu.run(3); // inc, add, cmp: flags are lazy
    expect(lazy.s[LAZY_OP]).not.toBe(0);
    const plain = machine();
    plain.s[EAX] = lazy.s[EAX];
    plain.s[ECX] = lazy.s[ECX];
    plain.s[EIP] = lazy.s[EIP];
    plain.cpu.setEflags(lazy.cpu.getEflags());
    expect(plain.cpu.saveState()).toEqual(lazy.cpu.saveState());
    expect(lazy.s[EFLAGS] & 2).toBe(2);
  });

  it('is plain data', () => {
    const record = machine().cpu.saveState();
    expect(structuredClone(record)).toEqual(record);
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  });

  it('refuses what is not its own, unchanged', () => {
    const m = machine();
    m.cpu.run(5);
    const saved = m.cpu.saveState();
    const { eax: _eax, ...rest } = saved.data;
    for (const bad of [
      { ...saved, component: 'mmu' },
      { ...saved, version: 99 },
      { ...saved, data: rest },
      { ...saved, data: { ...saved.data, cs: 5 } },
      { ...saved, data: { ...saved.data, tr: { selector: 1 } } },
    ]) {
      expect(() => m.cpu.loadState(bad)).toThrowError(RingfenceError);
      expect(m.cpu.saveState()).toEqual(saved);
    }
  });
});
