/**
 * Task switches against the manual's tables: SDM Vol. 3A, 7.3 "Task Switching" with table 7-1 "Exception Conditions
 * Checked During a Task Switch", and 7.4 "Task Linking" with table 7-2 "Effect of a Task Switch on Busy Flag, NT Flag,
 * Previous Task Link Field, and TS Flag". Each exception's handler is a third task, so that the fault is seen whatever the
 * second task's segments are, and the third one's back link says in whose context it was raised.
 */
import { CR0, EFLAGS, FLAG_NT, LDTR, TR } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import {
  CODE,
  FREE,
  GDT,
  IDT,
  KCODE,
  KDATA,
  LDT_SEL,
  TestMachine,
  TSS,
  TSS_SEL,
  UCODE,
  UDATA,
} from '../testing/machine.js';

const TSS2 = 0x7000;
const TSS3 = 0x7800;
const TSS2_SEL = FREE;
const TSS3_SEL = FREE + 8;
/** A descriptor for the case at hand. */
const ODD = FREE + 16;
const TASK2 = CODE + 0x800;
const TASK3 = CODE + 0x900;
const STACK3 = 0x60000;
const HLT = 0xf4;
const AVAILABLE = 0x89;
const BUSY = 0x8b;

interface Task {
  readonly link?: number;
  readonly flags?: number;
  readonly eip?: number;
  readonly cs?: number;
  readonly ss?: number;
  readonly ds?: number;
  readonly es?: number;
  readonly fs?: number;
  readonly gs?: number;
  readonly ldt?: number;
}

function task(m: TestMachine, at: number, eip: number, esp: number, t: Task = {}): void {
  const { link = 0, flags = 2, cs = KCODE, ss = KDATA, ds = 0, es = 0, fs = 0, gs = 0, ldt = 0 } = t;
  for (let i = 0; i < 0x68; i += 4) m.poke32(at + i, 0);
  m.poke32(at, link);
  m.poke32(at + 0x20, t.eip ?? eip);
  m.poke32(at + 0x24, flags);
  m.poke32(at + 0x38, esp);
  [es, cs, ss, ds, fs, gs].forEach((selector, i) => m.poke32(at + 0x48 + i * 4, selector));
  m.poke32(at + 0x60, ldt);
  m.poke(eip, HLT);
}

/** The first task runs at CPL 0; the second is at TSS2; vectors 8 and 10 to 14 are served by the third. */
function machine(second: Task = {}, type = AVAILABLE): TestMachine {
  const m = new TestMachine().protectedMode();
  m.cpu.lgdt(GDT, 0x7f);
  m.descriptor(GDT, TSS2_SEL, TSS2, 0x67, type);
  m.descriptor(GDT, TSS3_SEL, TSS3, 0x67, AVAILABLE);
  task(m, TSS2, TASK2, 0x70000, second);
  task(m, TSS3, TASK3, STACK3);
  for (const vector of [8, 10, 11, 12, 13, 14]) m.gate(IDT, vector, TSS3_SEL, 0, 0x85);
  return m;
}

const far = (opcode: number, selector: number) => [opcode, 0, 0, 0, 0, selector & 0xff, selector >> 8];
const jump = far(0xea, TSS2_SEL);
const call = far(0x9a, TSS2_SEL);
const IRET = [0xcf];

function busy(m: TestMachine, selector: number): boolean {
  return (m.peek8(GDT + selector + 5) & 2) !== 0;
}

interface Fault {
  readonly errorCode: number;
  /** TSS selector of the task that faulted. */
  readonly task: number;
  /** EIP saved for it. */
  readonly eip: number;
}

/** Runs the code; it must fault into the third task. */
function fault(m: TestMachine, code: readonly number[], vector: number): Fault {
  for (const other of [8, 10, 11, 12, 13, 14]) if (other !== vector) m.gate(IDT, other, 0, 0, 0);
  m.runToHalt(...code);
  expect(m.selector(TR)).toBe(TSS3_SEL);
  const link = m.peek16(TSS3);
  return { errorCode: m.peek32(STACK3 - 4), task: link, eip: m.peek32((link === TSS_SEL ? TSS : TSS2) + 0x20) };
}

