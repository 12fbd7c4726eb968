/**
 * Hardware task switches. SDM Vol. 3A, 7.3 "Task Switching", 7.4 "Task Linking". The caller has checked the new TSS's
 * descriptor as far as its own rules go (privilege, type, presence).
 *
 * Up to the commit point every fault belongs to the old task: every byte that will be read or written is translated
 * first. From there on the new task's registers are in force, and faults while its segments are
 * loaded (#TS, #NP, #SS, #GP, #PF) are the new task's, at its EIP, before its first instruction.
 */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  CPL,
  CR0,
  CR0_PG,
  CR0_TS,
  CR3,
  CS,
  DR,
  DS,
  EAX,
  EFLAGS,
  EIP,
  ES,
  FLAG_NT,
  FLAG_RF,
  FLAG_VM,
  FS,
  GS,
  LDTR,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SS,
  TR,
  VEC_GP,
  VEC_NP,
  VEC_SS,
  VEC_TS,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { PENDING_DEBUG } from '../core/attention.js';
import { readLinearAs, translate, writeLinearAs } from '../core/slow-access.js';
import { DR6_BT, refreshBreakpoints } from '../events/breakpoints.js';
import { setCpl } from '../segments/derived.js';
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
  setBusy,
  systemType,
  SYS_LDT,
  tryReadDescriptor,
  type Descriptor,
} from '../segments/descriptor.js';
import { setFromDescriptor, setNull, setSegment, setV86 } from '../segments/load.js';
import {
  TSS16_FLAGS,
  TSS16_IP,
  TSS16_LDT,
  TSS16_MIN_LIMIT,
  TSS16_REGISTERS,
  TSS16_SEGMENTS,
  TSS32_CR3,
  TSS32_EFLAGS,
  TSS32_EIP,
  TSS32_LDT,
  TSS32_MIN_LIMIT,
  TSS32_REGISTERS,
  TSS32_SEGMENTS,
  TSS32_TRAP,
} from './tss.js';

export const SWITCH_JUMP = 0;
export const SWITCH_CALL = 1;
export const SWITCH_GATE = 2;
export const SWITCH_IRET = 3;

