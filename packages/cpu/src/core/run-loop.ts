/**
 * The run loop: finds a block, executes its operations, accounts for it, and looks at nothing else unless `attention` is
 * set. With attention set it executes one instruction at a time with every check, in the order of SDM Vol. 3A, table 6-2
 * "Priority Among Concurrent Events": debug traps of the previous instruction, NMI, INTR, instruction breakpoint, fetch.
 * Faults leave these functions as the thrown FAULT token (or END_FAULTED); `Cpu.run` and `Cpu.step` deliver them.
 */
import {
  EFLAGS,
  EIP as EIP_WORD,
  FLAG_RF,
  FLAG_TF,
  HALTED,
  SHADOW,
  SHUTDOWN,
  STEP_FAULTED,
  STEP_HALTED,
  STEP_RETIRED,
  STEP_SHUTDOWN,
  STOP_BUDGET,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  VEC_DB,
  type StepOutcome,
  type Stop,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { codeBreakHits, DR6_BS } from '../events/breakpoints.js';
import { deliverDebugTrap, deliverException, deliverPending, eventDeliverable } from '../events/deliver.js';
import { ATTEND_STOP, PENDING_DEBUG } from './attention.js';
import { END_FAULTED, HOLD, NO_CODE } from './fault.js';

// A constant of this module becomes part of compiled code; an imported binding is loaded at every use.
const EIP = EIP_WORD;
const QUANTUM = 0x3fffffff;
const UNLIMITED = 0x3fffffff;
const SHADOW_MOV_SS = 2;
const FAULTED = END_FAULTED;

/** Starts a run of at most `budget` counted instructions. */
export function startBudget(c: Cpu, budget: number): void {
  const now = c.total - c.left;
  const first = Math.min(budget, QUANTUM);
  c.left = first;
  c.total = now + first;
  c.budgetRest = budget - first;
}

/** Makes more of the budget available; false when it is used up. */
function refill(c: Cpu): boolean {
  if (c.budgetRest <= 0) return false;
  startBudget(c, c.budgetRest);
  return true;
}

/** Runs until something stops it; throws FAULT when an instruction faults. */
export function runBlocks(c: Cpu): Stop {
  const s = c.s;
  const mmu = c.mmu;
  c.repMax = UNLIMITED;
  for (;;) {
    if (c.attention !== 0) {
      const stop = attend(c);
      if (stop >= 0) return stop as Stop;
      continue;
    }
    const counting = c.counting;
    if (counting && c.left <= 0 && !refill(c)) return STOP_BUDGET;

    const eip = s[EIP];
    const linear = (c.csBase + eip) | 0;
    let block =
      linear >>> 12 === c.codePage && c.codeGeneration === mmu.generation ? c.codeBlocks[linear & 0xfff] : undefined;
    if (block === undefined) block = c.cache.find(eip, false);

    const ops = block.ops;
    c.ops = ops;
    c.blockCounting = counting;
    c.end = counting && block.count > c.left ? c.left : block.count;
    let i = 0;
    do {
      const op = ops[i];
      c.i = i;
      op.exec(c, op);
      i++;
    } while (i < c.end);

    const end = c.end;
    if (end >= 0) s[EIP] = (s[EIP] + ops[i - 1].next) | 0;
    else if (end === FAULTED) {
      c.i = i - 1;
      if (!faulted(c)) return STOP_SHUTDOWN;
      continue;
    }
    c.i = 0;
    if (counting) c.left -= i;
  }
}

/**
 * The running instruction faulted: settles the count and EIP of what came before it in its block, and delivers.
 * False after a triple fault.
 */
export function faulted(c: Cpu): boolean {
  const i = c.i;
  // A task switch that faulted behind its commit point has left the new task's EIP.
  if (!c.eipSettled) c.s[EIP] = (c.s[EIP] + c.ops[i].off) | 0;
  c.eipSettled = false;
  if (c.blockCounting) c.left -= i;
  c.i = 0;
  c.end = 0;
  if (c.faultVector === HOLD) return hold(c);
  return deliverException(c, c.faultVector, c.faultError, 0, true);
}

/** Waits as HLT does, but with EIP on the instruction, which begins anew after the interrupt. */
function hold(c: Cpu): boolean {
  c.s[SHADOW] = 0;
  c.s[HALTED] = 1;
  c.refreshAttention();
  return true;
}

/** What attention is for. Answers a Stop, or -1 to go on. */
function attend(c: Cpu): number {
  const s = c.s;
  if (s[SHUTDOWN] !== 0) return STOP_SHUTDOWN;
  if (s[PENDING_DEBUG] !== 0 && s[SHADOW] !== SHADOW_MOV_SS) {
    // Its frame may have hit a data breakpoint: another trap, before the handler's first instruction.
    return deliverDebugTrap(c) ? -1 : STOP_SHUTDOWN;
  }
  const deliverable = eventDeliverable(c);
  if (s[HALTED] !== 0 && !deliverable) return takeStop(c) ? STOP_REQUESTED : STOP_HALT;
  if (c.counting && c.left <= 0 && !refill(c)) return STOP_BUDGET;
  if (takeStop(c)) return STOP_REQUESTED;
  if (deliverable) return deliverPending(c) ? -1 : STOP_SHUTDOWN;
  return executeOne(c, false) === STEP_SHUTDOWN ? STOP_SHUTDOWN : -1;
}

function takeStop(c: Cpu): boolean {
  if ((c.attention & ATTEND_STOP) === 0) return false;
  c.stopRequested = false;
  c.refreshAttention();
  return true;
}

/**
 * One instruction with everything around it: instruction breakpoint, shadow, single-step and data-breakpoint traps, RF.
 * `stepping`: REP does one iteration. Throws FAULT when it faults.
 */
export function executeOne(c: Cpu, stepping: boolean): StepOutcome {
  const s = c.s;
  const flags = s[EFLAGS];
  const shadow = s[SHADOW];
  c.blockCounting = c.counting;
  if (c.codeBreaks !== 0 && (flags & FLAG_RF) === 0 && shadow !== SHADOW_MOV_SS) {
    const hits = codeBreakHits(c, (c.csBase + s[EIP]) | 0);
    if (hits !== 0) return deliverException(c, VEC_DB, NO_CODE, hits) ? STEP_FAULTED : STEP_SHUTDOWN;
  }
  c.oldShadow = shadow;
  if (shadow !== 0) s[SHADOW] = 0;
  c.rfLoaded = false;
  c.noTrap = false;
  c.repMax = stepping || (flags & FLAG_TF) !== 0 ? 1 : UNLIMITED;
  const block = c.cache.find(s[EIP], true);
  const op = block.ops[0];
  c.ops = block.ops;
  c.last = op;
  c.end = 1;
  op.exec(c, op);
  c.repMax = UNLIMITED;
  const end = c.end;
  if (end === END_FAULTED) return faulted(c) ? STEP_FAULTED : STEP_SHUTDOWN;
  if (end >= 0) s[EIP] = (s[EIP] + op.next) | 0;
  if (c.blockCounting) c.left -= 1;

  if ((flags & FLAG_RF) !== 0 && !c.rfLoaded) s[EFLAGS] &= ~FLAG_RF;
  const held = s[SHADOW] === SHADOW_MOV_SS;
  if ((flags & FLAG_TF) !== 0 && !held && !c.noTrap) s[PENDING_DEBUG] |= DR6_BS;
  if (s[PENDING_DEBUG] !== 0 && !held) {
    if (!deliverDebugTrap(c)) return STEP_SHUTDOWN;
    return STEP_RETIRED;
  }
  if (c.attention !== 0 || s[SHADOW] !== 0) c.refreshAttention();
  return s[HALTED] !== 0 ? STEP_HALTED : STEP_RETIRED;
}
