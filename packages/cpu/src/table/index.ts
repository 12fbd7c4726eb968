/**
 * All opcode rows of the interpreter. The decoder (decode/form.ts) builds a model's table from them; the first row that
 * fits an encoding wins.
 */
import type { CpuModel } from '@ringfence/sdk';
import { packedRows } from '../generated/packed.js';
import { controlFarRows } from '../instructions/control-far.js';
import { descriptorCheckRows } from '../instructions/descriptor-checks.js';
import { flagControlRows } from '../instructions/flag-control.js';
import { familyRows } from '../instructions/index.js';
import { fxsaveRows } from '../instructions/fxsave.js';
import { ioRows } from '../instructions/io.js';
import { mmxRows } from '../instructions/mmx.js';
import { segmentMoveRows } from '../instructions/segment-moves.js';
import { sseCompareRows } from '../instructions/sse-compare.js';
import { prefetchRows, sseControlRows } from '../instructions/sse-control.js';
import { sseConvertRows } from '../instructions/sse-convert.js';
import { sseFloatRows } from '../instructions/sse-float.js';
import { sseIntegerRows } from '../instructions/sse-integer.js';
import { sseMoveRows } from '../instructions/sse-move.js';
import { sseShuffleRows } from '../instructions/sse-shuffle.js';
import { sysenterRows } from '../instructions/sysenter.js';
import { systemRows } from '../instructions/system.js';
import { tableRegisterRows } from '../instructions/table-registers.js';
import { noX87Rows, x87Rows } from '../instructions/x87.js';
import type { OpcodeRow } from './row.js';

/** All that exist. */
export const opcodeRows: readonly OpcodeRow[] = [
  ...prefetchRows,
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
  ...mmxRows,
  ...packedRows,
  ...fxsaveRows,
  ...sseControlRows,
  ...sseMoveRows,
  ...sseShuffleRows,
  ...sseIntegerRows,
  ...sseFloatRows,
  ...sseCompareRows,
  ...sseConvertRows,
];

const withoutFpu: readonly OpcodeRow[] = [...opcodeRows.filter((row) => !x87Rows.includes(row)), ...noX87Rows];

/** Those of a model, some of which its level or features may still rule out (decode/form.ts). */
export function rowsOf(model: CpuModel): readonly OpcodeRow[] {
  return model.features.fpu ? opcodeRows : withoutFpu;
}
