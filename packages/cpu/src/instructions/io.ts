/**
 * IN and OUT (SDM Vol. 2); INS and OUTS are in string-io.ts. The block ends after each: the access may have moved a
 * deadline, raised an interrupt or stopped the machine.
 */
import { EDX } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import type { Operand, OpcodeRow, RowHandlers } from '../table/row.js';
import { anySize, sized } from './rows.js';

function in8(c: Cpu, port: number): void {
  if (!c.checkIo(port, 1)) return;
  c.b[0] = c.bus.ioRead(port, 1);
  c.endBlock();
}
function in16(c: Cpu, port: number): void {
  if (!c.checkIo(port, 2)) return;
  c.w[0] = c.bus.ioRead(port, 2);
  c.endBlock();
}
function in32(c: Cpu, port: number): void {
  if (!c.checkIo(port, 4)) return;
  c.s[0] = c.bus.ioRead(port, 4);
  c.endBlock();
}
function out8(c: Cpu, port: number): void {
  if (!c.checkIo(port, 1)) return;
  c.bus.ioWrite(port, 1, c.b[0]);
  c.endBlock();
}
function out16(c: Cpu, port: number): void {
  if (!c.checkIo(port, 2)) return;
  c.bus.ioWrite(port, 2, c.w[0]);
  c.endBlock();
}
function out32(c: Cpu, port: number): void {
  if (!c.checkIo(port, 4)) return;
  c.bus.ioWrite(port, 4, c.s[0]);
  c.endBlock();
}

export function inAlI(c: Cpu, op: Op): void {
  in8(c, op.imm);
}
export function inAxI(c: Cpu, op: Op): void {
  in16(c, op.imm);
}
export function inEaxI(c: Cpu, op: Op): void {
  in32(c, op.imm);
}
export function inAlDx(c: Cpu): void {
  in8(c, c.w[EDX * 2]);
}
export function inAxDx(c: Cpu): void {
  in16(c, c.w[EDX * 2]);
}
export function inEaxDx(c: Cpu): void {
  in32(c, c.w[EDX * 2]);
}
export function outIAl(c: Cpu, op: Op): void {
  out8(c, op.imm);
}
export function outIAx(c: Cpu, op: Op): void {
  out16(c, op.imm);
}
export function outIEax(c: Cpu, op: Op): void {
  out32(c, op.imm);
}
export function outDxAl(c: Cpu): void {
  out8(c, c.w[EDX * 2]);
}
export function outDxAx(c: Cpu): void {
  out16(c, c.w[EDX * 2]);
}
export function outDxEax(c: Cpu): void {
  out32(c, c.w[EDX * 2]);
}

function row(mnemonic: string, opcode: number, operands: readonly Operand[], handlers: RowHandlers): OpcodeRow {
  return { mnemonic, map: 1, opcode, operands, handlers, ends: true, system: true };
}

export const ioRows: readonly OpcodeRow[] = [
  row('in', 0xe4, ['AL', 'Ib'], anySize(inAlI)),
  row('in', 0xe5, ['eAX', 'Ib'], sized(inAxI, inEaxI)),
  row('out', 0xe6, ['Ib', 'AL'], anySize(outIAl)),
  row('out', 0xe7, ['Ib', 'eAX'], sized(outIAx, outIEax)),
  row('in', 0xec, ['AL', 'DX'], anySize(inAlDx)),
  row('in', 0xed, ['eAX', 'DX'], sized(inAxDx, inEaxDx)),
  row('out', 0xee, ['DX', 'AL'], anySize(outDxAl)),
  row('out', 0xef, ['DX', 'eAX'], sized(outDxAx, outDxEax)),
];
