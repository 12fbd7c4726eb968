/**
 * All opcode rows of the interpreter. The decoder (decode/form.ts) builds a model's table from them; the first row that
 * fits an encoding wins.
 */
import { controlFarRows } from '../instructions/control-far.js';
import { descriptorCheckRows } from '../instructions/descriptor-checks.js';
import { flagControlRows } from '../instructions/flag-control.js';
import { familyRows } from '../instructions/index.js';
import { ioRows } from '../instructions/io.js';
import { segmentMoveRows } from '../instructions/segment-moves.js';
import { sysenterRows } from '../instructions/sysenter.js';
import { systemRows } from '../instructions/system.js';
import { tableRegisterRows } from '../instructions/table-registers.js';
import { x87Rows } from '../instructions/x87.js';
import type { OpcodeRow } from './row.js';

export const opcodeRows: readonly OpcodeRow[] = [
  ...familyRows,
  ...segmentMoveRows,
  ...controlFarRows,
  ...flagControlRows,
  ...ioRows,
  ...tableRegisterRows,
  ...descriptorCheckRows,
  ...systemRows,
  ...sysenterRows,
  ...x87Rows,
];
