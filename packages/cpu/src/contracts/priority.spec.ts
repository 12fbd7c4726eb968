/**
 * Which of two events that fall due together comes first: SDM Vol. 3A, 6.9 "Prioritization of Concurrent Events", table
 * "Priority Among Concurrent Events" (older editions: "Priority Among Simultaneous Exceptions and Interrupts"):
 *   2 trap on task switch   4 traps of the previous instruction   5 NMI   6 maskable interrupts   7 code breakpoint
 *   8 faults of the fetch (CS limit, page)   9 faults of the decoding (length, #UD, #NM)   10 faults of the execution
 * and within the last: segment before alignment before page. What is held back is taken, or raised, afterwards; a fault of
 * a lower class is found again when the instruction is restarted.
 */
import {
  CR0,
  CR0_AM,
  CR2,
  CR4_DE,
  CS,
  DR,
  EAX,
  EBX,
  ECX,
  EDX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_AC,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  HALTED,
  SEG,
  SEG_LIMIT,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, HANDLERS, IDT, KCODE, TestMachine } from '../testing/machine.js';

const NMI = 2;
const INTR = 0x30;
const BS = 0x4000;

function machine(flags = 2): TestMachine {
  const m = new TestMachine().protectedMode();
  m.s[EFLAGS] = flags;
  m.cpu.stateChanged();
  return m;
}

function raiseIntr(m: TestMachine): void {
  m.bus.vectors.push(INTR);
  m.bus.onAcknowledge = () => m.cpu.setIntr(false);
  m.cpu.setIntr(true);
}

function codeBreak(m: TestMachine, at: number): void {
  m.cpu.writeDr(0, at);
  m.cpu.writeDr(7, 0x402);
}

/** Runs until one handler is entered; its vector. */
function taken(m: TestMachine): number {
  for (let i = 0; i < 20; i++) {
    m.cpu.run(1);
    const vector = (m.s[EIP] - 1 - HANDLERS) >> 4;
    if (m.s[HALTED] !== 0 && vector >= 0 && vector < 64) return vector;
  }
  throw new Error(`nothing taken, EIP ${m.s[EIP].toString(16)}`);
}

/** The order in which handlers are entered, each of which returns before the next. */
function order(m: TestMachine, count: number): number[] {
  const vectors: number[] = [];
  while (vectors.length < count) {
    const vector = taken(m);
    vectors.push(vector);
    if (vector === 13 || vector === 14) m.s[ESP] += 4;
    m.s[HALTED] = 0;
    m.cpu.stateChanged();
    m.cpu.step(); // IRET
  }
  return vectors;
}

describe('traps of the previous instruction come before interrupts', () => {
  it('a single step before NMI and INTR; both then interrupt its handler’s return path in that order', () => {
    const m = machine(FLAG_TF | FLAG_IF | 2);
    m.poke(CODE, 0x90, 0x90, 0x90);
    m.gate(IDT, 1, KCODE, HANDLERS + 16, 0x8f); // a trap gate: IF stays
    m.cpu.step();
    // The step was delivered with the instruction; both interrupts arrive now.
    expect(m.s[EIP]).toBe(HANDLERS + 16);
    m.cpu.raiseNmi();
    raiseIntr(m);
    expect(m.peek32(m.s[ESP])).toBe(CODE + 1);
    expect(taken(m)).toBe(NMI);
  });

  it('an I/O breakpoint’s trap before the interrupt that the access caused', () => {
    const m = machine(FLAG_IF | 2);
    m.cpu.writeCr4(CR4_DE);
    m.cpu.writeDr(0, 0x60);
    m.cpu.writeDr(7, 0x402 | (2 << 16));
    m.bus.onWrite(0x60, () => raiseIntr(m));
    m.s[EDX] = 0x60;
    m.poke(CODE, 0xee, 0x90);
    expect(taken(m)).toBe(1);
    expect(m.peek32(m.s[ESP])).toBe(CODE + 1);
  });

  it('and before the NMI that it caused', () => {
    const m = machine();
    m.cpu.writeDr(0, 0x60);
    m.cpu.writeCr4(CR4_DE);
    m.cpu.writeDr(7, 0x402 | (2 << 16));
    m.bus.onWrite(0x60, () => m.cpu.raiseNmi());
    m.s[EDX] = 0x60;
    m.poke(CODE, 0xee, 0x90);
    // The NMI then finds the #DB handler.
    expect(taken(m)).toBe(NMI);
    expect(m.peek32(m.s[ESP])).toBe(HANDLERS + 16);
  });
});

