/**
 * A divergence as lines for people: the instructions before it, which are the same, then those of A and of B, then in what the
 * two machines differ. The instructions are traced anew from where the search can go back to.
 */
import { sameRecord, type TraceComparison } from './compare-traces.js';
import { Disassembler } from './disassembler.js';
import type { Divergence, Pair } from './find-divergence.js';
import { stateDifference } from './state-difference.js';
import { formatRecord } from './text-format.js';
import { Tracer } from './tracer.js';
import type { ComparableMachine, TraceRecord } from './types.js';

/** Records of each side shown from the first that differs on. */
const AFTER = 3;

type Diverged = Extract<Divergence, { kind: 'diverged' }>;

/** `context`: instructions shown before. */
export async function divergenceReport(found: Diverged, context: number): Promise<string[]> {
  const { good, bad, states } = found;
  const differences = stateDifference(...states).map((line) => `  ${line}`);
  if (bad - good > 1) {
    return [
      `diverged after count ${good} and before ${bad}; looked at more often, the runs do not part there`,
      `in what they differ at count ${bad}:`,
      ...differences,
    ];
  }
  const pair = await found.rewind(Math.max(0, good - context));
  const [a, b] = both(pair, bad + AFTER);
  const first = firstDifference(a, b);
  const lines = [`diverged at count ${good}`];
  for (const record of a.slice(0, first)) lines.push(`   ${formatRecord(record)}`);
  for (const record of a.slice(first, first + AFTER)) lines.push(`A  ${formatRecord(record)}`);
  for (const record of b.slice(first, first + AFTER)) lines.push(`B  ${formatRecord(record)}`);
  if (first === a.length && first === b.length) lines.push('the instructions are the same; the states are not');
  lines.push(`in what they differ behind it, at count ${bad}:`, ...differences);
  return lines;
}

/** The same for two trace files. */
export function comparisonReport(found: TraceComparison): string[] {
  const { before, difference, compared, shorter } = found;
  if (difference === undefined) {
    const until = shorter === undefined ? '' : `; ${shorter.toUpperCase()} goes no further`;
    return [`the same: ${compared} records${until}`];
  }
  return [
    `diverged at count ${difference.a.n} after ${compared} records that are the same`,
    ...before.map((record) => `   ${formatRecord(record)}`),
    `A  ${formatRecord(difference.a)}`,
    `B  ${formatRecord(difference.b)}`,
  ];
}

/** Traces both to `until`, or their ends. */
function both({ a, b }: Pair, until: number): [TraceRecord[], TraceRecord[]] {
  const disassembler = new Disassembler();
  const trace = (machine: ComparableMachine): TraceRecord[] => {
    const records: TraceRecord[] = [];
    const tracer = new Tracer(machine, (record) => records.push(record), disassembler);
    while (machine.retired < until && tracer.step());
    return records;
  };
  return [trace(a), trace(b)];
}

function firstDifference(a: readonly TraceRecord[], b: readonly TraceRecord[]): number {
  const both = Math.min(a.length, b.length);
  for (let i = 0; i < both; i++) if (!sameRecord(a[i], b[i])) return i;
  return both;
}
