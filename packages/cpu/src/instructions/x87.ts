/**
 * The x87's opcodes, D8 to DF and WAIT, from the files of the family: x87-transfer, x87-arithmetic, x87-transcendental, x87-compare,
 * x87-control. The arithmetic itself is in ../fpu. How exceptions are reported, with CR0.NE and without: x87-operands.ts.
 */
import { CR0, CR0_EM, CR0_TS } from '@ringfence/sdk';
import type { Handler } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { x87ArithmeticRows } from './x87-arithmetic.js';
import { x87CompareRows } from './x87-compare.js';
import { x87ControlRows } from './x87-control.js';
import { x87TranscendentalRows } from './x87-transcendental.js';
import { x87TransferRows } from './x87-transfer.js';

export const x87Rows: readonly OpcodeRow[] = [
  ...x87TransferRows,
  ...x87ArithmeticRows,
  ...x87TranscendentalRows,
  ...x87CompareRows,
  ...x87ControlRows,
];

/**
 * An escape with nobody to take it: #NM when software asked for that with CR0.EM (or TS), else nothing happens, and no memory is
 * touched. Programs find out so whether there is an FPU: FNSTSW leaves its destination alone.
 */
const unheard: Handler = (c) => {
  if ((c.s[CR0] & (CR0_EM | CR0_TS)) !== 0) c.nm();
};

/** WAIT and the escapes of a processor without an FPU. */
export const noX87Rows: readonly OpcodeRow[] = [
  ...x87ControlRows.filter(({ opcode }) => opcode === 0x9b),
  ...[0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf].flatMap((opcode): OpcodeRow[] => [
    { mnemonic: 'esc', map: 1, opcode, operands: ['ST'], handlers: anySize(unheard) },
    { mnemonic: 'esc', map: 1, opcode, operands: ['M'], handlers: anySize(undefined, unheard) },
  ]),
];