describe('interrupts come before what the next instruction raises', () => {
  it('NMI before INTR', () => {
    const m = machine(FLAG_IF | 2);
    m.poke(CODE, 0x90, 0x90);
    m.cpu.raiseNmi();
    raiseIntr(m);
    expect(order(m, 2)).toEqual([NMI, INTR]);
  });

  it('NMI and INTR before a code breakpoint', () => {
    const m = machine(FLAG_IF | 2);
    codeBreak(m, CODE);
    m.poke(CODE, 0x90, 0x90);
    m.cpu.raiseNmi();
    raiseIntr(m);
    expect(order(m, 3)).toEqual([NMI, INTR, 1]);
  });

  it('INTR before the page fault of the fetch, and before #UD', () => {
    const missing = machine(FLAG_IF | 2);
    missing.mmu.unmap(CODE);
    raiseIntr(missing);
    expect(order(missing, 2)).toEqual([INTR, 14]);
    const bad = machine(FLAG_IF | 2);
    bad.poke(CODE, 0x0f, 0x0b);
    raiseIntr(bad);
    expect(order(bad, 2)).toEqual([INTR, 6]);
  });

  it('held back by IF, by STI’s shadow, by MOV SS; NMI by MOV SS alone', () => {
    const off = machine();
    off.poke(CODE, 0x0f, 0x0b);
    raiseIntr(off);
    expect(taken(off)).toBe(6);
    const sti = machine();
    sti.poke(CODE, 0xfb, 0x0f, 0x0b);
    raiseIntr(sti);
    expect(taken(sti)).toBe(6);
    const ss = machine(FLAG_IF | 2);
    ss.s[EAX] = 0x10;
    ss.poke(CODE, 0x8e, 0xd0, 0x0f, 0x0b);
    ss.cpu.run(1);
    ss.cpu.raiseNmi();
    raiseIntr(ss);
    // The #UD comes first; the NMI then finds its handler.
    expect(taken(ss)).toBe(NMI);
    expect(ss.peek32(ss.s[ESP])).toBe(HANDLERS + 6 * 16);
  });
});

describe('a code breakpoint comes before the fetch', () => {
  it('before the page fault of the fetch', () => {
    const m = machine();
    codeBreak(m, CODE);
    m.mmu.unmap(CODE);
    expect(order(m, 1)).toEqual([1]);
  });

  it('before the CS limit', () => {
    const m = machine();
    m.s[SEG + CS * 4 + SEG_LIMIT] = CODE - 1;
    m.cpu.stateChanged();
    codeBreak(m, CODE);
    expect(order(m, 1)).toEqual([1]);
  });

  it('before #UD, and not again when RF is set', () => {
    const m = machine();
    codeBreak(m, CODE);
    m.poke(CODE, 0x0f, 0x0b);
    expect(taken(m)).toBe(1);
    const resumed = machine(FLAG_RF | 2);
    codeBreak(resumed, CODE);
    resumed.poke(CODE, 0x0f, 0x0b);
    expect(taken(resumed)).toBe(6);
  });
});

