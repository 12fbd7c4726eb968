/**
 * Reading descriptors from the GDT and LDT, and taking them apart. SDM Vol. 3A, 3.4.5 "Segment Descriptors", 3.5 "System
 * Descriptor Types". Table accesses are implicit supervisor accesses: they obey paging (and CR0.WP for writes) whatever
 * the CPL is. Says nothing about who may load what: see load.ts and the far-transfer files.
 */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AR_UNUSABLE,
  GDTR_BASE,
  GDTR_LIMIT,
  LDTR,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
} from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';
import { readLinearAs, translate, writeLinearAs } from '../core/slow-access.js';

// System descriptor types (SDM Vol. 3A, table 3-2)
export const SYS_TSS16 = 1;
export const SYS_LDT = 2;
export const SYS_TSS16_BUSY = 3;
export const SYS_CALL16 = 4;
export const SYS_TASK_GATE = 5;
export const SYS_INT16 = 6;
export const SYS_TRAP16 = 7;
export const SYS_TSS32 = 9;
export const SYS_TSS32_BUSY = 11;
export const SYS_CALL32 = 12;
export const SYS_INT32 = 14;
export const SYS_TRAP32 = 15;

/** A descriptor as read from its table. `address` is linear. */
export interface Descriptor {
  readonly selector: number;
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Linear address of a selector's descriptor, or -1 (as a value no address has) beyond the table's limit. */
function descriptorAddress(c: CpuBase, selector: number): number | undefined {
  const offset = selector & 0xfff8;
  if ((selector & 4) === 0) {
    return offset + 7 > (c.s[GDTR_LIMIT] & 0xffff) ? undefined : (c.s[GDTR_BASE] + offset) | 0;
  }
  const ldt = SEG + LDTR * 4;
  if ((c.s[ldt + SEG_ACCESS] & AR_UNUSABLE) !== 0 || offset + 7 > c.s[ldt + SEG_LIMIT] >>> 0) return undefined;
  return (c.s[ldt + SEG_BASE] + offset) | 0;
}

/** Reads a selector's descriptor, or raises `vector` with the selector (plus EXT) when it is beyond the table. */
export function readDescriptor(c: CpuBase, selector: number, vector: number): Descriptor {
  const address = descriptorAddress(c, selector);
  if (address === undefined) c.fault(vector, (selector & 0xfffc) | c.ext);
  return readDescriptorAt(c, selector, address);
}

/** The same, answering undefined beyond the table (LAR, LSL, VERR, VERW). */
export function tryReadDescriptor(c: CpuBase, selector: number): Descriptor | undefined {
  const address = descriptorAddress(c, selector);
  return address === undefined ? undefined : readDescriptorAt(c, selector, address);
}

function readDescriptorAt(c: CpuBase, selector: number, address: number): Descriptor {
  const low = readLinearAs(c, address, 4, 0);
  const high = readLinearAs(c, (address + 4) | 0, 4, 0);
  return { selector, address, low, high };
}

/** Rights in the AR_* layout of the SDK. */
export function accessOf(high: number): number {
  return (high >>> 8) & 0xf0ff;
}

export function baseOf(low: number, high: number): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
}

/** Limit in bytes, as an int32 holding an unsigned value. */
export function limitOf(low: number, high: number): number {
  const raw = (low & 0xffff) | (high & 0xf0000);
  return (high & 0x800000) !== 0 ? (raw << 12) | 0xfff : raw;
}

export function dplOf(high: number): number {
  return (high >>> 13) & 3;
}

export function isPresent(high: number): boolean {
  return (high & 0x8000) !== 0;
}

/** Code or data, not system. */
export function isSegment(high: number): boolean {
  return (high & 0x1000) !== 0;
}

export function isCode(high: number): boolean {
  return (high & 0x1800) === 0x1800;
}

export function isConforming(high: number): boolean {
  return (high & 0x400) !== 0;
}

export function isWritableData(high: number): boolean {
  return (high & 0x1a00) === 0x1200;
}

/** Data, or code that may be read. */
export function isReadable(high: number): boolean {
  return (high & 0x1000) !== 0 && (high & 0xa00) !== 0x800;
}

/** Type field of a system descriptor, or -1 for code and data. */
export function systemType(high: number): number {
  return (high & 0x1000) !== 0 ? -1 : (high >>> 8) & 15;
}

/**
 * Sets the Accessed bit in memory if it is clear: an implicit supervisor write that page protection and CR0.WP apply to.
 * No write at all when it is set already.
 */
export function markAccessed(c: CpuBase, d: Descriptor): void {
  if ((d.high & 0x100) !== 0) return;
  writeLinearAs(c, (d.address + 5) | 0, 1, ((d.high >>> 8) & 0xff) | 1, 0);
}

/** Raises the page fault that a later `markAccessed` would raise, without writing. */
export function checkMarkable(c: CpuBase, d: Descriptor): void {
  if ((d.high & 0x100) === 0) translate(c, (d.address + 5) | 0, ACCESS_WRITE, 0);
}

/** Sets or clears a TSS descriptor's busy bit in memory. */
export function setBusy(c: CpuBase, address: number, busy: boolean): void {
  const at = (address + 5) | 0;
  const old = readLinearAs(c, at, 1, 0);
  writeLinearAs(c, at, 1, busy ? old | 2 : old & ~2, 0);
}

/** Raises the page fault that reading `size` bytes at a linear address as a supervisor would raise. */
export function checkReadable(c: CpuBase, linear: number, size: number): void {
  translate(c, linear, ACCESS_READ, 0);
  if ((linear & 0xfff) + size > 4096) translate(c, (linear + size - 1) & -4096, ACCESS_READ, 0);
}
