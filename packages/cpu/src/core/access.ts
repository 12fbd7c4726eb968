/**
 * Memory as instructions see it: offsets in segments, checked on every access. The fast path here is three compares
 * (segment limit and rights folded into one number per segment, page crossing, TLB tag) and one DataView access;
 * everything else, and every fault, is in slow-access.ts. SDM Vol. 3A, 5.3 "Limit Checking", 5.5 "Privilege Levels".
 *
 * The fast path needs the whole access at or below `segReadMax`, computed for 4 bytes, so 1- and 2-byte accesses in the
 * last three bytes of a segment go the slow way too.
 */
import {
  ESP as ESP_WORD,
  SEG,
  SEG_BASE,
  SS as SS_NUMBER,
  TLB_ADDEND as TLB_ADDEND_BANK,
  TLB_MASK as TLB_INDEX_MASK,
} from '@ringfence/sdk';
import type { Op } from '../op.js';
import { CpuBase } from './base.js';
import { readRmwSlow, readSlow, writeRmwSlow, writeSlow } from './slow-access.js';

// Constants of this module become part of compiled code; imported bindings are loaded at every use.
const ESP = ESP_WORD;
const SS = SS_NUMBER;
const TLB_ADDEND = TLB_ADDEND_BANK;
const TLB_MASK = TLB_INDEX_MASK;
const BASE = SEG + SEG_BASE;
const PAGE = -4096;

export class CpuAccess extends CpuBase {
  /** Offset of the memory operand within its segment. */
  ea(op: Op): number {
    const s = this.s;
    return (s[op.base] + (s[op.index] << op.scale) + op.disp) & op.mask;
  }

  read8(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (off >>> 0 <= this.segReadMax[seg] && tlb[this.readBank + index] === ((lin & PAGE) | this.mmu.generation)) {
      return this.view.getUint8((lin + tlb[TLB_ADDEND + index]) >>> 0);
    }
    return readSlow(this, seg, off, 1);
  }

  read16(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segReadMax[seg] &&
      (lin & 0xfff) <= 0xffe &&
      tlb[this.readBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      return this.view.getUint16((lin + tlb[TLB_ADDEND + index]) >>> 0, true);
    }
    return readSlow(this, seg, off, 2);
  }

  read32(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segReadMax[seg] &&
      (lin & 0xfff) <= 0xffc &&
      tlb[this.readBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      return this.view.getInt32((lin + tlb[TLB_ADDEND + index]) >>> 0, true);
    }
    return readSlow(this, seg, off, 4);
  }

