/** Two trace files, record by record. */
import { describe, expect, it } from 'vitest';
import { compareTraces } from './compare-traces.js';
import { comparisonReport } from './divergence-report.js';
import { stateDifference } from './state-difference.js';
import type { InstructionRecord, SavedState, TraceRecord } from './types.js';

const insn = (n: number, text = `op ${n}`): InstructionRecord => {
  return { kind: 'insn', n, cs: '0008', eip: '00000000', mode: '32/0', bytes: '90', text, regs: {}, mem: [], io: [] };
};
const range = (from: number, to: number): TraceRecord[] =>
  Array.from({ length: to - from + 1 }, (_, i) => insn(from + i));

async function* each(records: readonly TraceRecord[]): AsyncGenerator<TraceRecord> {
  yield* records;
}

const compare = (a: readonly TraceRecord[], b: readonly TraceRecord[], context = 2) =>
  compareTraces(each(a), each(b), context);

describe('two traces', () => {
  it('are the same to their end', async () => {
    expect(await compare(range(0, 9), range(0, 9))).toEqual({ compared: 10, before: range(8, 9) });
  });

  it('differ at a record, with what came before', async () => {
    const other = [...range(0, 5), insn(6, 'another'), ...range(7, 9)];
    const found = await compare(range(0, 9), other);
    expect(found.difference).toMatchObject({ a: { text: 'op 6' }, b: { text: 'another' } });
    expect(found.before.map(({ n }) => n)).toEqual([4, 5]);
    expect(comparisonReport(found).map((line) => line.slice(0, 13))).toEqual([
      'diverged at c',
      '            4',
      '            5',
      'A           6',
      'B           6',
    ]);
  });

  it('are compared from where both have begun, to where one stops', async () => {
    const found = await compare(range(0, 9), range(3, 7));
    expect(found).toMatchObject({ compared: 5, shorter: 'b' });
    expect((await compare(range(5, 6), range(0, 9))).shorter).toBe('a');
    expect(comparisonReport(found)).toEqual(['the same: 5 records; B goes no further']);
  });

  it('differ when one guest ended', async () => {
    const ended: TraceRecord[] = [...range(0, 4), { kind: 'end', n: 5, outcome: 'reset' }];
    expect((await compare(range(0, 9), ended)).difference).toMatchObject({ a: { n: 5 }, b: { kind: 'end' } });
  });

  it('are not different for a symbol', async () => {
    expect((await compare([{ ...insn(1), symbol: '<main>' }], [insn(1)])).compared).toBe(1);
  });
});

describe('the difference of two states', () => {
  const state = (eax: number, ram: Uint8Array): SavedState => ({
    version: 1,
    components: {
      processor: { component: 'cpu', version: 1, data: { eax, cs: { base: 0 }, name: 'x' } },
      memory: { component: 'memory', version: 1, data: { bytes: ram } },
    },
  });
  const ram = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Array<number>(16).fill(0)]);

  it('names fields and stretches of memory', () => {
    const [a, b] = [ram(1, 2, 3, 4, 5, 6, 7, 8), ram(1, 2, 3, 9, 5, 0, 7, 8)];
    expect(stateDifference(state(1, a), state(2, b))).toEqual([
      'processor.eax: A 00000001, B 00000002',
      'memory 00000000.8: A 0102030405060708, B 0102030905000708',
    ]);
    expect(stateDifference(state(1, a), state(1, a.slice()))).toEqual([]);
  });

  it('leaves accessed and dirty bits out, unless there is nothing else', () => {
    const [a, b] = [ram(0x07, 0, 0, 0, 1, 0, 0, 0), ram(0x67, 0, 0, 0, 2, 0, 0, 0)];
    expect(stateDifference(state(1, a), state(1, b))).toEqual(['memory 00000004.4: A 01000000, B 02000000']);
    expect(stateDifference(state(1, ram(7, 0, 0, 0)), state(1, ram(0x67, 0, 0, 0)))).toEqual([
      'memory 00000000.4: A 07000000, B 67000000',
    ]);
  });
});
