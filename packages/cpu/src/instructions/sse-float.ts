/**
 * SSE and SSE2 arithmetic: ADD SUB MUL DIV SQRT MIN MAX of packed and scalar singles and doubles, RCP and RSQRT of singles (SDM Vol.
 * 1, 10.4.1.2 "SSE Arithmetic Instructions", 11.4.1.2 "SSE2 Arithmetic Instructions"). The elements' arithmetic is in sse/; here are
 * operands and order: all checks and the memory operand, every element, the exceptions of all of them, then the register.
 */
import { XMM as XMM_WORD } from '@ringfence/sdk';
import type { Handler } from '../op.js';
import { reciprocal, reciprocalRoot } from '../sse/approximate.js';
import * as arithmetic from '../sse/arithmetic.js';
import type { Kernel } from '../sse/arithmetic.js';
import { maxDouble, maxSingle, minDouble, minSingle } from '../sse/compare.js';
import { begin, finish16, finish4, finish8 } from '../sse/exceptions.js';
import { xmmSource, xmmSource4, xmmSource8 } from '../sse/operands.js';
import { RESULT as RESULT_AT } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const XMM = XMM_WORD;
const RESULT = RESULT_AT;

const packedSingle = (kernel: Kernel): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource(c, op);
    const to = XMM + op.src * 4;
    kernel(u, to, from, RESULT);
    kernel(u, to + 1, from + 1, RESULT + 1);
    kernel(u, to + 2, from + 2, RESULT + 2);
    kernel(u, to + 3, from + 3, RESULT + 3);
    finish16(c, u, to);
  };
};

const scalarSingle = (kernel: Kernel): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource4(c, op);
    const to = XMM + op.src * 4;
    kernel(u, to, from, RESULT);
    finish4(c, u, to);
  };
};

const packedDouble = (kernel: Kernel): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource(c, op);
    const to = XMM + op.src * 4;
    kernel(u, to, from, RESULT);
    kernel(u, to + 2, from + 2, RESULT + 2);
    finish16(c, u, to);
  };
};

const scalarDouble = (kernel: Kernel): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource8(c, op);
    const to = XMM + op.src * 4;
    kernel(u, to, from, RESULT);
    finish8(c, u, to);
  };
};

/** The packed and the scalar form of an operation on singles; register and memory forms alike, see sse/state.ts. */
function singleRows(name: string, opcode: number, kernel: Kernel): OpcodeRow[] {
  const packed = packedSingle(kernel);
  const scalar = scalarSingle(kernel);
  return [
    simdRow(`${name}ps`, opcode, 0, ['Vps', 'Wps'], 'sse', packed, packed),
    simdRow(`${name}ss`, opcode, 0xf3, ['Vss', 'Wss'], 'sse', scalar, scalar),
  ];
}

function doubleRows(name: string, opcode: number, kernel: Kernel): OpcodeRow[] {
  const packed = packedDouble(kernel);
  const scalar = scalarDouble(kernel);
  return [
    simdRow(`${name}pd`, opcode, 0x66, ['Vpd', 'Wpd'], 'sse2', packed, packed),
    simdRow(`${name}sd`, opcode, 0xf2, ['Vsd', 'Wsd'], 'sse2', scalar, scalar),
  ];
}

export const sseFloatRows: readonly OpcodeRow[] = [
  ...singleRows('sqrt', 0x51, arithmetic.sqrtSingle),
  ...doubleRows('sqrt', 0x51, arithmetic.sqrtDouble),
  ...singleRows('rsqrt', 0x52, reciprocalRoot),
  ...singleRows('rcp', 0x53, reciprocal),
  ...singleRows('add', 0x58, arithmetic.addSingle),
  ...doubleRows('add', 0x58, arithmetic.addDouble),
  ...singleRows('mul', 0x59, arithmetic.mulSingle),
  ...doubleRows('mul', 0x59, arithmetic.mulDouble),
  ...singleRows('sub', 0x5c, arithmetic.subSingle),
  ...doubleRows('sub', 0x5c, arithmetic.subDouble),
  ...singleRows('min', 0x5d, minSingle),
  ...doubleRows('min', 0x5d, minDouble),
  ...singleRows('div', 0x5e, arithmetic.divSingle),
  ...doubleRows('div', 0x5e, arithmetic.divDouble),
  ...singleRows('max', 0x5f, maxSingle),
  ...doubleRows('max', 0x5f, maxDouble),
];
