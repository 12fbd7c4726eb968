/**
 * The x87's opcodes, D8 to DF and WAIT, from the files of the family: x87-transfer, x87-arithmetic, x87-compare, x87-control. The
 * arithmetic itself is in ../fpu. The transcendental instructions are not there yet: they raise #UD, which is why no model
 * reports an FPU by CPUID so far; all others work on every model. What CR0.NE = 0 means here: see x87-operands.ts.
 */
import type { Handler } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { x87ArithmeticRows } from './x87-arithmetic.js';
import { x87CompareRows } from './x87-compare.js';
import { x87ControlRows } from './x87-control.js';
import { readyNoWait } from './x87-operands.js';
import { x87TransferRows } from './x87-transfer.js';

/** Not done yet, by reg and r/m field of D9. */
export const MISSING: readonly (readonly [string, number, number])[] = [
  ['f2xm1', 6, 0],
  ['fyl2x', 6, 1],
  ['fptan', 6, 2],
  ['fpatan', 6, 3],
  ['fyl2xp1', 7, 1],
  ['fsincos', 7, 3],
  ['fsin', 7, 6],
  ['fcos', 7, 7],
];

const missing: Handler = (c) => {
  readyNoWait(c);
  c.ud();
};

const missingRows = MISSING.map(([mnemonic, ext, rm]): OpcodeRow => {
  return { mnemonic, map: 1, opcode: 0xd9, ext, rm, operands: [], handlers: anySize(missing) };
});

export const x87Rows: readonly OpcodeRow[] = [
  ...x87TransferRows,
  ...x87ArithmeticRows,
  ...x87CompareRows,
  ...x87ControlRows,
  ...missingRows,
];
