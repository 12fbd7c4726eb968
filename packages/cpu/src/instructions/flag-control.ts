/**
 * CLI, STI, PUSHF, POPF (SDM Vol. 2): what IOPL and virtual-8086 mode let through. VME and PVI are not offered. STI that
 * turns interrupts on opens a shadow of one instruction.
 */
import {
  CPL,
  EFLAGS,
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VM,
  FLAGS_ARITH,
  SHADOW,
  VEC_GP,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, sized } from './rows.js';

const SHADOW_STI = 1;

/** CLI and STI: allowed when CPL <= IOPL (CPL is 3 in virtual-8086 mode and 0 in real mode). */
function mayChangeIf(c: Cpu): boolean {
  if (c.s[CPL] <= ((c.s[EFLAGS] >> 12) & 3)) return true;
  c.softFault(VEC_GP, 0);
  return false;
}

export function cli(c: Cpu): void {
  if (!mayChangeIf(c)) return;
  c.s[EFLAGS] &= ~FLAG_IF;
  if (c.attention !== 0) c.refreshAttention();
}

export function sti(c: Cpu): void {
  if (!mayChangeIf(c)) return;
  const s = c.s;
  if ((s[EFLAGS] & FLAG_IF) !== 0) return;
  s[EFLAGS] |= FLAG_IF;
  s[SHADOW] = SHADOW_STI;
  c.refreshAttention();
}

/** PUSHF and POPF in virtual-8086 mode need IOPL 3. */
function mayUseFlags(c: Cpu): boolean {
  if (!c.isV86 || (c.s[EFLAGS] & FLAG_IOPL) === FLAG_IOPL) return true;
  c.softFault(VEC_GP, 0);
  return false;
}

export function pushf16(c: Cpu): void {
  if (mayUseFlags(c)) c.push16(c.getEflags());
}
export function pushf32(c: Cpu): void {
  if (mayUseFlags(c)) c.push32(c.getEflags() & ~(FLAG_VM | FLAG_RF));
}

function loadFlags(c: Cpu, value: number, size: number): void {
  const cpl = c.s[CPL];
  const flags = c.getEflags();
  let mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;
  if (size === 4) mask |= FLAG_AC | FLAG_ID | FLAG_RF;
  if (cpl <= ((flags >> 12) & 3)) mask |= FLAG_IF;
  if (cpl === 0) mask |= FLAG_IOPL;
  mask &= c.flagsMask;
  // RF is always cleared by the 32-bit form.
  c.loadEflags((flags & ~mask) | (value & mask & ~FLAG_RF) | 2);
}

export function popf16(c: Cpu): void {
  if (mayUseFlags(c)) loadFlags(c, c.pop16(), 2);
}
export function popf32(c: Cpu): void {
  if (mayUseFlags(c)) loadFlags(c, c.pop32(), 4);
}

export const flagControlRows: readonly OpcodeRow[] = [
  { mnemonic: 'cli', map: 1, opcode: 0xfa, operands: [], handlers: anySize(cli), system: true },
  { mnemonic: 'sti', map: 1, opcode: 0xfb, operands: [], handlers: anySize(sti), system: true, ends: true },
  {
    mnemonic: 'pushf',
    map: 1,
    opcode: 0x9c,
    operands: ['Fv'],
    handlers: sized(pushf16, pushf32),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'popf',
    map: 1,
    opcode: 0x9d,
    operands: ['Fv'],
    handlers: sized(popf16, popf32),
    system: true,
    sensitive: true,
    ends: true,
  },
];
