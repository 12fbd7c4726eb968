/**
 * LLDT and LTR as ring-0 software executes them, for the instructions and for the monitor. SDM Vol. 2A/2B, "LLDT", "LTR".
 * LTR sets the busy bit in the descriptor: an implicit supervisor write that obeys paging and CR0.WP.
 */
import { LDTR, TR, VEC_GP, VEC_NP } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import {
  accessOf,
  baseOf,
  isNull,
  isPresent,
  limitOf,
  readDescriptor,
  setBusy,
  systemType,
  SYS_LDT,
  SYS_TSS16,
  SYS_TSS32,
} from '../segments/descriptor.js';
import { setNull, setSegment } from '../segments/load.js';

export function loadLdtr(c: Cpu, selector: number): void {
  if (isNull(selector)) {
    setNull(c, LDTR, selector);
    return;
  }
  const code = selector & 0xfffc;
  if ((selector & 4) !== 0) c.fault(VEC_GP, code);
  const d = readDescriptor(c, selector, VEC_GP);
  if (systemType(d.high) !== SYS_LDT) c.fault(VEC_GP, code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  setSegment(c, LDTR, selector, baseOf(d.low, d.high), limitOf(d.low, d.high), accessOf(d.high));
}

export function loadTr(c: Cpu, selector: number): void {
  if (isNull(selector)) c.gp(0);
  const code = selector & 0xfffc;
  if ((selector & 4) !== 0) c.fault(VEC_GP, code);
  const d = readDescriptor(c, selector, VEC_GP);
  const type = systemType(d.high);
  if (type !== SYS_TSS16 && type !== SYS_TSS32) c.fault(VEC_GP, code);
  if (!isPresent(d.high)) c.fault(VEC_NP, code);
  setBusy(c, d.address, true);
  setSegment(c, TR, selector, baseOf(d.low, d.high), limitOf(d.low, d.high), accessOf(d.high) | 2);
}
