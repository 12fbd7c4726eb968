/** Task switches: by JMP, CALL, task gate and IRET; busy bits, back link, NT; faults before and after the commit point. */
import { CPL, CR0, CS, DR, DS, EAX, EBX, EFLAGS, EIP, ESP, FLAG_NT, LDTR, SS, TR } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  FREE,
  GDT,
  HANDLERS,
  IDT,
  KCODE,
  KDATA,
  LDT_SEL,
  TestMachine,
  TSS,
  TSS_SEL,
  UCODE,
  UDATA,
  USER_STACK,
} from '../testing/machine.js';

const HLT = 0xf4;
const TSS2 = 0x7000;
const TSS2_SEL = FREE;
const TASK = CODE + 0x800;
const STACK2 = 0x70000;

interface Task {
  eip?: number;
  flags?: number;
  cs?: number;
  ss?: number;
  ds?: number;
  esp?: number;
  ldt?: number;
  trap?: number;
}

/** A second task at TSS2 whose code halts at TASK. */
function machine(task: Task = {}, cpl: 0 | 3 = 0): TestMachine {
  const m = cpl === 3 ? new TestMachine().userMode() : new TestMachine().protectedMode();
  m.descriptor(GDT, TSS2_SEL, TSS2, 0x67, 0x0089);
  const { eip = TASK, flags = 2, cs = KCODE, ss = KDATA, ds = KDATA, esp = STACK2, ldt = 0, trap = 0 } = task;
  m.poke32(TSS2 + 4, 0x90000);
  m.poke32(TSS2 + 8, KDATA);
  m.poke32(TSS2 + 0x20, eip);
  m.poke32(TSS2 + 0x24, flags);
  for (let i = 0; i < 8; i++) m.poke32(TSS2 + 0x28 + i * 4, 0x1000 + i);
  m.poke32(TSS2 + 0x38, esp);
  [ds, cs, ss, ds, 0, 0].forEach((selector, i) => m.poke32(TSS2 + 0x48 + i * 4, selector));
  m.poke32(TSS2 + 0x60, ldt);
  m.poke16(TSS2 + 0x64, trap);
  m.poke16(TSS2 + 0x66, 0x68);
  m.poke(TASK, HLT);
  return m;
}

const JMP_TASK = [0xea, 0, 0, 0, 0, TSS2_SEL, 0];
const CALL_TASK = [0x9a, 0, 0, 0, 0, TSS2_SEL, 0];

function busy(m: TestMachine, selector: number): boolean {
  return (m.peek8(GDT + selector + 5) & 2) !== 0;
}

describe('JMP to a TSS', () => {
  it('saves the old task, loads the new one, moves the busy bit', () => {
    const m = machine({ ldt: LDT_SEL });
    m.s[EAX] = 0x77;
    m.cpu.setEflags(0x202);
    m.runToHalt(...JMP_TASK);
    expect([m.s[EIP], m.s[EAX], m.s[EBX], m.s[ESP]]).toEqual([TASK + 1, 0x1000, 0x1003, STACK2]);
    expect([m.selector(CS), m.selector(SS), m.selector(DS)]).toEqual([KCODE, KDATA, KDATA]);
    expect([m.selector(TR), m.selector(LDTR)]).toEqual([TSS2_SEL, LDT_SEL]);
    expect([m.peek32(TSS + 0x20), m.peek32(TSS + 0x24), m.peek32(TSS + 0x28)]).toEqual([CODE + 7, 0x202, 0x77]);
    expect([m.peek16(TSS + 0x4c), m.peek16(TSS + 0x50)]).toEqual([KCODE, KDATA]);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([false, true]);
    expect(m.s[CR0] & 8).toBe(8);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(0);
    expect(m.cpu.retired()).toBe(2);
  });

  it('to another privilege level', () => {
    const m = machine({ cs: UCODE, ss: UDATA, ds: UDATA, esp: USER_STACK });
    m.runToHalt(...JMP_TASK);
    expect(m.frame()).toMatchObject({ vector: 13, eip: TASK, cs: UCODE, ss: UDATA });
  });

  it('clears local breakpoints', () => {
    const m = machine();
    m.cpu.writeDr(7, 0x3);
    m.runToHalt(...JMP_TASK);
    expect(m.s[DR + 7] & 3).toBe(2);
  });

  it('with T set traps before the first instruction of the task', () => {
    const m = machine({ trap: 1 });
    m.runToHalt(...JMP_TASK);
    expect(m.frame()).toMatchObject({ vector: 1, eip: TASK });
    expect(m.s[DR + 6] & 0x8000).toBe(0x8000);
  });
});

