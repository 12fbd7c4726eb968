/**
 * Loading segment registers: by MOV, POP and LDS in every mode, and the raw setters that far transfers, task switches and
 * event delivery use once their own checks have passed. SDM Vol. 3A, 5.6 "Privilege Level Checking When Accessing Data
 * Segments", 5.7 "... When Loading the SS Register"; real mode and virtual-8086: 21.1.1, 21.2.
 * CS is never loaded by `loadSegment`: see control-far.ts.
 */
import {
  AR_ACCESSED,
  AR_DB,
  AR_G,
  AR_UNUSABLE,
  CPL,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SS,
  VEC_GP,
  VEC_NP,
  VEC_SS,
} from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';
import {
  accessOf,
  baseOf,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isReadable,
  isSegment,
  isWritableData,
  limitOf,
  markAccessed,
  readDescriptor,
  type Descriptor,
} from './descriptor.js';
import { refreshSegment } from './derived.js';

/** Rights of every segment in virtual-8086 mode: present, DPL 3, read/write data, accessed. */
export const V86_ACCESS = 0xf3;
/** Rights of a segment loaded in real mode. */
export const REAL_ACCESS = 0x93;

export function setSegment(
  c: CpuBase,
  seg: number,
  selector: number,
  base: number,
  limit: number,
  access: number,
): void {
  const at = SEG + seg * 4;
  const s = c.s;
  s[at + SEG_SELECTOR] = selector & 0xffff;
  s[at + SEG_BASE] = base;
  s[at + SEG_LIMIT] = limit;
  s[at + SEG_ACCESS] = access;
  if (seg < 6) refreshSegment(c, seg);
}

/** Puts a checked code or data descriptor into a segment register; `selector` with the RPL it is to have. */
export function setFromDescriptor(c: CpuBase, seg: number, selector: number, d: Descriptor): void {
  setSegment(c, seg, selector, baseOf(d.low, d.high), limitOf(d.low, d.high), accessOf(d.high) | AR_ACCESSED);
}

export function setNull(c: CpuBase, seg: number, selector: number): void {
  setSegment(c, seg, selector, 0, 0, AR_UNUSABLE);
}

/** Real mode: the base changes; limit and rights stay, which is what makes "unreal" mode work. */
export function setReal(c: CpuBase, seg: number, selector: number): void {
  const at = SEG + seg * 4;
  const old = c.s[at + SEG_ACCESS];
  const limit = (old & AR_UNUSABLE) !== 0 ? 0xffff : c.s[at + SEG_LIMIT];
  setSegment(c, seg, selector, (selector & 0xffff) << 4, limit, (old & (AR_DB | AR_G)) | REAL_ACCESS);
}

export function setV86(c: CpuBase, seg: number, selector: number): void {
  setSegment(c, seg, selector, (selector & 0xffff) << 4, 0xffff, V86_ACCESS);
}

/** MOV Sreg, POP Sreg, LDS and friends; `seg` is ES, SS, DS, FS or GS. Faults leave everything as it was. */
export function loadSegment(c: CpuBase, seg: number, selector: number): void {
  if (!c.isProtected) {
    if (c.isV86) setV86(c, seg, selector);
    else setReal(c, seg, selector);
    return;
  }
  // A deprivileged kernel's RPL of 1 or 2 is checked against a level that is not its own: the assist lets its monitor see.
  if (c.trapSensitive && (c.s[CPL] === 1 || c.s[CPL] === 2) && ((selector & 3) === 1 || (selector & 3) === 2)) {
    c.fault(VEC_GP, 0);
  }
  if (seg === SS) {
    loadStackSegment(c, selector);
  } else {
    loadDataSegment(c, seg, selector);
  }
}

function loadDataSegment(c: CpuBase, seg: number, selector: number): void {
  if (isNull(selector)) {
    setNull(c, seg, selector);
    return;
  }
  const d = readDescriptor(c, selector, VEC_GP);
  const code = selector & 0xfffc;
  if (!isSegment(d.high) || !isReadable(d.high)) c.fault(VEC_GP, code);
  if (!(isCode(d.high) && isConforming(d.high))) {
    const dpl = dplOf(d.high);
    if ((selector & 3) > dpl || c.s[CPL] > dpl) c.fault(VEC_GP, code);
  }
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  markAccessed(c, d);
  setFromDescriptor(c, seg, selector, d);
}

function loadStackSegment(c: CpuBase, selector: number): void {
  const cpl = c.s[CPL];
  if (isNull(selector)) c.gp(0);
  const d = readDescriptor(c, selector, VEC_GP);
  checkStackDescriptor(c, d, cpl, VEC_GP);
  markAccessed(c, d);
  setFromDescriptor(c, SS, selector, d);
}

/**
 * The checks of a stack segment for privilege level `cpl`: RPL, writable data, DPL with `vector` (#GP, or #TS when the
 * selector comes from a TSS), then presence with #SS.
 */
export function checkStackDescriptor(c: CpuBase, d: Descriptor, cpl: number, vector: number): void {
  const code = (d.selector & 0xfffc) | c.ext;
  if ((d.selector & 3) !== cpl || !isWritableData(d.high) || dplOf(d.high) !== cpl) c.fault(vector, code);
  if (!isPresent(d.high)) c.fault(VEC_SS, code);
}

/** After a return to an outer level: a data segment the new CPL may not use becomes null (SDM Vol. 3A, 5.8.6). */
export function dropInnerSegment(c: CpuBase, seg: number, cpl: number): void {
  const access = c.s[SEG + seg * 4 + SEG_ACCESS];
  if ((access & AR_UNUSABLE) !== 0) return;
  const conforming = (access & 0x0c) === 0x0c;
  if (!conforming && ((access >> 5) & 3) < cpl) setNull(c, seg, 0);
}
