/** Exceptions: vector, error code, saved EIP and RF; nested faults; gates, stacks, privilege. */
import {
  CPL,
  CS,
  DS,
  EAX,
  EBX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_IF,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  GS,
  SS,
  STOP_HALT,
  STOP_SHUTDOWN,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  DATA,
  FREE,
  GDT,
  HANDLERS,
  IDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TestMachine,
  TSS,
  UCODE,
  UDATA,
  USER_STACK,
} from '../testing/machine.js';

const NOP = 0x90;
const HLT = 0xf4;
const UD2 = [0x0f, 0x0b];

function user(): TestMachine {
  return new TestMachine().userMode();
}
function kernel(): TestMachine {
  return new TestMachine().protectedMode();
}

describe('what an exception saves', () => {
  it.each([
    ['#DE', [0x31, 0xc9, 0xf7, 0xf1], 0, undefined, 2],
    ['#BP is a trap', [NOP, 0xcc], 3, undefined, 2],
    ['#OF is a trap', [0xb0, 0x7f, 0xfe, 0xc0, 0xce], 4, undefined, 5],
    ['#BR', [0xbb, 0, 0, 2, 0, 0x31, 0xc0, 0x48, 0x62, 0x03], 5, undefined, 8],
    ['#UD', [NOP, 0x0f, 0x0b], 6, undefined, 1],
    ['#UD of LOCK on a register form', [0xf0, 0x01, 0xc0], 6, undefined, 0],
    ['#UD of LOCK on MOV', [0xf0, 0x89, 0x03], 6, undefined, 0],
    ['#UD of a memory-only form with a register', [0x8d, 0xc0], 6, undefined, 0],
    ['#GP of a privileged instruction', [NOP, HLT], 13, 0, 1],
    ['#GP of CLI with IOPL 0', [0xfa], 13, 0, 0],
    ['#GP of an I/O access', [0xe4, 0x60], 13, 0, 0],
    ['#GP of INT n through a DPL-0 gate', [0xcd, 0x21], 13, 0x21 * 8 + 2, 0],
    ['#GP of INT n beyond the IDT', [0xcd, 0x80], 13, 0x80 * 8 + 2, 0],
    ['#GP of MOV to a null CS by far JMP', [0xea, 0, 0, 0, 0, 3, 0], 13, 0, 0],
  ] as const)('%s', (_name, code, vector, errorCode, offset) => {
    const m = user();
    // INT3 and INTO must pass the gate's DPL.
    for (const gate of [3, 4]) m.gate(IDT, gate, KCODE, HANDLERS + gate * 16, 0xee);
    const frame = m.trap(...code);
    expect(frame).toMatchObject({ vector, eip: CODE + offset, cs: UCODE, esp: USER_STACK, ss: UDATA });
    expect(frame.errorCode).toBe(errorCode);
    expect(frame.flags & FLAG_RF).toBe(vector === 3 || vector === 4 ? 0 : FLAG_RF);
  });

  it('an interrupt gate clears IF, a trap gate does not; both clear TF and NT', () => {
    for (const [type, expected] of [
      [0x8e, 0],
      [0x8f, FLAG_IF],
    ]) {
      const m = user();
      m.gate(IDT, 6, KCODE, HANDLERS + 96, type);
      m.cpu.setEflags(FLAG_IF | FLAG_NT);
      const frame = m.trap(...UD2);
      expect(frame.flags & (FLAG_IF | FLAG_NT)).toBe(FLAG_IF | FLAG_NT);
      expect(m.s[EFLAGS] & (FLAG_IF | FLAG_NT | FLAG_TF | FLAG_RF)).toBe(expected);
      expect([m.s[CPL], m.selector(CS), m.selector(SS)]).toEqual([0, KCODE, KDATA]);
    }
  });

  it('flags that were lazy are saved worked out', () => {
    const m = user();
    const frame = m.trap(0x31, 0xc0, 0x48, ...UD2); // xor eax,eax; dec eax; ud2: SF, PF, AF
    expect(frame.flags & 0x8d5).toBe(0x94);
  });

  it('a handler at the same level keeps the stack and pushes no SS:ESP', () => {
    const m = kernel();
    m.trap(...UD2);
    expect(m.s[ESP]).toBe(KERNEL_STACK - 12);
    expect([m.peek32(KERNEL_STACK - 12), m.peek32(KERNEL_STACK - 8)]).toEqual([CODE, KCODE]);
  });

  it('a 16-bit gate pushes a 16-bit frame', () => {
    const m = kernel();
    m.gate(IDT, 13, KCODE, HANDLERS + 13 * 16, 0x86);
    m.runToHalt(0xcd, 0x80);
    expect(m.s[ESP]).toBe(KERNEL_STACK - 8);
    expect(m.peek16(KERNEL_STACK - 8)).toBe(0x402);
    expect(m.peek16(KERNEL_STACK - 6)).toBe(CODE & 0xffff);
  });

  it('IRET returns to the outer level with everything back', () => {
    const m = user();
    m.poke(HANDLERS + 6 * 16, 0x83, 0x04, 0x24, 0x02, 0xcf); // add dword [esp], 2; iret
    const frame = m.trap(...UD2, 0x40, HLT);
    expect(frame).toMatchObject({ vector: 13, eip: CODE + 3, esp: USER_STACK, ss: UDATA });
    expect(m.s[EAX]).toBe(1);
  });

  it('real mode pushes three words and no error code', () => {
    const m = new TestMachine().realMode();
    m.runToHalt(NOP, 0x0f, 0x0b);
    expect(m.s[EIP]).toBe(HANDLERS + 6 * 16 + 1);
    expect([m.peek16(DATA + 0x7ffa), m.peek16(DATA + 0x7ffc)]).toEqual([1, CODE >> 4]);
    expect(m.selector(CS)).toBe(0);
  });
});

