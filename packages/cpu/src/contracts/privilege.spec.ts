/**
 * Who may execute the system instructions: each of them at CPL 0, 1, 2, 3, in real mode and in virtual-8086 mode.
 * SDM Vol. 3A, 5.9 "Privileged Instructions"; Vol. 2, "Protected Mode Exceptions", "Real-Address Mode Exceptions",
 * "Virtual-8086 Mode Exceptions" of each instruction; Vol. 3B, 20.1.4 "Instructions Supported in Real-Address Mode",
 * 20.2.7 "Sensitive Instructions". A column reads: `-` runs, GP is #GP(0), UD is #UD; EIP is the instruction's own.
 */
import { CR4_DE, CR4_PCE, CR4_TSD, EAX, EBX, ECX, EDX } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import type { TestMachine } from '../testing/machine.js';
import { FREE, GDT, KCODE, LDT } from '../testing/machine.js';
import { is16Bit, machineIn, MODES, outcome, type Mode } from '../testing/modes.js';

interface Case {
  readonly name: string;
  /** 32-bit encoding; a memory operand is [EBX]. */
  readonly code: readonly number[];
  /** CPL 0, 1, 2, 3, real, v86. */
  readonly expected: string;
  readonly prepare?: (m: TestMachine) => void;
}

const RING_0_ONLY = '- GP GP GP - GP';
const PROTECTED_ONLY = '- - - - UD UD';
const EVERYWHERE = '- - - - - -';
const NOWHERE = 'UD UD UD UD UD UD';
const NEW_TSS = FREE + 0x28;

function sysenter(m: TestMachine): void {
  m.cpu.wrmsr(0x174, KCODE, 0);
}

