/**
 * INS and OUTS with and without REP (SDM Vol. 2). One element per execution: every port access may move a deadline or
 * raise an interrupt, so the block ends after it and a repeated instruction resumes at its own EIP.
 * INS checks its destination for writing before it reads the port: a fault must not swallow a device's data.
 */
import { ECX, EDI, EDX, ES, ESI } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { REP_NONE, type Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, sized } from './rows.js';
import { direction, moveSource, moveTarget } from './string-step.js';

/** True when a repeated instruction has nothing to do. */
function exhausted(c: Cpu, op: Op): boolean {
  return op.rep !== REP_NONE && (c.s[ECX] & op.mask) === 0;
}

/** Ends one element: counts (E)CX down and either repeats or lets the loop look at interrupts. */
function finish(c: Cpu, op: Op): void {
  if (op.rep !== REP_NONE) {
    const s = c.s;
    const left = (s[ECX] - 1) & op.mask;
    s[ECX] = (s[ECX] & ~op.mask) | left;
    if (left !== 0) {
      c.repeatInstruction(op, 1);
      return;
    }
  }
  c.endBlock();
}

function input(c: Cpu, op: Op, size: number): void {
  if (exhausted(c, op)) return;
  const port = c.w[EDX * 2];
  if (!c.checkIo(port, size)) return;
  const at = c.s[EDI] & op.mask;
  if (size === 4) {
    c.readRmw32(ES, at);
    c.writeRmw32(c.bus.ioRead(port, 4));
  } else if (size === 2) {
    c.readRmw16(ES, at);
    c.writeRmw16(c.bus.ioRead(port, 2));
  } else {
    c.readRmw8(ES, at);
    c.writeRmw8(c.bus.ioRead(port, 1));
  }
  moveTarget(c, op, direction(c, size));
  finish(c, op);
}

function output(c: Cpu, op: Op, size: number): void {
  if (exhausted(c, op)) return;
  const port = c.w[EDX * 2];
  if (!c.checkIo(port, size)) return;
  const at = c.s[ESI] & op.mask;
  const value = size === 4 ? c.read32(op.seg, at) : size === 2 ? c.read16(op.seg, at) : c.read8(op.seg, at);
  c.bus.ioWrite(port, size, value);
  moveSource(c, op, direction(c, size));
  finish(c, op);
}

export function ins8(c: Cpu, op: Op): void {
  input(c, op, 1);
}
export function ins16(c: Cpu, op: Op): void {
  input(c, op, 2);
}
export function ins32(c: Cpu, op: Op): void {
  input(c, op, 4);
}
export function outs8(c: Cpu, op: Op): void {
  output(c, op, 1);
}
export function outs16(c: Cpu, op: Op): void {
  output(c, op, 2);
}
export function outs32(c: Cpu, op: Op): void {
  output(c, op, 4);
}

export const stringIoRows: readonly OpcodeRow[] = [
  { mnemonic: 'ins', map: 1, opcode: 0x6c, operands: ['Yb', 'DX'], handlers: anySize(ins8), string: true, ends: true },
  {
    mnemonic: 'ins',
    map: 1,
    opcode: 0x6d,
    operands: ['Yv', 'DX'],
    handlers: sized(ins16, ins32),
    string: true,
    ends: true,
  },
  {
    mnemonic: 'outs',
    map: 1,
    opcode: 0x6e,
    operands: ['DX', 'Xb'],
    handlers: anySize(outs8),
    string: true,
    ends: true,
  },
  {
    mnemonic: 'outs',
    map: 1,
    opcode: 0x6f,
    operands: ['DX', 'Xv'],
    handlers: sized(outs16, outs32),
    string: true,
    ends: true,
  },
];
