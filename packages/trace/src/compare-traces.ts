/**
 * Two traces side by side, record by record, to the first that differs. Traces that begin at different counts are compared
 * from the later one on, and one that stops earlier (its range ended) ends the comparison: only what both show can differ.
 * Symbols are names, not doings: they are not compared.
 */
import type { TraceRecord } from './types.js';

export interface TraceComparison {
  /** Records that were the same. */
  readonly compared: number;
  /** The last records both have, oldest first. */
  readonly before: readonly TraceRecord[];
  /** The first records that differ. */
  readonly difference?: { readonly a: TraceRecord; readonly b: TraceRecord };
  /** Which trace stopped first; undefined when both stopped together or a difference came first. */
  readonly shorter?: 'a' | 'b';
}

/** Compares until something differs or one trace is over. `context`: how many records `before` keeps. */
export async function compareTraces(
  a: AsyncIterator<TraceRecord>,
  b: AsyncIterator<TraceRecord>,
  context: number,
): Promise<TraceComparison> {
  const before: TraceRecord[] = [];
  let [x, y] = [await a.next(), await b.next()];
  while (x.done !== true && y.done !== true && x.value.n < y.value.n) x = await a.next();
  while (x.done !== true && y.done !== true && y.value.n < x.value.n) y = await b.next();
  for (let compared = 0; ; compared++) {
    if (x.done === true || y.done === true) {
      if (x.done === true && y.done === true) return { compared, before };
      return { compared, before, shorter: x.done === true ? 'a' : 'b' };
    }
    if (!sameRecord(x.value, y.value)) return { compared, before, difference: { a: x.value, b: y.value } };
    before.push(x.value);
    if (before.length > context) before.shift();
    [x, y] = [await a.next(), await b.next()];
  }
}

/** Whether two records say the same of the guest. */
export function sameRecord(a: TraceRecord, b: TraceRecord): boolean {
  return JSON.stringify(withoutSymbol(a)) === JSON.stringify(withoutSymbol(b));
}

function withoutSymbol(record: TraceRecord): TraceRecord {
  if (record.kind !== 'insn' || record.symbol === undefined) return record;
  return { ...record, symbol: undefined };
}
