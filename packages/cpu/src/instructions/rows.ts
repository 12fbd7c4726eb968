/**
 * Shorthands for opcode rows: handlers of byte instructions, operand-size pairs, runs of opcodes.
 * Only building blocks; which encodings exist is said by the family files.
 */
import type { Handler } from '../op.js';
import type { Operand, OpcodeRow, RowHandlers } from '../table/row.js';

/** The same handlers at both operand sizes: byte instructions, and those that look at `op.wide` themselves. */
export function anySize(register?: Handler, memory?: Handler): RowHandlers {
  return { r16: register, r32: register, m16: memory, m32: memory };
}

/** Register (or no ModR/M) forms at 16 and 32 bits. */
export function sized(r16: Handler, r32: Handler): RowHandlers {
  return { r16, r32 };
}

/** Register and memory forms at 16 and 32 bits. */
export function sizedForms(r16: Handler, r32: Handler, m16: Handler, m32: Handler): RowHandlers {
  return { r16, r32, m16, m32 };
}

/** Memory forms at 16 and 32 bits. */
export function sizedMemory(m16: Handler, m32: Handler): RowHandlers {
  return { m16, m32 };
}

/** One row for each of eight opcodes in a row. (A `Zb` or `Zv` row at a multiple of 8 takes its eight by itself.) */
export function eightRows(row: OpcodeRow): OpcodeRow[] {
  return Array.from({ length: 8 }, (_, i) => ({ ...row, opcode: row.opcode + i }));
}

/** A row of the 0F map that a mandatory prefix (or none) selects. */
export function simdRow(
  mnemonic: string,
  opcode: number,
  prefix: 0 | 0x66 | 0xf2 | 0xf3,
  operands: readonly Operand[],
  feature: string,
  register?: Handler,
  memory?: Handler,
): OpcodeRow {
  return { mnemonic, map: 2, opcode, prefix, operands, handlers: anySize(register, memory), feature };
}