describe('table 7-2: busy flags, NT, the link and TS', () => {
  it('JMP: the old task idle, the new one busy, NT and the link as the new TSS has them', () => {
    const m = machine({ link: 0x1234, flags: 2 | FLAG_NT });
    m.cpu.setEflags(2 | FLAG_NT);
    m.runToHalt(...jump);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([false, true]);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(FLAG_NT); // the new TSS's
    expect(m.peek32(TSS + 0x24) & FLAG_NT).toBe(FLAG_NT); // the old task's own
    expect(m.peek16(TSS2)).toBe(0x1234);
    expect(m.s[CR0] & 8).toBe(8);
  });

  it.each([
    ['CALL', call],
    ['a task gate in the IDT', [0xcd, 0x20]],
  ])('%s: both busy, NT set, the link to the old task', (_name, code) => {
    const m = machine({ link: 0x1234 });
    m.gate(IDT, 0x20, TSS2_SEL, 0, 0x85);
    m.runToHalt(...code);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([true, true]);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(FLAG_NT);
    expect(m.peek32(TSS + 0x24) & FLAG_NT).toBe(0); // unchanged in the old task
    expect(m.peek16(TSS2)).toBe(TSS_SEL);
    expect(m.s[CR0] & 8).toBe(8);
  });

  it('IRET: the old task idle, the new one stays busy, NT cleared in the old, the link unchanged', () => {
    const m = machine({ link: 0x1234 }, BUSY);
    m.poke16(TSS, TSS2_SEL);
    m.cpu.setEflags(2 | FLAG_NT);
    m.runToHalt(...IRET);
    expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([false, true]);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(0);
    expect(m.peek32(TSS + 0x24) & FLAG_NT).toBe(0);
    expect([m.peek16(TSS), m.peek16(TSS2)]).toEqual([TSS2_SEL, 0x1234]);
    expect(m.s[CR0] & 8).toBe(8);
  });
});

describe('table 7-1: what is checked before the switch, in the old task', () => {
  it.each([
    ['JMP: the selector is beyond the GDT', far(0xea, 0x80), 13, 0x80],
    ['CALL: the selector is beyond the GDT', far(0x9a, 0x80), 13, 0x80],
    ['JMP: a busy TSS', far(0xea, TSS_SEL), 13, TSS_SEL],
    ['CALL: a busy TSS', far(0x9a, TSS_SEL), 13, TSS_SEL],
  ] as const)('%s', (_name, code, vector, errorCode) => {
    expect(fault(machine(), code, vector)).toEqual({ errorCode, task: TSS_SEL, eip: CODE });
  });

  it.each([
    ['in the LDT', TSS2_SEL | 4, 10, TSS2_SEL | 4],
    ['beyond the GDT', 0x80, 10, 0x80],
    ['null', 0, 10, 0],
    ['available, not busy', TSS2_SEL, 10, TSS2_SEL],
    ['no TSS at all', KDATA, 10, KDATA],
  ] as const)('IRET with NT: the link is %s', (_name, link, vector, errorCode) => {
    const m = machine();
    m.poke16(TSS, link);
    m.cpu.setEflags(2 | FLAG_NT);
    expect(fault(m, IRET, vector)).toEqual({ errorCode, task: TSS_SEL, eip: CODE });
  });

  it('a TSS in the LDT is no TSS for JMP', () => {
    const m = machine();
    m.descriptor(0x6000, 8, TSS2, 0x67, AVAILABLE);
    m.cpu.lldt(LDT_SEL);
    expect(fault(m, far(0xea, 0x0c), 13)).toEqual({ errorCode: 0x0c, task: TSS_SEL, eip: CODE });
  });

  it.each([
    ['JMP', jump, AVAILABLE],
    ['CALL', call, AVAILABLE],
    ['IRET', IRET, BUSY],
  ] as const)('%s: the TSS is not present, or too small', (_name, code, type) => {
    for (const [limit, present, vector] of [
      [0x67, 0, 11],
      [0x66, 0x80, 10],
    ] as const) {
      const m = machine();
      m.descriptor(GDT, TSS2_SEL, TSS2, limit, (type & 0x7f) | present);
      m.poke16(TSS, TSS2_SEL);
      if (code === IRET) m.cpu.setEflags(2 | FLAG_NT);
      expect(fault(m, code, vector)).toEqual({ errorCode: TSS2_SEL, task: TSS_SEL, eip: CODE });
      expect(busy(m, TSS_SEL)).toBe(true);
    }
  });

  it('a gate’s task that is busy: #GP with EXT as the event has it', () => {
    const m = machine({}, BUSY);
    m.gate(IDT, 0x20, TSS2_SEL, 0, 0x85);
    expect(fault(m, [0xcd, 0x20], 13)).toEqual({ errorCode: TSS2_SEL, task: TSS_SEL, eip: CODE });
    const external = machine({}, BUSY);
    external.gate(IDT, 6, TSS2_SEL, 0, 0x85);
    // The exception's own gate faults: contributory after benign, delivered one after the other.
    expect(fault(external, [0x0f, 0x0b], 13)).toEqual({ errorCode: TSS2_SEL | 1, task: TSS_SEL, eip: CODE });
  });
});