describe('CALL and IRET', () => {
  it('nest: back link, NT, both busy; IRET undoes it', () => {
    const m = machine();
    m.poke(TASK, 0xcf, HLT);
    m.poke(CODE, ...CALL_TASK, HLT);
    m.cpu.step();
    expect(m.peek16(TSS2)).toBe(TSS_SEL);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(FLAG_NT);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([true, true]);
    m.cpu.run(10);
    expect([m.s[EIP], m.selector(TR)]).toEqual([CODE + 8, TSS_SEL]);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([true, false]);
    expect(m.peek32(TSS2 + 0x24) & FLAG_NT).toBe(0);
    expect(m.peek32(TSS2 + 0x20)).toBe(TASK + 1);
  });

  it('IRET with a back link that is no busy TSS: #TS', () => {
    const m = machine();
    m.cpu.setEflags(FLAG_NT);
    m.poke16(TSS, TSS2_SEL);
    expect(m.trap(0xcf)).toMatchObject({ vector: 10, errorCode: TSS2_SEL, eip: CODE });
  });

  it('a busy task cannot be called', () => {
    const m = machine();
    m.descriptor(GDT, TSS2_SEL, TSS2, 0x67, 0x008b);
    expect(m.trap(...CALL_TASK)).toMatchObject({ vector: 13, errorCode: TSS2_SEL });
  });
});

describe('task gates', () => {
  it('in the IDT: the error code goes onto the new stack', () => {
    const m = machine();
    m.gate(IDT, 13, TSS2_SEL, 0, 0x85);
    m.runToHalt(0xcd, 0x80);
    expect([m.s[EIP], m.s[ESP], m.peek32(STACK2 - 4)]).toEqual([TASK + 1, STACK2 - 4, 0x402]);
    expect(m.peek32(TSS + 0x20)).toBe(CODE);
    expect(m.peek16(TSS2)).toBe(TSS_SEL);
  });

  it('make a double fault survivable', () => {
    const m = machine();
    m.gate(IDT, 8, TSS2_SEL, 0, 0x85);
    m.gate(IDT, 13, KCODE, HANDLERS, 0x0e);
    m.runToHalt(0xcd, 0x80);
    expect([m.s[EIP], m.peek32(STACK2 - 4)]).toEqual([TASK + 1, 0]);
  });

  it('in the GDT, whose DPL alone counts', () => {
    const m = machine({ cs: KCODE }, 3);
    m.gate(GDT, (FREE + 8) >> 3, TSS2_SEL, 0, 0xe5);
    m.runToHalt(0x9a, 0, 0, 0, 0, (FREE + 8) | 3, 0);
    expect([m.s[CPL], m.selector(TR), m.s[EIP]]).toEqual([0, TSS2_SEL, TASK + 1]);
    const denied = machine({}, 3);
    expect(denied.trap(0x9a, 0, 0, 0, 0, TSS2_SEL | 3, 0)).toMatchObject({ vector: 13, errorCode: TSS2_SEL });
  });
});

