/**
 * Virtual interrupts: CR4.VME in virtual-8086 mode and CR4.PVI at CPL 3. SDM Vol. 3B, 20.3 "Interrupt and Exception Handling
 * in Virtual-8086 Mode" with the table "Software Interrupt Handling Methods While in Virtual-8086 Mode", 20.4
 * "Protected-Mode Virtual Interrupts"; Vol. 2 "CLI", "STI", "POPF" (table "Effect of POPF/POPFD on the EFLAGS Register"),
 * "IRET/IRETD", "INT n".
 */
import {
  CPL,
  CR4_PVI,
  CR4_VME,
  CS,
  EFLAGS,
  EIP,
  ESP,
  FLAG_AC,
  FLAG_CF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  SEG,
  SEG_LIMIT,
  SHADOW,
  TR,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import type { TestMachine } from '../testing/machine.js';
import { CODE, DATA, GDT, IDT, KCODE, TSS, USER_STACK } from '../testing/machine.js';
import { described, machineIn, outcome } from '../testing/modes.js';

const IO_BASE = 0x88; // the redirection bitmap: 68h to 87h
const VIRTUAL = FLAG_IF | FLAG_VIF | FLAG_VIP;

interface Setup {
  readonly iopl?: number;
  readonly cr4?: number;
  readonly flags?: number;
  /** Interrupt whose bit in the redirection bitmap is 1; all others are 0. */
  readonly toMonitor?: number;
}

/** Virtual-8086 mode under CR4.VME; the 8086 vector table sends interrupt n to 0:7000h + n * 16. */
function v86(setup: Setup = {}): TestMachine {
  const m = machineIn('v86', setup.iopl ?? 0);
  m.cpu.writeCr4(setup.cr4 ?? CR4_VME);
  m.s[EFLAGS] |= setup.flags ?? 0;
  m.poke16(TSS + 0x66, IO_BASE);
  m.s[SEG + TR * 4 + SEG_LIMIT] = IO_BASE;
  if (setup.toMonitor !== undefined) m.poke(TSS + 0x68 + (setup.toMonitor >> 3), 1 << (setup.toMonitor & 7));
  for (let n = 0; n < 256; n++) m.poke32(n * 4, 0x7000 + n * 16);
  return m;
}

function virtual(m: TestMachine): string {
  const flags = m.s[EFLAGS];
  const names = [
    [FLAG_IF, 'IF'],
    [FLAG_VIF, 'VIF'],
    [FLAG_VIP, 'VIP'],
  ] as const;
  return names.flatMap(([bit, name]) => ((flags & bit) !== 0 ? [name] : [])).join(' ');
}

/** The flags image that 16-bit code pops. */
function withImage(m: TestMachine, words: readonly number[]): TestMachine {
  m.s[ESP] -= words.length * 2;
  words.forEach((word, i) => m.poke16(DATA + m.s[ESP] + i * 2, word));
  return m;
}

describe('CLI and STI', () => {
  it.each<[string, number, Setup, string, string]>([
    ['CLI, IOPL < 3: VIF', 0xfa, { flags: FLAG_IF | FLAG_VIF }, 'runs', 'IF'],
    ['STI, IOPL < 3: VIF', 0xfb, { iopl: 2 }, 'runs', 'VIF'],
    ['CLI with VIP pending', 0xfa, { flags: FLAG_VIF | FLAG_VIP }, 'runs', 'VIP'],
    ['STI with VIP pending: #GP(0)', 0xfb, { flags: FLAG_VIP }, '#GP(0)', 'VIP'],
    ['STI with VIP and VIF: #GP(0)', 0xfb, { flags: FLAG_VIP | FLAG_VIF }, '#GP(0)', 'VIF VIP'],
    ['CLI, IOPL 3: IF', 0xfa, { iopl: 3, flags: FLAG_IF | FLAG_VIF }, 'runs', 'VIF'],
    ['STI, IOPL 3: IF, whatever VIP is', 0xfb, { iopl: 3, flags: FLAG_VIP }, 'runs', 'IF VIP'],
    ['without VME, PVI alone: #GP(0)', 0xfb, { cr4: CR4_PVI }, '#GP(0)', ''],
  ])('%s', (_name, opcode, setup, expected, flags) => {
    const m = v86(setup);
    expect(outcome(m, [opcode])).toBe(expected);
    if (expected === 'runs') expect(virtual(m)).toBe(flags);
    else expect(m.peek32(m.s[ESP] + 12) & (FLAG_VIF | FLAG_VIP)).toBe((setup.flags ?? 0) & (FLAG_VIF | FLAG_VIP));
  });

  it('STI that sets VIF holds off nothing', () => {
    const m = v86();
    outcome(m, [0xfb]);
    expect(m.s[SHADOW]).toBe(0);
  });
});

describe('PUSHF', () => {
  it.each([
    ['VIF in the place of IF, IOPL 3', FLAG_VIF | FLAG_CF, FLAG_IF | FLAG_IOPL | FLAG_CF | 2],
    ['IF itself is not shown', FLAG_IF, FLAG_IOPL | 2],
  ])('16 bits, IOPL < 3: %s', (_name, flags, image) => {
    const m = v86({ flags });
    expect(outcome(m, [0x9c])).toBe('runs');
    expect(m.peek16(DATA + 0x7ffe)).toBe(image);
  });

  it('32 bits: #GP(0) with IOPL < 3; VIF and VIP are shown with IOPL 3', () => {
    expect(outcome(v86(), [0x66, 0x9c])).toBe('#GP(0)');
    const m = v86({ iopl: 3, flags: FLAG_VIF | FLAG_VIP });
    expect(outcome(m, [0x66, 0x9c])).toBe('runs');
    expect(m.peek32(DATA + 0x7ffc)).toBe(FLAG_VIF | FLAG_VIP | FLAG_IOPL | 2);
  });
});

describe('POPF and IRET', () => {
  const FORMS = [
    ['POPF', [0x9d], (image: number) => [image]],
    ['IRET', [0xcf], (image: number) => [0x20, CODE >> 4, image]],
  ] as const;

  it.each(FORMS)('16-bit %s, IOPL < 3: VIF takes IF; IF and IOPL stay', (_name, code, frame) => {
    const m = withImage(v86({ iopl: 1, flags: FLAG_AC }), frame(FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_CF));
    expect(outcome(m, code)).toBe('runs');
    expect(m.cpu.getEflags()).toBe(FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_NT | FLAG_CF | 0x1000 | 2);
    expect(m.s[ESP]).toBe(0x8000);
  });

  it.each(FORMS)('16-bit %s clears VIF, with VIP pending too', (_name, code, frame) => {
    const m = withImage(v86({ flags: FLAG_IF | FLAG_VIF | FLAG_VIP }), frame(0));
    expect(outcome(m, code)).toBe('runs');
    expect(virtual(m)).toBe('IF VIP');
  });

  it.each(FORMS)('%s: #GP(0) for TF, or for IF with VIP pending; nothing is popped', (_name, code, frame) => {
    for (const [flags, image] of [
      [0, FLAG_TF],
      [FLAG_VIP, FLAG_IF],
    ]) {
      const m = withImage(v86({ flags }), frame(image));
      const sp = m.s[ESP];
      expect(outcome(m, code)).toBe('#GP(0)');
      expect(m.peek32(m.s[ESP] + 16)).toBe(sp);
    }
  });

  it.each(FORMS)('%s of 32 bits: #GP(0) with IOPL < 3', (_name, code) => {
    expect(outcome(v86(), [0x66, ...code])).toBe('#GP(0)');
  });

  it.each(FORMS)('%s with IOPL 3 is that of any 8086 program', (_name, code, frame) => {
    const m = withImage(v86({ iopl: 3, flags: FLAG_VIP }), frame(FLAG_IF));
    expect(outcome(m, code)).toBe('runs');
    expect(virtual(m)).toBe('IF VIP');
  });

  it('without VME: #GP(0) with IOPL < 3', () => {
    for (const [, code] of FORMS) expect(outcome(v86({ cr4: 0 }), code)).toBe('#GP(0)');
  });
});

describe('software interrupt handling methods', () => {
  // VME, IOPL, bit in the redirection bitmap
  it.each<[number, Setup, string]>([
    [1, { cr4: 0, iopl: 3, toMonitor: 0x21 }, 'protected'],
    [2, { cr4: 0, iopl: 0 }, '#GP(0)'],
    [3, { iopl: 2, toMonitor: 0x21 }, '#GP(0)'],
    [4, { iopl: 3, toMonitor: 0x21 }, 'protected'],
    [5, { iopl: 3 }, '8086'],
    [6, { iopl: 0 }, '8086'],
  ])('method %i', (_method, setup, expected) => {
    const m = v86(setup);
    m.gate(IDT, 0x21, KCODE, 0x4210, 0xee);
    const text = outcome(m, [0xcd, 0x21]);
    if (expected === 'protected') {
      expect([text, m.s[CPL], m.s[EIP], described(m, 0)]).toEqual(['runs', 0, 0x4210, 'vector 33 at 2']);
    } else if (expected === '8086') {
      expect([text, m.s[CPL], m.s[EIP], m.selector(CS)]).toEqual(['runs', 3, 0x7210, 0]);
    } else {
      expect(text).toBe(expected);
    }
  });

  it('method 5: FLAGS, CS, IP on the 8086 stack; IF and TF cleared', () => {
    const m = v86({ iopl: 3, flags: VIRTUAL | FLAG_TF | FLAG_CF });
    outcome(m, [0xcd, 0x10]);
    expect([0, 2, 4].map((at) => m.peek16(DATA + 0x7ffa + at))).toEqual([
      2,
      CODE >> 4,
      FLAG_IOPL | FLAG_IF | FLAG_TF | FLAG_CF | 2,
    ]);
    expect([m.s[ESP], virtual(m), m.s[EFLAGS] & FLAG_TF]).toEqual([0x7ffa, 'VIF VIP', 0]);
  });

  it.each([
    [FLAG_VIF, FLAG_IF],
    [FLAG_IF, 0],
  ])('method 6: the image has VIF as IF and IOPL 3; VIF and TF are cleared (%s)', (flags, imageIf) => {
    const m = v86({ flags: flags | FLAG_CF });
    outcome(m, [0xcd, 0x10]);
    expect(m.peek16(DATA + 0x7ffe)).toBe(FLAG_IOPL | imageIf | FLAG_CF | 2);
    expect(virtual(m)).toBe(flags === FLAG_IF ? 'IF' : '');
  });

  it('each vector has its own bit', () => {
    for (const vector of [0, 7, 8, 0x20, 0xff]) {
      const closed = v86({ toMonitor: vector });
      expect(outcome(closed, [0xcd, vector])).toBe('#GP(0)');
      for (const other of [vector ^ 1, vector ^ 8]) {
        const m = v86({ toMonitor: vector });
        expect(outcome(m, [0xcd, other])).toBe('runs');
        expect(m.s[EIP]).toBe(0x7000 + other * 16);
      }
    }
  });

  it('a bitmap beyond the TSS limit, or a 16-bit TSS: #GP(0)', () => {
    const short = v86();
    short.s[SEG + TR * 4 + SEG_LIMIT] = 0x6b; // holds the bits of 0 to 31
    expect(outcome(short, [0xcd, 0x1f])).toBe('runs');
    const beyond = v86();
    beyond.s[SEG + TR * 4 + SEG_LIMIT] = 0x6b;
    expect(outcome(beyond, [0xcd, 0x20])).toBe('#GP(0)');
  });

  it('INT3 and INTO are not redirected and need no IOPL', () => {
    for (const [code, vector] of [
      [0xcc, 3],
      [0xce, 4],
    ]) {
      const m = v86({ flags: 0x800 });
      m.gate(IDT, vector, KCODE, 0x4000 + vector * 16, 0xee);
      outcome(m, [code]);
      expect([m.s[CPL], described(m, 0)]).toEqual([0, `${vector === 3 ? '#BP' : '#OF'} at 1`]);
    }
  });

  it('hardware interrupts and exceptions go to the protected-mode handler', () => {
    const m = v86({ flags: FLAG_IF });
    m.cpu.setIntr(true);
    m.bus.onAcknowledge = () => m.cpu.setIntr(false);
    expect(m.cpu.takeInterrupt()).toBe(true);
    expect([m.s[CPL], m.s[EIP]]).toEqual([0, 0x4270]);
    expect(outcome(v86(), [0x0f, 0x0b])).toBe('#UD');
  });

  it('a frame that wraps the 8086 stack raises #SS(0) and leaves no trace', () => {
    const m = v86({ flags: FLAG_VIF });
    m.s[ESP] = 3; // FLAGS at 1, CS at FFFFh: beyond the limit
    expect(outcome(m, [0xcd, 0x10])).toBe('#SS(0)');
    expect([m.peek32(m.s[ESP] + 16), m.peek32(m.s[ESP] + 12) & FLAG_VIF]).toEqual([3, FLAG_VIF]);
  });

  it('the vector table is read as the program reads it', () => {
    const m = v86();
    m.mmu.setPage(0, { user: false });
    expect(outcome(m, [0xcd, 0x10])).toBe('#PF(5)');
  });
});

describe('PVI: CPL 3 of protected mode', () => {
  function ring3(cr4: number, iopl: number, flags: number): TestMachine {
    const m = machineIn('ring 3', iopl);
    m.cpu.writeCr4(cr4);
    m.s[EFLAGS] |= flags;
    return m;
  }

  it.each<[string, number, number, number, number, string, string]>([
    ['CLI', 0xfa, CR4_PVI, 0, FLAG_IF | FLAG_VIF, 'runs', 'IF'],
    ['STI', 0xfb, CR4_PVI, 2, 0, 'runs', 'VIF'],
    ['STI with VIP', 0xfb, CR4_PVI, 0, FLAG_VIP, '#GP(0)', ''],
    ['STI, IOPL 3', 0xfb, CR4_PVI, 3, FLAG_VIP, 'runs', 'IF VIP'],
    ['STI under VME alone', 0xfb, CR4_VME, 0, 0, '#GP(0)', ''],
  ])('%s', (_name, opcode, cr4, iopl, flags, expected, left) => {
    const m = ring3(cr4, iopl, flags);
    expect(outcome(m, [opcode])).toBe(expected);
    if (expected === 'runs') expect(virtual(m)).toBe(left);
  });

  it('rings 1 and 2 get nothing of it', () => {
    for (const mode of ['ring 1', 'ring 2'] as const) {
      const m = machineIn(mode, 0);
      m.cpu.writeCr4(CR4_PVI);
      expect(outcome(m, [0xfa])).toBe('#GP(0)');
    }
  });

  it('PUSHFD shows IF and VIF as they are; POPFD changes neither', () => {
    const m = ring3(CR4_PVI, 0, FLAG_IF | FLAG_VIF);
    outcome(m, [0x9c]);
    expect(m.peek32(USER_STACK - 4)).toBe(FLAG_IF | FLAG_VIF | 2);
    m.poke32(USER_STACK - 4, FLAG_VIP | FLAG_CF);
    m.s[EIP] = CODE;
    expect(outcome(m, [0x9d])).toBe('runs');
    expect(m.cpu.getEflags()).toBe(FLAG_IF | FLAG_VIF | FLAG_CF | 2);
  });
});

describe('who may change VIF and VIP', () => {
  const both = FLAG_VIF | FLAG_VIP;

  it('POPFD leaves them alone at every level', () => {
    for (const mode of ['ring 0', 'ring 3', 'real'] as const) {
      for (const flags of [0, both]) {
        const m = machineIn(mode);
        m.s[EFLAGS] |= flags;
        const at = m.s[SEG + 2 * 4 + 1] + m.s[ESP] - 4;
        m.s[ESP] -= 4;
        m.poke32(at, (both ^ flags) | FLAG_ID | 2);
        expect(outcome(m, mode === 'real' ? [0x66, 0x9d] : [0x9d])).toBe('runs');
        expect(m.cpu.getEflags()).toBe(flags | FLAG_ID | 2);
      }
    }
  });

  it.each([
    ['ring 0', both],
    ['ring 3', 0],
  ] as const)('IRETD at %s: %i', (mode, expected) => {
    const m = machineIn(mode);
    [CODE, m.selector(CS), both | 2].forEach((word, i) => m.poke32(m.s[ESP] - 12 + i * 4, word));
    m.s[ESP] -= 12;
    expect(outcome(m, [0xcf])).toBe('runs');
    expect(m.s[EFLAGS] & both).toBe(expected);
  });

  it('IRETD from ring 0 to virtual-8086 mode loads them, VIP with VIF too', () => {
    const m = machineIn('ring 0');
    const frame = [0x10, CODE >> 4, both | FLAG_VM | FLAG_IF | 2, 0x4000, DATA >> 4, 0, 0, 0, 0];
    m.s[ESP] -= frame.length * 4;
    frame.forEach((word, i) => m.poke32(m.s[ESP] + i * 4, word));
    expect(outcome(m, [0xcf])).toBe('runs');
    expect(m.s[EFLAGS] & (both | FLAG_VM | FLAG_IF)).toBe(both | FLAG_VM | FLAG_IF);
  });

  it('a task switch loads them', () => {
    const m = machineIn('ring 0');
    const tss = 0x7000;
    m.descriptor(GDT, 0x40, tss, 0x67, 0x89);
    m.poke32(tss + 0x20, CODE + 0x40);
    m.poke32(tss + 0x24, both | 2);
    m.poke32(tss + 0x4c, KCODE);
    for (const at of [0x48, 0x50, 0x54, 0x58, 0x5c]) m.poke32(tss + at, 0x10);
    expect(outcome(m, [0xea, 0, 0, 0, 0, 0x40, 0])).toBe('runs');
    expect([m.s[EIP], m.s[EFLAGS] & both]).toEqual([CODE + 0x40, both]);
  });
});
