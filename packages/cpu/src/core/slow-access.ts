/**
 * The slow half of memory access: segment limit and rights in full, alignment, page crossings, translation, device
 * memory, code pages, data breakpoints. Order of faults (SDM Vol. 3A, table 6-2 "Priority Among Concurrent Events"):
 * segment, alignment, page of the first byte, page of the last. Nothing is written before every check has passed.
 */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AR_CODE,
  AR_DB,
  AR_DC,
  AR_RW,
  AR_UNUSABLE,
  CR0,
  CR0_WP,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  TLB_ADDEND,
  TLB_MASK,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
  VEC_AC,
} from '@ringfence/sdk';
import { noteDataAccess } from '../events/breakpoints.js';
import type { CpuBase } from './base.js';

/** Checks `size` bytes at `off` of segment `seg`; answers the linear address. `alignment` is what #AC goes by. */
export function checkSegment(
  c: CpuBase,
  seg: number,
  off: number,
  size: number,
  write: boolean,
  alignment = size,
): number {
  const at = SEG + seg * 4;
  const access = c.s[at + SEG_ACCESS];
  if ((access & AR_UNUSABLE) !== 0) c.segmentFault(seg);
  const first = off >>> 0;
  const last = first + size - 1;
  const limit = c.s[at + SEG_LIMIT] >>> 0;
  if (c.isProtected) {
    if ((access & AR_CODE) !== 0) {
      if (write || (access & AR_RW) === 0) c.segmentFault(seg);
    } else if (write && (access & AR_RW) === 0) {
      c.segmentFault(seg);
    }
    if ((access & (AR_CODE | AR_DC)) === AR_DC) {
      const top = (access & AR_DB) !== 0 ? 0xffffffff : 0xffff;
      if (first <= limit || last > top) c.segmentFault(seg);
    } else if (last > limit) {
      c.segmentFault(seg);
    }
  } else if (last > limit) {
    c.segmentFault(seg);
  }
  const linear = (c.s[at + SEG_BASE] + off) | 0;
  if (c.alignOn && (linear & (alignment - 1)) !== 0) c.fault(VEC_AC, 0);
  return linear;
}

/** Translates or raises #PF. */
export function translate(c: CpuBase, linear: number, access: number, user: number): number {
  const physical = c.mmu.translate(linear, access, user);
  if (physical < 0) c.pageFault(linear, c.mmu.faultCode);
  return physical;
}

export function readSlow(c: CpuBase, seg: number, off: number, size: number): number {
  const linear = checkSegment(c, seg, off, size, false);
  const value = readTranslated(c, linear, size, c.user);
  if (c.dataBreaks !== 0) noteDataAccess(c, linear, size, false);
  return value;
}

export function writeSlow(c: CpuBase, seg: number, off: number, size: number, value: number): void {
  const linear = checkSegment(c, seg, off, size, true);
  writeTranslated(c, linear, size, value, c.user);
  if (c.dataBreaks !== 0) noteDataAccess(c, linear, size, true);
}

/**
 * Reads at a linear address with the rights of `user` (1) or of a supervisor (0): descriptor tables, TSS, event frames.
 * Tries the TLB tags first, because a monitored guest traps all the time.
 */
export function readLinearAs(c: CpuBase, linear: number, size: number, user: number): number {
  const index = (linear >>> 12) & TLB_MASK;
  const bank = user !== 0 ? TLB_READ_USER : TLB_READ_SUPERVISOR;
  if (c.tlb[bank + index] === ((linear & -4096) | c.mmu.generation) && (linear & 0xfff) + size <= 4096) {
    const at = (linear + c.tlb[TLB_ADDEND + index]) >>> 0;
    return size === 4 ? c.view.getInt32(at, true) : size === 2 ? c.view.getUint16(at, true) : c.view.getUint8(at);
  }
  return readTranslated(c, linear, size, user);
}

function readTranslated(c: CpuBase, linear: number, size: number, user: number): number {
  const first = translate(c, linear, ACCESS_READ, user);
  const inPage = 4096 - (linear & 0xfff);
  if (inPage >= size) return c.space.read(first, size);
  const second = translate(c, (linear + inPage) | 0, ACCESS_READ, user);
  return readSplit(c, first, second, inPage, size);
}

export function writeLinearAs(c: CpuBase, linear: number, size: number, value: number, user: number): void {
  const index = (linear >>> 12) & TLB_MASK;
  const supervisor = (c.s[CR0] & CR0_WP) !== 0 ? TLB_WRITE_SUPERVISOR : TLB_WRITE_UNPROTECTED;
  const bank = user !== 0 ? TLB_WRITE_USER : supervisor;
  if (c.tlb[bank + index] === ((linear & -4096) | c.mmu.generation) && (linear & 0xfff) + size <= 4096) {
    const at = (linear + c.tlb[TLB_ADDEND + index]) >>> 0;
    if (size === 4) c.view.setInt32(at, value, true);
    else if (size === 2) c.view.setInt16(at, value, true);
    else c.view.setInt8(at, value);
    return;
  }
  writeTranslated(c, linear, size, value, user);
}

function writeTranslated(c: CpuBase, linear: number, size: number, value: number, user: number): void {
  const first = translate(c, linear, ACCESS_WRITE, user);
  const inPage = 4096 - (linear & 0xfff);
  if (inPage >= size) {
    c.space.write(first, size, value);
    return;
  }
  const second = translate(c, (linear + inPage) | 0, ACCESS_WRITE, user);
  writeSplit(c, first, second, inPage, size, value);
}

export function readRmwSlow(c: CpuBase, seg: number, off: number, size: number): number {
  const linear = checkSegment(c, seg, off, size, true);
  const first = translate(c, linear, ACCESS_WRITE, c.user);
  const inPage = 4096 - (linear & 0xfff);
  c.rmwAt = -1;
  c.rmwLinear = linear;
  c.rmwFirst = first;
  if (inPage >= size) return c.space.read(first, size);
  c.rmwSecond = translate(c, (linear + inPage) | 0, ACCESS_WRITE, c.user);
  return readSplit(c, first, c.rmwSecond, inPage, size);
}

export function writeRmwSlow(c: CpuBase, size: number, value: number): void {
  const inPage = 4096 - (c.rmwLinear & 0xfff);
  if (inPage >= size) c.space.write(c.rmwFirst, size, value);
  else writeSplit(c, c.rmwFirst, c.rmwSecond, inPage, size, value);
  // One access of both kinds: a write breakpoint and a read/write breakpoint both see it.
  if (c.dataBreaks !== 0) noteDataAccess(c, c.rmwLinear, size, true);
}

function readSplit(c: CpuBase, first: number, second: number, inPage: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) {
    const byte = c.space.read(i < inPage ? first + i : second + i - inPage, 1);
    value |= byte << (i * 8);
  }
  return value;
}

function writeSplit(c: CpuBase, first: number, second: number, inPage: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) {
    c.space.write(i < inPage ? first + i : second + i - inPage, 1, (value >> (i * 8)) & 0xff);
  }
}
