/**
 * The coprocessor's opcodes on a machine without one: where the x87 will come. With CR0.EM or TS set they raise #NM (SDM
 * Vol. 3A, 2.5), WAIT with MP and TS; otherwise they do nothing at all, as when no coprocessor answers on the bus: FNSTSW
 * leaves AX, FNSTCW leaves memory untouched, which is what detection code looks for.
 */
import { CR0, CR0_EM, CR0_MP, CR0_TS } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

export function escape(c: Cpu): void {
  if ((c.s[CR0] & (CR0_EM | CR0_TS)) !== 0) c.nm();
}

export function wait(c: Cpu): void {
  const both = CR0_MP | CR0_TS;
  if ((c.s[CR0] & both) === both) c.nm();
}

const escapes: OpcodeRow[] = [];
for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
  escapes.push({ mnemonic: 'esc', map: 1, opcode, operands: ['Ev'], handlers: anySize(escape, escape) });
}

export const x87Rows: readonly OpcodeRow[] = [
  ...escapes,
  { mnemonic: 'wait', map: 1, opcode: 0x9b, operands: [], handlers: anySize(wait) },
];
