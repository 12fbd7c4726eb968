/**
 * LGDT LIDT LLDT LTR, SGDT SIDT SLDT STR (SDM Vol. 2). The loads are ring 0's; the stores do not trap at any level, which
 * is what makes them sensitive (sensitive.ts). The LDTR and TR forms do not exist outside protected mode (#UD).
 */
import { GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, LDTR, SEG, TR } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import { loadLdtr, loadTr } from '../system/table-registers.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

function storeTable(c: Cpu, op: Op, base: number, limit: number): void {
  const at = c.ea(op);
  // With a 16-bit operand size a 286 would store FF or 00 above the 24-bit base; 386 and later store all 32 bits.
  c.write16(op.seg, at, limit);
  c.write32(op.seg, (at + 2) & op.mask, base);
}

export function sgdtM(c: Cpu, op: Op): void {
  storeTable(c, op, c.s[GDTR_BASE], c.s[GDTR_LIMIT]);
}
export function sidtM(c: Cpu, op: Op): void {
  storeTable(c, op, c.s[IDTR_BASE], c.s[IDTR_LIMIT]);
}

function loadTable(c: Cpu, op: Op, word: number): void {
  if (!c.privileged()) return;
  const at = c.ea(op);
  const limit = c.read16(op.seg, at);
  const base = c.read32(op.seg, (at + 2) & op.mask);
  c.setTable(word, op.wide ? base : base & 0xffffff, limit);
}
export function lgdtM(c: Cpu, op: Op): void {
  loadTable(c, op, GDTR_BASE);
}
export function lidtM(c: Cpu, op: Op): void {
  loadTable(c, op, IDTR_BASE);
}

function storeSelector(c: Cpu, op: Op, register: number): void {
  if (!c.isProtected) c.ud();
  const selector = c.s[SEG + register * 4];
  if (op.mem) c.write16(op.seg, c.ea(op), selector);
  else if (op.wide) c.s[op.dst] = selector;
  else c.w[op.dst] = selector;
}
export function sldt(c: Cpu, op: Op): void {
  storeSelector(c, op, LDTR);
}
export function str(c: Cpu, op: Op): void {
  storeSelector(c, op, TR);
}

function selectorOperand(c: Cpu, op: Op): number {
  return op.mem ? c.read16(op.seg, c.ea(op)) : c.w[op.dst];
}
export function lldt(c: Cpu, op: Op): void {
  if (!c.isProtected) c.ud();
  if (c.privileged()) loadLdtr(c, selectorOperand(c, op));
}
export function ltr(c: Cpu, op: Op): void {
  if (!c.isProtected) c.ud();
  if (c.privileged()) loadTr(c, selectorOperand(c, op));
}

export const tableRegisterRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'sldt',
    map: 2,
    opcode: 0x00,
    ext: 0,
    operands: ['Ev'],
    handlers: anySize(sldt, sldt),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'str',
    map: 2,
    opcode: 0x00,
    ext: 1,
    operands: ['Ev'],
    handlers: anySize(str, str),
    system: true,
    sensitive: true,
  },
  { mnemonic: 'lldt', map: 2, opcode: 0x00, ext: 2, operands: ['Ew'], handlers: anySize(lldt, lldt), system: true },
  { mnemonic: 'ltr', map: 2, opcode: 0x00, ext: 3, operands: ['Ew'], handlers: anySize(ltr, ltr), system: true },
  {
    mnemonic: 'sgdt',
    map: 2,
    opcode: 0x01,
    ext: 0,
    operands: ['Ms'],
    handlers: anySize(undefined, sgdtM),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'sidt',
    map: 2,
    opcode: 0x01,
    ext: 1,
    operands: ['Ms'],
    handlers: anySize(undefined, sidtM),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'lgdt',
    map: 2,
    opcode: 0x01,
    ext: 2,
    operands: ['Ms'],
    handlers: anySize(undefined, lgdtM),
    system: true,
  },
  {
    mnemonic: 'lidt',
    map: 2,
    opcode: 0x01,
    ext: 3,
    operands: ['Ms'],
    handlers: anySize(undefined, lidtM),
    system: true,
  },
];
