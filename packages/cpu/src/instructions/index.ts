/** All opcode rows of the instruction families; the core adds its own (segments, far transfers, system). */
import { aluRows } from '../generated/alu.js';
import { conditionRows } from '../generated/conditions.js';
import { shiftRows } from '../generated/shift.js';
import type { OpcodeRow } from '../table/row.js';
import { bcdRows } from './bcd.js';
import { bitsRows } from './bits.js';
import { controlRows } from './control.js';
import { dataRows } from './data.js';
import { exchangeRows } from './exchange.js';
import { muldivRows } from './muldiv.js';
import { stackRows } from './stack.js';
import { stringIoRows } from './string-io.js';
import { stringRows } from './string.js';

export const familyRows: readonly OpcodeRow[] = [
  ...aluRows,
  ...conditionRows,
  ...shiftRows,
  ...muldivRows,
  ...bcdRows,
  ...bitsRows,
  ...dataRows,
  ...exchangeRows,
  ...stackRows,
  ...controlRows,
  ...stringRows,
  ...stringIoRows,
];