describe('gates that are not right', () => {
  it.each([
    ['gate not present', (m: TestMachine) => m.gate(IDT, 6, KCODE, HANDLERS, 0x0e), 11, 6 * 8 + 3],
    ['not a gate', (m: TestMachine) => m.gate(IDT, 6, KCODE, HANDLERS, 0x8c), 13, 6 * 8 + 3],
    ['null selector', (m: TestMachine) => m.gate(IDT, 6, 0, HANDLERS, 0x8e), 13, 1],
    ['selector beyond the GDT', (m: TestMachine) => m.gate(IDT, 6, 0x108, HANDLERS, 0x8e), 13, 0x109],
    ['data segment', (m: TestMachine) => m.gate(IDT, 6, KDATA, HANDLERS, 0x8e), 13, KDATA + 1],
    [
      'code segment not present',
      (m: TestMachine) => {
        m.descriptor(GDT, FREE, 0, 0xfffff, 0xc01b);
        m.gate(IDT, 6, FREE, HANDLERS, 0x8e);
      },
      11,
      FREE + 1,
    ],
    [
      'handler beyond its segment',
      (m: TestMachine) => {
        m.descriptor(GDT, FREE, 0, 0xfff, 0x409b);
        m.gate(IDT, 6, FREE, 0x1000, 0x8e);
      },
      13,
      1,
    ],
    ['null SS in the TSS', (m: TestMachine) => m.poke32(TSS + 8, 0), 10, 1],
    ['SS with a wrong RPL', (m: TestMachine) => m.poke32(TSS + 8, KDATA | 1), 10, KDATA + 1],
    ['SS with a wrong DPL', (m: TestMachine) => m.poke32(TSS + 8, UDATA & ~3), 10, (UDATA & ~3) + 1],
    ['SS that is code', (m: TestMachine) => m.poke32(TSS + 8, KCODE), 10, KCODE + 1],
    ['SS beyond the GDT', (m: TestMachine) => m.poke32(TSS + 8, 0x200), 10, 0x201],
  ] as const)('%s', (_name, breakIt, vector, errorCode) => {
    const m = user();
    // The nested fault must be deliverable: its handler is reached through a conforming segment, on the user's stack.
    m.descriptor(GDT, 0x80, 0, 0xfffff, 0xc09f);
    m.gate(IDT, vector, 0x80, HANDLERS + vector * 16, 0x8e);
    breakIt(m);
    m.cpu.run(0);
    m.poke(CODE, ...UD2);
    m.cpu.step();
    expect(m.s[EIP]).toBe(HANDLERS + vector * 16);
    expect([m.s[CPL], m.peek32(m.s[ESP]), m.peek32(m.s[ESP] + 4)]).toEqual([3, errorCode, CODE]);
  });

  it('EXT is clear when a software interrupt runs into them', () => {
    const m = user();
    m.gate(IDT, 0x21, KCODE, HANDLERS, 0x6e); // DPL 3, not present
    expect(m.trap(0xcd, 0x21)).toMatchObject({ vector: 11, errorCode: 0x21 * 8 + 2, eip: CODE });
  });

  it('a stack that cannot hold the frame: #SS with the new selector', () => {
    const m = user();
    m.descriptor(GDT, FREE, 0, 0xfff, 0x4093);
    m.poke32(TSS + 4, 8);
    m.poke32(TSS + 8, FREE);
    m.descriptor(GDT, 0x80, 0, 0xfffff, 0xc09f);
    m.gate(IDT, 12, 0x80, HANDLERS + 12 * 16, 0x8e);
    m.poke(CODE, ...UD2);
    m.cpu.step();
    expect([m.s[EIP], m.peek32(m.s[ESP])]).toEqual([HANDLERS + 12 * 16, FREE + 1]);
  });
});

