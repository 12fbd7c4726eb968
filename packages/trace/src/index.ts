/**
 * Instruction traces: what a guest executed, one record per instruction, the same bare and monitored; and where two runs
 * part. Works on any machine that offers a view of its guest; knows the sdk only.
 */
export { formatRecord } from './text-format.js';
export { checkHeader, headerLine, looksLikeTrace, parseRecord, recordLine } from './jsonl.js';
export { traceAround, traceRange, type AroundOptions, type CodeAddress, type RangeOutcome } from './range.js';
export { compareTraces, type TraceComparison } from './compare-traces.js';
export { findDivergence, type Divergence, type DivergenceOptions, type Pair } from './find-divergence.js';
export { comparisonReport, divergenceReport } from './divergence-report.js';
export { SymbolTable } from './symbols.js';
export { stateDifference } from './state-difference.js';
export { Tracer } from './tracer.js';
export type * from './types.js';