describe('table 7-1: what is checked after the switch, in the new task', () => {
  // What the odd descriptor holds, the task that uses it, and the fault.
  const rows: readonly (readonly [string, number | undefined, Task, number, number])[] = [
    ['LDT selector that is no LDT', undefined, { ldt: KDATA }, 10, KDATA],
    ['LDT selector in the LDT', undefined, { ldt: LDT_SEL | 4 }, 10, LDT_SEL | 4],
    ['LDT not present', 0x02, { ldt: ODD }, 10, ODD],
    ['CS null', undefined, { cs: 0 }, 10, 0],
    ['CS is data', undefined, { cs: KDATA }, 10, KDATA],
    ['CS: DPL is not RPL', 0xc0fb, { cs: ODD }, 10, ODD],
    ['CS conforming: DPL above RPL', 0xc0ff, { cs: ODD }, 10, ODD],
    ['CS not present', 0xc01b, { cs: ODD }, 11, ODD],
    ['SS null', undefined, { ss: 0 }, 10, 0],
    ['SS is code', undefined, { ss: KCODE }, 10, KCODE],
    ['SS read-only', 0xc091, { ss: ODD }, 10, ODD],
    ['SS: DPL is not CPL', 0xc0f3, { ss: ODD }, 10, ODD],
    ['SS: RPL is not CPL', undefined, { ss: KDATA | 3 }, 10, KDATA],
    ['SS not present', 0xc013, { ss: ODD }, 12, ODD],
    ['DS beyond the GDT', undefined, { ds: 0x80 }, 10, 0x80],
    ['DS is a system descriptor', undefined, { ds: TSS_SEL }, 10, TSS_SEL],
    ['DS execute-only', 0xc099, { ds: ODD }, 10, ODD],
    ['DS not present', 0xc013, { ds: ODD }, 11, ODD],
    ['DS: RPL above DPL', undefined, { ds: KDATA | 3 }, 10, KDATA],
    ['ES not present', 0xc013, { es: ODD }, 11, ODD],
    ['FS execute-only', 0xc099, { fs: ODD }, 10, ODD],
    ['GS not present', 0xc013, { gs: ODD }, 11, ODD],
    ['DS above ring 3', undefined, { cs: UCODE, ss: UDATA, ds: KDATA }, 10, KDATA],
    ['EIP beyond the limit', 0x409b, { cs: ODD, eip: 0x2000 }, 13, 0],
  ];
  it.each(rows)('%s', (_name, access, second, vector, errorCode) => {
    for (const code of [jump, call]) {
      const m = machine(second);
      if (access !== undefined) m.descriptor(GDT, ODD, 0, access === 0x409b ? 0xfff : 0xfffff, access);
      const eip = second.eip ?? TASK2;
      expect(fault(m, code, vector)).toEqual({ errorCode, task: TSS2_SEL, eip });
      // The switch itself was complete: the old task's state is saved, the busy bits have moved.
      expect(m.peek32(TSS + 0x20)).toBe(CODE + 7);
      expect([busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([code === call, true]);
    }
  });

  it('the order: LDT before SS, SS before CS, CS before DS', () => {
    const wrong = { ldt: KDATA, ss: UDATA, cs: TSS_SEL, ds: 0x80 };
    expect(fault(machine(wrong), jump, 10).errorCode).toBe(KDATA);
    expect(fault(machine({ ...wrong, ldt: 0 }), jump, 10).errorCode).toBe(UDATA & 0xfffc);
    expect(fault(machine({ ...wrong, ldt: 0, ss: KDATA }), jump, 10).errorCode).toBe(TSS_SEL);
  });

  it('a null LDT selector empties LDTR, null data selectors are taken', () => {
    const m = machine({ ldt: 0, ds: 3, es: 0 });
    m.cpu.lldt(LDT_SEL);
    m.runToHalt(...jump);
    expect([m.selector(TR), m.selector(LDTR)]).toEqual([TSS2_SEL, 0]);
  });
});

describe('page faults in mid-switch', () => {
  it.each([
    ['the new TSS', TSS2, jump, 0],
    ['the new TSS, to be linked', TSS2, call, 0],
    ['the old TSS', TSS, jump, 2],
  ])('%s is not there: the old task faults, and nothing has changed', (_name, page, code, errorCode) => {
    const m = machine();
    // Three TSSs in one page would all be gone: the one in question gets a page of its own.
    const moved = 0x40000;
    for (let i = 0; i < 0x68; i += 4) m.poke32(moved + i, m.peek32(page + i));
    if (page === TSS2) m.descriptor(GDT, TSS2_SEL, moved, 0x67, AVAILABLE);
    else {
      m.descriptor(GDT, TSS_SEL, moved, 0x67, AVAILABLE);
      m.cpu.ltr(TSS_SEL);
    }
    m.mmu.unmap(moved);
    m.gate(IDT, 14, KCODE, 0x4000 + 14 * 16, 0x8e);
    const frame = m.trap(...code);
    expect(frame).toMatchObject({ vector: 14, errorCode, eip: CODE, cs: KCODE });
    expect([m.selector(TR), busy(m, TSS_SEL), busy(m, TSS2_SEL)]).toEqual([TSS_SEL, true, false]);
    expect(m.s[EFLAGS] & FLAG_NT).toBe(0);
  });
});
