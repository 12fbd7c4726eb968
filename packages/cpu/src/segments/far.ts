/**
 * Far JMP, CALL and RET: direct, through call gates, to tasks; to the same level, an inner one (CALL through a gate, with
 * parameter copy) or an outer one (RET). SDM Vol. 2A "CALL", "JMP", Vol. 2B "RET" (operation sections); Vol. 3A, 5.8
 * "Privilege Level Checking When Transferring Program Control". All checks and memory accesses come before the first
 * change of a register. IRET is in events/iret.ts.
 */
import { CPL, CS, DS, EIP, ES, ESP, FS, GS, SEG, SEG_SELECTOR, SS, VEC_GP, VEC_NP } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { END_BRANCHED } from '../core/fault.js';
import type { Op } from '../op.js';
import { SWITCH_CALL, SWITCH_JUMP, switchTask } from '../tasks/switch.js';
import { setCpl } from './derived.js';
import {
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isSegment,
  limitOf,
  markAccessed,
  readDescriptor,
  systemType,
  SYS_CALL16,
  SYS_CALL32,
  SYS_TASK_GATE,
  SYS_TSS16,
  SYS_TSS32,
  type Descriptor,
} from './descriptor.js';
import { checkStackDescriptor, dropInnerSegment, setFromDescriptor, setReal, setV86 } from './load.js';
import { innerStack } from './stack.js';

/** Puts CS:EIP in place for a transfer outside protected mode, and ends the block. */
export function goReal(c: Cpu, selector: number, offset: number): void {
  if (c.isV86) setV86(c, CS, selector);
  else setReal(c, CS, selector);
  c.s[EIP] = offset;
  c.end = END_BRANCHED;
}

function goTo(c: Cpu, d: Descriptor, selector: number, offset: number): void {
  setFromDescriptor(c, CS, selector, d);
  c.s[EIP] = offset;
  c.end = END_BRANCHED;
}

/** #GP(0) for an offset beyond a code segment's limit: the last check of every transfer. */
export function checkOffset(c: Cpu, d: Descriptor, offset: number): void {
  if (offset >>> 0 > limitOf(d.low, d.high) >>> 0) c.gp(0);
}

/** Checks a code segment as the direct target of JMP or CALL. */
function checkDirect(c: Cpu, d: Descriptor): void {
  const cpl = c.s[CPL];
  const dpl = dplOf(d.high);
  const code = d.selector & 0xfffc;
  if (isConforming(d.high)) {
    if (dpl > cpl) c.gp(code);
  } else if ((d.selector & 3) > cpl || dpl !== cpl) {
    c.gp(code);
  }
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
}

function checkSystemTarget(c: Cpu, d: Descriptor): void {
  const dpl = dplOf(d.high);
  const code = d.selector & 0xfffc;
  if (dpl < c.s[CPL] || dpl < (d.selector & 3)) c.gp(code);
}

/** JMP ptr16:16/32 and m16:16/32. */
export function jumpFar(c: Cpu, selector: number, offset: number): void {
  if (!c.isProtected) {
    if (offset >>> 0 > c.csLimit) c.gp(0);
    goReal(c, selector, offset);
    return;
  }
  if (isNull(selector)) c.gp(0);
  const d = readDescriptor(c, selector, VEC_GP);
  if (isSegment(d.high)) {
    if (!isCode(d.high)) c.gp(selector & 0xfffc);
    checkDirect(c, d);
    checkOffset(c, d, offset);
    markAccessed(c, d);
    goTo(c, d, (selector & 0xfffc) | c.s[CPL], offset);
    return;
  }
  checkSystemTarget(c, d);
  const type = systemType(d.high);
  if (type === SYS_CALL16 || type === SYS_CALL32) jumpGate(c, d, type);
  else toTask(c, d, type, SWITCH_JUMP);
}

