/**
 * Debug exceptions and RF: single steps over every kind of instruction, the saved RF, breakpoints on code, data and ports,
 * what DR6 gathers. SDM Vol. 3B, 17.2 "Debug Registers", 17.3.1.1 "Instruction-Breakpoint Exception Condition" (RF), 17.3.1.2
 * "Data Memory and I/O Breakpoint Exception Conditions", 17.3.1.3 "General-Detect Exception Condition", 17.3.1.4
 * "Single-Step Exception Condition", 17.3.1.5 "Task-Switch Exception Condition"; Vol. 3A, 6.8.3 "Masking Exceptions and
 * Interrupts When Switching Stacks".
 */
import {
  CR4_DE,
  DR,
  EAX,
  EBX,
  ECX,
  EDI,
  EDX,
  EFLAGS,
  EIP,
  ESI,
  ESP,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  HALTED,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, GDT, HANDLERS, KCODE, KDATA, TestMachine, TSS } from '../testing/machine.js';

const NOP = 0x90;
const DB_HANDLER = HANDLERS + 16;
const B0 = 1;
const B1 = 2;
const B2 = 4;
const B3 = 8;
const BD = 0x2000;
const BS = 0x4000;
const BT = 0x8000;
const DR6_BITS = 0xe00f;

interface Stop {
  /** Handler entered. */
  readonly vector: number;
  /** Saved EIP minus CODE. */
  readonly at: number;
  readonly dr6: number;
  readonly rf: boolean;
  readonly tf: boolean;
}

function machine(flags = 2): TestMachine {
  const m = new TestMachine().protectedMode();
  m.s[EFLAGS] = flags;
  m.cpu.stateChanged();
  return m;
}

/** Arms breakpoint n: `rw` 0 code, 1 write, 2 I/O, 3 read or write; `length` in bytes. */
function arm(m: TestMachine, n: number, linear: number, rw: number, length = 1): TestMachine {
  const code = length === 4 ? 3 : length === 2 ? 1 : 0;
  m.cpu.writeDr(n, linear);
  m.cpu.writeDr(7, m.s[DR + 7] | (2 << (n * 2)) | (rw << (16 + n * 4)) | (code << (18 + n * 4)));
  return m;
}

/** Runs to the next handler. */
function stop(m: TestMachine): Stop {
  for (let i = 0; i < 200 && (m.s[EIP] < HANDLERS || m.s[EIP] >= HANDLERS + 0x400); i++) m.cpu.run(1);
  return here(m);
}

/** The frame of the handler whose first instruction is next, or which has halted. */
function here(m: TestMachine): Stop {
  const eip = m.s[EIP] - (m.s[HALTED] !== 0 ? 1 : 0);
  const vector = (eip - HANDLERS) >> 4;
  if (vector < 0 || vector > 63) throw new Error(`no handler at ${eip.toString(16)}`);
  const at = m.s[ESP] + ([8, 10, 11, 12, 13, 14, 17].includes(vector) ? 4 : 0);
  const flags = m.peek32(at + 8);
  return {
    vector,
    at: m.peek32(at) - CODE,
    dr6: m.s[DR + 6] & DR6_BITS,
    rf: (flags & FLAG_RF) !== 0,
    tf: (flags & FLAG_TF) !== 0,
  };
}

/** Executes code single-stepped from its first byte: the places where it stopped, up to `count` of them. */
function steps(m: TestMachine, code: readonly number[], count: number): Stop[] {
  m.poke(CODE, ...code);
  const stops: Stop[] = [];
  for (let i = 0; i < count; i++) {
    const next = stop(m);
    stops.push(next);
    if (next.vector !== 1) break;
    m.cpu.writeDr(6, 0);
    // Return from the handler.
    m.s[HALTED] = 0;
    m.s[EIP] = DB_HANDLER + 1;
    m.cpu.stateChanged();
    m.cpu.step();
  }
  return stops;
}