describe('double faults', () => {
  /** #NP on the way to `vector` at CPL 0. */
  function second(vector: number, code: readonly number[]): { m: TestMachine; stop: number } {
    const m = kernel();
    m.gate(IDT, vector, KCODE, HANDLERS, 0x0e);
    m.poke(CODE, ...code);
    return { m, stop: m.cpu.run(1000) };
  }

  it('contributory after contributory: #DF(0)', () => {
    const { m } = second(13, [0xcd, 0x80]);
    expect(m.frame()).toMatchObject({ vector: 8, errorCode: 0, eip: CODE, cs: KCODE });
  });

  it('contributory after benign: served one after the other', () => {
    const { m } = second(6, UD2);
    expect(m.frame()).toMatchObject({ vector: 11, errorCode: 6 * 8 + 3 });
  });

  it('contributory after page fault: #DF(0)', () => {
    const m = kernel();
    m.mmu.unmap(DATA);
    m.gate(IDT, 14, KCODE, HANDLERS, 0x0e);
    expect(m.trap(0xa1, 0, 0, 2, 0)).toMatchObject({ vector: 8, errorCode: 0, eip: CODE });
  });

  it('page fault after contributory: the page fault is served', () => {
    const m = user();
    m.mmu.unmap(KERNEL_STACK - 4);
    m.descriptor(GDT, 0x80, 0, 0xfffff, 0xc09f);
    m.gate(IDT, 14, 0x80, HANDLERS + 14 * 16, 0x8e);
    m.poke(CODE, HLT);
    m.cpu.step();
    expect([m.s[EIP], m.peek32(m.s[ESP])]).toEqual([HANDLERS + 14 * 16, 2]);
    expect(m.cpu.saveState().data.cr2).toBe(KERNEL_STACK - 4);
  });

  it('page fault after page fault: #DF(0), and its own page fault shuts down', () => {
    const m = user();
    m.mmu.unmap(KERNEL_STACK - 4);
    m.mmu.unmap(DATA);
    m.poke(CODE, 0xa1, 0, 0, 2, 0);
    expect(m.cpu.run(1000)).toBe(STOP_SHUTDOWN);
    expect(m.s[EIP]).toBe(CODE);
  });

  it('an interrupt with a vector that an exception also has is no exception', () => {
    const m = kernel();
    m.cpu.setEflags(FLAG_IF);
    m.gate(IDT, 8, KCODE, HANDLERS, 0x0e);
    m.bus.vectors.push(8);
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    m.cpu.setIntr(true);
    m.poke(CODE, NOP);
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    expect(m.frame()).toMatchObject({ vector: 11, errorCode: 8 * 8 + 3 });
  });

  it('leaves no trace of the attempt but CR2', () => {
    const m = user();
    m.cpu.lidt(0, 0);
    m.s[EBX] = 0x1234;
    m.poke(CODE, ...UD2);
    const before = m.cpu.saveState();
    m.cpu.step();
    expect(m.cpu.saveState()).toEqual({ ...before, data: { ...before.data, shutdown: 1 } });
  });
});

describe('privilege levels', () => {
  it('an exception at CPL 1 goes to ring 0 over the TSS', () => {
    const m = kernel();
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc0bb);
    m.descriptor(GDT, FREE + 8, 0, 0xfffff, 0xc0b3);
    m.segment(CS, FREE | 1, 0, -1, 0xc0bb);
    m.segment(SS, (FREE + 8) | 1, 0, -1, 0xc0b3);
    m.s[CPL] = 1;
    m.s[ESP] = DATA + 0x100;
    m.cpu.stateChanged();
    expect(m.trap(HLT)).toMatchObject({
      vector: 13,
      errorCode: 0,
      cs: FREE | 1,
      ss: (FREE + 8) | 1,
      esp: DATA + 0x100,
    });
  });

  it('a conforming handler runs at the level of the interrupted code', () => {
    const m = user();
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc09f);
    m.gate(IDT, 6, FREE, HANDLERS, 0x8e);
    m.poke(CODE, ...UD2);
    m.cpu.step();
    expect([m.s[CPL], m.selector(CS), m.s[ESP]]).toEqual([3, FREE | 3, USER_STACK - 12]);
  });

  it('IRET to an outer level nulls segments that level may not use', () => {
    const m = user();
    m.poke(HANDLERS + 96, 0x83, 0x04, 0x24, 0x02, 0x66, 0xb8, KDATA, 0, 0x8e, 0xd8, 0x8e, 0xe8, 0xcf);
    m.trap(...UD2, 0x90, HLT);
    expect([m.selector(DS), m.selector(GS)]).toEqual([0, 0]);
  });

  it('IRET changes IF only with CPL <= IOPL, IOPL only at CPL 0', () => {
    const m = user();
    // push 0x3202 (IF, IOPL 3); push cs; push target; iret
    m.poke(CODE, 0x68, 2, 0x32, 0, 0, 0x0e, 0x68, 0x20, 0, 1, 0, 0xcf);
    m.poke(CODE + 0x20, ...UD2);
    expect(m.cpu.run(1000)).toBe(STOP_HALT);
    expect(m.frame().flags & 0x3200).toBe(0);
  });
});
