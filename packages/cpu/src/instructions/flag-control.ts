/**
 * CLI, STI, PUSHF, POPF (SDM Vol. 2): what IOPL and virtual-8086 mode let through; what VME and PVI make of it is in
 * events/virtual-flags.ts, what the assist `vif` makes of it in ring1-flags.ts. STI that turns interrupts on opens a shadow of one instruction; setting VIF opens none.
 */
import {
  CPL,
  EFLAGS,
  ESP,
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_ARITH,
  SHADOW,
  VEC_GP,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import {
  checkVirtualImage,
  hasVirtualFlags,
  hasVirtualIf,
  virtualImage,
  withVirtualImage,
} from '../events/virtual-flags.js';
import type { OpcodeRow } from '../table/row.js';
import { clearVirtualIf, setVirtualIf } from './ring1-flags.js';
import { anySize, sized } from './rows.js';

const SHADOW_STI = 1;

/** CPL is 3 in virtual-8086 mode and 0 in real mode. */
function mayChangeIf(c: Cpu): boolean {
  return c.s[CPL] <= ((c.s[EFLAGS] >> 12) & 3);
}

export function cli(c: Cpu): void {
  if (mayChangeIf(c)) {
    c.s[EFLAGS] &= ~FLAG_IF;
    if (c.attention !== 0) c.refreshAttention();
  } else if (hasVirtualIf(c)) {
    c.s[EFLAGS] &= ~FLAG_VIF;
  } else if (!clearVirtualIf(c)) {
    c.softFault(VEC_GP, 0);
  }
}

export function sti(c: Cpu): void {
  const s = c.s;
  if (mayChangeIf(c)) {
    if ((s[EFLAGS] & FLAG_IF) !== 0) return;
    s[EFLAGS] |= FLAG_IF;
    s[SHADOW] = SHADOW_STI;
    c.refreshAttention();
  } else if (hasVirtualIf(c) && (s[EFLAGS] & FLAG_VIP) === 0) {
    s[EFLAGS] |= FLAG_VIF;
  } else if (!setVirtualIf(c)) {
    c.softFault(VEC_GP, 0);
  }
}

/** PUSHF and POPF in virtual-8086 mode with IOPL below 3. */
function isRestricted(c: Cpu): boolean {
  return c.isV86 && (c.s[EFLAGS] & FLAG_IOPL) !== FLAG_IOPL;
}

export function pushf16(c: Cpu): void {
  if (!isRestricted(c)) c.push16(c.getEflags());
  else if (hasVirtualFlags(c)) c.push16(virtualImage(c));
  else c.softFault(VEC_GP, 0);
}
export function pushf32(c: Cpu): void {
  if (isRestricted(c)) c.softFault(VEC_GP, 0);
  else c.push32(c.getEflags() & ~(FLAG_VM | FLAG_RF));
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
  if (!isRestricted(c)) {
    loadFlags(c, c.pop16(), 2);
  } else if (hasVirtualFlags(c)) {
    const image = c.stackRead16(0);
    checkVirtualImage(c, image);
    c.setSp(c.s[ESP] + 2);
    c.loadEflags(withVirtualImage(c, image));
  } else {
    c.softFault(VEC_GP, 0);
  }
}
export function popf32(c: Cpu): void {
  if (isRestricted(c)) c.softFault(VEC_GP, 0);
  else loadFlags(c, c.pop32(), 4);
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
