/** Virtual-8086 mode: the way in, the way out through a gate, what IOPL lets through, and segment loads inside. */
import {
  AR_UNUSABLE,
  CPL,
  CS,
  DS,
  EAX,
  EBX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_IF,
  FLAG_VM,
  SEG,
  SEG_ACCESS,
  SS,
  STOP_HALT,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, IDT, KCODE, KDATA, KERNEL_STACK, TestMachine, TSS } from '../testing/machine.js';

const HLT = 0xf4;
const IRET = 0xcf;
const V86 = 0x30000;

/** Enters v86 mode at V86:0 by IRETD from ring 0, with the given IOPL, and runs `code` there until something halts. */
function v86(code: readonly number[], iopl = 0, prepare: (m: TestMachine) => void = () => {}): TestMachine {
  const m = new TestMachine().protectedMode();
  // gs, fs, ds, es, ss, esp, eflags, cs, eip: pushed top down
  const frame = [0, V86 >> 4, FLAG_VM | 2 | (iopl << 12), 0x4000, 0x8000, DATA >> 4, DATA >> 4, 0x1111, 0x2222];
  m.s[ESP] -= frame.length * 4;
  frame.forEach((word, i) => m.poke32(m.s[ESP] + i * 4, word));
  m.poke(V86, ...code);
  m.poke(CODE, IRET);
  prepare(m);
  const stop = m.cpu.run(1000);
  if (stop !== STOP_HALT) throw new Error(`stop ${stop}`);
  return m;
}

describe('entering and leaving', () => {
  it('IRETD loads everything; a fault pushes it all and empties the data segments', () => {
    const m = v86([0x8c, 0xd8, 0x8c, 0xeb, HLT]); // mov ax,ds; mov bx,gs; hlt -> #GP(0)
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: 4, cs: V86 >> 4, ss: 0x8000, esp: 0x4000 });
    expect(m.frame().flags & FLAG_VM).toBe(FLAG_VM);
    expect([m.s[EAX], m.s[EBX]]).toEqual([DATA >> 4, 0x2222]);
    // ES, DS, FS, GS above SS:ESP in the frame, null in the registers
    const top = KERNEL_STACK - 16;
    expect([0, 4, 8, 12].map((at) => m.peek32(top + at))).toEqual([DATA >> 4, DATA >> 4, 0x1111, 0x2222]);
    expect([m.selector(DS), m.s[SEG + DS * 4 + SEG_ACCESS]]).toEqual([0, AR_UNUSABLE]);
    expect([m.s[CPL], m.selector(CS), m.selector(SS), m.s[EFLAGS] & FLAG_VM]).toEqual([0, KCODE, KDATA, 0]);
    expect(m.s[ESP]).toBe(KERNEL_STACK - 40);
  });

  it('segments inside are base = selector * 16, 64K', () => {
    // mov ax,2100h; mov ds,ax; mov ax,[0ffeh]; ud2
    const m = v86([0xb8, 0x00, 0x21, 0x8e, 0xd8, 0xa1, 0xfe, 0x0f, 0x0f, 0x0b], 0, (machine) =>
      machine.poke16(0x21ffe, 0x4321),
    );
    expect(m.frame()).toMatchObject({ vector: 6, eip: 8 });
    expect(m.s[EAX] & 0xffff).toBe(0x4321);
    // The frame holds the DS that was loaded.
    expect(m.peek32(KERNEL_STACK - 12)).toBe(0x2100);
  });

  it('a limit of 64K holds', () => {
    const m = v86([0x66, 0xbb, 0, 0, 1, 0, 0x67, 0x8a, 0x03], 3); // mov ebx,10000h; mov al,[ebx]
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: 6 });
  });

  it('a handler must be ring 0 code: else #GP(selector)', () => {
    const m = v86([0x0f, 0x0b], 0, (machine) => {
      machine.descriptor(0x1000, 0x38, 0, 0xfffff, 0xc09f); // conforming
      machine.gate(IDT, 6, 0x38, 0x4000, 0x8e);
    });
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0x39, cs: V86 >> 4 });
  });

  it('IRET back into v86 goes on where it was', () => {
    const m = v86([0xcd, 0x20, 0x40, HLT], 3, (machine) => {
      machine.gate(IDT, 0x20, KCODE, 0x4200, 0xee);
      machine.poke(0x4200, 0xb8, 0x77, 0, 0, 0, IRET);
    });
    expect(m.frame()).toMatchObject({ vector: 13, eip: 3, cs: V86 >> 4 });
    expect(m.s[EAX]).toBe(0x78);
  });
});