interface Incoming {
  readonly cr3: number;
  readonly eip: number;
  readonly flags: number;
  readonly registers: readonly number[];
  /** ES, CS, SS, DS, FS, GS selectors. */
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

/**
 * Switches to the task of TSS descriptor `d`. `flags`, `returnEip`: what the old TSS keeps as EFLAGS and EIP. On return
 * (or on a fault raised by the new task's segments) CS:EIP is the new task's.
 */
export function switchTask(c: Cpu, d: Descriptor, why: number, flags: number, returnEip: number): void {
  const s = c.s;
  const code = (d.selector & 0xfffc) | c.ext;
  const wide = (systemType(d.high) & 8) !== 0;
  const base = baseOf(d.low, d.high);
  const limit = limitOf(d.low, d.high);
  if (limit >>> 0 < (wide ? TSS32_MIN_LIMIT : TSS16_MIN_LIMIT)) c.fault(VEC_TS, code);
  const tr = SEG + TR * 4;
  const oldSelector = s[tr + SEG_SELECTOR];
  const oldWide = (s[tr + SEG_ACCESS] & 8) !== 0;
  const oldBase = s[tr + SEG_BASE];
  const oldLimit = s[tr + SEG_LIMIT] >>> 0;
  if (oldLimit < (oldWide ? TSS32_SEGMENTS + 23 : TSS16_LDT - 1)) c.fault(VEC_TS, (oldSelector & 0xfffc) | c.ext);

  // Everything that could fault in the old task.
  checkPages(c, base, base + (wide ? TSS32_MIN_LIMIT : TSS16_MIN_LIMIT), ACCESS_READ);
  checkWritable(c, oldBase + (oldWide ? TSS32_EIP : TSS16_IP), oldBase + (oldWide ? TSS32_LDT - 1 : TSS16_LDT - 1));
  const nested = why === SWITCH_CALL || why === SWITCH_GATE;
  if (nested) checkWritable(c, base, base + 1);
  const oldDescriptor = why === SWITCH_JUMP || why === SWITCH_IRET ? readDescriptor(c, oldSelector, VEC_TS) : undefined;
  if (oldDescriptor !== undefined) checkWritable(c, oldDescriptor.address + 5, oldDescriptor.address + 5);
  if (why !== SWITCH_IRET) checkWritable(c, d.address + 5, d.address + 5);

  if (oldDescriptor !== undefined) setBusy(c, oldDescriptor.address, false);
  // An instruction that switches tasks has completed for the old task: RF is over (a fault's RF comes with its gate).
  const kept = why === SWITCH_GATE ? flags : flags & ~FLAG_RF;
  const saved = why === SWITCH_IRET ? kept & ~FLAG_NT : kept;
  if (oldWide) saveTss32(c, oldBase, saved, returnEip);
  else saveTss16(c, oldBase, saved, returnEip);
  if (nested) writeLinearAs(c, base, 2, oldSelector, 0);
  if (why !== SWITCH_IRET) setBusy(c, d.address, true);
  // Read after the old task is saved: they may be one and the same (IRET with a link to itself).
  const incoming = wide ? readTss32(c, base) : readTss16(c, base);

  // The commit point.
  c.eipSettled = true;
  c.noTrap = true;
  c.rfLoaded = true;
  setSegment(c, TR, d.selector, base, limit, accessOf(d.high) | 2);
  s[CR0] |= CR0_TS;
  c.mmu.writeCr0(s[CR0]);
  // A switch that leaves CR3 as it is flushes nothing and loads no PDPTEs (SDM Vol. 3A, 4.4.1, 4.10.4.1).
  const refused =
    wide && (s[CR0] & CR0_PG) !== 0 && ((incoming.cr3 ^ s[CR3]) & c.cr3Mask) !== 0 && !c.loadCr3(incoming.cr3);
  // Local breakpoints are the old task's (SDM Vol. 3B, 17.2.4).
  if ((s[DR + 7] & 0x155) !== 0) {
    s[DR + 7] &= ~0x155;
    refreshBreakpoints(c);
  }
  for (let i = 0; i < 8; i++) s[EAX + i] = incoming.registers[i];
  s[EIP] = incoming.eip;
  c.loadEflags(c.legalFlags(nested ? incoming.flags | FLAG_NT : incoming.flags, wide));
  loadSegments(c, incoming, refused ? { vector: VEC_GP, code: 0 } : undefined);
  if (incoming.eip >>> 0 > c.csLimit) c.fault(VEC_GP, c.ext);
  if (incoming.trap) s[PENDING_DEBUG] |= DR6_BT;
  c.refreshAttention();
  c.eipSettled = false;
}

function checkWritable(c: Cpu, first: number, last: number): void {
  checkPages(c, first, last, ACCESS_WRITE);
}

/** Raises the page fault that an access to the bytes from `first` to `last` (at most two pages) would raise. */
function checkPages(c: Cpu, first: number, last: number, access: number): void {
  translate(c, first | 0, access, 0);
  if (((first ^ last) & -4096) !== 0) translate(c, last & -4096, access, 0);
}

function readTss32(c: Cpu, base: number): Incoming {
  const read = (at: number): number => readLinearAs(c, (base + at) | 0, 4, 0);
  const registers: number[] = [];
  for (let i = 0; i < 8; i++) registers.push(read(TSS32_REGISTERS + i * 4));
  const segments: number[] = [];
  for (let i = 0; i < 6; i++) segments.push(read(TSS32_SEGMENTS + i * 4) & 0xffff);
  return {
    cr3: read(TSS32_CR3),
    eip: read(TSS32_EIP),
    flags: read(TSS32_EFLAGS),
    registers,
    segments,
    ldt: read(TSS32_LDT) & 0xffff,
    trap: (read(TSS32_TRAP) & 1) !== 0,
  };
}

function readTss16(c: Cpu, base: number): Incoming {
  const read = (at: number): number => readLinearAs(c, (base + at) | 0, 2, 0);
  const registers: number[] = [];
  // The upper halves of the registers are undefined after a switch through a 16-bit TSS; ours become ones, as on a 386.
  for (let i = 0; i < 8; i++) registers.push(0xffff0000 | read(TSS16_REGISTERS + i * 2));
  const segments: number[] = [];
  for (let i = 0; i < 4; i++) segments.push(read(TSS16_SEGMENTS + i * 2));
  segments.push(0, 0);
  return {
    cr3: 0,
    eip: read(TSS16_IP),
    flags: read(TSS16_FLAGS),
    registers,
    segments,
    ldt: read(TSS16_LDT),
    trap: false,
  };
}

function saveTss32(c: Cpu, base: number, flags: number, eip: number): void {
  writeLinearAs(c, (base + TSS32_EIP) | 0, 4, eip, 0);
  writeLinearAs(c, (base + TSS32_EFLAGS) | 0, 4, flags, 0);
  for (let i = 0; i < 8; i++) writeLinearAs(c, (base + TSS32_REGISTERS + i * 4) | 0, 4, c.s[EAX + i], 0);
  for (let i = 0; i < 6; i++) {
    writeLinearAs(c, (base + TSS32_SEGMENTS + i * 4) | 0, 2, c.s[SEG + i * 4 + SEG_SELECTOR], 0);
  }
}

function saveTss16(c: Cpu, base: number, flags: number, eip: number): void {
  writeLinearAs(c, (base + TSS16_IP) | 0, 2, eip, 0);
  writeLinearAs(c, (base + TSS16_FLAGS) | 0, 2, flags, 0);
  for (let i = 0; i < 8; i++) writeLinearAs(c, (base + TSS16_REGISTERS + i * 2) | 0, 2, c.s[EAX + i], 0);
  for (let i = 0; i < 4; i++) {
    writeLinearAs(c, (base + TSS16_SEGMENTS + i * 2) | 0, 2, c.s[SEG + i * 4 + SEG_SELECTOR], 0);
  }
}

/** What is wrong with a selector of the new task. */
interface Refusal {
  readonly vector: number;
  readonly code: number;
}

/**
 * Loads LDTR and the six segment registers of the new task. Checks and their order: SDM Vol. 3A, table 7-1. Past the
 * commit point the processor "completes the task switch" before it raises the exception (7.3): whatever can be loaded is,
 * so that the handler finds the new task's stack; a register whose selector is refused is left empty. `before`: what was
 * refused earlier (the new CR3's PDPTEs).
 */
function loadSegments(c: Cpu, incoming: Incoming, before: Refusal | undefined): void {
  const v86 = (c.s[EFLAGS] & FLAG_VM) !== 0;
  for (let seg = ES; seg <= GS; seg++) setNull(c, seg, incoming.segments[seg]);
  setNull(c, LDTR, incoming.ldt);
  setCpl(c, v86 ? 3 : incoming.segments[CS] & 3);
  const ldt = loadLdt(c, incoming.ldt);
  let refusal = before ?? ldt;
  if (v86) {
    for (let seg = ES; seg <= GS; seg++) setV86(c, seg, incoming.segments[seg]);
  } else {
    for (const seg of [SS, CS, DS, ES, FS, GS]) {
      const next = loadOne(c, seg, incoming.segments[seg]);
      refusal ??= next;
    }
  }
  if (refusal !== undefined) c.fault(refusal.vector, refusal.code | c.ext);
}

function loadLdt(c: Cpu, selector: number): Refusal | undefined {
  if (isNull(selector)) return undefined;
  const refusal = { vector: VEC_TS, code: selector & 0xfffc };
  if ((selector & 4) !== 0) return refusal;
  const d = tryReadDescriptor(c, selector);
  if (d === undefined || systemType(d.high) !== SYS_LDT || !isPresent(d.high)) return refusal;
  setSegment(c, LDTR, selector, baseOf(d.low, d.high), limitOf(d.low, d.high), accessOf(d.high));
  return undefined;
}

function loadOne(c: Cpu, seg: number, selector: number): Refusal | undefined {
  const code = selector & 0xfffc;
  if (isNull(selector)) return seg === CS || seg === SS ? { vector: VEC_TS, code } : undefined;
  const d = tryReadDescriptor(c, selector);
  if (d === undefined || !fits(c, seg, d)) return { vector: VEC_TS, code };
  if (!isPresent(d.high)) return { vector: seg === SS ? VEC_SS : VEC_NP, code };
  markAccessed(c, d);
  setFromDescriptor(c, seg, selector, d);
  return undefined;
}

/** Type and privilege of a descriptor for a segment register of the new task. */
function fits(c: Cpu, seg: number, d: Descriptor): boolean {
  const rpl = d.selector & 3;
  const dpl = dplOf(d.high);
  const cpl = c.s[CPL];
  if (seg === CS) return isCode(d.high) && (isConforming(d.high) ? dpl <= rpl : dpl === rpl);
  if (seg === SS) return isWritableData(d.high) && rpl === cpl && dpl === cpl;
  if (!isSegment(d.high) || !isReadable(d.high)) return false;
  return (isCode(d.high) && isConforming(d.high)) || (rpl <= dpl && cpl <= dpl);
}
