/**
 * MXCSR, memory ordering and cache hints: LDMXCSR STMXCSR SFENCE LFENCE MFENCE PREFETCHh CLFLUSH (SDM Vol. 1, 10.4.6 "SSE
 * Cacheability Control, Prefetch, and Memory Ordering Instructions"; Vol. 2). Memory is coherent and in order and there are no
 * caches, so fences and prefetches do nothing; CLFLUSH only checks its operand, as a read of a byte. PAUSE is NOP (data.ts).
 */
import { ACCESS_READ, AR_CODE, AR_RW, AR_UNUSABLE, SEG, SEG_ACCESS, SEG_BASE, SEG_LIMIT } from '@ringfence/sdk';
import { translate } from '../core/slow-access.js';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import { sseReady } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

/** #GP(0) for a reserved bit. An unmasked exception whose flag is set raises nothing here. */
export function ldmxcsr(c: Cpu, op: Op): void {
  sseReady(c);
  const value = c.read32(op.seg, c.ea(op));
  if ((value & ~c.sse.mxcsrMask) !== 0) c.gp(0);
  c.sse.mxcsr = value;
}

export function stmxcsr(c: Cpu, op: Op): void {
  sseReady(c);
  c.write32(op.seg, c.ea(op), c.sse.mxcsr);
}

/** Fences ask for neither OSFXSR nor an FPU. */
export function fence(): void {}

/** A hint: no fault, not even for its address. */
export function prefetch(): void {}

/** As a load of one byte, but a code segment need not be readable for it (SDM Vol. 2, "CLFLUSH—Flush Cache Line"). */
export function clflush(c: Cpu, op: Op): void {
  const at = SEG + op.seg * 4;
  const off = c.ea(op);
  if ((c.s[at + SEG_ACCESS] & (AR_CODE | AR_RW | AR_UNUSABLE)) !== AR_CODE) {
    c.read8(op.seg, off);
    return;
  }
  if (off >>> 0 > c.s[at + SEG_LIMIT] >>> 0) c.segmentFault(op.seg);
  translate(c, (c.s[at + SEG_BASE] + off) | 0, ACCESS_READ, c.user);
}

/** 0F AE without a mandatory prefix. */
const group15 = { map: 2, opcode: 0xae, prefix: 0 } as const;
const hint = {
  map: 2,
  opcode: 0x18,
  operands: ['Mb'],
  handlers: anySize(undefined, prefetch),
  feature: 'sse',
} as const;

export const sseControlRows: readonly OpcodeRow[] = [
  { ...group15, mnemonic: 'ldmxcsr', ext: 2, operands: ['Md'], handlers: anySize(undefined, ldmxcsr), feature: 'sse' },
  { ...group15, mnemonic: 'stmxcsr', ext: 3, operands: ['Md'], handlers: anySize(undefined, stmxcsr), feature: 'sse' },
  { ...group15, mnemonic: 'lfence', ext: 5, operands: [], handlers: anySize(fence), feature: 'sse2' },
  { ...group15, mnemonic: 'mfence', ext: 6, operands: [], handlers: anySize(fence), feature: 'sse2' },
  { ...group15, mnemonic: 'sfence', ext: 7, operands: [], handlers: anySize(fence), feature: 'sse' },
  {
    ...group15,
    mnemonic: 'clflush',
    ext: 7,
    operands: ['Mb'],
    handlers: anySize(undefined, clflush),
    feature: 'clfsh',
  },
];

/** Stand before the NOPs that these opcodes are without SSE. */
export const prefetchRows: readonly OpcodeRow[] = [
  { ...hint, mnemonic: 'prefetchnta', ext: 0 },
  { ...hint, mnemonic: 'prefetcht0', ext: 1 },
  { ...hint, mnemonic: 'prefetcht1', ext: 2 },
  { ...hint, mnemonic: 'prefetcht2', ext: 3 },
];
