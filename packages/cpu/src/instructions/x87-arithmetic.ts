/**
 * FADD FMUL FSUB FSUBR FDIV FDIVR in every form: with m32, m64, m16int, m32int, and between ST(0) and ST(i), popping or not
 * (SDM Vol. 1, 8.3.5 "Basic Arithmetic Instructions"; Vol. 2D, table A-7 and following "x87 Escape Opcodes"). And the operations on
 * ST(0) alone or with ST(1): FSQRT FSCALE FPREM FPREM1 FRNDINT FXTRACT FABS FCHS.
 */
import type { Cpu } from '../cpu.js';
import { add, sub, subReversed } from '../fpu/add.js';
import { div, divReversed } from '../fpu/div.js';
import type { Extended } from '../fpu/extended.js';
import { C0, C3, PRECOMPUTATION, type Fpu } from '../fpu/fpu.js';
import { mul } from '../fpu/mul.js';
import { remainder, UNSETTLED } from '../fpu/remainder.js';
import { extract, roundInteger, scale } from '../fpu/scale.js';
import { sqrt } from '../fpu/sqrt.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { finish, loadDouble, loadInt16, loadInt32, loadSingle, note, ready, type Load } from './x87-operands.js';

/** out = a op b; may destroy a and b. */
type Binary = (f: Fpu, a: Extended, b: Extended, out: Extended) => void;

/** ST(0) = ST(0) op memory. */
function withMemory(operate: Binary, load: Load): Handler {
  return (c, op) => {
    const f = ready(c);
    load(c, op, f, f.b);
    if (f.isEmpty(0)) f.stackUnderflow(f.r);
    else {
      f.get(0, f.a);
      operate(f, f.a, f.b, f.r);
    }
    finish(c, op, f, 0, 0);
  };
}

/** ST(dst) = ST(dst) op ST(other), then pops; one of the two is ST(0). */
function binary(c: Cpu, op: Op, operate: Binary, dst: number, other: number, pops: number): void {
  const f = ready(c);
  if (f.isEmpty(dst) || f.isEmpty(other)) f.stackUnderflow(f.r);
  else {
    f.get(dst, f.a);
    f.get(other, f.b);
    operate(f, f.a, f.b, f.r);
  }
  finish(c, op, f, dst, pops);
}

const toTop = (operate: Binary): Handler => {
  return (c, op) => binary(c, op, operate, 0, op.dst, 0);
};
const toRegister = (operate: Binary): Handler => {
  return (c, op) => binary(c, op, operate, op.dst, 0, 0);
};
const toRegisterPop = (operate: Binary): Handler => {
  return (c, op) => binary(c, op, operate, op.dst, 0, 1);
};

/** The reg fields: with ST(0) as the destination, and with ST(i), where the two directions of SUB and DIV are swapped. */
const OPERATIONS: readonly { name: string; ext: number; registerExt: number; operate: Binary }[] = [
  { name: 'fadd', ext: 0, registerExt: 0, operate: add },
  { name: 'fmul', ext: 1, registerExt: 1, operate: mul },
  { name: 'fsub', ext: 4, registerExt: 5, operate: sub },
  { name: 'fsubr', ext: 5, registerExt: 4, operate: subReversed },
  { name: 'fdiv', ext: 6, registerExt: 7, operate: div },
  { name: 'fdivr', ext: 7, registerExt: 6, operate: divReversed },
];

const arithmeticRows: OpcodeRow[] = OPERATIONS.flatMap(({ name, ext, registerExt, operate }): OpcodeRow[] => {
  const memory = (load: Load) => anySize(undefined, withMemory(operate, load));
  const integer = name.replace('f', 'fi');
  return [
    { mnemonic: name, map: 1, opcode: 0xd8, ext, operands: ['Md'], handlers: memory(loadSingle) },
    { mnemonic: name, map: 1, opcode: 0xdc, ext, operands: ['Mq'], handlers: memory(loadDouble) },
    { mnemonic: integer, map: 1, opcode: 0xda, ext, operands: ['Md'], handlers: memory(loadInt32) },
    { mnemonic: integer, map: 1, opcode: 0xde, ext, operands: ['Mw'], handlers: memory(loadInt16) },
    { mnemonic: name, map: 1, opcode: 0xd8, ext, operands: ['ST'], handlers: anySize(toTop(operate)) },
    {
      mnemonic: name,
      map: 1,
      opcode: 0xdc,
      ext: registerExt,
      operands: ['ST'],
      handlers: anySize(toRegister(operate)),
    },
    {
      mnemonic: `${name}p`,
      map: 1,
      opcode: 0xde,
      ext: registerExt,
      operands: ['ST'],
      handlers: anySize(toRegisterPop(operate)),
    },
  ];
});

/** ST(0) = op ST(0). */
function unary(operate: (f: Fpu, a: Extended, out: Extended) => void): Handler {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0)) f.stackUnderflow(f.r);
    else {
      f.get(0, f.a);
      operate(f, f.a, f.r);
    }
    finish(c, op, f, 0, 0);
  };
}

export const fsqrt = unary(sqrt);
export const frndint = unary(roundInteger);
export const fchs = unary((_f, a, out) => {
  out.copy(a);
  out.sign ^= 1;
});
export const fabs = unary((_f, a, out) => {
  out.copy(a);
  out.sign = 0;
});

export function fscale(c: Cpu, op: Op): void {
  binary(c, op, scale, 0, 1, 0);
}

/** FPREM and FPREM1: all four condition codes are results. */
function partialRemainder(c: Cpu, op: Op, nearest: boolean): void {
  const f = ready(c);
  let conditions = UNSETTLED;
  if (f.isEmpty(0) || f.isEmpty(1)) f.stackUnderflow(f.r);
  else {
    f.get(0, f.a);
    f.get(1, f.b);
    conditions = remainder(f, f.a, f.b, f.r, nearest);
  }
  finish(c, op, f, 0, 0);
  if (conditions === UNSETTLED || f.unmasked(PRECOMPUTATION)) conditions = f.status & (C0 | C3);
  f.setConditions(conditions);
}

export function fprem(c: Cpu, op: Op): void {
  partialRemainder(c, op, false);
}

export function fprem1(c: Cpu, op: Op): void {
  partialRemainder(c, op, true);
}

/** Replaces ST(0) by its exponent and pushes its significand. */
export function fxtract(c: Cpu, op: Op): void {
  const f = ready(c);
  if (f.isEmpty(0)) f.stackUnderflow(f.r);
  else if (!f.isEmpty(7)) f.stackOverflow(f.r);
  if (f.raised !== 0) f.b.copy(f.r);
  else {
    f.get(0, f.a);
    extract(f, f.a, f.r, f.b);
  }
  note(c, op, f);
  if (!f.blockedBy(PRECOMPUTATION)) {
    f.put(0, f.r);
    f.push(f.b);
  }
  f.commit();
}

const operation = (mnemonic: string, rm: number, ext: number, handler: Handler): OpcodeRow => {
  return { mnemonic, map: 1, opcode: 0xd9, ext, rm, operands: [], handlers: anySize(handler) };
};

export const x87ArithmeticRows: readonly OpcodeRow[] = [
  ...arithmeticRows,
  operation('fchs', 0, 4, fchs),
  operation('fabs', 1, 4, fabs),
  operation('fxtract', 4, 6, fxtract),
  operation('fprem1', 5, 6, fprem1),
  operation('fprem', 0, 7, fprem),
  operation('fsqrt', 2, 7, fsqrt),
  operation('frndint', 4, 7, frndint),
  operation('fscale', 5, 7, fscale),
];