const CASES: readonly Case[] = [
  // Vol. 3A, 5.9 "Privileged Instructions"
  { name: 'CLTS', code: [0x0f, 0x06], expected: RING_0_ONLY },
  { name: 'HLT', code: [0xf4], expected: RING_0_ONLY },
  { name: 'INVD', code: [0x0f, 0x08], expected: RING_0_ONLY },
  { name: 'WBINVD', code: [0x0f, 0x09], expected: RING_0_ONLY },
  { name: 'INVLPG m', code: [0x0f, 0x01, 0x3b], expected: RING_0_ONLY },
  { name: 'LGDT m', code: [0x0f, 0x01, 0x13], expected: RING_0_ONLY },
  { name: 'LIDT m', code: [0x0f, 0x01, 0x1b], expected: RING_0_ONLY },
  { name: 'LMSW r', code: [0x0f, 0x01, 0xf1], expected: RING_0_ONLY },
  { name: 'LMSW m', code: [0x0f, 0x01, 0x33], expected: RING_0_ONLY },
  ...[0, 2, 3, 4].flatMap((n) => [
    { name: `MOV r32, CR${n}`, code: [0x0f, 0x20, 0xc0 | (n << 3)], expected: RING_0_ONLY },
    {
      name: `MOV CR${n}, r32`,
      code: [0x0f, 0x22, 0xc0 | (n << 3)],
      expected: RING_0_ONLY,
      prepare: (m: TestMachine) => {
        m.s[EAX] = n === 0 ? m.s[52] : 0;
      },
    },
  ]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    { name: `MOV r32, DR${n}`, code: [0x0f, 0x21, 0xc0 | (n << 3)], expected: RING_0_ONLY },
    { name: `MOV DR${n}, r32`, code: [0x0f, 0x23, 0xc0 | (n << 3)], expected: RING_0_ONLY },
  ]),
  { name: 'RDMSR', code: [0x0f, 0x32], expected: RING_0_ONLY },
  { name: 'WRMSR', code: [0x0f, 0x30], expected: RING_0_ONLY },
  { name: 'LLDT r', code: [0x0f, 0x00, 0xd1], expected: '- GP GP GP UD UD' },
  {
    name: 'LTR r',
    code: [0x0f, 0x00, 0xd9],
    expected: '- GP GP GP UD UD',
    prepare: (m) => {
      m.descriptor(GDT, NEW_TSS, LDT, 0x67, 0x89);
      m.s[ECX] = NEW_TSS;
    },
  },
  // Those that read privileged state without asking
  { name: 'SLDT r', code: [0x0f, 0x00, 0xc0], expected: PROTECTED_ONLY },
  { name: 'STR r', code: [0x0f, 0x00, 0xc8], expected: PROTECTED_ONLY },
  { name: 'VERR r', code: [0x0f, 0x00, 0xe0], expected: PROTECTED_ONLY },
  { name: 'VERW r', code: [0x0f, 0x00, 0xe8], expected: PROTECTED_ONLY },
  { name: 'LAR', code: [0x0f, 0x02, 0xc1], expected: PROTECTED_ONLY },
  { name: 'LSL', code: [0x0f, 0x03, 0xc1], expected: PROTECTED_ONLY },
  { name: 'ARPL', code: [0x63, 0xc1], expected: PROTECTED_ONLY },
  { name: 'SGDT m', code: [0x0f, 0x01, 0x03], expected: EVERYWHERE },
  { name: 'SIDT m', code: [0x0f, 0x01, 0x0b], expected: EVERYWHERE },
  { name: 'SMSW r', code: [0x0f, 0x01, 0xe0], expected: EVERYWHERE },
  { name: 'CPUID', code: [0x0f, 0xa2], expected: EVERYWHERE },
  // What CR4 opens and closes
  { name: 'RDTSC', code: [0x0f, 0x31], expected: EVERYWHERE },
  { name: 'RDTSC, TSD', code: [0x0f, 0x31], expected: RING_0_ONLY, prepare: (m) => m.cpu.writeCr4(CR4_TSD) },
  { name: 'RDPMC', code: [0x0f, 0x33], expected: RING_0_ONLY, prepare: (m) => (m.s[ECX] = 0) },
  {
    name: 'RDPMC, PCE',
    code: [0x0f, 0x33],
    expected: EVERYWHERE,
    prepare: (m) => {
      m.s[ECX] = 1;
      m.cpu.writeCr4(CR4_PCE);
    },
  },
  {
    name: 'RDPMC of a counter that is not there',
    code: [0x0f, 0x33],
    expected: 'GP GP GP GP GP GP',
    prepare: (m) => {
      m.s[ECX] = 2;
      m.cpu.writeCr4(CR4_PCE);
    },
  },
  { name: 'SYSENTER', code: [0x0f, 0x34], expected: '- - - - GP -', prepare: sysenter },
  { name: 'SYSEXIT', code: [0x0f, 0x35], expected: '- GP GP GP GP GP', prepare: sysenter },
  { name: 'SYSENTER, null CS', code: [0x0f, 0x34], expected: 'GP GP GP GP GP GP' },
  { name: 'SYSEXIT, null CS', code: [0x0f, 0x35], expected: 'GP GP GP GP GP GP' },
  // What exists nowhere
  ...[1, 5, 6, 7].flatMap((n) => [
    { name: `MOV r32, CR${n}`, code: [0x0f, 0x20, 0xc0 | (n << 3)], expected: NOWHERE },
    { name: `MOV CR${n}, r32`, code: [0x0f, 0x22, 0xc0 | (n << 3)], expected: NOWHERE },
  ]),
  ...[4, 5].map((n) => ({
    name: `MOV r32, DR${n}, CR4.DE`,
    code: [0x0f, 0x21, 0xc0 | (n << 3)],
    expected: NOWHERE,
    prepare: (m: TestMachine) => m.cpu.writeCr4(CR4_DE),
  })),
  { name: 'RSM outside SMM', code: [0x0f, 0xaa], expected: NOWHERE },
  { name: 'UD0', code: [0x0f, 0xff, 0xc0], expected: NOWHERE },
  { name: 'UD1', code: [0x0f, 0xb9, 0xc0], expected: NOWHERE },
  { name: 'UD2', code: [0x0f, 0x0b], expected: NOWHERE },
  { name: 'SGDT r', code: [0x0f, 0x01, 0xc0], expected: NOWHERE },
  { name: 'SIDT r', code: [0x0f, 0x01, 0xc8], expected: NOWHERE },
  { name: 'LGDT r', code: [0x0f, 0x01, 0xd0], expected: NOWHERE },
  { name: 'LIDT r', code: [0x0f, 0x01, 0xd8], expected: NOWHERE },
  { name: 'INVLPG r', code: [0x0f, 0x01, 0xf8], expected: NOWHERE },
];

