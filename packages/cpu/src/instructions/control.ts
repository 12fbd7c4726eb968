/**
 * Near transfers of control: JMP, CALL, RET, LOOPcc, JCXZ (SDM Vol. 2). Far ones are the core's; Jcc is in
 * generated/conditions.ts. The target is checked against the CS limit before anything is committed, and before the stack
 * is touched (#GP comes before #SS).
 */
import { ECX, EIP, ESP } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { condZ } from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { sized, sizedForms } from './rows.js';

export function jmp16(c: Cpu, op: Op): void {
  c.branch((c.s[EIP] + op.next + op.imm) & 0xffff);
}
export function jmp32(c: Cpu, op: Op): void {
  c.branch((c.s[EIP] + op.next + op.imm) | 0);
}
export function jmpE16(c: Cpu, op: Op): void {
  c.branch(c.w[op.dst]);
}
export function jmpE32(c: Cpu, op: Op): void {
  c.branch(c.s[op.dst]);
}
export function jmpM16(c: Cpu, op: Op): void {
  c.branch(c.read16(op.seg, c.ea(op)));
}
export function jmpM32(c: Cpu, op: Op): void {
  c.branch(c.read32(op.seg, c.ea(op)));
}

function callTo16(c: Cpu, op: Op, target: number): void {
  if (target > c.csLimit) c.gp(0);
  c.push16((c.s[EIP] + op.next) & 0xffff);
  c.branch(target);
}

function callTo32(c: Cpu, op: Op, target: number): void {
  if (target >>> 0 > c.csLimit) c.gp(0);
  c.push32((c.s[EIP] + op.next) | 0);
  c.branch(target);
}

export function call16(c: Cpu, op: Op): void {
  callTo16(c, op, (c.s[EIP] + op.next + op.imm) & 0xffff);
}
export function call32(c: Cpu, op: Op): void {
  callTo32(c, op, (c.s[EIP] + op.next + op.imm) | 0);
}
export function callE16(c: Cpu, op: Op): void {
  callTo16(c, op, c.w[op.dst]);
}
export function callE32(c: Cpu, op: Op): void {
  callTo32(c, op, c.s[op.dst]);
}
export function callM16(c: Cpu, op: Op): void {
  callTo16(c, op, c.read16(op.seg, c.ea(op)));
}
export function callM32(c: Cpu, op: Op): void {
  callTo32(c, op, c.read32(op.seg, c.ea(op)));
}

export function ret16(c: Cpu): void {
  c.branch(c.stackRead16(0));
  c.setSp(c.s[ESP] + 2);
}
export function ret32(c: Cpu): void {
  c.branch(c.stackRead32(0));
  c.setSp(c.s[ESP] + 4);
}
export function retI16(c: Cpu, op: Op): void {
  c.branch(c.stackRead16(0));
  c.setSp(c.s[ESP] + 2 + (op.imm & 0xffff));
}
export function retI32(c: Cpu, op: Op): void {
  c.branch(c.stackRead32(0));
  c.setSp(c.s[ESP] + 4 + (op.imm & 0xffff));
}

/** LOOP, LOOPE, LOOPNE: counts CX or ECX by address size, branches by operand size. */
function loop(c: Cpu, op: Op, condition: boolean): void {
  const s = c.s;
  const count = (s[ECX] - 1) & op.mask;
  if (count !== 0 && condition) jump(c, op);
  s[ECX] = (s[ECX] & ~op.mask) | count;
}

function jump(c: Cpu, op: Op): void {
  const target = c.s[EIP] + op.next + op.imm;
  c.branch(op.wide ? target | 0 : target & 0xffff);
}

export function loopJ(c: Cpu, op: Op): void {
  loop(c, op, true);
}
export function loopeJ(c: Cpu, op: Op): void {
  loop(c, op, condZ(c));
}
export function loopneJ(c: Cpu, op: Op): void {
  loop(c, op, !condZ(c));
}
export function jcxz(c: Cpu, op: Op): void {
  if ((c.s[ECX] & op.mask) === 0) jump(c, op);
}

export const controlRows: readonly OpcodeRow[] = [
  { mnemonic: 'jmp', map: 1, opcode: 0xeb, operands: ['Jb'], handlers: sized(jmp16, jmp32), ends: true },
  { mnemonic: 'jmp', map: 1, opcode: 0xe9, operands: ['Jz'], handlers: sized(jmp16, jmp32), ends: true },
  {
    mnemonic: 'jmp',
    map: 1,
    opcode: 0xff,
    ext: 4,
    operands: ['Ev'],
    handlers: sizedForms(jmpE16, jmpE32, jmpM16, jmpM32),
    ends: true,
  },
  { mnemonic: 'call', map: 1, opcode: 0xe8, operands: ['Jz'], handlers: sized(call16, call32), ends: true },
  {
    mnemonic: 'call',
    map: 1,
    opcode: 0xff,
    ext: 2,
    operands: ['Ev'],
    handlers: sizedForms(callE16, callE32, callM16, callM32),
    ends: true,
  },
  { mnemonic: 'ret', map: 1, opcode: 0xc3, operands: [], handlers: sized(ret16, ret32), ends: true },
  { mnemonic: 'ret', map: 1, opcode: 0xc2, operands: ['Iw'], handlers: sized(retI16, retI32), ends: true },
  { mnemonic: 'loopne', map: 1, opcode: 0xe0, operands: ['Jb'], handlers: sized(loopneJ, loopneJ), ends: true },
  { mnemonic: 'loope', map: 1, opcode: 0xe1, operands: ['Jb'], handlers: sized(loopeJ, loopeJ), ends: true },
  { mnemonic: 'loop', map: 1, opcode: 0xe2, operands: ['Jb'], handlers: sized(loopJ, loopJ), ends: true },
  { mnemonic: 'jecxz', map: 1, opcode: 0xe3, operands: ['Jb'], handlers: sized(jcxz, jcxz), ends: true },
];
