/**
 * The opcode map as a whole: which encodings do not exist on a Pentium 4 (SSE2, before SSE3), and where LOCK may stand.
 * SDM Vol. 2D, appendix A "Opcode Map": tables A-2 "One-byte Opcode Map", A-3 "Two-byte Opcode Map", A-6 "Opcode Extensions
 * for One- and Two-byte Opcodes by Group Number"; Vol. 2A, "LOCK—Assert LOCK# Signal Prefix". What an encoding does is
 * other specs' business.
 *
 * Beyond the SDM's own tables, as real parts do: D6 (SALC), F1 (INT1), 82 (the alias of 80), /6 of the shifts (SAL), /1 of F6
 * and F7 (TEST). Not there: MOV to and from the test registers of the 386 and 486 (0F 24, 0F 26), the 386's LOADALL and IBTS,
 * PREFETCHW (0F 0D, later parts), RSM (no SMM: #UD, as outside SMM).
 */
import { EAX, EBX } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { buildTable, type Entry } from '../decode/form.js';
import { PENTIUM4 } from '../models.js';
import { opcodeRows } from '../table/index.js';
import { DATA, TestMachine } from '../testing/machine.js';
import { outcome } from '../testing/modes.js';

const table = buildTable(opcodeRows, PENTIUM4);

function missing(first: number): string {
  const found: string[] = [];
  for (let i = 0; i < 256; i++) if (table[first + i] === undefined) found.push(i.toString(16).padStart(2, '0'));
  return found.join(' ');
}

/** Reg fields without a form, memory and register. */
function holes(entry: Entry): { memory: string; register: string } {
  const without = (there: (reg: number) => boolean): string =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((reg) => !there(reg)).join('');
  return {
    memory: without((reg) => entry.memoryForms[reg] !== undefined),
    register: without(
      (reg) => entry.registerForms[reg] !== undefined || entry.rmForms.slice(reg * 8, reg * 8 + 8).some(Boolean),
    ),
  };
}

describe('encodings that do not exist', () => {
  it('one byte: prefixes and the escape only', () => {
    expect(missing(0)).toBe('0f 26 2e 36 3e 64 65 66 67 f0 f2 f3');
  });

  it('two bytes', () => {
    expect(missing(256)).toBe(
      [
        '04 05 07 0a 0c 0d 0e 0f', // SYSCALL and SYSRET are AMD's and 64-bit mode's
        '24 25 26 27 36 37 38 39 3a 3b 3c 3d 3e 3f',
        '78 79 7a 7b 7c 7d', // VMX; 7C and 7D: SSE3
        'a6 a7 aa b8 b9 d0 f0 ff', // RSM, UD1, SSE3, UD0
      ].join(' '),
    );
  });

  it.each([
    ['8F: group 1A', 0x8f, '1234567', '1234567'],
    ['C6: group 11', 0xc6, '1234567', '1234567'],
    ['C7: group 11', 0xc7, '1234567', '1234567'],
    ['F6: group 3', 0xf6, '', ''],
    ['F7: group 3', 0xf7, '', ''],
    ['FE: group 4', 0xfe, '234567', '234567'],
    ['FF: group 5', 0xff, '7', '357'],
    ['C0: group 2', 0xc0, '', ''],
    ['D3: group 2', 0xd3, '', ''],
    ['0F 00: group 6', 0x100, '67', '67'],
    ['0F 01: group 7', 0x101, '5', '012357'],
    ['0F BA: group 8', 0x1ba, '0123', '0123'],
    ['0F C7: group 9', 0x1c7, '0234567', '01234567'],
  ])('%s', (_name, opcode, memory, register) => {
    expect(holes(table[opcode]!)).toEqual({ memory, register });
  });

  it.each([
    ['BOUND r', [0x62, 0xc0]],
    ['LEA r', [0x8d, 0xc0]],
    ['LES r', [0xc4, 0xc0]],
    ['LDS r', [0xc5, 0xc0]],
    ['LSS r', [0x0f, 0xb2, 0xc0]],
    ['CMPXCHG8B r', [0x0f, 0xc7, 0xc8]],
    ['CALL FAR r', [0xff, 0xd8]],
    ['JMP FAR r', [0xff, 0xe8]],
    ['MOV CS, r', [0x8e, 0xc8]],
    ['MOV r, segment 6', [0x8c, 0xf0]],
    ['MOV segment 7, r', [0x8e, 0xf8]],
  ])('%s: #UD', (_name, code) => {
    expect(outcome(new TestMachine({ model: PENTIUM4 }).protectedMode(), code)).toBe('#UD');
  });
});

describe('LOCK', () => {
  // ADD OR ADC SBB AND SUB XOR, XCHG, NOT NEG, INC DEC, BTS BTR BTC, CMPXCHG, CMPXCHG8B, XADD with a memory destination
  const GROUP_1 = [0, 1, 2, 3, 4, 5, 6];
  const ALLOWED = new Set<string>([
    ...[0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31, 0x86, 0x87].map(
      (o) => `${o}`,
    ),
    ...[0x80, 0x81, 0x82, 0x83].flatMap((o) => GROUP_1.map((reg) => `${o}/${reg}`)),
    ...[0xf6, 0xf7].flatMap((o) => [`${o}/2`, `${o}/3`]),
    ...[0xfe, 0xff].flatMap((o) => [`${o}/0`, `${o}/1`]),
    ...[0x1ab, 0x1b3, 0x1bb, 0x1b0, 0x1b1, 0x1c0, 0x1c1].map((o) => `${o}`),
    ...[5, 6, 7].map((reg) => `${0x1ba}/${reg}`),
    `${0x1c7}/1`,
  ]);

  it('may stand before these, with a memory destination, and nothing else', () => {
    const found = new Set<string>();
    for (const row of opcodeRows) {
      if (row.lockable !== true) continue;
      const opcode = (row.map - 1) * 256 + row.opcode;
      found.add(row.ext === undefined ? `${opcode}` : `${opcode}/${row.ext}`);
    }
    expect([...found].sort()).toEqual([...ALLOWED].sort());
  });

  it('every other encoding with LOCK raises #UD, those with a register destination too', () => {
    const failures: string[] = [];
    for (let opcode = 0; opcode < 512; opcode++) {
      const entry = table[opcode];
      if (opcode === 0x0f || entry === undefined) continue;
      for (let reg = 0; reg < 8; reg++) {
        for (const memory of [false, true]) {
          const allowed = memory && (ALLOWED.has(`${opcode}`) || ALLOWED.has(`${opcode}/${reg}`));
          if (allowed) continue;
          const modrm = (memory ? 0x03 : 0xc0) | (reg << 3);
          const code = [0xf0, ...(opcode > 255 ? [0x0f] : []), opcode & 0xff, modrm, 0, 0, 0, 0, 0];
          const m = locked;
          m.s.set(start);
          m.s[EBX] = DATA;
          m.s[EAX] = 0;
          m.cpu.stateChanged();
          const text = outcome(m, code);
          if (text !== '#UD') failures.push(`${code.map((b) => b.toString(16)).join(' ')}: ${text}`);
        }
        if (!entry.modrm && entry.byPrefix === undefined) break;
      }
    }
    expect(failures).toEqual([]);
  });

  const locked = new TestMachine({ model: PENTIUM4 }).protectedMode();
  const start = locked.s.slice();
});
