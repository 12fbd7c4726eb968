/**
 * Debug registers: which breakpoints are armed, whether an access or a fetch hits one, and writing DR0-DR7.
 * SDM Vol. 3B, 17.2 "Debug Registers", 17.3.1 "Debug Exception (#DB)". Instruction breakpoints are faults and are looked
 * at before the fetch (run-loop.ts); data and I/O breakpoints are traps: hits gather in PENDING_DEBUG until the
 * instruction has completed. Pages with data breakpoints get no fast TLB tags, so the slow access path sees every access.
 */
import { CR4, CR4_DE, DR } from '@ringfence/sdk';
import { PENDING_DEBUG } from '../core/attention.js';
import type { CpuBase } from '../core/base.js';

export const DR6_BD = 0x2000;
export const DR6_BS = 0x4000;
export const DR6_BT = 0x8000;
export const DR7_GD = 0x2000;
export const DR6_RESET = 0xffff0ff0 | 0;
export const DR7_RESET = 0x400;

const RW_EXECUTE = 0;
const RW_WRITE = 1;
const RW_IO = 2;

function rwOf(dr7: number, n: number): number {
  return (dr7 >> (16 + n * 4)) & 3;
}

/** Bytes covered; the encoding 2 is undefined here (8 bytes on 64-bit parts) and taken as 1. */
function lengthOf(dr7: number, n: number): number {
  const code = (dr7 >> (18 + n * 4)) & 3;
  return code === 3 ? 4 : code === 1 ? 2 : 1;
}

/** After DR0-DR3, DR7 or CR4.DE changed. */
export function refreshBreakpoints(c: CpuBase): void {
  const s = c.s;
  const dr7 = s[DR + 7];
  let data = 0;
  let io = 0;
  let code = 0;
  const pages: number[] = [];
  for (let n = 0; n < 4; n++) {
    if (((dr7 >> (n * 2)) & 3) === 0) continue;
    const rw = rwOf(dr7, n);
    if (rw === RW_EXECUTE) code |= 1 << n;
    else if (rw !== RW_IO) {
      data |= 1 << n;
      pages.push(s[DR + n] >>> 12);
    } else if ((s[CR4] & CR4_DE) !== 0) io |= 1 << n;
  }
  const hadData = c.dataBreaks !== 0;
  c.dataBreaks = data;
  c.ioBreaks = io;
  c.codeBreaks = code;
  if (hadData || data !== 0) c.mmu.setSlowPages(pages);
  c.refreshAttention();
}

/** DR6 bits of the instruction breakpoints at a linear address. */
export function codeBreakHits(c: CpuBase, linear: number): number {
  let hits = 0;
  for (let n = 0; n < 4; n++) if ((c.codeBreaks & (1 << n)) !== 0 && c.s[DR + n] === linear) hits |= 1 << n;
  return hits;
}

/** Gathers the hits of a data access that took place; the trap comes after the instruction. */
export function noteDataAccess(c: CpuBase, linear: number, size: number, write: boolean): void {
  const dr7 = c.s[DR + 7];
  let hits = 0;
  for (let n = 0; n < 4; n++) {
    if ((c.dataBreaks & (1 << n)) === 0) continue;
    if (!write && rwOf(dr7, n) === RW_WRITE) continue;
    if (overlaps(c.s[DR + n], lengthOf(dr7, n), linear, size)) hits |= 1 << n;
  }
  if (hits !== 0) pend(c, hits);
}

export function noteIoAccess(c: CpuBase, port: number, size: number): void {
  const dr7 = c.s[DR + 7];
  let hits = 0;
  for (let n = 0; n < 4; n++) {
    if ((c.ioBreaks & (1 << n)) !== 0 && overlaps(c.s[DR + n], lengthOf(dr7, n), port, size)) hits |= 1 << n;
  }
  if (hits !== 0) pend(c, hits);
}

function overlaps(address: number, length: number, linear: number, size: number): boolean {
  const from = (address & -length) >>> 0;
  const start = linear >>> 0;
  return start < from + length && from < start + size;
}

function pend(c: CpuBase, bits: number): void {
  c.s[PENDING_DEBUG] |= bits;
  c.refreshAttention();
}

/** MOV DRn as ring 0; `index` 0-7 with 4 and 5 already resolved. */
export function writeDebugRegister(c: CpuBase, index: number, value: number): void {
  if (index === 6) c.s[DR + 6] = (value & 0xe00f) | DR6_RESET;
  else if (index === 7) c.s[DR + 7] = (value & 0xffff27ff) | DR7_RESET;
  else c.s[DR + index] = value;
  if (index !== 6) refreshBreakpoints(c);
}
