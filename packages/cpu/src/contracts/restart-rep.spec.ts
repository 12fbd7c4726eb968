/**
 * Repeated string instructions: what stands in the registers when a fault or an interrupt comes between iterations, and that
 * the instruction, resumed, ends as if nothing had happened. SDM Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation
 * Prefix"; Vol. 3A, 6.6 "Program or Task Restart". Counts: the design's rule that each iteration counts one, and one that
 * faults none; REP with a count of 0 counts one.
 */
import { EAX, ECX, EDI, EDX, EFLAGS, EIP, ESI, ESP, FLAG_DF, FLAG_IF, FLAG_RF, FLAG_ZF, HALTED } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, HANDLERS, TestMachine } from '../testing/machine.js';

// Odd places FFh bytes before a page's end: elements of 2 and 4 bytes lie across it.
const SOURCE = DATA + 0xf01;
const TARGET = DATA + 0x8f01;
const COUNT = 1000;

interface Case {
  readonly name: string;
  readonly code: readonly number[];
  readonly size: number;
  readonly source: boolean;
  readonly target: boolean;
}

const CASES: readonly Case[] = (
  [
    ['MOVS', 0xa4, true, true],
    ['STOS', 0xaa, false, true],
    ['LODS', 0xac, true, false],
    ['CMPS', 0xa6, true, true],
    ['SCAS', 0xae, false, true],
    ['OUTS', 0x6e, true, false],
    ['INS', 0x6c, false, true],
  ] as const
).flatMap(([name, opcode, source, target]) =>
  [1, 2, 4].map((size) => ({
    name: `REP ${name}, ${size} bytes`,
    code: [0xf3, ...(size === 2 ? [0x66] : []), size === 1 ? opcode : opcode + 1],
    size,
    source,
    target,
  })),
);

/** Ready to repeat COUNT times, upwards or downwards; memory alike in both places, so that CMPS and SCAS go on. */
function machine(code: readonly number[], size: number, down: boolean, flags = 0): TestMachine {
  const m = new TestMachine().protectedMode();
  m.s[EFLAGS] = 2 | FLAG_ZF | flags | (down ? FLAG_DF : 0);
  m.s.set([0x55555555, COUNT, 0x60], EAX);
  const offset = down ? (COUNT - 1) * size : 0;
  m.s[ESI] = SOURCE + offset;
  m.s[EDI] = TARGET + offset;
  const bytes = new Uint8Array(COUNT * 4 + 16).fill(0x55);
  m.cpu.memory.writeBytes(SOURCE - 8, bytes);
  m.cpu.memory.writeBytes(TARGET - 8, bytes);
  m.bus.script(0x60, 0x66666666);
  m.poke(CODE, ...code, 0xf4);
  m.cpu.stateChanged();
  return m;
}

interface End {
  readonly registers: readonly number[];
  readonly flags: number;
  readonly memory: string;
  readonly retired: number;
  readonly ports: number;
}

function end(m: TestMachine, handled: number): End {
  const bytes = Array.from({ length: COUNT * 4 }, (_, i) => m.peek8(TARGET + i));
  return {
    registers: [...m.s.slice(EAX, EAX + 8), m.s[EIP]],
    flags: m.cpu.getEflags(),
    memory: Buffer.from(bytes).toString('base64'),
    retired: m.cpu.retired() - handled,
    ports: m.bus.log.length,
  };
}

function run(m: TestMachine): void {
  while (m.s[HALTED] === 0) m.cpu.run(100000);
}

/** Where the repeated instruction stands: iterations done by ECX; ESI and EDI must say the same. */
function progress(m: TestMachine, { size, source, target }: Case, down: boolean): number {
  const done = COUNT - m.s[ECX];
  const step = down ? -size : size;
  const offset = down ? (COUNT - 1) * size : 0;
  expect(m.s[ESI]).toBe(SOURCE + offset + (source ? done * step : 0));
  expect(m.s[EDI]).toBe(TARGET + offset + (target ? done * step : 0));
  return done;
}