describe('single steps', () => {
  /** Where the traps are: offsets of the saved EIP. */
  it.each<[string, readonly number[], readonly number[], (m: TestMachine) => void]>([
    ['an ordinary instruction', [NOP, NOP, NOP], [1, 2, 3], () => {}],
    ['a jump: at its target', [0xeb, 0x02, NOP, NOP, NOP], [4, 5], () => {}],
    ['MOV SS: none before the next instruction', [0x8e, 0xd0, NOP, NOP], [3, 4], (m) => (m.s[EAX] = KDATA)],
    ['POP SS likewise', [0x6a, KDATA, 0x17, NOP, NOP], [2, 4, 5], () => {}],
    ['MOV DS traps', [0x8e, 0xd8, NOP], [2, 3], (m) => (m.s[EAX] = KDATA)],
    ['POPF that clears TF still traps; then no more', [0x6a, 0x02, 0x9d, NOP, 0x0f, 0x0b], [2, 3, 4], () => {}],
    ['STI traps', [0xfb, NOP], [1, 2], () => {}],
    ['each iteration of REP', [0xf3, 0xaa, NOP], [0, 0, 2, 3], (m) => (m.s[ECX] = 3)],
    ['REP with ECX = 0: once', [0xf3, 0xaa, NOP], [2, 3], (m) => (m.s[ECX] = 0)],
  ])('%s', (_name, code, expected, prepare) => {
    const m = machine(FLAG_TF | 2);
    m.s[EDI] = DATA;
    prepare(m);
    const found = steps(m, code, expected.length);
    const last = found.at(-1)!;
    if (last.vector !== 1) expect([last.vector, last.at]).toEqual([6, expected.at(-1)]);
    expect(found.map((s) => s.at)).toEqual(expected);
    expect(found.filter((s) => s.vector === 1).every((s) => s.dr6 === BS)).toBe(true);
  });

  it('POPF that sets TF: the trap comes after the instruction behind it', () => {
    const m = machine();
    expect(steps(m, [0x68, 0x02, 0x01, 0, 0, 0x9d, NOP, NOP], 1)[0]).toMatchObject({ vector: 1, at: 7, dr6: BS });
  });

  it('IRET that sets TF likewise', () => {
    const m = machine();
    // pushf image with TF, CS, EIP of the NOPs, IRET
    const code = [0x68, 0x02, 0x01, 0, 0, 0x6a, KCODE, 0x68, 13, 0, CODE >> 16, 0, 0xcf, NOP, NOP];
    expect(steps(m, code, 1)[0]).toMatchObject({ vector: 1, at: 14, dr6: BS, tf: true });
  });

  it.each([
    ['INT n', [0xcd, 0x20], 0x20, 2],
    ['INT3', [0xcc], 3, 1],
    ['INTO', [0xce], 4, 1],
  ])('%s: none; the handler starts with TF clear, the image has it', (_name, code, vector, at) => {
    const m = machine(FLAG_TF | 0x802);
    m.poke(CODE, ...code);
    m.cpu.run(1);
    expect(here(m)).toEqual({ vector, at, dr6: 0, rf: false, tf: true });
    expect(m.s[EFLAGS] & FLAG_TF).toBe(0);
    m.cpu.run(1);
    expect(m.s[HALTED]).toBe(1);
  });

  it('a faulting instruction: the fault, and no trap for it', () => {
    const m = machine(FLAG_TF | 2);
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8a, 0x03);
    m.cpu.run(1);
    expect(here(m)).toEqual({ vector: 14, at: 0, dr6: 0, rf: true, tf: true });
  });

  it('HLT: the trap wakes the processor', () => {
    const m = machine(FLAG_TF | 2);
    expect(steps(m, [0xf4, NOP], 2).map((s) => [s.vector, s.at])).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });

  it('the handler’s IRET does not trap by itself: TF is loaded by it', () => {
    const m = machine(FLAG_TF | 2);
    expect(steps(m, [NOP, NOP], 2).map((s) => s.at)).toEqual([1, 2]);
  });
});

