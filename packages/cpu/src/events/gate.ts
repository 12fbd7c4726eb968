/**
 * Entering a handler: the real-mode vector table; interrupt, trap and task gates of protected mode; from the same level,
 * from an outer one over the TSS's stack, from virtual-8086 mode. Everything that can fault comes before the first change
 * of a register. SDM Vol. 2A, "INT n/INTO/INT3/INT1" (the operation section); Vol. 3A, 6.11 to 6.14, 21.3.
 */
import {
  AR_UNUSABLE,
  CPL,
  CR0,
  CR0_PE,
  CS,
  DS,
  EIP,
  ES,
  ESP,
  FLAG_AC,
  FLAG_IF,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VM,
  FS,
  GS,
  IDTR_BASE,
  IDTR_LIMIT,
  SEG,
  SEG_ACCESS,
  SEG_SELECTOR,
  SS,
  TR,
  VEC_GP,
  VEC_NP,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { NO_CODE } from '../core/fault.js';
import { readLinearAs } from '../core/slow-access.js';
import { setCpl } from '../segments/derived.js';
import {
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  limitOf,
  markAccessed,
  readDescriptor,
  systemType,
  SYS_INT16,
  SYS_INT32,
  SYS_TASK_GATE,
  SYS_TRAP16,
  SYS_TRAP32,
  SYS_TSS16,
  SYS_TSS32,
  type Descriptor,
} from '../segments/descriptor.js';
import { setFromDescriptor, setNull, setReal } from '../segments/load.js';
import { currentStack, innerStack } from '../segments/stack.js';
import { SWITCH_GATE, switchTask } from '../tasks/switch.js';

/**
 * Transfers to the handler of `vector`. `soft`: INT n, INT3, INTO, which the gate's DPL restricts. `rf`: the saved EFLAGS
 * show RF = 1. `returnEip`: what the frame holds as EIP.
 */
export function enterHandler(
  c: Cpu,
  vector: number,
  errorCode: number,
  soft: boolean,
  rf: boolean,
  returnEip: number,
): void {
  let flags = c.getEflags();
  if (soft) flags &= ~FLAG_RF;
  else if (rf) flags |= FLAG_RF;
  if ((c.s[CR0] & CR0_PE) === 0) enterReal(c, vector, flags, returnEip);
  else enterProtected(c, vector, errorCode, soft, flags, returnEip);
}

function enterReal(c: Cpu, vector: number, flags: number, returnEip: number): void {
  const s = c.s;
  const at = vector * 4;
  if (at + 3 > (s[IDTR_LIMIT] & 0xffff)) c.fault(VEC_GP, NO_CODE);
  const entry = readLinearAs(c, (s[IDTR_BASE] + at) | 0, 4, 0);
  const stack = currentStack(c);
  stack.reserve(3, 2);
  stack.push(flags & 0xffff, 2);
  stack.push(s[SEG + CS * 4 + SEG_SELECTOR], 2);
  stack.push(returnEip & 0xffff, 2);
  c.loadEflags(flags & ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF));
  s[ESP] = stack.sp;
  setReal(c, CS, entry >>> 16);
  s[EIP] = entry & 0xffff;
}

function enterProtected(
  c: Cpu,
  vector: number,
  errorCode: number,
  soft: boolean,
  flags: number,
  returnEip: number,
): void {
  const s = c.s;
  const at = vector * 8;
  const code = at | 2 | c.ext;
  if (at + 7 > (s[IDTR_LIMIT] & 0xffff)) c.fault(VEC_GP, code);
  const low = readLinearAs(c, (s[IDTR_BASE] + at) | 0, 4, 0);
  const high = readLinearAs(c, (s[IDTR_BASE] + at + 4) | 0, 4, 0);
  const type = systemType(high);
  const known =
    type === SYS_TASK_GATE || type === SYS_INT16 || type === SYS_TRAP16 || type === SYS_INT32 || type === SYS_TRAP32;
  if (!known) c.fault(VEC_GP, code);
  if (soft && dplOf(high) < s[CPL]) c.fault(VEC_GP, code);
  if (!isPresent(high)) c.fault(VEC_NP, code);
  if (type === SYS_TASK_GATE) {
    enterTask(c, low >>> 16, errorCode, flags, returnEip);
    return;
  }
  const size = type === SYS_INT32 || type === SYS_TRAP32 ? 4 : 2;
  const offset = size === 4 ? (low & 0xffff) | (high & 0xffff0000) : low & 0xffff;
  const interrupt = type === SYS_INT16 || type === SYS_INT32;
  const selector = low >>> 16;
  if (isNull(selector)) c.fault(VEC_GP, c.ext);
  const d = readDescriptor(c, selector, VEC_GP);
  const csCode = (selector & 0xfffc) | c.ext;
  const dpl = dplOf(d.high);
  const cpl = s[CPL];
  if (!isCode(d.high) || dpl > cpl) c.fault(VEC_GP, csCode);
  if (!isPresent(d.high)) c.fault(VEC_NP, csCode);
  const v86 = (flags & FLAG_VM) !== 0;
  if (!isConforming(d.high) && dpl < cpl) {
    if (v86 && dpl !== 0) c.fault(VEC_GP, csCode);
    enterInner(c, d, offset, size, errorCode, flags, returnEip, interrupt);
  } else {
    if (v86) c.fault(VEC_GP, csCode);
    enterSame(c, d, offset, size, errorCode, flags, returnEip, interrupt);
  }
}

