/** Far JMP, CALL, RET: targets, call gates with parameters, returns to outer levels. */
import { CPL, CS, DS, EAX, EIP, ESP, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  DATA,
  FREE,
  GDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TestMachine,
  TSS,
  UCODE,
  UDATA,
  USER_STACK,
} from '../testing/machine.js';

const HLT = 0xf4;
const GATE = FREE;
const CODE2 = FREE + 8;

function le32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}
function jmpf(selector: number, offset: number): number[] {
  return [0xea, ...le32(offset), selector & 0xff, selector >> 8];
}
function callf(selector: number, offset: number): number[] {
  return [0x9a, ...le32(offset), selector & 0xff, selector >> 8];
}

function machine(cpl: 0 | 3): TestMachine {
  return cpl === 3 ? new TestMachine().userMode() : new TestMachine().protectedMode();
}

function outcome(m: TestMachine, code: readonly number[]): string {
  m.poke(CODE, ...code);
  m.poke(DATA, 0x0f, 0x0b); // where good transfers lead
  m.cpu.run(100);
  const frame = m.frame();
  if (frame.vector === 6 && frame.eip === DATA) return `at ${frame.cs.toString(16)}`;
  expect(frame.eip).toBe(CODE);
  return `#${frame.vector}(${frame.errorCode?.toString(16)})`;
}

describe('direct targets', () => {
  it.each([
    ['same level', 0, KCODE, 0xc09b, '8'],
    ['null', 0, 0, 0, '#13(0)'],
    ['data', 0, KDATA, 0, '#13(10)'],
    ['RPL above CPL', 0, KCODE | 3, 0, '#13(8)'],
    ['RPL below CPL is replaced by it', 3, UCODE & ~3, 0, '1b'],
    ['inner level', 3, KCODE, 0, '#13(8)'],
    ['outer level', 0, UCODE, 0, '#13(18)'],
    ['conforming, inner', 3, CODE2 | 3, 0xc09f, '43'],
    ['conforming, outer', 0, CODE2, 0xc0ff, '#13(40)'],
    ['not present', 0, CODE2, 0xc01b, '#11(40)'],
    ['beyond the limit', 0, CODE2, 0x409b, '#13(0)'],
    ['beyond the GDT', 0, 0x300, 0, '#13(300)'],
  ] as const)('%s', (_name, cpl, selector, access, expected) => {
    for (const transfer of [jmpf, callf]) {
      const m = machine(cpl);
      if ((selector & ~3) === CODE2) m.descriptor(GDT, CODE2, 0, access === 0x409b ? 0xff : 0xfffff, access);
      const want = expected.startsWith('#') ? expected : `at ${expected}`;
      expect(outcome(m, transfer(selector, DATA))).toBe(want);
    }
  });

  it('CALL pushes CS and the next EIP, RETF comes back', () => {
    const m = machine(0);
    m.poke(DATA, 0x40, 0xca, 8, 0); // inc eax; retf 8
    m.runToHalt(0x6a, 1, 0x6a, 2, ...callf(KCODE, DATA), HLT);
    expect([m.s[EAX], m.s[ESP], m.s[EIP]]).toEqual([1, KERNEL_STACK, CODE + 12]);
  });

  it('a far pointer in memory', () => {
    const m = machine(0);
    m.poke(DATA + 0x100, ...le32(DATA), KCODE, 0);
    expect(outcome(m, [0xff, 0x2d, ...le32(DATA + 0x100)])).toBe('at 8');
  });

  it('a stack that cannot take the return address faults before anything moves', () => {
    const m = machine(3);
    m.mmu.unmap(USER_STACK - 8);
    expect(m.trap(...callf(UCODE, DATA))).toMatchObject({ vector: 14, errorCode: 6, eip: CODE, esp: USER_STACK });
  });
});

