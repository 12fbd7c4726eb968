/**
 * Memory operands of 8 and 16 bytes and FXSAVE's image, for MMX and SSE. Like core/access.ts a fast path (segment, page, one TLB
 * tag) before a slow one with every check: alignment of what must be aligned, segment, #AC, page of the first byte, page of the last.
 * Nothing is written before the last check. 16-byte operands that must be aligned raise #GP(0) when they are not, even where #AC
 * is enabled; the others then must be aligned to their size, MASKMOVDQU's to 8, FXSAVE's to 4 (SDM Vol. 3A, 6.15 "Interrupt
 * 17—Alignment Check Exception (#AC)" leaves much of that to the processor: this is what the recorded one does).
 */
import * as sdk from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { checkSegment, translate } from '../core/slow-access.js';
import { noteDataAccess } from '../events/breakpoints.js';
import type { Op } from '../op.js';
import { mmxAt, OPERAND as OPERAND_AT } from './state.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { ACCESS_READ, ACCESS_WRITE, EDI, SEG, SEG_BASE, XMM } = sdk;
const OPERAND = OPERAND_AT;
const BASE = SEG + SEG_BASE;
/** Alignment that a slow access asks for: none but #AC's. */
const ANY = 0;

// --- operands by their word index: a register, or memory read to OPERAND ---
/** XMM register or 16 bytes of memory, aligned. */
export function xmmSource(c: Cpu, op: Op): number {
  if (!op.mem) return XMM + op.dst * 4;
  load16(c, op.seg, c.ea(op), 15, OPERAND);
  return OPERAND;
}

/** XMM register or 16 bytes of memory anywhere. */
export function xmmSourceUnaligned(c: Cpu, op: Op): number {
  if (!op.mem) return XMM + op.dst * 4;
  load16(c, op.seg, c.ea(op), ANY, OPERAND);
  return OPERAND;
}

/** XMM register or 8 bytes of memory; the words behind are not changed. */
export function xmmSource8(c: Cpu, op: Op): number {
  if (!op.mem) return XMM + op.dst * 4;
  load8(c, op.seg, c.ea(op), OPERAND);
  return OPERAND;
}

/** XMM register or 4 bytes of memory. */
export function xmmSource4(c: Cpu, op: Op): number {
  if (!op.mem) return XMM + op.dst * 4;
  c.sse.w[OPERAND] = c.read32(op.seg, c.ea(op));
  return OPERAND;
}

/** MMX register or 8 bytes of memory. */
export function mmxSource(c: Cpu, op: Op): number {
  if (!op.mem) return mmxAt(op.dst);
  load8(c, op.seg, c.ea(op), OPERAND);
  return OPERAND;
}

/** MMX register or 4 bytes of memory. */
export function mmxSource4(c: Cpu, op: Op): number {
  if (!op.mem) return mmxAt(op.dst);
  c.sse.w[OPERAND] = c.read32(op.seg, c.ea(op));
  return OPERAND;
}

/** Writes the 16 bytes at word `from` to the memory operand, which must be aligned. */
export function storeAligned16(c: Cpu, op: Op, from: number): void {
  store16(c, op.seg, c.ea(op), 15, from);
}

export function storeUnaligned16(c: Cpu, op: Op, from: number): void {
  store16(c, op.seg, c.ea(op), ANY, from);
}

export function storeQwordAt(c: Cpu, op: Op, from: number): void {
  store8(c, op.seg, c.ea(op), from);
}

// --- the accesses ---
function load8(c: Cpu, seg: number, off: number, to: number): void {
  const lin = (c.s[BASE + seg * 4] + off) | 0;
  const at = (off >>> 0) + 4 <= c.segReadMax[seg] && (lin & 0xfff) <= 0xff8 ? c.fastReadAddress(lin) : -1;
  if (at < 0) {
    loadSlow(c, seg, off, 8, ANY, c.sse.w, to);
    return;
  }
  const w = c.sse.w;
  w[to] = c.view.getInt32(at, true);
  w[to + 1] = c.view.getInt32(at + 4, true);
}

function load16(c: Cpu, seg: number, off: number, aligned: number, to: number): void {
  const lin = (c.s[BASE + seg * 4] + off) | 0;
  const fast = (off >>> 0) + 12 <= c.segReadMax[seg] && (lin & 0xfff) <= 0xff0 && (lin & aligned) === 0;
  const at = fast ? c.fastReadAddress(lin) : -1;
  if (at < 0) {
    loadSlow(c, seg, off, 16, aligned, c.sse.w, to);
    return;
  }
  const w = c.sse.w;
  const view = c.view;
  w[to] = view.getInt32(at, true);
  w[to + 1] = view.getInt32(at + 4, true);
  w[to + 2] = view.getInt32(at + 8, true);
  w[to + 3] = view.getInt32(at + 12, true);
}

