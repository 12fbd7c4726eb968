/**
 * IRET in all its forms: real mode, virtual-8086, to the same and to an outer level, to virtual-8086 mode, to the task it
 * was called from (NT). SDM Vol. 2A, "IRET/IRETD—Interrupt Return". It also lets NMIs in again.
 */
import {
  CPL,
  CS,
  DS,
  EFLAGS,
  EIP,
  ES,
  ESP,
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_ARITH,
  FS,
  GS,
  NMI_BLOCKED,
  SEG,
  SEG_BASE,
  SS,
  TR,
  VEC_GP,
  VEC_NP,
  VEC_TS,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { END_BRANCHED } from '../core/fault.js';
import { readLinearAs } from '../core/slow-access.js';
import type { Op } from '../op.js';
import { setCpl } from '../segments/derived.js';
import {
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  systemType,
  SYS_TSS16_BUSY,
  SYS_TSS32_BUSY,
} from '../segments/descriptor.js';
import { checkOffset, goReal, readReturnStack, readReturnTarget, returnOuter } from '../segments/far.js';
import { setFromDescriptor, setV86 } from '../segments/load.js';
import { checkVirtualImage, hasVirtualFlags, withVirtualImage } from './virtual-flags.js';
import { SWITCH_IRET, switchTask } from '../tasks/switch.js';

export function interruptReturn(c: Cpu, op: Op): void {
  if (c.isV86) returnV86(c, op);
  else if (!c.isProtected) returnReal(c, op);
  else if ((c.s[EFLAGS] & FLAG_NT) !== 0) returnTask(c);
  else returnProtected(c, op);
  c.s[NMI_BLOCKED] = 0;
  c.rfLoaded = true;
  c.refreshAttention();
}

function pop(c: Cpu, op: Op, index: number): number {
  return op.wide ? c.stackRead32(index * 4) : c.stackRead16(index * 2);
}

/** Replaces the flags in `mask` that the model and the operand size allow. */
function loadFlags(c: Cpu, op: Op, value: number, mask: number): void {
  const allowed = mask & c.flagsMask & (op.wide ? -1 : 0xffff);
  c.loadEflags((c.getEflags() & ~allowed) | (value & allowed) | 2);
}

const FLAGS_ALWAYS = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;

function returnReal(c: Cpu, op: Op): void {
  const offset = pop(c, op, 0);
  const selector = pop(c, op, 1) & 0xffff;
  const flags = pop(c, op, 2);
  if (offset >>> 0 > c.csLimit) c.gp(0);
  c.setSp(c.s[ESP] + (op.wide ? 12 : 6));
  goReal(c, selector, offset);
  loadFlags(c, op, flags, FLAGS_ALWAYS | FLAG_IF | FLAG_IOPL);
}

function returnV86(c: Cpu, op: Op): void {
  const own = (c.s[EFLAGS] & FLAG_IOPL) === FLAG_IOPL;
  if (!own && (op.wide || !hasVirtualFlags(c))) c.gp(0);
  const offset = pop(c, op, 0);
  const selector = pop(c, op, 1) & 0xffff;
  const flags = pop(c, op, 2);
  if (offset >>> 0 > c.csLimit) c.gp(0);
  if (!own) checkVirtualImage(c, flags);
  c.setSp(c.s[ESP] + (op.wide ? 12 : 6));
  goReal(c, selector, offset);
  if (own) loadFlags(c, op, flags, FLAGS_ALWAYS | FLAG_IF);
  else c.loadEflags(withVirtualImage(c, flags));
}

function returnTask(c: Cpu): void {
  const selector = readLinearAs(c, c.s[SEG + TR * 4 + SEG_BASE], 2, 0);
  const code = selector & 0xfffc;
  if (isNull(selector) || (selector & 4) !== 0) c.fault(VEC_TS, code);
  const d = readDescriptor(c, selector, VEC_TS);
  const type = systemType(d.high);
  if (type !== SYS_TSS16_BUSY && type !== SYS_TSS32_BUSY) c.fault(VEC_TS, code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  switchTask(c, d, SWITCH_IRET, c.getEflags(), c.nextEip());
  c.end = END_BRANCHED;
}

function returnProtected(c: Cpu, op: Op): void {
  const s = c.s;
  const offset = pop(c, op, 0);
  const selector = pop(c, op, 1) & 0xffff;
  const flags = pop(c, op, 2);
  const cpl = s[CPL];
  if (op.wide && (flags & FLAG_VM) !== 0 && cpl === 0) {
    returnToV86(c, op, offset, selector, flags);
    return;
  }
  const iopl = (s[EFLAGS] >> 12) & 3;
  let mask = FLAGS_ALWAYS;
  if (cpl <= iopl) mask |= FLAG_IF;
  if (cpl === 0) mask |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
  const d = readReturnTarget(c, selector);
  if ((selector & 3) === cpl) {
    checkOffset(c, d, offset);
    markAccessed(c, d);
    c.setSp(s[ESP] + (op.wide ? 12 : 6));
    setFromDescriptor(c, CS, selector, d);
    s[EIP] = offset;
    c.end = END_BRANCHED;
  } else {
    const esp = pop(c, op, 3);
    const ss = pop(c, op, 4) & 0xffff;
    const stack = readReturnStack(c, ss, selector & 3);
    checkOffset(c, d, offset);
    markAccessed(c, stack);
    markAccessed(c, d);
    returnOuter(c, d, offset, stack, esp);
  }
  loadFlags(c, op, flags, mask);
}

function returnToV86(c: Cpu, op: Op, offset: number, selector: number, flags: number): void {
  const s = c.s;
  const esp = pop(c, op, 3);
  const ss = pop(c, op, 4);
  const es = pop(c, op, 5);
  const ds = pop(c, op, 6);
  const fs = pop(c, op, 7);
  const gs = pop(c, op, 8);
  if (offset >>> 0 > 0xffff) c.fault(VEC_GP, 0);
  c.loadEflags((flags & c.flagsMask) | 2);
  setCpl(c, 3);
  setV86(c, CS, selector);
  setV86(c, SS, ss);
  setV86(c, ES, es);
  setV86(c, DS, ds);
  setV86(c, FS, fs);
  setV86(c, GS, gs);
  s[ESP] = esp;
  s[EIP] = offset;
  c.end = END_BRANCHED;
}