function jumpGate(c: Cpu, gate: Descriptor, type: number): void {
  if (!isPresent(gate.high)) c.fault(VEC_NP, gate.selector & 0xfffc);
  const d = gateTarget(c, gate);
  const cpl = c.s[CPL];
  const dpl = dplOf(d.high);
  const code = d.selector & 0xfffc;
  if (!isCode(d.high) || (isConforming(d.high) ? dpl > cpl : dpl !== cpl)) c.gp(code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  const offset = gateOffset(gate, type);
  checkOffset(c, d, offset);
  markAccessed(c, d);
  goTo(c, d, code | cpl, offset);
}

function gateTarget(c: Cpu, gate: Descriptor): Descriptor {
  const selector = gate.low >>> 16;
  if (isNull(selector)) c.gp(0);
  return readDescriptor(c, selector, VEC_GP);
}

function gateOffset(gate: Descriptor, type: number): number {
  return type === SYS_CALL32 ? (gate.low & 0xffff) | (gate.high & 0xffff0000) : gate.low & 0xffff;
}

/** JMP or CALL to a TSS or a task gate; the privilege of `d` itself is checked. */
function toTask(c: Cpu, d: Descriptor, type: number, why: number): void {
  const code = d.selector & 0xfffc;
  if (type === SYS_TASK_GATE) {
    if (!isPresent(d.high)) c.fault(VEC_NP, code);
    const selector = d.low >>> 16;
    if (isNull(selector) || (selector & 4) !== 0) c.gp(selector & 0xfffc);
    const tss = readDescriptor(c, selector, VEC_GP);
    const inner = systemType(tss.high);
    if (inner !== SYS_TSS16 && inner !== SYS_TSS32) c.gp(selector & 0xfffc);
    if (!isPresent(tss.high)) c.fault(VEC_NP, selector & 0xfffc);
    switchTask(c, tss, why, c.getEflags(), c.nextEip());
  } else {
    // A TSS lives in the GDT only (SDM Vol. 3A, 7.2.2 "TSS Descriptor").
    if ((type !== SYS_TSS16 && type !== SYS_TSS32) || (code & 4) !== 0) c.gp(code);
    if (!isPresent(d.high)) c.fault(VEC_NP, code);
    switchTask(c, d, why, c.getEflags(), c.nextEip());
  }
  c.end = END_BRANCHED;
}

/** CALL ptr16:16/32 and m16:16/32. */
export function callFar(c: Cpu, op: Op, selector: number, offset: number): void {
  const size = op.wide ? 4 : 2;
  const back = c.nextEip();
  if (!c.isProtected) {
    if (offset >>> 0 > c.csLimit) c.gp(0);
    pushReturn(c, size, back);
    goReal(c, selector, offset);
    return;
  }
  if (isNull(selector)) c.gp(0);
  const d = readDescriptor(c, selector, VEC_GP);
  if (isSegment(d.high)) {
    if (!isCode(d.high)) c.gp(selector & 0xfffc);
    checkDirect(c, d);
    checkReturn(c, size);
    checkOffset(c, d, offset);
    markAccessed(c, d);
    pushReturn(c, size, back);
    goTo(c, d, (selector & 0xfffc) | c.s[CPL], offset);
    return;
  }
  checkSystemTarget(c, d);
  const type = systemType(d.high);
  if (type === SYS_CALL16 || type === SYS_CALL32) callGate(c, d, type, back);
  else toTask(c, d, type, SWITCH_CALL);
}

/** A stack that cannot take the return address faults before a target beyond its limit (SDM Vol. 2, "CALL", Operation). */
function checkReturn(c: Cpu, size: number): void {
  const sp = c.s[ESP];
  if (size === 4) {
    c.readRmw32(SS, (sp - 4) & c.stackMask);
    c.readRmw32(SS, (sp - 8) & c.stackMask);
  } else {
    c.readRmw16(SS, (sp - 2) & c.stackMask);
    c.readRmw16(SS, (sp - 4) & c.stackMask);
  }
}

/** Pushes CS and EIP on the current stack, both or neither: the upper slot is checked first and written last. */
function pushReturn(c: Cpu, size: number, back: number): void {
  const selector = c.s[SEG + CS * 4 + SEG_SELECTOR];
  if (size === 4) {
    c.readRmw32(SS, (c.s[ESP] - 4) & c.stackMask);
    c.stackWrite32(-8, back);
    c.stackWrite32(-4, selector);
  } else {
    c.readRmw16(SS, (c.s[ESP] - 2) & c.stackMask);
    c.stackWrite16(-4, back & 0xffff);
    c.stackWrite16(-2, selector);
  }
  c.setSp(c.s[ESP] - 2 * size);
}

function callGate(c: Cpu, gate: Descriptor, type: number, back: number): void {
  if (!isPresent(gate.high)) c.fault(VEC_NP, gate.selector & 0xfffc);
  const d = gateTarget(c, gate);
  const cpl = c.s[CPL];
  const dpl = dplOf(d.high);
  const code = d.selector & 0xfffc;
  if (!isCode(d.high) || dpl > cpl) c.gp(code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  const size = type === SYS_CALL32 ? 4 : 2;
  const offset = gateOffset(gate, type);
  if (isConforming(d.high) || dpl === cpl) {
    checkReturn(c, size);
    checkOffset(c, d, offset);
    markAccessed(c, d);
    pushReturn(c, size, back);
    goTo(c, d, code | cpl, offset);
  } else {
    callInner(c, d, offset, size, gate.high & 31, back);
  }
}

function parameter(c: Cpu, i: number, size: number): number {
  return size === 4 ? c.stackRead32(i * 4) : c.stackRead16(i * 2);
}

function callInner(c: Cpu, d: Descriptor, offset: number, size: number, parameters: number, back: number): void {
  const s = c.s;
  const cpl = dplOf(d.high);
  const inner = innerStack(c, cpl);
  checkOffset(c, d, offset);
  markAccessed(c, inner.descriptor);
  markAccessed(c, d);
  const stack = inner.view;
  // Everything that is written and read, before the first write.
  stack.reserve(4 + parameters, size);
  for (let i = parameters - 1; i >= 0; i--) parameter(c, i, size);
  stack.push(s[SEG + SS * 4 + SEG_SELECTOR], size);
  stack.push(s[ESP], size);
  for (let i = parameters - 1; i >= 0; i--) {
    stack.push(parameter(c, i, size), size);
  }
  stack.push(s[SEG + CS * 4 + SEG_SELECTOR], size);
  stack.push(back, size);
  setCpl(c, cpl);
  setFromDescriptor(c, SS, (inner.selector & 0xfffc) | cpl, inner.descriptor);
  s[ESP] = stack.sp;
  goTo(c, d, (d.selector & 0xfffc) | cpl, offset);
}

/** The checks of a code segment that RET or IRET returns to; its limit comes after the outer stack's checks. */
export function readReturnTarget(c: Cpu, selector: number): Descriptor {
  if (isNull(selector)) c.gp(0);
  const d = readDescriptor(c, selector, VEC_GP);
  const code = selector & 0xfffc;
  const rpl = selector & 3;
  const dpl = dplOf(d.high);
  if (!isCode(d.high) || rpl < c.s[CPL]) c.gp(code);
  if (isConforming(d.high) ? dpl > rpl : dpl !== rpl) c.gp(code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  return d;
}

/** The checks of the stack segment that RET or IRET returns to at level `cpl`. */
export function readReturnStack(c: Cpu, selector: number, cpl: number): Descriptor {
  if (isNull(selector)) c.gp(0);
  const d = readDescriptor(c, selector, VEC_GP);
  checkStackDescriptor(c, d, cpl, VEC_GP);
  return d;
}

/** The commit of a return to the outer level of `code`. */
export function returnOuter(c: Cpu, code: Descriptor, eip: number, stack: Descriptor, esp: number): void {
  const cpl = code.selector & 3;
  setCpl(c, cpl);
  setFromDescriptor(c, SS, stack.selector, stack);
  c.setSp(esp);
  for (const seg of [ES, DS, FS, GS]) dropInnerSegment(c, seg, cpl);
  goTo(c, code, code.selector, eip);
}

/** RET far; `extra` bytes of parameters are released on both stacks. */
export function returnFar(c: Cpu, op: Op, extra: number): void {
  const size = op.wide ? 4 : 2;
  const read = (at: number): number => (size === 4 ? c.stackRead32(at) : c.stackRead16(at));
  const offset = read(0);
  const selector = read(size) & 0xffff;
  if (!c.isProtected) {
    if (offset >>> 0 > c.csLimit) c.gp(0);
    c.setSp(c.s[ESP] + 2 * size + extra);
    goReal(c, selector, offset);
    return;
  }
  const d = readReturnTarget(c, selector);
  if ((selector & 3) === c.s[CPL]) {
    checkOffset(c, d, offset);
    markAccessed(c, d);
    c.setSp(c.s[ESP] + 2 * size + extra);
    goTo(c, d, selector, offset);
    return;
  }
  const esp = read(2 * size + extra);
  const ss = read(3 * size + extra) & 0xffff;
  const stack = readReturnStack(c, ss, selector & 3);
  checkOffset(c, d, offset);
  markAccessed(c, stack);
  markAccessed(c, d);
  returnOuter(c, d, offset, stack, (esp + extra) | 0);
}
