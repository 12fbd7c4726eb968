/**
 * Bit instructions: BT BTS BTR BTC, BSF BSR, BSWAP (SDM Vol. 2). A bit offset in a register reaches the whole bit string
 * around a memory operand; an immediate offset stays inside the operand.
 * Undefined: flags other than CF (BT..) and ZF (BSF, BSR) are left alone and so is BSF's and BSR's destination for a source
 * of zero, as the P6 does (sandpile.org "rFLAGS"); BSWAP of a 16-bit register gives zero. SETcc is in generated/conditions.ts.
 */
import { FLAG_ZF } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { changeArith, setCF } from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { sized, sizedForms } from './rows.js';

/** Offset of the 16-bit word that holds bit `bit` (signed) of the string at op's memory operand. */
function word(c: Cpu, op: Op, bit: number): number {
  return (c.ea(op) + ((bit >> 4) << 1)) & op.mask;
}

function dword(c: Cpu, op: Op, bit: number): number {
  return (c.ea(op) + ((bit >> 5) << 2)) & op.mask;
}

/** The 16-bit register that holds a bit offset, signed. */
function offset16(c: Cpu, op: Op): number {
  return (c.w[op.src] << 16) >> 16;
}

export function btE16G16(c: Cpu, op: Op): void {
  setCF(c, (c.w[op.dst] >> (c.w[op.src] & 15)) & 1);
}
export function btE32G32(c: Cpu, op: Op): void {
  setCF(c, (c.s[op.dst] >> (c.s[op.src] & 31)) & 1);
}
export function btM16G16(c: Cpu, op: Op): void {
  const bit = offset16(c, op);
  setCF(c, (c.read16(op.seg, word(c, op, bit)) >> (bit & 15)) & 1);
}
export function btM32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src];
  setCF(c, (c.read32(op.seg, dword(c, op, bit)) >> (bit & 31)) & 1);
}
export function btE16I8(c: Cpu, op: Op): void {
  setCF(c, (c.w[op.dst] >> (op.imm & 15)) & 1);
}
export function btE32I8(c: Cpu, op: Op): void {
  setCF(c, (c.s[op.dst] >> (op.imm & 31)) & 1);
}
export function btM16I8(c: Cpu, op: Op): void {
  setCF(c, (c.read16(op.seg, c.ea(op)) >> (op.imm & 15)) & 1);
}
export function btM32I8(c: Cpu, op: Op): void {
  setCF(c, (c.read32(op.seg, c.ea(op)) >> (op.imm & 31)) & 1);
}

export function btsE16G16(c: Cpu, op: Op): void {
  const bit = c.w[op.src] & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v | (1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btsE32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src] & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v | (1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btsM16G16(c: Cpu, op: Op): void {
  const bit = offset16(c, op);
  const v = c.readRmw16(op.seg, word(c, op, bit));
  c.writeRmw16(v | (1 << (bit & 15)));
  setCF(c, (v >> (bit & 15)) & 1);
}
export function btsM32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src];
  const v = c.readRmw32(op.seg, dword(c, op, bit));
  c.writeRmw32(v | (1 << (bit & 31)));
  setCF(c, (v >> (bit & 31)) & 1);
}

export function btsE16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v | (1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btsE32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v | (1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btsM16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.readRmw16(op.seg, c.ea(op));
  c.writeRmw16(v | (1 << bit));
  setCF(c, (v >> bit) & 1);
}
export function btsM32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.readRmw32(op.seg, c.ea(op));
  c.writeRmw32(v | (1 << bit));
  setCF(c, (v >> bit) & 1);
}

export function btrE16G16(c: Cpu, op: Op): void {
  const bit = c.w[op.src] & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v & ~(1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btrE32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src] & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v & ~(1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btrM16G16(c: Cpu, op: Op): void {
  const bit = offset16(c, op);
  const v = c.readRmw16(op.seg, word(c, op, bit));
  c.writeRmw16(v & ~(1 << (bit & 15)));
  setCF(c, (v >> (bit & 15)) & 1);
}
export function btrM32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src];
  const v = c.readRmw32(op.seg, dword(c, op, bit));
  c.writeRmw32(v & ~(1 << (bit & 31)));
  setCF(c, (v >> (bit & 31)) & 1);
}

export function btrE16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v & ~(1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btrE32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v & ~(1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btrM16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.readRmw16(op.seg, c.ea(op));
  c.writeRmw16(v & ~(1 << bit));
  setCF(c, (v >> bit) & 1);
}
export function btrM32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.readRmw32(op.seg, c.ea(op));
  c.writeRmw32(v & ~(1 << bit));
  setCF(c, (v >> bit) & 1);
}

export function btcE16G16(c: Cpu, op: Op): void {
  const bit = c.w[op.src] & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v ^ (1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btcE32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src] & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v ^ (1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btcM16G16(c: Cpu, op: Op): void {
  const bit = offset16(c, op);
  const v = c.readRmw16(op.seg, word(c, op, bit));
  c.writeRmw16(v ^ (1 << (bit & 15)));
  setCF(c, (v >> (bit & 15)) & 1);
}
export function btcM32G32(c: Cpu, op: Op): void {
  const bit = c.s[op.src];
  const v = c.readRmw32(op.seg, dword(c, op, bit));
  c.writeRmw32(v ^ (1 << (bit & 31)));
  setCF(c, (v >> (bit & 31)) & 1);
}

export function btcE16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.w[op.dst];
  c.w[op.dst] = v ^ (1 << bit);
  setCF(c, (v >> bit) & 1);
}

export function btcE32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.s[op.dst];
  c.s[op.dst] = v ^ (1 << bit);
  setCF(c, (v >> bit) & 1);
}
export function btcM16I8(c: Cpu, op: Op): void {
  const bit = op.imm & 15;
  const v = c.readRmw16(op.seg, c.ea(op));
  c.writeRmw16(v ^ (1 << bit));
  setCF(c, (v >> bit) & 1);
}
export function btcM32I8(c: Cpu, op: Op): void {
  const bit = op.imm & 31;
  const v = c.readRmw32(op.seg, c.ea(op));
  c.writeRmw32(v ^ (1 << bit));
  setCF(c, (v >> bit) & 1);
}