function store8(c: Cpu, seg: number, off: number, from: number): void {
  const lin = (c.s[BASE + seg * 4] + off) | 0;
  const at = (off >>> 0) + 4 <= c.segWriteMax[seg] && (lin & 0xfff) <= 0xff8 ? c.fastWriteAddress(lin) : -1;
  if (at < 0) {
    storeSlow(c, seg, off, 8, ANY, c.sse.w, from);
    return;
  }
  const w = c.sse.w;
  c.view.setInt32(at, w[from], true);
  c.view.setInt32(at + 4, w[from + 1], true);
}

function store16(c: Cpu, seg: number, off: number, aligned: number, from: number): void {
  const lin = (c.s[BASE + seg * 4] + off) | 0;
  const fast = (off >>> 0) + 12 <= c.segWriteMax[seg] && (lin & 0xfff) <= 0xff0 && (lin & aligned) === 0;
  const at = fast ? c.fastWriteAddress(lin) : -1;
  if (at < 0) {
    storeSlow(c, seg, off, 16, aligned, c.sse.w, from);
    return;
  }
  const w = c.sse.w;
  const view = c.view;
  view.setInt32(at, w[from], true);
  view.setInt32(at + 4, w[from + 1], true);
  view.setInt32(at + 8, w[from + 2], true);
  view.setInt32(at + 12, w[from + 3], true);
}

/**
 * Alignment and segment; answers the linear address. `aligned`: a mask of address bits that must be zero. That comes first, as recorded:
 * a misaligned operand beyond the limit of SS is #GP(0).
 */
function check(c: Cpu, seg: number, off: number, size: number, aligned: number, write: boolean): number {
  if (((c.s[BASE + seg * 4] + off) & aligned) !== 0) c.gp(0);
  return checkSegment(c, seg, off, size, write, aligned === ANY ? size : 1);
}

/** Reads `size` bytes, a multiple of 4 up to a page, to `words` from index `to`. */
export function loadSlow(
  c: Cpu,
  seg: number,
  off: number,
  size: number,
  aligned: number,
  words: Int32Array,
  to: number,
): void {
  const linear = check(c, seg, off, size, aligned, false);
  const inPage = 4096 - (linear & 0xfff);
  const first = translate(c, linear, ACCESS_READ, c.user);
  const second = inPage < size ? translate(c, (linear + inPage) | 0, ACCESS_READ, c.user) - inPage : 0;
  for (let i = 0; i < size; i += 4) {
    const at = to + (i >> 2);
    if (i + 4 <= inPage) words[at] = c.space.read(first + i, 4);
    else if (i >= inPage) words[at] = c.space.read(second + i, 4);
    else {
      let value = 0;
      for (let n = 0; n < 4; n++) value |= c.space.read((i + n < inPage ? first : second) + i + n, 1) << (n * 8);
      words[at] = value;
    }
  }
  if (c.dataBreaks !== 0) noteDataAccess(c, linear, size, false);
}

/** Writes `size` bytes, a multiple of 4 up to a page, from `words`. */
export function storeSlow(
  c: Cpu,
  seg: number,
  off: number,
  size: number,
  aligned: number,
  words: Int32Array,
  from: number,
): void {
  const linear = check(c, seg, off, size, aligned, true);
  const inPage = 4096 - (linear & 0xfff);
  const first = translate(c, linear, ACCESS_WRITE, c.user);
  const second = inPage < size ? translate(c, (linear + inPage) | 0, ACCESS_WRITE, c.user) - inPage : 0;
  for (let i = 0; i < size; i += 4) {
    const value = words[from + (i >> 2)];
    if (i + 4 <= inPage) c.space.write(first + i, 4, value);
    else if (i >= inPage) c.space.write(second + i, 4, value);
    else {
      for (let n = 0; n < 4; n++) {
        c.space.write((i + n < inPage ? first : second) + i + n, 1, (value >> (n * 8)) & 0xff);
      }
    }
  }
  if (c.dataBreaks !== 0) noteDataAccess(c, linear, size, true);
}

/**
 * MASKMOVQ and MASKMOVDQU: the bytes of `size` at word `from` whose mask byte, at word `mask`, has its high bit set go to DS:EDI.
 * Rights are checked for all of `size`, whatever the mask (SDM Vol. 2, "MASKMOVQ", leaves that to the processor).
 */
export function storeMasked(c: Cpu, op: Op, from: number, mask: number, size: number): void {
  const { u8 } = c.sse;
  const { seg } = op;
  const off = c.s[EDI] & op.mask;
  const linear = checkSegment(c, seg, off, size, true, 8);
  const inPage = 4096 - (linear & 0xfff);
  translate(c, linear, ACCESS_WRITE, c.user);
  if (inPage < size) translate(c, (linear + inPage) | 0, ACCESS_WRITE, c.user);
  // A byte is always aligned, and has the rights that were just checked.
  for (let i = 0; i < size; i++) if (u8[mask * 4 + i] > 0x7f) c.write8(seg, (off + i) | 0, u8[from * 4 + i]);
}
