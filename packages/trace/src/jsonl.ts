/**
 * Traces as JSON lines: a header, then one record a line. Equal records are equal lines, so two files compare as text.
 * Reading gives typed errors with the line; it does not read files.
 */
import { RingfenceError } from '@ringfence/sdk';
import type { TraceHeader, TraceRecord } from './types.js';

export function headerLine(header: Omit<TraceHeader, 'kind' | 'version'>): string {
  return JSON.stringify({ kind: 'ringfence-trace', version: 1, ...header } satisfies TraceHeader);
}

/** One line, without its end. */
export function recordLine(record: TraceRecord): string {
  return JSON.stringify(record);
}

/** Whether a file that begins so is one of our traces. */
export function looksLikeTrace(start: string): boolean {
  return start.startsWith('{"kind":"ringfence-trace"');
}

/** Throws RF_BAD_TRACE unless `line` is the header of a trace that we can read. */
export function checkHeader(line: string, file: string): void {
  const header = parse(line, file, 1) as Partial<TraceHeader>;
  if (header.kind !== 'ringfence-trace') throw badTrace(file, 1, 'it does not begin with the header of a trace');
  if (header.version !== 1) throw badTrace(file, 1, `version ${String(header.version)} is not known`);
}

/** Throws RF_BAD_TRACE for a line that is no record. */
export function parseRecord(line: string, file: string, number: number): TraceRecord {
  const record = parse(line, file, number) as Partial<TraceRecord>;
  const known = record.kind === 'insn' || record.kind === 'event' || record.kind === 'end';
  const whole = known && Number.isSafeInteger(record.n) && (record.kind !== 'insn' || isInstruction(record));
  if (!whole) throw badTrace(file, number, 'it is no record of a trace');
  return record as TraceRecord;
}

function isInstruction(record: Partial<TraceRecord>): boolean {
  const { text, regs, mem, io } = record as Record<string, unknown>;
  return typeof text === 'string' && typeof regs === 'object' && Array.isArray(mem) && Array.isArray(io);
}

function parse(line: string, file: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw badTrace(file, number, 'it is not JSON (a trace that was cut off?)');
}

function badTrace(file: string, line: number, what: string): RingfenceError {
  return new RingfenceError('RF_BAD_TRACE', {
    message: `${file} line ${line}: ${what}`,
    value: file,
    fix: 'give files written by ringfence trace --format jsonl',
  });
}
