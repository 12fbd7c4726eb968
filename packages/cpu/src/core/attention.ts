/**
 * The one field the run loop tests before each block. While it is not 0 the loop executes one instruction at a time
 * with every check (run-loop.ts). Whoever changes an input calls `Cpu.refreshAttention()`: EFLAGS.TF/IF/RF, the
 * interrupt shadow, HLT, NMI and INTR pins, the debug registers, a stop request, a pending debug trap.
 */
import { CORE_PRIVATE, EFLAGS, FLAG_IF, FLAG_RF, FLAG_TF, HALTED, NMI_BLOCKED, SHADOW, SHUTDOWN } from '@ringfence/sdk';
import type { CpuBase } from './base.js';

/** State word: DR6 bits of debug traps that wait for the end of a MOV SS shadow. */
export const PENDING_DEBUG = CORE_PRIVATE;

export const ATTEND_STOP = 1;
export const ATTEND_EVENT = 2;
export const ATTEND_HALTED = 4;
export const ATTEND_FLAGS = 8;
export const ATTEND_SHADOW = 16;
export const ATTEND_BREAK = 32;
export const ATTEND_DEBUG = 64;
export const ATTEND_SHUTDOWN = 128;

export function refreshAttention(c: CpuBase): number {
  const s = c.s;
  const flags = s[EFLAGS];
  let bits = 0;
  if (c.stopRequested) bits |= ATTEND_STOP;
  if (c.intr && (flags & FLAG_IF) !== 0) bits |= ATTEND_EVENT;
  if (c.nmiPending && s[NMI_BLOCKED] === 0) bits |= ATTEND_EVENT;
  if (s[HALTED] !== 0) bits |= ATTEND_HALTED;
  if ((flags & (FLAG_TF | FLAG_RF)) !== 0) bits |= ATTEND_FLAGS;
  if (s[SHADOW] !== 0) bits |= ATTEND_SHADOW;
  if (c.codeBreaks !== 0) bits |= ATTEND_BREAK;
  if (s[PENDING_DEBUG] !== 0) bits |= ATTEND_DEBUG;
  if (s[SHUTDOWN] !== 0) bits |= ATTEND_SHUTDOWN;
  return bits;
}