describe('the saved RF', () => {
  it('faults set it', () => {
    for (const [code, vector] of [
      [[0x0f, 0x0b], 6],
      [[0xf7, 0xf1], 0], // DIV by 0
      [[0x8e, 0xd8], 13],
    ] as const) {
      const m = machine();
      m.s[ECX] = 0;
      m.s[EAX] = 0x7ff8;
      m.poke(CODE, ...code);
      expect(stop(m)).toMatchObject({ vector, at: 0, rf: true });
    }
  });

  it('traps, software interrupts and interrupts between instructions do not', () => {
    for (const [code, vector] of [
      [[0xcc], 3],
      [[0xce], 4],
      [[0xcd, 0x21], 0x21],
      [[0xf1], 1],
    ] as const) {
      const m = machine(0x802 | FLAG_RF);
      m.poke(CODE, ...code);
      expect(stop(m)).toMatchObject({ vector, rf: false });
    }
    const m = machine(FLAG_IF | 2);
    m.bus.vectors.push(0x30);
    m.cpu.setIntr(true);
    expect(m.cpu.takeInterrupt()).toBe(true);
    expect(here(m)).toMatchObject({ vector: 0x30, rf: false });
  });

  it('an interrupt, or a data breakpoint’s trap, between iterations of REP sets it; after the last it does not', () => {
    const interrupted = (count: number): Stop => {
      const m = machine(FLAG_IF | 2);
      m.s.set([count, DATA], ECX);
      m.s[EDI] = DATA;
      m.poke(CODE, 0xf3, 0xaa, NOP);
      m.cpu.run(1); // one iteration
      m.bus.vectors.push(0x30);
      m.cpu.setIntr(true);
      m.cpu.takeInterrupt();
      return here(m);
    };
    expect(interrupted(2)).toMatchObject({ vector: 0x30, at: 0, rf: true });
    expect(interrupted(1)).toMatchObject({ vector: 0x30, at: 2, rf: false });

    const watched = (at: number): Stop => {
      const m = arm(machine(), 0, DATA + at, 1);
      m.s[ECX] = 3;
      m.s[EDI] = DATA;
      m.poke(CODE, 0xf3, 0xaa, NOP);
      return stop(m);
    };
    expect(watched(1)).toEqual({ vector: 1, at: 0, dr6: B0, rf: true, tf: false });
    expect(watched(2)).toEqual({ vector: 1, at: 2, dr6: B0, rf: false, tf: false });
  });

  it('an instruction breakpoint leaves it as it was: clear', () => {
    const m = arm(machine(), 0, CODE + 1, 0);
    m.poke(CODE, NOP, NOP);
    expect(stop(m)).toEqual({ vector: 1, at: 1, dr6: B0, rf: false, tf: false });
  });

  it('general detect is a fault: it sets it', () => {
    const m = machine();
    m.cpu.writeDr(7, 0x2000);
    m.poke(CODE, 0x0f, 0x21, 0xc0);
    expect(stop(m)).toEqual({ vector: 1, at: 0, dr6: BD, rf: true, tf: false });
    expect(m.s[DR + 7] & 0x2000).toBe(0);
  });
});

