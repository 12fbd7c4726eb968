/**
 * Delivery of exceptions and interrupts: what is due, the saved RF, the EXT bit, double faults and shutdown. How a handler
 * is entered is in gate.ts. SDM Vol. 3A, 6.9 "Prioritization of Concurrent Events", 6.13 "Error Code", 6.15 "Interrupt 8:
 * Double Fault"; Vol. 3B, 17.3.1.1 (RF). Delivery counts no instruction. All functions here are called between
 * instructions: EIP is exact. They answer false after a triple fault.
 */
import {
  DR,
  EFLAGS,
  EIP,
  FLAG_IF,
  HALTED,
  NMI_BLOCKED,
  SHADOW,
  SHUTDOWN,
  VEC_BP,
  VEC_DB,
  VEC_DE,
  VEC_DF,
  VEC_GP,
  VEC_MC,
  VEC_NMI,
  VEC_OF,
  VEC_PF,
  VEC_TS,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { PENDING_DEBUG } from '../core/attention.js';
import { FAULT, NO_CODE } from '../core/fault.js';
import { DR7_GD, refreshBreakpoints } from './breakpoints.js';
import { enterHandler } from './gate.js';

const SHADOW_MOV_SS = 2;
/** A handler that faults at its first instruction can do so for ever and retire nothing: `run` comes back now and then. */
const MAX_BARREN = 100_000;

/**
 * Delivers an exception at CS:EIP. `dr6`: bits an instruction breakpoint leaves in DR6. `raised`: an instruction raised it;
 * a #DB that one raises is general detect, a fault like others, while an instruction breakpoint leaves RF alone.
 */
export function deliverException(c: Cpu, vector: number, errorCode: number, dr6 = 0, raised = false): boolean {
  const s = c.s;
  s[PENDING_DEBUG] = 0;
  s[SHADOW] = 0;
  s[HALTED] = 0;
  if (vector === VEC_DB) enterDebug(c, dr6);
  return serve(c, vector, errorCode, true, isFaultClass(vector) || (raised && vector === VEC_DB));
}

/** Delivers the debug traps gathered for the instruction that has just completed. */
export function deliverDebugTrap(c: Cpu): boolean {
  const s = c.s;
  const bits = s[PENDING_DEBUG];
  s[PENDING_DEBUG] = 0;
  s[HALTED] = 0;
  enterDebug(c, bits);
  return serve(c, VEC_DB, NO_CODE, true, false);
}

/** Whether an NMI or INTR would be taken now. */
export function eventDeliverable(c: Cpu): boolean {
  const s = c.s;
  if (s[SHUTDOWN] !== 0) return false;
  const shadow = s[SHADOW];
  if (c.nmiPending && s[NMI_BLOCKED] === 0 && shadow !== SHADOW_MOV_SS) return true;
  return c.intr && (s[EFLAGS] & FLAG_IF) !== 0 && shadow === 0;
}

/** Takes the NMI or INTR that `eventDeliverable` promised. */
export function deliverPending(c: Cpu): boolean {
  const s = c.s;
  s[HALTED] = 0;
  s[SHADOW] = 0;
  if (c.nmiPending && s[NMI_BLOCKED] === 0) {
    c.nmiPending = false;
    s[NMI_BLOCKED] = 1;
    return serve(c, VEC_NMI, NO_CODE, false, false);
  }
  const vector = c.bus.acknowledge() & 0xff;
  return serve(c, vector, NO_CODE, false, false);
}

function enterDebug(c: Cpu, bits: number): void {
  c.s[DR + 6] |= bits;
  if ((c.s[DR + 7] & DR7_GD) !== 0) c.s[DR + 7] &= ~DR7_GD;
  if (c.codeBreaks !== 0) refreshBreakpoints(c);
}

/** Exceptions that push RF = 1: faults, but not traps, aborts, or #DB as such. */
function isFaultClass(vector: number): boolean {
  switch (vector) {
    case VEC_DB:
    case VEC_NMI:
    case VEC_BP:
    case VEC_OF:
    case VEC_DF:
    case VEC_MC:
      return false;
    default:
      return true;
  }
}

function isContributory(vector: number): boolean {
  return vector === VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

function noteDelivery(c: Cpu): void {
  const now = c.retired();
  if (now !== c.barrenAt) {
    c.barrenAt = now;
    c.barren = 0;
  } else if (++c.barren >= MAX_BARREN) {
    c.barren = 0;
    c.stopRequested = true;
  }
}

/** Enters the handler; a fault on the way is served in its place, or becomes a double fault, or shuts down. */
function serve(c: Cpu, vector: number, errorCode: number, exception: boolean, rf: boolean): boolean {
  for (;;) {
    c.observer?.delivering(vector, errorCode, exception);
    c.ext = 1;
    try {
      enterHandler(c, vector, errorCode, false, rf, c.s[EIP]);
      noteDelivery(c);
      c.refreshAttention();
      c.observer?.delivered();
      return true;
    } catch (thrown) {
      if (thrown !== FAULT) throw thrown;
    } finally {
      c.ext = 0;
      c.eipSettled = false;
    }
    const next = c.faultVector;
    if (exception && vector === VEC_DF) {
      c.s[SHUTDOWN] = 1;
      c.refreshAttention();
      return false;
    }
    const second = isContributory(next);
    if (exception && ((isContributory(vector) && second) || (vector === VEC_PF && (second || next === VEC_PF)))) {
      vector = VEC_DF;
      errorCode = 0;
      rf = false;
    } else {
      vector = next;
      errorCode = c.faultError;
      rf = isFaultClass(next);
    }
    exception = true;
  }
}
