/**
 * Moves and conversions: MOV (general registers), MOVZX MOVSX, LEA, XLAT, CBW/CWDE, CWD/CDQ, NOP (SDM Vol. 2).
 * Names: E = ModR/M r/m as a register, M = the same as memory (and moffs), G = ModR/M reg field, I = immediate. The
 * accumulator forms use the E and G handlers with register 0. CMOVcc is in generated/conditions.ts, exchanges in exchange.ts.
 */
import { EAX, EBX, EDX } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, eightRows, sized, sizedForms, sizedMemory } from './rows.js';

export function movE8G8(c: Cpu, op: Op): void {
  c.b[op.dst] = c.b[op.src];
}
export function movE16G16(c: Cpu, op: Op): void {
  c.w[op.dst] = c.w[op.src];
}
export function movE32G32(c: Cpu, op: Op): void {
  const s = c.s;
  s[op.dst] = s[op.src];
}
export function movM8G8(c: Cpu, op: Op): void {
  c.write8(op.seg, c.ea(op), c.b[op.src]);
}
export function movM16G16(c: Cpu, op: Op): void {
  c.write16(op.seg, c.ea(op), c.w[op.src]);
}
export function movM32G32(c: Cpu, op: Op): void {
  c.write32(op.seg, c.ea(op), c.s[op.src]);
}
export function movG8E8(c: Cpu, op: Op): void {
  c.b[op.src] = c.b[op.dst];
}
export function movG16E16(c: Cpu, op: Op): void {
  c.w[op.src] = c.w[op.dst];
}
export function movG32E32(c: Cpu, op: Op): void {
  const s = c.s;
  s[op.src] = s[op.dst];
}
export function movG8M8(c: Cpu, op: Op): void {
  c.b[op.src] = c.read8(op.seg, c.ea(op));
}
export function movG16M16(c: Cpu, op: Op): void {
  c.w[op.src] = c.read16(op.seg, c.ea(op));
}
export function movG32M32(c: Cpu, op: Op): void {
  c.s[op.src] = c.read32(op.seg, c.ea(op));
}
export function movE8I8(c: Cpu, op: Op): void {
  c.b[op.dst] = op.imm;
}
export function movE16I16(c: Cpu, op: Op): void {
  c.w[op.dst] = op.imm;
}
export function movE32I32(c: Cpu, op: Op): void {
  c.s[op.dst] = op.imm;
}
export function movM8I8(c: Cpu, op: Op): void {
  c.write8(op.seg, c.ea(op), op.imm & 0xff);
}
export function movM16I16(c: Cpu, op: Op): void {
  c.write16(op.seg, c.ea(op), op.imm & 0xffff);
}
export function movM32I32(c: Cpu, op: Op): void {
  c.write32(op.seg, c.ea(op), op.imm);
}

export function movzxG16E8(c: Cpu, op: Op): void {
  c.w[op.src] = c.b[op.dst];
}
export function movzxG32E8(c: Cpu, op: Op): void {
  c.s[op.src] = c.b[op.dst];
}
export function movzxG16M8(c: Cpu, op: Op): void {
  c.w[op.src] = c.read8(op.seg, c.ea(op));
}
export function movzxG32M8(c: Cpu, op: Op): void {
  c.s[op.src] = c.read8(op.seg, c.ea(op));
}
export function movzxG32E16(c: Cpu, op: Op): void {
  c.s[op.src] = c.w[op.dst];
}
export function movzxG32M16(c: Cpu, op: Op): void {
  c.s[op.src] = c.read16(op.seg, c.ea(op));
}
export function movsxG16E8(c: Cpu, op: Op): void {
  c.w[op.src] = (c.b[op.dst] << 24) >> 24;
}
export function movsxG32E8(c: Cpu, op: Op): void {
  c.s[op.src] = (c.b[op.dst] << 24) >> 24;
}
export function movsxG16M8(c: Cpu, op: Op): void {
  c.w[op.src] = (c.read8(op.seg, c.ea(op)) << 24) >> 24;
}
export function movsxG32M8(c: Cpu, op: Op): void {
  c.s[op.src] = (c.read8(op.seg, c.ea(op)) << 24) >> 24;
}
export function movsxG32E16(c: Cpu, op: Op): void {
  c.s[op.src] = (c.w[op.dst] << 16) >> 16;
}
export function movsxG32M16(c: Cpu, op: Op): void {
  c.s[op.src] = (c.read16(op.seg, c.ea(op)) << 16) >> 16;
}

export function leaG16(c: Cpu, op: Op): void {
  c.w[op.src] = c.ea(op);
}
export function leaG32(c: Cpu, op: Op): void {
  c.s[op.src] = c.ea(op);
}

export function xlat(c: Cpu, op: Op): void {
  c.b[EAX] = c.read8(op.seg, (c.s[EBX] + c.b[EAX]) & op.mask);
}