function checkOffset(c: Cpu, d: Descriptor, offset: number): void {
  if (offset >>> 0 > limitOf(d.low, d.high) >>> 0) c.fault(VEC_GP, c.ext);
}

function enterSame(
  c: Cpu,
  d: Descriptor,
  offset: number,
  size: number,
  errorCode: number,
  flags: number,
  returnEip: number,
  interrupt: boolean,
): void {
  const s = c.s;
  const cpl = s[CPL];
  checkOffset(c, d, offset);
  markAccessed(c, d);
  const stack = currentStack(c);
  stack.reserve(errorCode === NO_CODE ? 3 : 4, size);
  stack.push(flags, size);
  stack.push(s[SEG + CS * 4 + SEG_SELECTOR], size);
  stack.push(returnEip, size);
  if (errorCode !== NO_CODE) stack.push(errorCode, size);
  s[ESP] = stack.sp;
  setFromDescriptor(c, CS, (d.selector & 0xfffc) | cpl, d);
  s[EIP] = offset;
  finishFlags(c, flags, interrupt);
}

function enterInner(
  c: Cpu,
  d: Descriptor,
  offset: number,
  size: number,
  errorCode: number,
  flags: number,
  returnEip: number,
  interrupt: boolean,
): void {
  const s = c.s;
  const cpl = dplOf(d.high);
  const inner = innerStack(c, cpl);
  checkOffset(c, d, offset);
  markAccessed(c, inner.descriptor);
  markAccessed(c, d);
  const stack = inner.view;
  const v86 = (flags & FLAG_VM) !== 0;
  stack.reserve((v86 ? 9 : 5) + (errorCode === NO_CODE ? 0 : 1), size);
  if (v86) for (const seg of [GS, FS, DS, ES]) stack.push(s[SEG + seg * 4 + SEG_SELECTOR], size);
  stack.push(s[SEG + SS * 4 + SEG_SELECTOR], size);
  stack.push(s[ESP], size);
  stack.push(flags, size);
  stack.push(s[SEG + CS * 4 + SEG_SELECTOR], size);
  stack.push(returnEip, size);
  if (errorCode !== NO_CODE) stack.push(errorCode, size);
  // Nothing faults from here on.
  finishFlags(c, flags, interrupt);
  setCpl(c, cpl);
  if (v86) for (const seg of [GS, FS, DS, ES]) setNull(c, seg, 0);
  setFromDescriptor(c, SS, (inner.selector & 0xfffc) | cpl, inner.descriptor);
  setFromDescriptor(c, CS, (d.selector & 0xfffc) | cpl, d);
  s[ESP] = stack.sp;
  s[EIP] = offset;
}

function finishFlags(c: Cpu, flags: number, interrupt: boolean): void {
  const clear = FLAG_TF | FLAG_NT | FLAG_VM | FLAG_RF | (interrupt ? FLAG_IF : 0);
  c.loadEflags(flags & ~clear);
}

function enterTask(c: Cpu, selector: number, errorCode: number, flags: number, returnEip: number): void {
  const code = (selector & 0xfffc) | c.ext;
  if ((selector & 4) !== 0 || isNull(selector)) c.fault(VEC_GP, code);
  const d = readDescriptor(c, selector, VEC_GP);
  const type = systemType(d.high);
  if (type !== SYS_TSS16 && type !== SYS_TSS32) c.fault(VEC_GP, code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  switchTask(c, d, SWITCH_GATE, flags, returnEip);
  if (errorCode === NO_CODE) return;
  // The error code goes onto the new task's stack; a fault here belongs to the new task.
  const tr = SEG + TR * 4;
  if ((c.s[SEG + SS * 4 + SEG_ACCESS] & AR_UNUSABLE) !== 0) c.fault(VEC_GP, c.ext);
  const stack = currentStack(c);
  stack.push(errorCode, (c.s[tr + SEG_ACCESS] & 8) !== 0 ? 4 : 2);
  c.s[ESP] = stack.sp;
}
