/**
 * The reference interpreter for IA-32 processors: a core, its processor models, and the opcode table for tools.
 */
export { Cpu } from './cpu.js';
export { I386, I486, MODELS, P6, PENTIUM, PENTIUM4 } from './models.js';
export { InterpreterFactory, plugin } from './plugin.js';
export { opcodeRows } from './table/index.js';
export type { OpcodeRow, Operand, RowHandlers } from './table/row.js';
