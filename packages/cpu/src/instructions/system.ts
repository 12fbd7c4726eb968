/**
 * Ring 0's instructions on control and debug registers and MSRs, HLT, cache and TLB control, and what asks about the
 * machine: CPUID, RDTSC, RDPMC, SMSW (SDM Vol. 2). Everything that may change how code is fetched, counted or interrupted
 * ends its block.
 */
import {
  ASSIST_TRAP_CPUID,
  CPL,
  CR0,
  CR0_PE,
  CR0_TS,
  CR2,
  CR3,
  CR4,
  CR4_DE,
  CR4_PCE,
  CR4_TSD,
  DR,
  EAX,
  EBX,
  ECX,
  EDX,
  HALTED,
  MSR_ASSIST,
  SEG,
  SEG_BASE,
  VEC_DB,
  VEC_GP,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { NO_CODE } from '../core/fault.js';
import { DR6_BD, DR7_GD, writeDebugRegister } from '../events/breakpoints.js';
import type { Op } from '../op.js';
import { cr4Mask, writeCr0, writeCr4 } from '../system/control-registers.js';
import { cpuid, cpuidResult } from '../system/cpuid.js';
import { msrValue, readMsr, readTsc, writeMsr } from '../system/msr.js';
import { counterValue, readCounter } from '../system/performance.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

const CR0_LMSW = 0xf;

/** Raises #UD for a control register the model does not have. */
function checkControl(c: Cpu, index: number): void {
  if (index !== 0 && index !== 2 && index !== 3 && !(index === 4 && cr4Mask(c.model) !== 0)) c.ud();
}

export function movR32C(c: Cpu, op: Op): void {
  checkControl(c, op.src);
  if (!c.privileged()) return;
  const s = c.s;
  s[op.dst] = op.src === 0 ? s[CR0] : op.src === 2 ? s[CR2] : op.src === 3 ? s[CR3] : s[CR4];
}

export function movCR32(c: Cpu, op: Op): void {
  checkControl(c, op.src);
  if (!c.privileged()) return;
  const value = c.s[op.dst];
  if (op.src === 0) writeCr0(c, value);
  else if (op.src === 2) c.s[CR2] = value;
  else if (op.src === 3) c.setCr3(value);
  else writeCr4(c, value);
}

/** The debug register meant: DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them #UD. General detect is a fault. */
function debugIndex(c: Cpu, op: Op): number {
  let index = op.src;
  if (index === 4 || index === 5) {
    if ((c.s[CR4] & CR4_DE) !== 0) c.ud();
    index += 2;
  }
  if (!c.privileged()) return -1;
  if ((c.s[DR + 7] & DR7_GD) !== 0) {
    c.s[DR + 6] |= DR6_BD;
    c.fault(VEC_DB, NO_CODE);
  }
  return index;
}

export function movR32D(c: Cpu, op: Op): void {
  const index = debugIndex(c, op);
  if (index >= 0) c.s[op.dst] = c.s[DR + index];
}
export function movDR32(c: Cpu, op: Op): void {
  const index = debugIndex(c, op);
  if (index >= 0) writeDebugRegister(c, index, c.s[op.dst]);
}

export function smsw(c: Cpu, op: Op): void {
  if (op.mem) c.write16(op.seg, c.ea(op), c.s[CR0]);
  else if (op.wide) c.s[op.dst] = c.s[CR0];
  else c.w[op.dst] = c.s[CR0];
}
export function lmsw(c: Cpu, op: Op): void {
  if (!c.privileged()) return;
  const value = op.mem ? c.read16(op.seg, c.ea(op)) : c.w[op.dst];
  const old = c.s[CR0];
  // LMSW can set PE but not clear it.
  writeCr0(c, (old & ~CR0_LMSW) | (value & CR0_LMSW) | (old & CR0_PE));
}
export function clts(c: Cpu): void {
  if (!c.privileged()) return;
  c.s[CR0] &= ~CR0_TS;
  c.mmu.writeCr0(c.s[CR0]);
}
export function invlpgM(c: Cpu, op: Op): void {
  if (!c.privileged()) return;
  c.invlpg((c.s[SEG + op.seg * 4 + SEG_BASE] + c.ea(op)) | 0);
}
export function hlt(c: Cpu): void {
  if (!c.privileged()) return;
  c.s[HALTED] = 1;
  c.refreshAttention();
}
/** INVD, WBINVD: there are no caches to flush. */
export function invd(c: Cpu): void {
  c.privileged();
}

export function rdtsc(c: Cpu): void {
  if ((c.s[CR4] & CR4_TSD) !== 0 && c.s[CPL] !== 0) {
    c.softFault(VEC_GP, 0);
    return;
  }
  readTsc(c);
  c.s[EAX] = msrValue.low;
  c.s[EDX] = msrValue.high;
}
export function rdpmc(c: Cpu): void {
  const allowed = (c.s[CR4] & CR4_PCE) !== 0 || c.s[CPL] === 0;
  if (!allowed || !readCounter(c.s, c.model, c.s[ECX])) {
    c.softFault(VEC_GP, 0);
    return;
  }
  c.s[EAX] = counterValue.low;
  c.s[EDX] = counterValue.high;
}
export function rdmsr(c: Cpu): void {
  if (!c.privileged()) return;
  readMsr(c, c.s[ECX]);
  c.s[EAX] = msrValue.low;
  c.s[EDX] = msrValue.high;
}
export function wrmsr(c: Cpu): void {
  if (c.privileged()) writeMsr(c, c.s[ECX], c.s[EAX], c.s[EDX]);
}

export function cpuidHandler(c: Cpu): void {
  if ((c.s[MSR_ASSIST] & ASSIST_TRAP_CPUID) !== 0 && c.s[CPL] !== 0) {
    c.softFault(VEC_GP, 0);
    return;
  }
  cpuid(c.model, c.s[EAX], c.s[ECX], c.bus.localApic?.enabled);
  c.s[EAX] = cpuidResult[0];
  c.s[EBX] = cpuidResult[1];
  c.s[ECX] = cpuidResult[2];
  c.s[EDX] = cpuidResult[3];
}

export function ud2(c: Cpu): void {
  c.ud();
}

export const systemRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'mov',
    map: 2,
    opcode: 0x20,
    operands: ['Ed', 'Cd'],
    handlers: { r32: movR32C },
    fixedSize: 32,
    system: true,
  },
  {
    mnemonic: 'mov',
    map: 2,
    opcode: 0x21,
    operands: ['Ed', 'Dd'],
    handlers: { r32: movR32D },
    fixedSize: 32,
    system: true,
  },
  {
    mnemonic: 'mov',
    map: 2,
    opcode: 0x22,
    operands: ['Cd', 'Ed'],
    handlers: { r32: movCR32 },
    fixedSize: 32,
    system: true,
    ends: true,
  },
  {
    mnemonic: 'mov',
    map: 2,
    opcode: 0x23,
    operands: ['Dd', 'Ed'],
    handlers: { r32: movDR32 },
    fixedSize: 32,
    system: true,
    ends: true,
  },
  {
    mnemonic: 'smsw',
    map: 2,
    opcode: 0x01,
    ext: 4,
    operands: ['Ev'],
    handlers: anySize(smsw, smsw),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'lmsw',
    map: 2,
    opcode: 0x01,
    ext: 6,
    operands: ['Ew'],
    handlers: anySize(lmsw, lmsw),
    system: true,
    ends: true,
  },
  {
    mnemonic: 'invlpg',
    map: 2,
    opcode: 0x01,
    ext: 7,
    operands: ['M'],
    handlers: anySize(undefined, invlpgM),
    isa: 4,
    system: true,
    ends: true,
  },
  { mnemonic: 'clts', map: 2, opcode: 0x06, operands: [], handlers: anySize(clts), system: true },
  { mnemonic: 'invd', map: 2, opcode: 0x08, operands: [], handlers: anySize(invd), isa: 4, system: true },
  { mnemonic: 'wbinvd', map: 2, opcode: 0x09, operands: [], handlers: anySize(invd), isa: 4, system: true },
  { mnemonic: 'ud2', map: 2, opcode: 0x0b, operands: [], handlers: anySize(ud2), ends: true },
  { mnemonic: 'hlt', map: 1, opcode: 0xf4, operands: [], handlers: anySize(hlt), system: true, ends: true },
  {
    mnemonic: 'wrmsr',
    map: 2,
    opcode: 0x30,
    operands: [],
    handlers: anySize(wrmsr),
    feature: 'msr',
    system: true,
    ends: true,
  },
  { mnemonic: 'rdtsc', map: 2, opcode: 0x31, operands: [], handlers: anySize(rdtsc), feature: 'tsc', system: true },
  { mnemonic: 'rdmsr', map: 2, opcode: 0x32, operands: [], handlers: anySize(rdmsr), feature: 'msr', system: true },
  { mnemonic: 'rdpmc', map: 2, opcode: 0x33, operands: [], handlers: anySize(rdpmc), isa: 6, system: true },
  { mnemonic: 'cpuid', map: 2, opcode: 0xa2, operands: [], handlers: anySize(cpuidHandler), isa: 4, system: true },
];
