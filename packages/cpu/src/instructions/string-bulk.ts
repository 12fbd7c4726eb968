/**
 * Many iterations of a REP string instruction at once, inside one page of plain memory on each side. A bulk function does
 * as many iterations as it can vouch for, at most `max`, moves (E)SI and (E)DI, and answers how many it did; 0 means that
 * the next iteration must go step by step (a TLB miss, device memory, code, a segment's or page's edge, alignment checks).
 * Nothing here can fault or have any effect besides memory and registers, so interrupts and counts stay exact.
 *
 * Overlap: REP MOVS copies element by element, so a target inside the source run repeats a pattern. Bytes are moved with
 * `copyWithin` (memmove) only where that gives the same; else element by element, which is exact whatever overlaps.
 */
import { EAX, EDI, EFLAGS, ES, ESI, FLAG_DF, SEG, SEG_BASE, SEG_WORDS } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { REP_E, type Op } from '../op.js';
import { compare16, compare32, compare8, moveSource, moveTarget } from './string-step.js';

export type Bulk = (c: Cpu, op: Op, size: number, max: number) => number;

const PAGE_MASK = 0xfff;
/** Below this many bytes a loop beats the call of `copyWithin`. */
const FEW = 64;

function linear(c: Cpu, seg: number, off: number): number {
  return (c.s[SEG + seg * SEG_WORDS + SEG_BASE] + off) | 0;
}

/**
 * How many elements, at most `max`, lie from `off` on (down from it when `down`) within one page, within the segment as
 * far as `last` allows (`segReadMax`, `segWriteMax`), and before the offset wraps.
 */
function run(off: number, lin: number, last: number, size: number, max: number, down: boolean): number {
  const at = off >>> 0;
  const inPage = lin & PAGE_MASK;
  let n: number;
  if (down) {
    if (inPage + size > 4096 || at + size - 1 > last) return 0;
    n = Math.min(inPage, at);
    n = Math.floor(n / size) + 1;
  } else {
    n = Math.floor(Math.min(4096 - inPage, last + 1 - at) / size);
  }
  return n < max ? n : max;
}

/** Offsets wrap at 64K under 16-bit addressing whatever the segment's limit. */
function lastOffset(limit: number, mask: number): number {
  return mask === -1 ? limit : Math.min(limit, 0xffff);
}

function isDown(c: Cpu): boolean {
  return (c.s[EFLAGS] & FLAG_DF) !== 0;
}

export function movsBulk(c: Cpu, op: Op, size: number, max: number): number {
  if (c.alignOn) return 0;
  const down = isDown(c);
  const mask = op.mask;
  const si = c.s[ESI] & mask;
  const di = c.s[EDI] & mask;
  const from = linear(c, op.seg, si);
  const to = linear(c, ES, di);
  let n = run(si, from, lastOffset(c.segReadMax[op.seg], mask), size, max, down);
  n = run(di, to, lastOffset(c.segWriteMax[ES], mask), size, n, down);
  if (n <= 0) return 0;
  const source = c.fastReadAddress(from);
  const target = c.fastWriteAddress(to);
  if (source === -1 || target === -1) return 0;
  if (down) copyDown(c, source, target, size, n);
  else copyUp(c, source, target, size, n);
  const step = down ? -n * size : n * size;
  moveSource(c, op, step);
  moveTarget(c, op, step);
  return n;
}

function copyUp(c: Cpu, source: number, target: number, size: number, n: number): void {
  const bytes = n * size;
  if (bytes >= FEW && (target <= source || target >= source + bytes)) {
    c.memory.u8.copyWithin(target, source, source + bytes);
    return;
  }
  const view = c.view;
  if (size === 4) {
    for (let i = 0; i < bytes; i += 4) view.setInt32(target + i, view.getInt32(source + i, true), true);
  } else if (size === 2) {
    for (let i = 0; i < bytes; i += 2) view.setInt16(target + i, view.getInt16(source + i, true), true);
  } else {
    for (let i = 0; i < bytes; i++) view.setInt8(target + i, view.getInt8(source + i));
  }
}

