/**
 * Frames on stacks that are not the current one: whole or not at all. A call gate to ring 1 and an interrupt gate to ring 1
 * whose stack lies across a page that is missing, then is there. SDM Vol. 3A, 5.8.5 "Stack Switching", 6.12.1
 * "Exception- or Interrupt-Handler Procedures".
 */
import { CPL, CR2, CS, EIP, ESP, HALTED, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, FREE, GDT, HANDLERS, IDT, TestMachine, TSS, UCODE, UDATA, USER_STACK } from '../testing/machine.js';

const CODE1 = FREE;
const DATA1 = FREE + 8;
const GATE = FREE + 16;
const EDGE = 0x71000;
const ENTRY = 0x4700;

/** Ring 3 with a stack for ring 1 whose top is `above` bytes above a page's start. */
function machine(above: number): TestMachine {
  const m = new TestMachine().userMode();
  m.descriptor(GDT, CODE1, 0, 0xfffff, 0xc0bb);
  m.descriptor(GDT, DATA1, 0, 0xfffff, 0xc0b3);
  m.poke32(TSS + 12, EDGE + above);
  m.poke32(TSS + 16, DATA1 | 1);
  m.gate(GDT, GATE >> 3, CODE1 | 1, ENTRY, 0xec, 2);
  m.gate(IDT, 0x20, CODE1, ENTRY, 0xee);
  m.poke(ENTRY, 0x90);
  m.s[ESP] = USER_STACK - 8;
  m.poke32(USER_STACK - 8, 0x1111);
  m.poke32(USER_STACK - 4, 0x2222);
  for (let at = EDGE - 64; at < EDGE + 64; at += 4) m.poke32(at, 0xcccccccc);
  return m;
}

const CASES = [
  [
    'CALL through a call gate',
    [0x9a, 0, 0, 0, 0, GATE | 3, 0],
    [CODE + 7, UCODE, 0x1111, 0x2222, USER_STACK - 8, UDATA],
  ],
  ['INT n', [0xcd, 0x20], [CODE + 2, UCODE, 2, USER_STACK - 8, UDATA]],
] as const;

describe.each(CASES)('%s', (_name, code, frame) => {
  const words = frame.length;

  // From all of it above the edge but one byte to all but one byte below.
  it.each(Array.from({ length: words }, (_, i) => i * 4 + 2))('%i bytes above the edge', (above) => {
    const m = machine(above);
    m.poke(CODE, ...code);
    m.mmu.unmap(EDGE - 1);
    m.cpu.run(1);
    expect([m.s[EIP], m.s[HALTED]]).toEqual([HANDLERS + 14 * 16 + 1, 1]);
    expect([m.peek32(m.s[ESP]), m.peek32(m.s[ESP] + 4), m.peek32(m.s[ESP] + 16)]).toEqual([2, CODE, USER_STACK - 8]);
    expect(m.s[CR2] >>> 12).toBe((EDGE - 1) >>> 12);
    for (let at = EDGE; at < EDGE + 64; at += 4) expect(m.peek32(at)).toBe(0xcccccccc);

    m.mmu.setPage(EDGE - 1, {});
    m.s[ESP] += 4;
    m.s[HALTED] = 0;
    m.cpu.stateChanged();
    m.cpu.step(); // IRET
    m.cpu.step();
    const bottom = EDGE + above - words * 4;
    expect([m.s[EIP], m.s[CPL], m.selector(CS), m.selector(SS), m.s[ESP]]).toEqual([
      ENTRY,
      1,
      CODE1 | 1,
      DATA1 | 1,
      bottom,
    ]);
    const found = frame.map((_, i) => m.peek32(bottom + i * 4));
    // INT n's image has RF clear, as software interrupts have.
    expect(found).toEqual(frame);
  });
});
