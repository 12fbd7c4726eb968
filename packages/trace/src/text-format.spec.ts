/** A trace as text. */
import { describe, expect, it } from 'vitest';
import { checkHeader, headerLine, looksLikeTrace, parseRecord, recordLine } from './jsonl.js';
import { formatRecord } from './text-format.js';
import type { InstructionRecord, TraceRecord } from './types.js';

const insn: InstructionRecord = {
  kind: 'insn',
  n: 42,
  cs: '0008',
  eip: '00101234',
  mode: '32/0',
  bytes: '890a',
  text: 'mov [edx], ecx',
  regs: {},
  mem: [],
  io: [],
};
const line = (record: Partial<InstructionRecord>): string => formatRecord({ ...insn, ...record });
const HEAD = '        42  0008:00101234 32/0  890a                  mov [edx], ecx';

describe('a line of text', () => {
  it('has no tail when nothing changed', () => {
    expect(line({})).toBe(HEAD);
  });

  it.each([
    [{ regs: { eax: ['00000001', '00000002'] } }, 'eax 00000001->00000002'],
    [{ regs: { eflags: ['00000046', '00003207'] } }, 'eflags 00003207 [+CF -ZF +IF IOPL=3]'],
    [{ mem: [{ op: 'r', addr: '00001000', size: 4, value: '0000002a' }] }, 'r [00001000].4 = 0000002a'],
    [{ mem: [{ op: 'w', addr: '00001000', size: 1, value: '2a', old: '00' }] }, 'w [00001000].1 00->2a'],
    [{ mem: [{ op: 'w', addr: '000b8000', size: 2 }] }, 'w [000b8000].2'],
    [{ io: [{ op: 'out', addr: '0060', size: 1, value: '41' }] }, 'out 0060 <- 41'],
    [{ io: [{ op: 'in', addr: '0060', size: 1, value: '41' }] }, 'in 0060 = 41'],
    [{ faulted: true }, 'faults'],
  ] as [Partial<InstructionRecord>, string][])('says after a semicolon what it did: %#', (record, tail) => {
    expect(line(record)).toBe(`${HEAD}                    ; ${tail}`);
  });

  it('names events', () => {
    const event = { kind: 'event', n: 7, at: '0008:00001000', regs: {} } as const;
    const text = (more: object): string => formatRecord({ ...event, ...more } as TraceRecord).trim();
    expect(text({ event: 'exception', vector: 14, error: '0006', cr2: '00400000', to: '0008:00000100' })).toBe(
      '7  -- #PF vector 14 error 0006 (write, user, not present) cr2 00400000 at 0008:00001000 -> 0008:00000100',
    );
    expect(text({ event: 'interrupt', vector: 32, to: '0008:00000100' })).toBe(
      '7  -- INTR vector 32 at 0008:00001000 -> 0008:00000100',
    );
    expect(text({ event: 'exception', vector: 8, error: '0000' })).toBe(
      '7  -- #DF vector 8 error 0000 at 0008:00001000, not delivered',
    );
  });

  it('says how it ended', () => {
    expect(formatRecord({ kind: 'end', n: 9, outcome: 'reset', detail: 'port 0x64' })).toBe(
      '         9  == end: reset (port 0x64)',
    );
  });
});

describe('JSON lines', () => {
  it('come back as they went', () => {
    expect(parseRecord(recordLine(insn), 'a', 2)).toEqual(insn);
    const header = headerLine({ kernel: 'k.elf', monitor: 'none' });
    expect(looksLikeTrace(header)).toBe(true);
    expect(() => checkHeader(header, 'a')).not.toThrow();
  });

  it.each(['{"kind":"insn"', '{}', 'null', '{"kind":"insn","n":1}', '{"kind":"end","n":1.5}'])('refuse %s', (text) => {
    expect(() => parseRecord(text, 'a.jsonl', 3)).toThrow(
      expect.objectContaining({ code: 'RF_BAD_TRACE', message: expect.stringContaining('a.jsonl line 3') as string }),
    );
  });

  it('refuse the header of another version', () => {
    expect(() => checkHeader('{"kind":"ringfence-trace","version":2}', 'a')).toThrow(/version 2/);
    expect(() => checkHeader('{"kind":"other"}', 'a')).toThrow(/does not begin with the header/);
  });
});