  write8(seg: number, off: number, value: number): void {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (off >>> 0 <= this.segWriteMax[seg] && tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)) {
      this.view.setInt8((lin + tlb[TLB_ADDEND + index]) >>> 0, value);
    } else {
      writeSlow(this, seg, off, 1, value);
    }
  }

  write16(seg: number, off: number, value: number): void {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segWriteMax[seg] &&
      (lin & 0xfff) <= 0xffe &&
      tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      this.view.setInt16((lin + tlb[TLB_ADDEND + index]) >>> 0, value, true);
    } else {
      writeSlow(this, seg, off, 2, value);
    }
  }

  write32(seg: number, off: number, value: number): void {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segWriteMax[seg] &&
      (lin & 0xfff) <= 0xffc &&
      tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      this.view.setInt32((lin + tlb[TLB_ADDEND + index]) >>> 0, value, true);
    } else {
      writeSlow(this, seg, off, 4, value);
    }
  }

  /** Reads the operand of a read-modify-write with write rights (a page fault says W=1) and remembers its place. */
  readRmw8(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (off >>> 0 <= this.segWriteMax[seg] && tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)) {
      const at = (lin + tlb[TLB_ADDEND + index]) | 0;
      this.rmwAt = at;
      return this.view.getUint8(at >>> 0);
    }
    return readRmwSlow(this, seg, off, 1);
  }

  readRmw16(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segWriteMax[seg] &&
      (lin & 0xfff) <= 0xffe &&
      tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      const at = (lin + tlb[TLB_ADDEND + index]) | 0;
      this.rmwAt = at;
      return this.view.getUint16(at >>> 0, true);
    }
    return readRmwSlow(this, seg, off, 2);
  }

  readRmw32(seg: number, off: number): number {
    const lin = (this.s[BASE + seg * 4] + off) | 0;
    const index = (lin >>> 12) & TLB_MASK;
    const tlb = this.tlb;
    if (
      off >>> 0 <= this.segWriteMax[seg] &&
      (lin & 0xfff) <= 0xffc &&
      tlb[this.writeBank + index] === ((lin & PAGE) | this.mmu.generation)
    ) {
      const at = (lin + tlb[TLB_ADDEND + index]) | 0;
      this.rmwAt = at;
      return this.view.getInt32(at >>> 0, true);
    }
    return readRmwSlow(this, seg, off, 4);
  }

  /** Second half of `readRmw8`: cannot fault. */
  writeRmw8(value: number): void {
    const at = this.rmwAt;
    if (at !== -1) this.view.setInt8(at >>> 0, value);
    else writeRmwSlow(this, 1, value);
  }

  writeRmw16(value: number): void {
    const at = this.rmwAt;
    if (at !== -1) this.view.setInt16(at >>> 0, value, true);
    else writeRmwSlow(this, 2, value);
  }

  writeRmw32(value: number): void {
    const at = this.rmwAt;
    if (at !== -1) this.view.setInt32(at >>> 0, value, true);
    else writeRmwSlow(this, 4, value);
  }

  // --- stack: ESP changes only after the access succeeded; SS.B decides whether SP or ESP moves ---
  push32(value: number): void {
    const s = this.s;
    const mask = this.stackMask;
    const sp = s[ESP];
    const next = (sp - 4) & mask;
    this.write32(SS, next, value);
    s[ESP] = (sp & ~mask) | next;
  }

  push16(value: number): void {
    const s = this.s;
    const mask = this.stackMask;
    const sp = s[ESP];
    const next = (sp - 2) & mask;
    this.write16(SS, next, value);
    s[ESP] = (sp & ~mask) | next;
  }

  pop32(): number {
    const s = this.s;
    const mask = this.stackMask;
    const sp = s[ESP];
    const value = this.read32(SS, sp & mask);
    s[ESP] = (sp & ~mask) | ((sp + 4) & mask);
    return value;
  }

  pop16(): number {
    const s = this.s;
    const mask = this.stackMask;
    const sp = s[ESP];
    const value = this.read16(SS, sp & mask);
    s[ESP] = (sp & ~mask) | ((sp + 2) & mask);
    return value;
  }

  pushV(op: Op, value: number): void {
    if (op.wide) this.push32(value);
    else this.push16(value);
  }

  popV(op: Op): number {
    return op.wide ? this.pop32() : this.pop16();
  }

  /** Stack slots at SS:(ESP + delta) for instructions with several accesses; ESP stays until `setSp`. */
  stackRead16(delta: number): number {
    return this.read16(SS, (this.s[ESP] + delta) & this.stackMask);
  }

  stackRead32(delta: number): number {
    return this.read32(SS, (this.s[ESP] + delta) & this.stackMask);
  }

  stackWrite16(delta: number, value: number): void {
    this.write16(SS, (this.s[ESP] + delta) & this.stackMask, value);
  }

  stackWrite32(delta: number, value: number): void {
    this.write32(SS, (this.s[ESP] + delta) & this.stackMask, value);
  }

  /** Commits a new stack pointer: all of ESP, or only SP on a 16-bit stack. */
  setSp(value: number): void {
    const mask = this.stackMask;
    this.s[ESP] = (this.s[ESP] & ~mask) | (value & mask);
  }

  // --- for bulk copies ---
  /** Byte offset in memory of a linear address that may be read plainly up to the end of its page, or -1. */
  fastReadAddress(lin: number): number {
    const index = (lin >>> 12) & TLB_MASK;
    if (this.tlb[this.readBank + index] !== ((lin & PAGE) | this.mmu.generation)) return -1;
    return (lin + this.tlb[TLB_ADDEND + index]) >>> 0;
  }

  /** The same for writing: no code, no watched page, no breakpoint, dirty already set. */
  fastWriteAddress(lin: number): number {
    const index = (lin >>> 12) & TLB_MASK;
    if (this.tlb[this.writeBank + index] !== ((lin & PAGE) | this.mmu.generation)) return -1;
    return (lin + this.tlb[TLB_ADDEND + index]) >>> 0;
  }
}