describe('instruction breakpoints', () => {
  it('hit before the instruction, on its first byte only', () => {
    const m = arm(machine(), 2, CODE + 2, 0);
    m.poke(CODE, 0xb8, 1, 2, 3, 4, NOP, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, at: 6 });
    const first = arm(machine(), 2, CODE, 0);
    first.poke(CODE, 0xb8, 1, 2, 3, 4);
    first.s[EAX] = 0;
    expect(stop(first)).toMatchObject({ vector: 1, at: 0, dr6: B2 });
    expect(first.s[EAX]).toBe(0);
  });

  it('RF holds them off for one instruction', () => {
    const m = arm(machine(FLAG_RF | 2), 0, CODE, 0);
    arm(m, 1, CODE + 1, 0);
    m.poke(CODE, NOP, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 1, dr6: B1 });
  });

  it('RF survives an instruction that faults, so that it can be restarted', () => {
    const m = arm(machine(FLAG_RF | 2), 0, CODE, 0);
    m.mmu.unmap(DATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8a, 0x03, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 14, at: 0, rf: true });
    m.mmu.setPage(DATA, {});
    m.s[ESP] += 4;
    m.s[EIP] = HANDLERS + 14 * 16 + 1;
    m.cpu.stateChanged();
    m.cpu.step();
    expect(stop(m)).toMatchObject({ vector: 6, at: 2 });
  });

  it('none on the instruction after MOV SS', () => {
    const m = arm(machine(), 0, CODE + 2, 0);
    m.s[EAX] = KDATA;
    m.poke(CODE, 0x8e, 0xd0, NOP, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, at: 3 });
  });

  it('several at one place are reported together', () => {
    const m = machine();
    for (const n of [0, 1, 3]) arm(m, n, CODE, 0);
    m.poke(CODE, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0, dr6: B0 | B1 | B3 });
  });

  it('do not hit while disabled, and local ones are as good as global ones', () => {
    const m = machine();
    m.cpu.writeDr(0, CODE);
    m.poke(CODE, NOP, 0x0f, 0x0b);
    m.cpu.writeDr(7, 1);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0 });
    const off = machine();
    off.cpu.writeDr(0, CODE);
    off.poke(CODE, NOP, 0x0f, 0x0b);
    expect(stop(off)).toMatchObject({ vector: 6 });
  });
});

