/**
 * Debug exceptions and RF: single steps over every kind of instruction, and the saved RF. SDM Vol. 3B, 17.3.1.4 "Single-Step Exception
 * Condition", 17.3.1.1 "Instruction-Breakpoint Exception Condition" (RF); Vol. 3A, 6.8.3 "Masking Exceptions and Interrupts When
 * Switching Stacks". Breakpoints are in breakpoints.spec.ts.
 */
import { DR, EAX, EBX, ECX, EDI, EFLAGS, FLAG_IF, FLAG_RF, FLAG_TF, HALTED } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, KCODE, KDATA, type TestMachine } from '../testing/machine.js';
import { NOP, B0, BD, BS, type Stop, machine, arm, stop, here, steps } from '../testing/debug-stops.js';

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