describe('fetch before decoding before execution', () => {
  it('the CS limit before the page', () => {
    const m = machine();
    m.s[SEG + CS * 4 + SEG_LIMIT] = CODE - 1;
    m.cpu.stateChanged();
    m.mmu.unmap(CODE);
    expect(taken(m)).toBe(13);
  });

  it('a page fault on the second page of an instruction before #UD for its LOCK prefix', () => {
    const m = machine();
    const at = CODE + 0xffd;
    m.poke(at, 0xf0, 0xb8, 1, 2, 3, 4); // LOCK MOV EAX, imm32: 6 bytes, the prefix is not allowed
    m.s[EIP] = at;
    m.cpu.stateChanged();
    m.mmu.unmap(CODE + 0x1000);
    m.cpu.step();
    expect([(m.s[EIP] - HANDLERS) >> 4, m.s[CR2]]).toEqual([14, CODE + 0x1000]);
  });

  it('more than 15 bytes: #GP(0), before anything of the instruction itself', () => {
    const m = machine();
    m.poke(CODE, ...new Array<number>(14).fill(0x66), 0x0f, 0x0b);
    expect(m.trap()).toMatchObject({ vector: 13, errorCode: 0, eip: CODE });
    // 15 are allowed.
    const fifteen = machine();
    expect(fifteen.trap(...new Array<number>(13).fill(0x66), 0x0f, 0x0b)).toMatchObject({ vector: 6 });
  });

  it('#UD before #NM', () => {
    const m = machine();
    m.s[CR0] |= 0xc; // EM, TS
    m.cpu.stateChanged();
    expect(m.trap(0xf0, 0xd9, 0x03)).toMatchObject({ vector: 6 }); // LOCK FLD
    const nm = machine();
    nm.s[CR0] |= 0x8;
    nm.cpu.stateChanged();
    nm.mmu.unmap(DATA);
    nm.s[EBX] = DATA;
    expect(nm.trap(0xd9, 0x03)).toMatchObject({ vector: 7 }); // #NM before the page fault of the operand
  });

  it('#UD before the privilege check: LOCK CLTS at CPL 3', () => {
    expect(new TestMachine().userMode().trap(0xf0, 0x0f, 0x06)).toMatchObject({ vector: 6 });
  });

  it('privilege before the operand: LGDT at CPL 3, OUTS without permission', () => {
    const m = new TestMachine().userMode();
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA;
    expect(m.trap(0x0f, 0x01, 0x13)).toMatchObject({ vector: 13, errorCode: 0 });
    const outs = new TestMachine().userMode();
    outs.mmu.unmap(DATA);
    outs.s[6] = DATA;
    expect(outs.trap(0x6e)).toMatchObject({ vector: 13, errorCode: 0 });
  });
});

describe('within one access: segment, alignment, page', () => {
  function unaligned(): TestMachine {
    const m = new TestMachine().userMode();
    m.s[CR0] |= CR0_AM;
    m.s[EFLAGS] |= FLAG_AC;
    m.cpu.stateChanged();
    return m;
  }

  it('limit before alignment', () => {
    const m = unaligned();
    m.s[SEG + 3 * 4 + SEG_LIMIT] = DATA;
    m.cpu.stateChanged();
    m.s[EBX] = DATA + 1;
    expect(m.trap(0x8b, 0x03)).toMatchObject({ vector: 13, errorCode: 0 });
  });

  it('alignment before the page', () => {
    const m = unaligned();
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA + 1;
    expect(m.trap(0x8b, 0x03)).toMatchObject({ vector: 17, errorCode: 0 });
    m.s[EBX] = DATA;
  });

  it('the page of the first byte before that of the last', () => {
    const m = machine();
    m.mmu.unmap(DATA);
    m.mmu.unmap(DATA + 0x1000);
    m.s[EBX] = DATA + 0xffe;
    expect(m.trap(0x8b, 0x03)).toMatchObject({ vector: 14 });
    expect(m.s[CR2]).toBe(DATA + 0xffe);
  });

  it('a divide error comes after the operand’s page fault', () => {
    const m = machine();
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA;
    m.s.set([1, 0], ECX);
    expect(m.trap(0xf7, 0x33)).toMatchObject({ vector: 14 });
  });

  it('BOUND reads both bounds before it compares', () => {
    const m = machine();
    m.mmu.unmap(DATA + 0x1000);
    m.s[EBX] = DATA + 0xffc;
    m.poke32(DATA + 0xffc, 100);
    m.s[EAX] = 0; // below the lower bound
    expect(m.trap(0x62, 0x03)).toMatchObject({ vector: 14 });
  });
});