function scan(c: Cpu, v: number): boolean {
  changeArith(c, FLAG_ZF, v === 0 ? FLAG_ZF : 0); // undefined: CF OF SF AF PF
  return v !== 0; // undefined: the destination of zero
}

export function bsfG16E16(c: Cpu, op: Op): void {
  const v = c.w[op.dst];
  if (scan(c, v)) c.w[op.src] = 31 - Math.clz32(v & -v);
}
export function bsfG32E32(c: Cpu, op: Op): void {
  const v = c.s[op.dst];
  if (scan(c, v)) c.s[op.src] = 31 - Math.clz32(v & -v);
}
export function bsfG16M16(c: Cpu, op: Op): void {
  const v = c.read16(op.seg, c.ea(op));
  if (scan(c, v)) c.w[op.src] = 31 - Math.clz32(v & -v);
}
export function bsfG32M32(c: Cpu, op: Op): void {
  const v = c.read32(op.seg, c.ea(op));
  if (scan(c, v)) c.s[op.src] = 31 - Math.clz32(v & -v);
}
export function bsrG16E16(c: Cpu, op: Op): void {
  const v = c.w[op.dst];
  if (scan(c, v)) c.w[op.src] = 31 - Math.clz32(v);
}
export function bsrG32E32(c: Cpu, op: Op): void {
  const v = c.s[op.dst];
  if (scan(c, v)) c.s[op.src] = 31 - Math.clz32(v);
}
export function bsrG16M16(c: Cpu, op: Op): void {
  const v = c.read16(op.seg, c.ea(op));
  if (scan(c, v)) c.w[op.src] = 31 - Math.clz32(v);
}
export function bsrG32M32(c: Cpu, op: Op): void {
  const v = c.read32(op.seg, c.ea(op));
  if (scan(c, v)) c.s[op.src] = 31 - Math.clz32(v);
}

export function bswap16(c: Cpu, op: Op): void {
  c.w[op.dst] = 0; // undefined
}
export function bswap32(c: Cpu, op: Op): void {
  const v = c.s[op.dst];
  c.s[op.dst] = (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);
}

const btG = sizedForms(btE16G16, btE32G32, btM16G16, btM32G32);
const btI = sizedForms(btE16I8, btE32I8, btM16I8, btM32I8);
const btsG = sizedForms(btsE16G16, btsE32G32, btsM16G16, btsM32G32);
const btsI = sizedForms(btsE16I8, btsE32I8, btsM16I8, btsM32I8);
const btrG = sizedForms(btrE16G16, btrE32G32, btrM16G16, btrM32G32);
const btrI = sizedForms(btrE16I8, btrE32I8, btrM16I8, btrM32I8);
const btcG = sizedForms(btcE16G16, btcE32G32, btcM16G16, btcM32G32);
const btcI = sizedForms(btcE16I8, btcE32I8, btcM16I8, btcM32I8);
const bsf = sizedForms(bsfG16E16, bsfG32E32, bsfG16M16, bsfG32M32);
const bsr = sizedForms(bsrG16E16, bsrG32E32, bsrG16M16, bsrG32M32);

export const bitsRows: readonly OpcodeRow[] = [
  { mnemonic: 'bt', map: 2, opcode: 0xa3, operands: ['Ev', 'Gv'], handlers: btG },
  { mnemonic: 'bts', map: 2, opcode: 0xab, operands: ['Ev', 'Gv'], handlers: btsG, lockable: true },
  { mnemonic: 'btr', map: 2, opcode: 0xb3, operands: ['Ev', 'Gv'], handlers: btrG, lockable: true },
  { mnemonic: 'btc', map: 2, opcode: 0xbb, operands: ['Ev', 'Gv'], handlers: btcG, lockable: true },
  { mnemonic: 'bt', map: 2, opcode: 0xba, ext: 4, operands: ['Ev', 'Ib'], handlers: btI },
  { mnemonic: 'bts', map: 2, opcode: 0xba, ext: 5, operands: ['Ev', 'Ib'], handlers: btsI, lockable: true },
  { mnemonic: 'btr', map: 2, opcode: 0xba, ext: 6, operands: ['Ev', 'Ib'], handlers: btrI, lockable: true },
  { mnemonic: 'btc', map: 2, opcode: 0xba, ext: 7, operands: ['Ev', 'Ib'], handlers: btcI, lockable: true },
  { mnemonic: 'bsf', map: 2, opcode: 0xbc, operands: ['Gv', 'Ev'], handlers: bsf },
  { mnemonic: 'bsr', map: 2, opcode: 0xbd, operands: ['Gv', 'Ev'], handlers: bsr },
  { mnemonic: 'bswap', map: 2, opcode: 0xc8, operands: ['Zv'], handlers: sized(bswap16, bswap32), isa: 4 },
];