const SHORT: Readonly<Record<string, string>> = { runs: '-', '#GP(0)': 'GP', '#GP': 'GP', '#UD': 'UD' };

/** A machine with sane operands: EBX addresses data, the others name nothing harmful. */
function prepared(mode: Mode, iopl: number, prepare?: (m: TestMachine) => void): TestMachine {
  const m = machineIn(mode, iopl);
  m.s[EBX] = is16Bit(mode) ? 0x100 : 0x20100;
  m.s[EAX] = m.s[ECX] = m.s[EDX] = 0;
  prepare?.(m);
  return m;
}

function encoded(mode: Mode, code: readonly number[]): readonly number[] {
  return is16Bit(mode) ? [0x67, ...code] : code;
}

function row(code: readonly number[], iopl: number, prepare?: (m: TestMachine) => void): string {
  return MODES.map((mode) => {
    const text = outcome(prepared(mode, iopl, prepare), encoded(mode, code));
    return SHORT[text] ?? text;
  }).join(' ');
}

describe('each system instruction at CPL 0, 1, 2, 3, real, v86', () => {
  it.each(CASES)('$name: $expected', ({ name, code, expected, prepare }) => {
    const before = (m: TestMachine): void => {
      if (name === 'RDMSR' || name === 'WRMSR') m.s[ECX] = 0x175;
      prepare?.(m);
    };
    expect(row(code, 0, before)).toBe(expected);
    // IOPL opens none of them.
    expect(row(code, 3, before)).toBe(expected);
  });
});

describe('what IOPL opens (Vol. 1, 19.5.1 "I/O Privilege Level"; Vol. 3B, 20.2.7 "Sensitive Instructions")', () => {
  const rows: readonly (readonly [string, readonly number[], readonly string[]])[] = [
    // IOPL 0, 1, 2, 3
    ['CLI', [0xfa], ['- GP GP GP - GP', '- - GP GP - GP', '- - - GP - GP', EVERYWHERE]],
    ['STI', [0xfb], ['- GP GP GP - GP', '- - GP GP - GP', '- - - GP - GP', EVERYWHERE]],
    ['PUSHF', [0x9c], ['- - - - - GP', '- - - - - GP', '- - - - - GP', EVERYWHERE]],
    ['POPF', [0x9d], ['- - - - - GP', '- - - - - GP', '- - - - - GP', EVERYWHERE]],
    // In virtual-8086 mode ports are the bitmap's business alone; this TSS has none.
    ...(
      [
        ['IN AL, imm8', [0xe4, 0x60]],
        ['OUT imm8, AL', [0xe6, 0x60]],
        ['IN AL, DX', [0xec]],
        ['OUT DX, AL', [0xee]],
        ['INS', [0x6c]],
        ['OUTS', [0x6e]],
      ] as const
    ).map(
      ([name, code]) => [name, code, ['- GP GP GP - GP', '- - GP GP - GP', '- - - GP - GP', '- - - - - GP']] as const,
    ),
  ];
  it.each(rows)('%s', (_name, code, expected) => {
    const strings = (m: TestMachine): void => {
      m.s[6] = m.s[7] = m.s[EBX];
    };
    expect([0, 1, 2, 3].map((iopl) => row(code, iopl, strings))).toEqual(expected);
  });

  it('INT n and IRET in virtual-8086 mode', () => {
    for (const iopl of [0, 1, 2]) {
      expect(outcome(machineIn('v86', iopl), [0xcd, 0x21])).toBe('#GP(0)');
      expect(outcome(machineIn('v86', iopl), [0xcf])).toBe('#GP(0)');
    }
    expect(outcome(machineIn('v86', 3), [0xcf])).toBe('runs');
  });
});