describe('alignment checks (Vol. 3A, 6.15 "Interrupt 17: Alignment Check Exception")', () => {
  function user(flags = FLAG_AC): TestMachine {
    const m = new TestMachine().userMode();
    m.s[CR0] |= CR0_AM;
    m.s[EFLAGS] |= flags;
    m.cpu.stateChanged();
    return m;
  }

  it.each<[string, readonly number[], number, boolean]>([
    ['a word at an odd address', [0x66, 0x8b, 0x03], 1, true],
    ['a word at an even address', [0x66, 0x8b, 0x03], 2, false],
    ['a doubleword at 2', [0x8b, 0x03], 2, true],
    ['a doubleword at 4', [0x8b, 0x03], 4, false],
    ['a byte', [0x8a, 0x03], 3, false],
    ['a write', [0x89, 0x03], 2, true],
    ['a read-modify-write', [0xff, 0x03], 2, true],
    ['a 16:32 pointer at 4', [0x0f, 0xb4, 0x0b], 4, false],
    ['a 16:32 pointer at 2', [0x0f, 0xb4, 0x0b], 2, true],
    ['CMPXCHG8B at 4', [0x0f, 0xc7, 0x0b], 4, true],
    ['CMPXCHG8B at 8', [0x0f, 0xc7, 0x0b], 8, false],
    ['a pseudo-descriptor at 2', [0x0f, 0x01, 0x03], 2, false],
  ])('%s', (_name, code, at, raises) => {
    const m = user();
    m.s[EBX] = DATA + at;
    m.poke(CODE, ...code, 0x0f, 0x0b);
    expect(taken(m)).toBe(raises ? 17 : 6);
  });

  it('only with AM and AC, only at CPL 3', () => {
    for (const [am, ac, mode] of [
      [0, FLAG_AC, 'user'],
      [CR0_AM, 0, 'user'],
      [CR0_AM, FLAG_AC, 'kernel'],
    ] as const) {
      const m = mode === 'user' ? new TestMachine().userMode() : new TestMachine().protectedMode();
      m.s[CR0] |= am;
      m.s[EFLAGS] |= ac;
      m.cpu.stateChanged();
      m.s[EBX] = DATA + 1;
      m.poke(CODE, 0x8b, 0x03, 0x0f, 0x0b);
      expect(taken(m)).toBe(6);
    }
  });

  it('the processor’s own accesses are a supervisor’s: descriptors and inner stacks may be unaligned', () => {
    const m = user();
    m.poke32(0x3004, 0x8fffe); // ESP0
    m.poke(CODE, 0x0f, 0x0b);
    expect(taken(m)).toBe(6);
  });

  it('a frame pushed on the stack of CPL 3 is checked: #AC with EXT as the event has it', () => {
    const m = user();
    m.gate(IDT, 3, 0x1b, HANDLERS + 0x30, 0xee);
    m.s[ESP] = 0x80002;
    m.poke(CODE, 0xcc);
    expect(m.trap(0xcc)).toMatchObject({ vector: 17, errorCode: 0, eip: CODE, esp: 0x80002 });
  });
});

describe('several at once', () => {
  it('the step’s #DB, the interrupt, the breakpoint, the fault', () => {
    const m = machine(FLAG_TF | FLAG_IF | 2);
    m.poke(CODE, 0xee, 0x0f, 0x0b);
    codeBreak(m, CODE + 1);
    m.s[EDX] = 0x70;
    m.bus.onWrite(0x70, () => raiseIntr(m));
    const seen = [taken(m)];
    expect(m.s[DR + 6] & 0xe00f).toBe(BS);
    // The handler returns without TF.
    m.poke32(m.s[ESP] + 8, FLAG_IF | 2);
    for (let i = 0; i < 3; i++) {
      m.s[HALTED] = 0;
      m.cpu.stateChanged();
      m.cpu.step();
      seen.push(taken(m));
      // The breakpoint's handler sets RF.
      if (seen.at(-1) === 1) m.poke32(m.s[ESP] + 8, FLAG_RF | FLAG_IF | 2);
    }
    expect(seen).toEqual([1, INTR, 1, 6]);
  });
});