describe('faults', () => {
  it.each([
    [
      'limit below 67h: the old task faults',
      (m: TestMachine) => m.descriptor(GDT, TSS2_SEL, TSS2, 0x66, 0x89),
      10,
      TSS2_SEL,
    ],
    [
      'not present: the old task faults',
      (m: TestMachine) => m.descriptor(GDT, TSS2_SEL, TSS2, 0x67, 0x09),
      11,
      TSS2_SEL,
    ],
  ] as const)('%s', (_name, breakIt, vector, errorCode) => {
    const m = machine();
    breakIt(m);
    expect(m.trap(...JMP_TASK)).toMatchObject({ vector, errorCode, eip: CODE, cs: KCODE });
    expect(m.selector(TR)).toBe(TSS_SEL);
    expect(busy(m, TSS_SEL)).toBe(true);
  });

  it.each([
    ['bad LDT', { ldt: KDATA }, 10, KDATA],
    ['CS that is data', { cs: KDATA }, 10, KDATA],
    ['SS of another level', { ss: UDATA }, 10, UDATA & ~3],
    ['DS beyond the GDT', { ds: 0x200 }, 10, 0x200],
    ['EIP beyond the limit', { eip: TASK, cs: FREE + 8 }, 13, 0],
  ] as const)('%s: the new task faults', (_name, task, vector, errorCode) => {
    // Behind another instruction of its block: what counts for the saved EIP is the new task's alone.
    for (const before of [[], [0x90, 0x40]]) newTaskFaults(task, vector, errorCode, before);
  });

  function newTaskFaults(
    task: Parameters<typeof machine>[0],
    vector: number,
    errorCode: number,
    before: number[],
  ): void {
    const m = machine(task);
    m.descriptor(GDT, FREE + 8, 0, 0xff, 0x409b);
    // The fault is the new task's: through a task gate, so that its handler does not depend on the broken segments.
    m.descriptor(GDT, FREE + 16, 0x7800, 0x67, 0x0089);
    for (let at = 0; at < 0x68; at += 4) m.poke32(0x7800 + at, m.peek32(TSS2 + at));
    const fresh: readonly (readonly [number, number])[] = [
      [0x20, TASK],
      [0x38, 0x60000],
      [0x48, KDATA],
      [0x4c, KCODE],
      [0x50, KDATA],
      [0x54, KDATA],
      [0x60, 0],
    ];
    for (const [at, value] of fresh) m.poke32(0x7800 + at, value);
    m.gate(IDT, vector, FREE + 16, 0, 0x85);
    m.runToHalt(...before, ...JMP_TASK);
    expect(m.selector(TR)).toBe(FREE + 16);
    expect(m.peek32(0x60000 - 4)).toBe(errorCode);
    expect(m.peek16(0x7800)).toBe(TSS2_SEL);
    expect(m.peek32(TSS2 + 0x20)).toBe(TASK);
    expect(m.peek32(TSS + 0x20)).toBe(CODE + before.length + 7);
  }

  it('a read-only TSS page faults the old task, with WP, and changes nothing', () => {
    const m = machine();
    m.cpu.writeCr0(0x10011);
    m.mmu.setReadOnly(TSS2);
    expect(m.trap(...CALL_TASK)).toMatchObject({ vector: 14, errorCode: 3, eip: CODE });
    expect([m.selector(TR), busy(m, TSS2_SEL)]).toEqual([TSS_SEL, false]);
  });
});

describe('16-bit tasks', () => {
  it('switch with their own layout', () => {
    const m = machine();
    m.descriptor(GDT, TSS2_SEL, TSS2, 0x2b, 0x0081);
    m.descriptor(GDT, FREE + 8, CODE, 0xffff, 0x009b);
    m.poke16(TSS2 + 0x0e, 0x800);
    m.poke16(TSS2 + 0x10, 2);
    for (let i = 0; i < 8; i++) m.poke16(TSS2 + 0x12 + i * 2, 0x100 + i);
    [KDATA, FREE + 8, KDATA, KDATA].forEach((selector, i) => m.poke16(TSS2 + 0x22 + i * 2, selector));
    m.poke16(TSS2 + 0x2a, 0);
    m.runToHalt(...JMP_TASK);
    expect([m.s[EIP], m.s[EAX] & 0xffff, m.s[EBX] & 0xffff]).toEqual([0x801, 0x100, 0x103]);
  });
});