describe('data breakpoints', () => {
  const WRITE = [0x88, 0x03]; // mov [ebx],al
  const READ = [0x8a, 0x03];
  const WRITE4 = [0x89, 0x03];

  /** Whether an access hits: type of the breakpoint, its address and length; the access. */
  it.each<[string, number, number, number, readonly number[], number, boolean]>([
    ['write: on a write', 1, 0, 1, WRITE, 0, true],
    ['write: not on a read', 1, 0, 1, READ, 0, false],
    ['read/write: on a read', 3, 0, 1, READ, 0, true],
    ['read/write: on a write', 3, 0, 1, WRITE, 0, true],
    ['the byte before', 3, 1, 1, WRITE, 0, false],
    ['the byte after', 3, 0, 1, WRITE, 1, false],
    ['2 bytes: the second', 3, 2, 2, WRITE, 3, true],
    ['2 bytes: beyond', 3, 2, 2, WRITE, 4, false],
    ['4 bytes: the last', 3, 4, 4, WRITE, 7, true],
    ['4 bytes: beyond', 3, 4, 4, WRITE, 8, false],
    ['4 bytes: the low address bits do not count', 3, 7, 4, WRITE, 4, true],
    ['2 bytes: the low address bit does not count', 3, 3, 2, WRITE, 2, true],
    ['a longer access that ends in it', 3, 3, 1, WRITE4, 0, true],
    ['a longer access that starts in it', 3, 3, 1, WRITE4, 3, true],
    ['a longer access that ends before it', 3, 4, 1, WRITE4, 0, false],
    ['an access over a page’s end', 3, 0x1000, 1, WRITE4, 0xffe, true],
  ])('%s', (_name, rw, address, length, code, access, hit) => {
    const m = arm(machine(), 3, DATA + address, rw, length);
    m.s[EBX] = DATA + access;
    m.poke(CODE, ...code, 0x0f, 0x0b);
    if (hit) expect(stop(m)).toEqual({ vector: 1, at: 2, dr6: B3, rf: false, tf: false });
    else expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it('are traps: the write is done', () => {
    const m = arm(machine(), 0, DATA, 1, 4);
    m.s[EBX] = DATA;
    m.s[EAX] = 0x12345678;
    m.poke(CODE, ...WRITE4);
    stop(m);
    expect(m.peek32(DATA)).toBe(0x12345678);
  });

  it('none for an access that faulted', () => {
    const m = arm(machine(), 0, 0x70000, 1, 2);
    m.mmu.unmap(0x6f000);
    m.s[EBX] = 0x6fffe;
    m.poke(CODE, ...WRITE4); // 6FFFEh to 70001h
    expect(stop(m)).toMatchObject({ vector: 14, dr6: 0 });
  });

  it('stack accesses count: PUSH, CALL, and the frame of an interrupt', () => {
    for (const code of [[0x50], [0xe8, 0, 0, 0, 0]]) {
      const m = arm(machine(), 0, 0x8fffc, 1, 4);
      m.poke(CODE, ...code, NOP);
      expect(stop(m)).toMatchObject({ vector: 1, at: code.length, dr6: B0 });
    }
  });

  it('several in one instruction are reported together', () => {
    const m = machine();
    arm(m, 0, DATA, 3);
    arm(m, 1, DATA + 0x100, 1);
    m.s[ESI] = DATA;
    m.s[EDI] = DATA + 0x100;
    m.poke(CODE, 0xa4);
    expect(stop(m)).toMatchObject({ vector: 1, at: 1, dr6: B0 | B1 });
  });

  it('a hit and a single step are one exception', () => {
    const m = arm(machine(FLAG_TF | 2), 0, DATA, 1);
    m.s[EBX] = DATA;
    m.poke(CODE, ...WRITE);
    expect(stop(m)).toMatchObject({ vector: 1, at: 2, dr6: B0 | BS });
  });

  it('a hit by MOV SS waits for the next instruction', () => {
    const m = arm(machine(), 0, DATA, 3, 2);
    m.poke16(DATA, KDATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8e, 0x13, NOP, NOP);
    expect(stop(m)).toMatchObject({ vector: 1, at: 3, dr6: B0 });
  });

  it('and when that is INT n, the trap is taken at the handler’s first instruction', () => {
    const m = arm(machine(), 0, DATA, 3, 2);
    m.poke16(DATA, KDATA);
    m.s[EBX] = DATA;
    m.poke(CODE, 0x8e, 0x13, 0xcd, 0x20);
    m.cpu.run(2);
    expect(m.s[EIP]).toBe(DB_HANDLER);
    expect(m.peek32(m.s[ESP])).toBe(HANDLERS + 0x20 * 16);
  });
});

describe('I/O breakpoints', () => {
  const IN_DX = [0xec];
  const OUT4 = [0xef];

  it.each<[string, readonly number[], number, number, number, boolean]>([
    ['IN', IN_DX, 0x60, 0x60, 1, true],
    ['OUT', [0xee], 0x60, 0x60, 1, true],
    ['another port', IN_DX, 0x61, 0x60, 1, false],
    ['within its length', IN_DX, 0x63, 0x60, 4, true],
    ['beyond its length', IN_DX, 0x64, 0x60, 4, false],
    ['a wide access that reaches it', OUT4, 0x60, 0x63, 1, true],
    ['a wide access that does not', OUT4, 0x60, 0x64, 1, false],
  ])('%s', (_name, code, port, address, length, hit) => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    arm(m, 1, address, 2, length);
    m.s[EDX] = port;
    m.poke(CODE, ...code, 0x0f, 0x0b);
    if (hit) expect(stop(m)).toEqual({ vector: 1, at: 1, dr6: B1, rf: false, tf: false });
    else expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it('are not there without CR4.DE', () => {
    const m = arm(machine(), 1, 0x60, 2);
    m.s[EDX] = 0x60;
    m.poke(CODE, ...IN_DX, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 6, dr6: 0 });
  });

  it.each([
    ['REP INSB', 0x6c],
    ['REP OUTSB', 0x6e],
  ])('%s: after each iteration, RF set while more remain', (_name, opcode) => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    arm(m, 0, 0x60, 2);
    m.s[EDX] = 0x60;
    m.s[ECX] = 2;
    m.s[ESI] = m.s[EDI] = DATA;
    const [first, second] = steps(m, [0xf3, opcode, NOP], 2);
    expect(first).toEqual({ vector: 1, at: 0, dr6: B0, rf: true, tf: false });
    expect(second).toEqual({ vector: 1, at: 2, dr6: B0, rf: false, tf: false });
    expect([m.s[ECX], m.bus.log.length]).toEqual([0, 2]);
  });

  it('the access is done before the trap; a refused access does not hit', () => {
    const m = machine();
    m.cpu.writeCr4(CR4_DE);
    m.bus.script(0x60, 0x5a);
    arm(m, 0, 0x60, 2);
    m.s[EDX] = 0x60;
    m.poke(CODE, ...IN_DX);
    stop(m);
    expect(m.s[EAX] & 0xff).toBe(0x5a);
    const user = new TestMachine().userMode();
    user.cpu.writeCr4(CR4_DE);
    arm(user, 0, 0x60, 2);
    user.s[EDX] = 0x60;
    expect(user.trap(...IN_DX).vector).toBe(13);
    expect(user.s[DR + 6] & DR6_BITS).toBe(0);
  });
});

describe('DR6 and DR7', () => {
  it('DR6 is never cleared by the processor', () => {
    const m = arm(machine(FLAG_TF | 2), 0, DATA, 1);
    m.cpu.writeDr(6, BT | B3);
    m.poke(CODE, NOP);
    expect(stop(m).dr6).toBe(BT | B3 | BS);
  });

  it('reserved bits: DR6 reads FFFF0FF0h, DR7 bit 10 reads 1, bits 11, 12, 14, 15 read 0', () => {
    const m = machine();
    m.cpu.writeDr(6, 0);
    expect(m.s[DR + 6] >>> 0).toBe(0xffff0ff0);
    m.cpu.writeDr(6, -1);
    expect(m.s[DR + 6] >>> 0).toBe(0xffffefff);
    m.cpu.writeDr(7, 0);
    expect(m.s[DR + 7]).toBe(0x400);
    m.cpu.writeDr(7, -1 & ~0x2000);
    expect(m.s[DR + 7] >>> 0).toBe(0xffff07ff);
  });

  it('DR4 and DR5 are DR6 and DR7 while CR4.DE is 0', () => {
    const m = machine();
    m.poke(CODE, 0x0f, 0x23, 0xe0, 0x0f, 0x21, 0xe9); // mov dr4,eax; mov ecx,dr5
    m.s[EAX] = 0xf;
    m.cpu.run(2);
    expect([m.s[DR + 6] & 0xf, m.s[ECX]]).toEqual([0xf, m.s[DR + 7]]);
  });

  it.each([
    ['MOV from DR0', [0x0f, 0x21, 0xc0]],
    ['MOV to DR3', [0x0f, 0x23, 0xd8]],
    ['MOV from DR6', [0x0f, 0x21, 0xf0]],
    ['MOV to DR7', [0x0f, 0x23, 0xf8]],
  ])('GD: %s at CPL 0 is #DB; at CPL 3 it is #GP(0) and GD stays', (_name, code) => {
    const m = machine();
    m.cpu.writeDr(7, 0x2000);
    m.poke(CODE, ...code);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0, dr6: BD });
    const user = new TestMachine().userMode();
    user.cpu.writeDr(7, 0x2000);
    expect(user.trap(...code)).toMatchObject({ vector: 13, errorCode: 0 });
    expect([user.s[DR + 7] & 0x2000, user.s[DR + 6] & DR6_BITS]).toEqual([0x2000, 0]);
  });

  it('the T bit of a new task’s TSS: a trap before its first instruction', () => {
    const m = machine();
    const tss = 0x7000;
    m.descriptor(GDT, 0x40, tss, 0x67, 0x89);
    m.poke32(tss + 0x20, CODE + 0x40);
    m.poke32(tss + 0x24, 2);
    m.poke32(tss + 0x38, 0x88000);
    m.poke32(tss + 0x4c, KCODE);
    for (const at of [0x48, 0x50, 0x54, 0x58, 0x5c]) m.poke32(tss + at, KDATA);
    m.poke16(tss + 0x64, 1);
    m.poke(CODE, 0xea, 0, 0, 0, 0, 0x40, 0);
    m.poke(CODE + 0x40, 0x0f, 0x0b);
    expect(stop(m)).toMatchObject({ vector: 1, at: 0x40, dr6: BT });
    expect(m.peek32(TSS + 0x20)).toBe(CODE + 7);
  });
});