export function cbw(c: Cpu): void {
  c.w[EAX * 2] = (c.b[EAX] << 24) >> 24;
}
export function cwde(c: Cpu): void {
  c.s[EAX] = (c.s[EAX] << 16) >> 16;
}
export function cwd(c: Cpu): void {
  c.w[EDX * 2] = (c.s[EAX] << 16) >> 31;
}
export function cdq(c: Cpu): void {
  c.s[EDX] = c.s[EAX] >> 31;
}

/** NOP, PAUSE and the hinting NOPs; the memory forms touch no memory. */
export function nop(): void {}

const movRows: OpcodeRow[] = [
  { mnemonic: 'mov', map: 1, opcode: 0x88, operands: ['Eb', 'Gb'], handlers: anySize(movE8G8, movM8G8) },
  {
    mnemonic: 'mov',
    map: 1,
    opcode: 0x89,
    operands: ['Ev', 'Gv'],
    handlers: sizedForms(movE16G16, movE32G32, movM16G16, movM32G32),
  },
  { mnemonic: 'mov', map: 1, opcode: 0x8a, operands: ['Gb', 'Eb'], handlers: anySize(movG8E8, movG8M8) },
  {
    mnemonic: 'mov',
    map: 1,
    opcode: 0x8b,
    operands: ['Gv', 'Ev'],
    handlers: sizedForms(movG16E16, movG32E32, movG16M16, movG32M32),
  },
  { mnemonic: 'mov', map: 1, opcode: 0xa0, operands: ['AL', 'Ob'], handlers: anySize(undefined, movG8M8) },
  { mnemonic: 'mov', map: 1, opcode: 0xa1, operands: ['eAX', 'Ov'], handlers: sizedMemory(movG16M16, movG32M32) },
  { mnemonic: 'mov', map: 1, opcode: 0xa2, operands: ['Ob', 'AL'], handlers: anySize(undefined, movM8G8) },
  { mnemonic: 'mov', map: 1, opcode: 0xa3, operands: ['Ov', 'eAX'], handlers: sizedMemory(movM16G16, movM32G32) },
  { mnemonic: 'mov', map: 1, opcode: 0xb0, operands: ['Zb', 'Ib'], handlers: anySize(movE8I8) },
  { mnemonic: 'mov', map: 1, opcode: 0xb8, operands: ['Zv', 'Iz'], handlers: sized(movE16I16, movE32I32) },
  { mnemonic: 'mov', map: 1, opcode: 0xc6, ext: 0, operands: ['Eb', 'Ib'], handlers: anySize(movE8I8, movM8I8) },
  {
    mnemonic: 'mov',
    map: 1,
    opcode: 0xc7,
    ext: 0,
    operands: ['Ev', 'Iz'],
    handlers: sizedForms(movE16I16, movE32I32, movM16I16, movM32I32),
  },
];

export const dataRows: readonly OpcodeRow[] = [
  ...movRows,
  {
    mnemonic: 'movzx',
    map: 2,
    opcode: 0xb6,
    operands: ['Gv', 'Eb'],
    handlers: sizedForms(movzxG16E8, movzxG32E8, movzxG16M8, movzxG32M8),
  },
  {
    mnemonic: 'movzx',
    map: 2,
    opcode: 0xb7,
    operands: ['Gv', 'Ew'],
    handlers: sizedForms(movG16E16, movzxG32E16, movG16M16, movzxG32M16),
  },
  {
    mnemonic: 'movsx',
    map: 2,
    opcode: 0xbe,
    operands: ['Gv', 'Eb'],
    handlers: sizedForms(movsxG16E8, movsxG32E8, movsxG16M8, movsxG32M8),
  },
  {
    mnemonic: 'movsx',
    map: 2,
    opcode: 0xbf,
    operands: ['Gv', 'Ew'],
    handlers: sizedForms(movG16E16, movsxG32E16, movG16M16, movsxG32M16),
  },
  { mnemonic: 'lea', map: 1, opcode: 0x8d, operands: ['Gv', 'M'], handlers: sizedMemory(leaG16, leaG32) },
  { mnemonic: 'xlatb', map: 1, opcode: 0xd7, operands: [], handlers: anySize(xlat) },
  { mnemonic: 'cbw', map: 1, opcode: 0x98, operands: [], handlers: sized(cbw, cwde) },
  { mnemonic: 'cwd', map: 1, opcode: 0x99, operands: [], handlers: sized(cwd, cdq) },
  { mnemonic: 'nop', map: 1, opcode: 0x90, operands: [], handlers: anySize(nop) },
  // The P6 decodes all of 0F 18..1F as NOPs with an operand; 18 is PREFETCHh where SSE exists.
  ...eightRows({ mnemonic: 'nop', map: 2, opcode: 0x18, operands: ['Ev'], handlers: anySize(nop, nop), isa: 6 }),
];