function copyDown(c: Cpu, source: number, target: number, size: number, n: number): void {
  const bytes = n * size;
  const low = source + size - bytes;
  const lowTarget = target + size - bytes;
  if (bytes >= FEW && (lowTarget >= low || lowTarget + bytes <= low)) {
    c.memory.u8.copyWithin(lowTarget, low, low + bytes);
    return;
  }
  const view = c.view;
  if (size === 4) {
    for (let i = 0; i < bytes; i += 4) view.setInt32(target - i, view.getInt32(source - i, true), true);
  } else if (size === 2) {
    for (let i = 0; i < bytes; i += 2) view.setInt16(target - i, view.getInt16(source - i, true), true);
  } else {
    for (let i = 0; i < bytes; i++) view.setInt8(target - i, view.getInt8(source - i));
  }
}

export function stosBulk(c: Cpu, op: Op, size: number, max: number): number {
  if (c.alignOn) return 0;
  const down = isDown(c);
  const mask = op.mask;
  const di = c.s[EDI] & mask;
  const to = linear(c, ES, di);
  const n = run(di, to, lastOffset(c.segWriteMax[ES], mask), size, max, down);
  if (n <= 0) return 0;
  const target = c.fastWriteAddress(to);
  if (target === -1) return 0;
  const bytes = n * size;
  fill(c, down ? target + size - bytes : target, size, bytes);
  moveTarget(c, op, down ? -bytes : bytes);
  return n;
}

function fill(c: Cpu, at: number, size: number, bytes: number): void {
  const value = c.s[EAX];
  const low = value & 0xff;
  const uniform = size === 1 || (size === 2 ? (value & 0xffff) === low * 0x101 : value === ((low * 0x1010101) | 0));
  if (uniform && bytes >= FEW) {
    c.memory.u8.fill(low, at, at + bytes);
    return;
  }
  const view = c.view;
  const end = at + bytes;
  if (size === 4) for (let i = at; i < end; i += 4) view.setInt32(i, value, true);
  else if (size === 2) for (let i = at; i < end; i += 2) view.setInt16(i, value, true);
  else for (let i = at; i < end; i++) view.setInt8(i, value);
}

/** LODS has nothing to gain but its last element; steps do. */
export function noBulk(): number {
  return 0;
}

function load(c: Cpu, at: number, size: number): number {
  const view = c.view;
  return size === 4 ? view.getInt32(at, true) : size === 2 ? view.getInt16(at, true) : view.getInt8(at);
}

function setFlags(c: Cpu, size: number, first: number, second: number): void {
  if (size === 4) compare32(c, first, second);
  else if (size === 2) compare16(c, first, second);
  else compare8(c, first, second);
}

/** Stops after the element that ends the instruction; the flags are those of the last element compared. */
export function scasBulk(c: Cpu, op: Op, size: number, max: number): number {
  if (c.alignOn) return 0;
  const down = isDown(c);
  const mask = op.mask;
  const di = c.s[EDI] & mask;
  const to = linear(c, ES, di);
  const n = run(di, to, lastOffset(c.segReadMax[ES], mask), size, max, down);
  if (n <= 0) return 0;
  const target = c.fastReadAddress(to);
  if (target === -1) return 0;
  const step = down ? -size : size;
  const shift = 32 - 8 * size;
  const wanted = (c.s[EAX] << shift) >> shift;
  const whileEqual = op.rep === REP_E;
  let done = 0;
  let element: number;
  do {
    element = load(c, target + done * step, size);
    done++;
  } while (done < n && (element === wanted) === whileEqual);
  setFlags(c, size, wanted, element);
  moveTarget(c, op, done * step);
  return done;
}

export function cmpsBulk(c: Cpu, op: Op, size: number, max: number): number {
  if (c.alignOn) return 0;
  const down = isDown(c);
  const mask = op.mask;
  const si = c.s[ESI] & mask;
  const di = c.s[EDI] & mask;
  const from = linear(c, op.seg, si);
  const to = linear(c, ES, di);
  let n = run(si, from, lastOffset(c.segReadMax[op.seg], mask), size, max, down);
  n = run(di, to, lastOffset(c.segReadMax[ES], mask), size, n, down);
  if (n <= 0) return 0;
  const source = c.fastReadAddress(from);
  const target = c.fastReadAddress(to);
  if (source === -1 || target === -1) return 0;
  const step = down ? -size : size;
  const whileEqual = op.rep === REP_E;
  let done = 0;
  let first: number;
  let second: number;
  do {
    first = load(c, source + done * step, size);
    second = load(c, target + done * step, size);
    done++;
  } while (done < n && (first === second) === whileEqual);
  setFlags(c, size, first, second);
  moveSource(c, op, done * step);
  moveTarget(c, op, done * step);
  return done;
}
