/**
 * MOVS STOS LODS SCAS CMPS with and without REP, REPE, REPNE (SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ").
 *
 * A repeated instruction executes up to `repBudget()` iterations per execution, in bulk where that is safe, else step by
 * step. Registers are right after every iteration and each iteration counts as one retired instruction: iterations that
 * precede one that may fault are counted before it, the last one is the instruction's own count. It stops early, to be
 * resumed at the same EIP, when the budget is spent or a step asked the block to end (a device, a write to code).
 * SCAS and CMPS set the flags in every iteration; the SDM has a fault restore those before the instruction, which no
 * resumed instruction can know and no program can use.
 */
import { ECX } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { condZ } from '../flags.js';
import { REP_E, REP_NONE, type Handler, type Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, sized } from './rows.js';
import { cmpsBulk, movsBulk, noBulk, scasBulk, stosBulk, type Bulk } from './string-bulk.js';
import {
  cmpsStep16,
  cmpsStep32,
  cmpsStep8,
  lodsStep16,
  lodsStep32,
  lodsStep8,
  movsStep16,
  movsStep32,
  movsStep8,
  scasStep16,
  scasStep32,
  scasStep8,
  stosStep16,
  stosStep32,
  stosStep8,
} from './string-step.js';

/** Runs a repeated instruction; `compares` is true for SCAS and CMPS, which also end on ZF. */
function repeat(c: Cpu, op: Op, size: number, step: Handler, bulk: Bulk, compares: boolean): void {
  const s = c.s;
  const mask = op.mask;
  let left = (s[ECX] & mask) >>> 0;
  if (left === 0) return;
  let budget = c.repBudget();
  let uncounted = 0;
  for (;;) {
    let n = bulk(c, op, size, left < budget ? left : budget);
    if (n === 0) {
      c.countExtra(uncounted);
      uncounted = 0;
      step(c, op);
      n = 1;
    }
    uncounted += n;
    left -= n;
    budget -= n;
    s[ECX] = (s[ECX] & ~mask) | (left & mask);
    if (left === 0 || (compares && condZ(c) !== (op.rep === REP_E))) {
      c.countExtra(uncounted - 1);
      return;
    }
    if (budget <= 0 || c.end <= 0) {
      c.repeatInstruction(op, uncounted);
      return;
    }
  }
}

export function movs8(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) movsStep8(c, op);
  else repeat(c, op, 1, movsStep8, movsBulk, false);
}
export function movs16(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) movsStep16(c, op);
  else repeat(c, op, 2, movsStep16, movsBulk, false);
}
export function movs32(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) movsStep32(c, op);
  else repeat(c, op, 4, movsStep32, movsBulk, false);
}
export function stos8(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) stosStep8(c, op);
  else repeat(c, op, 1, stosStep8, stosBulk, false);
}
export function stos16(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) stosStep16(c, op);
  else repeat(c, op, 2, stosStep16, stosBulk, false);
}
export function stos32(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) stosStep32(c, op);
  else repeat(c, op, 4, stosStep32, stosBulk, false);
}
export function lods8(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) lodsStep8(c, op);
  else repeat(c, op, 1, lodsStep8, noBulk, false);
}
export function lods16(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) lodsStep16(c, op);
  else repeat(c, op, 2, lodsStep16, noBulk, false);
}
export function lods32(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) lodsStep32(c, op);
  else repeat(c, op, 4, lodsStep32, noBulk, false);
}
export function scas8(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) scasStep8(c, op);
  else repeat(c, op, 1, scasStep8, scasBulk, true);
}
export function scas16(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) scasStep16(c, op);
  else repeat(c, op, 2, scasStep16, scasBulk, true);
}
export function scas32(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) scasStep32(c, op);
  else repeat(c, op, 4, scasStep32, scasBulk, true);
}
export function cmps8(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) cmpsStep8(c, op);
  else repeat(c, op, 1, cmpsStep8, cmpsBulk, true);
}
export function cmps16(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) cmpsStep16(c, op);
  else repeat(c, op, 2, cmpsStep16, cmpsBulk, true);
}
export function cmps32(c: Cpu, op: Op): void {
  if (op.rep === REP_NONE) cmpsStep32(c, op);
  else repeat(c, op, 4, cmpsStep32, cmpsBulk, true);
}

export const stringRows: readonly OpcodeRow[] = [
  { mnemonic: 'movs', map: 1, opcode: 0xa4, operands: ['Yb', 'Xb'], handlers: anySize(movs8), string: true },
  { mnemonic: 'movs', map: 1, opcode: 0xa5, operands: ['Yv', 'Xv'], handlers: sized(movs16, movs32), string: true },
  { mnemonic: 'cmps', map: 1, opcode: 0xa6, operands: ['Xb', 'Yb'], handlers: anySize(cmps8), string: true },
  { mnemonic: 'cmps', map: 1, opcode: 0xa7, operands: ['Xv', 'Yv'], handlers: sized(cmps16, cmps32), string: true },
  { mnemonic: 'stos', map: 1, opcode: 0xaa, operands: ['Yb', 'AL'], handlers: anySize(stos8), string: true },
  { mnemonic: 'stos', map: 1, opcode: 0xab, operands: ['Yv', 'eAX'], handlers: sized(stos16, stos32), string: true },
  { mnemonic: 'lods', map: 1, opcode: 0xac, operands: ['AL', 'Xb'], handlers: anySize(lods8), string: true },
  { mnemonic: 'lods', map: 1, opcode: 0xad, operands: ['eAX', 'Xv'], handlers: sized(lods16, lods32), string: true },
  { mnemonic: 'scas', map: 1, opcode: 0xae, operands: ['AL', 'Yb'], handlers: anySize(scas8), string: true },
  { mnemonic: 'scas', map: 1, opcode: 0xaf, operands: ['eAX', 'Yv'], handlers: sized(scas16, scas32), string: true },
];