describe('call gates', () => {
  function withGate(cpl: 0 | 3, type: number, parameters = 0, selector = KCODE): TestMachine {
    const m = machine(cpl);
    m.gate(GDT, GATE >> 3, selector, DATA, type, parameters);
    return m;
  }

  it('to an inner level copy parameters onto its stack', () => {
    const m = withGate(3, 0xec, 3);
    m.poke(DATA, 0x8b, 0x44, 0x24, 0x0c, 0xca, 12, 0); // mov eax,[esp+12]; retf 12
    m.poke(CODE, 0x6a, 0x11, 0x6a, 0x22, 0x6a, 0x33, ...callf(GATE | 3, 0), 0x0f, 0x0b);
    m.cpu.run(4);
    // Parameters deepest first, as they were pushed.
    const frame = KERNEL_STACK - 28;
    const words = [0, 4, 8, 12, 16, 20, 24].map((at) => m.peek32(frame + at));
    expect(words.slice(2, 7)).toEqual([0x33, 0x22, 0x11, USER_STACK - 12, UDATA]);
    m.cpu.run(100);
    expect(m.s[EAX]).toBe(0x22);
    expect(m.frame()).toMatchObject({ vector: 6, cs: UCODE, esp: USER_STACK, ss: UDATA, eip: CODE + 13 });
  });

  it('at the same level push no stack and copy nothing', () => {
    const m = withGate(0, 0x8c, 5);
    m.poke(DATA, HLT);
    m.runToHalt(...callf(GATE, 0x777));
    expect(m.s[ESP]).toBe(KERNEL_STACK - 8);
    expect([m.peek32(KERNEL_STACK - 8), m.peek32(KERNEL_STACK - 4)]).toEqual([CODE + 7, KCODE]);
  });

  it('of 16 bits push words', () => {
    const m = withGate(3, 0xe4, 2);
    m.gate(GDT, GATE >> 3, CODE2, 0x10, 0xe4, 2);
    m.descriptor(GDT, CODE2, DATA, 0xffff, 0x409b);
    m.poke(DATA + 0x10, HLT);
    m.runToHalt(0x66, 0x6a, 0x11, 0x66, 0x6a, 0x22, ...callf(GATE | 3, 0));
    const at = KERNEL_STACK - 12;
    expect(m.s[ESP]).toBe(at);
    expect([0, 2, 4, 6, 8, 10].map((d) => m.peek16(at + d))).toEqual([
      (CODE + 13) & 0xffff,
      UCODE,
      0x22,
      0x11,
      (USER_STACK - 4) & 0xffff,
      UDATA,
    ]);
  });

  it.each([
    ['DPL below CPL', 3, 0x8c, KCODE, '#13(38)'],
    ['not present', 3, 0x6c, KCODE, '#11(38)'],
    ['null target', 3, 0xec, 0, '#13(0)'],
    ['target is data', 3, 0xec, KDATA, '#13(10)'],
    ['target beyond the GDT', 3, 0xec, 0x400, '#13(400)'],
    ['target of an outer level', 0, 0xec, UCODE, '#13(18)'],
  ] as const)('%s', (_name, cpl, type, selector, expected) => {
    expect(outcome(withGate(cpl, type, 0, selector), callf(GATE | cpl, 0))).toBe(expected);
  });

  it('JMP through a gate cannot change the level', () => {
    expect(outcome(withGate(3, 0xec), jmpf(GATE | 3, 0))).toBe('#13(8)');
    expect(outcome(withGate(0, 0x8c), jmpf(GATE, 0))).toBe('at 8');
  });

  it('check the inner stack of the TSS', () => {
    const m = withGate(3, 0xec);
    m.poke32(TSS + 8, 0);
    m.descriptor(GDT, 0x80, 0, 0xfffff, 0xc09f);
    m.gate(0x2000, 10, 0x80, 0x4000, 0x8e);
    m.poke(CODE, ...callf(GATE | 3, 0));
    m.cpu.step();
    expect([m.s[EIP], m.peek32(m.s[ESP])]).toEqual([0x4000, 0]);
  });
});

describe('RETF to an outer level', () => {
  function frame(cs: number, ss: number, eip = DATA): TestMachine {
    const m = machine(0);
    m.s[ESP] -= 16;
    [eip, cs, USER_STACK, ss].forEach((word, i) => m.poke32(m.s[ESP] + i * 4, word));
    return m;
  }

  it('loads SS:ESP and nulls what the level may not use', () => {
    const m = frame(UCODE, UDATA);
    m.poke(CODE, 0xcb);
    m.cpu.step();
    expect([m.s[CPL], m.selector(CS), m.selector(SS), m.s[ESP], m.s[EIP]]).toEqual([3, UCODE, UDATA, USER_STACK, DATA]);
    expect(m.selector(DS)).toBe(0);
  });

  it('releases parameters on both stacks', () => {
    const m = machine(0);
    m.s[ESP] -= 24;
    [DATA, UCODE, 0xaa, 0xbb, USER_STACK - 8, UDATA].forEach((word, i) => m.poke32(m.s[ESP] + i * 4, word));
    m.poke(CODE, 0xca, 8, 0);
    m.cpu.step();
    expect([m.s[ESP], m.s[CPL]]).toEqual([USER_STACK, 3]);
  });

  it.each([
    ['null CS', 0, UDATA, '#13(0)'],
    ['data as CS', UDATA, UDATA, '#13(20)'],
    ['DPL not RPL', KCODE | 3, UDATA, '#13(8)'],
    ['null SS', UCODE, 0, '#13(0)'],
    ['SS of another level', UCODE, KDATA | 3, '#13(10)'],
    ['SS RPL not CS RPL', UCODE, UDATA & ~3, '#13(20)'],
    ['code as SS', UCODE, UCODE, '#13(18)'],
  ] as const)('%s', (_name, cs, ss, expected) => {
    expect(outcome(frame(cs, ss), [0xcb])).toBe(expected);
  });

  it('never goes inward', () => {
    const m = machine(3);
    m.s[ESP] -= 8;
    m.poke32(m.s[ESP], DATA);
    m.poke32(m.s[ESP] + 4, KCODE);
    expect(outcome(m, [0xcb])).toBe('#13(8)');
  });
});