describe.each(CASES)('$name', (test) => {
  const { code, size, source, target } = test;

  it.each([
    ['up', false],
    ['down', true],
  ] as const)('a page fault in the middle, %s', (_name, down) => {
    const clean = machine(code, size, down);
    run(clean);
    const expected = end(clean, 0);
    expect(expected.retired).toBe(COUNT + 1);
    for (const [used, first] of [
      [source, SOURCE],
      [target, TARGET],
    ] as const) {
      if (!used) continue;
      const page = (down ? first : first + COUNT * size - 1) & ~0xfff;
      const m = machine(code, size, down);
      m.mmu.unmap(page);
      while (m.s[HALTED] === 0) m.cpu.run(100000);
      expect(m.s[EIP]).toBe(HANDLERS + 14 * 16 + 1);
      const frame = m.s[ESP];
      expect([m.peek32(frame + 4), m.peek32(frame + 12) & FLAG_RF]).toEqual([CODE, FLAG_RF]);
      const done = progress(m, test, down);
      expect(done).toBeGreaterThan(50);
      expect(m.cpu.retired()).toBe(done + 1); // and the handler's HLT
      // The element that faulted is the first in the missing page.
      const at = first + (down ? (COUNT - 1 - done) * size : done * size);
      expect([at & ~0xfff, (at + size - 1) & ~0xfff]).toContain(page);
      m.mmu.setPage(page, {});
      m.s[ESP] += 4;
      m.s[HALTED] = 0;
      m.cpu.stateChanged();
      run(m); // IRET and the rest
      expect(end(m, 2)).toEqual(expected);
    }
  });

  it('an interrupt after any number of iterations', () => {
    const clean = machine(code, size, false);
    run(clean);
    const expected = end(clean, 0);
    for (const after of [1, 2, 3, 500, COUNT - 1, COUNT]) {
      const m = machine(code, size, false, FLAG_IF);
      m.cpu.run(after);
      expect(m.cpu.retired()).toBe(after);
      expect(progress(m, test, false)).toBe(after);
      expect(m.s[EIP]).toBe(after === COUNT ? CODE + code.length : CODE);
      m.bus.vectors.push(0x30);
      m.bus.onAcknowledge = () => m.cpu.setIntr(false);
      m.cpu.setIntr(true);
      expect(m.cpu.takeInterrupt()).toBe(true);
      expect([m.s[EIP], m.peek32(m.s[ESP])]).toEqual([HANDLERS + 0x300, after === COUNT ? CODE + code.length : CODE]);
      run(m); // the handler's HLT
      m.s[HALTED] = 0;
      m.cpu.stateChanged();
      run(m); // IRET and the rest
      const found = end(m, 2);
      expect({ ...found, flags: found.flags & ~FLAG_IF }).toEqual(expected);
    }
  });

  it('a count of 0 touches nothing, sets nothing and counts one', () => {
    const m = machine(code, size, false);
    m.s[ECX] = 0;
    m.mmu.unmap(SOURCE);
    m.mmu.unmap(TARGET);
    const flags = m.cpu.getEflags();
    m.cpu.run(1);
    expect([m.s[EIP], m.cpu.retired(), m.cpu.getEflags(), m.bus.log.length]).toEqual([CODE + code.length, 1, flags, 0]);
    expect([m.s[ESI], m.s[EDI], m.s[EDX]]).toEqual([SOURCE, TARGET, 0x60]);
  });
});

describe('REPE and REPNE', () => {
  it.each([
    ['REPE CMPS ends at the first difference', [0xf3, 0xa6], 7],
    ['REPNE SCAS ends at the first match', [0xf2, 0xae], 7],
  ])('%s, with flags of that comparison', (_name, code, at) => {
    const m = machine(code, 1, false);
    if (code[0] === 0xf2) {
      m.s[EAX] = 0x77;
      m.poke(TARGET + at, 0x77);
    } else {
      m.poke(TARGET + at, 0x56);
    }
    run(m);
    expect([m.s[ECX], m.s[EDI], m.cpu.retired()]).toEqual([COUNT - at - 1, TARGET + at + 1, at + 2]);
    expect(m.cpu.getEflags() & FLAG_ZF).toBe(code[0] === 0xf2 ? FLAG_ZF : 0);
  });

  it('a fault after iterations leaves the flags of the last comparison that completed', () => {
    const m = machine([0xf3, 0xa6], 1, false);
    m.mmu.unmap(TARGET + 0x1000);
    run(m);
    const flags = m.peek32(m.s[ESP] + 12);
    expect(flags & FLAG_ZF).toBe(FLAG_ZF);
    expect(progress(m, { ...CASES[0], code: [], size: 1 }, false)).toBe(0xff);
  });
});