describe('what IOPL lets through', () => {
  it.each([
    ['CLI', [0xfa]],
    ['STI', [0xfb]],
    ['PUSHF', [0x9c]],
    ['POPF', [0x9d]],
    ['INT n', [0xcd, 0x21]],
    ['IRET', [0xcf]],
  ])('%s: #GP(0) with IOPL < 3', (_name, code) => {
    for (const iopl of [0, 2]) expect(v86(code, iopl).frame()).toMatchObject({ vector: 13, errorCode: 0, eip: 0 });
  });

  it('INT3 does not depend on it', () => {
    const m = v86([0xcc], 0, (machine) => machine.gate(IDT, 3, KCODE, 0x4030, 0xee));
    expect(m.frame()).toMatchObject({ vector: 3, eip: 1 });
  });

  it('with IOPL 3 they work; POPF and IRET leave IOPL and VM alone', () => {
    // sti; pushf; pop ax; push 0; popf; pushf; pop bx; hlt
    const m = v86([0xfb, 0x9c, 0x58, 0x6a, 0, 0x9d, 0x9c, 0x5b, HLT], 3);
    expect(m.frame()).toMatchObject({ vector: 13, eip: 8 });
    expect(m.s[EAX] & 0xffff).toBe(0x3202);
    expect(m.s[EBX] & 0xffff).toBe(0x3002);
    expect(m.frame().flags & (FLAG_VM | FLAG_IF)).toBe(FLAG_VM);
  });

  it('ports are the bitmap’s business whatever IOPL is', () => {
    const denied = v86([0xe4, 0x60], 3);
    expect(denied.frame()).toMatchObject({ vector: 13, errorCode: 0 });
    const allowed = v86([0xe4, 0x60, 0x0f, 0x0b], 0, (machine) => {
      machine.descriptor(0x1000, 0x28, TSS, 0x200, 0x8b);
      machine.segment(7, 0x28, TSS, 0x200, 0x8b);
    });
    expect(allowed.frame()).toMatchObject({ vector: 6 });
    expect(allowed.bus.log).toEqual(['in 60/1 = ff']);
  });
});

describe('what does not exist there', () => {
  it.each([
    ['SLDT', [0x0f, 0x00, 0xc0]],
    ['STR', [0x0f, 0x00, 0xc8]],
    ['LLDT', [0x0f, 0x00, 0xd0]],
    ['LTR', [0x0f, 0x00, 0xd8]],
    ['VERR', [0x0f, 0x00, 0xe0]],
    ['LAR', [0x0f, 0x02, 0xc0]],
    ['LSL', [0x0f, 0x03, 0xc0]],
    ['ARPL', [0x63, 0xc0]],
  ])('%s: #UD', (_name, code) => {
    expect(v86(code, 3).frame()).toMatchObject({ vector: 6, eip: 0 });
  });

  it.each([
    ['LGDT', [0x0f, 0x01, 0x16, 0, 0]],
    ['MOV CR0', [0x0f, 0x20, 0xc0]],
    ['HLT', [HLT]],
    ['CLTS', [0x0f, 0x06]],
  ])('%s: #GP(0)', (_name, code) => {
    expect(v86(code, 3).frame()).toMatchObject({ vector: 13, errorCode: 0, eip: 0 });
  });

  it('SMSW, SGDT and SIDT work', () => {
    const m = v86([0x0f, 0x01, 0xe0, 0x0f, 0x01, 0x06, 0x10, 0, 0x0f, 0x0b], 0);
    expect(m.frame()).toMatchObject({ vector: 6, eip: 8 });
    expect(m.s[EAX] & 0xffff).toBe(0x11);
    expect([m.peek16(DATA + 0x10), m.peek32(DATA + 0x12)]).toEqual([0xff, 0x1000]);
    expect(m.s[EIP]).toBe(0x4061);
  });
});
