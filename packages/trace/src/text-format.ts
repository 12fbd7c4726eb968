/**
 * Records as text for people: one line each, the fixed columns first (count, place, mode, bytes, instruction), then
 * after a semicolon what it did. Made to be read, grepped and diffed; programs read the JSON lines.
 */
import { pushesErrorCode } from '@ringfence/sdk';
import type { Change, DeviceTouch, EventRecord, InstructionRecord, MemoryTouch, TraceRecord } from './types.js';

const COUNT_WIDTH = 10;
const SYMBOL_WIDTH = 24;
const BYTES_WIDTH = 20;
const TEXT_WIDTH = 34;

const VECTOR_NAMES: Readonly<Record<number, string>> = {
  0: '#DE',
  1: '#DB',
  3: '#BP',
  4: '#OF',
  5: '#BR',
  6: '#UD',
  7: '#NM',
  8: '#DF',
  10: '#TS',
  11: '#NP',
  12: '#SS',
  13: '#GP',
  14: '#PF',
  16: '#MF',
  17: '#AC',
  18: '#MC',
  19: '#XM',
};

const FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [0, 'CF'],
  [2, 'PF'],
  [4, 'AF'],
  [6, 'ZF'],
  [7, 'SF'],
  [8, 'TF'],
  [9, 'IF'],
  [10, 'DF'],
  [11, 'OF'],
  [14, 'NT'],
  [16, 'RF'],
  [17, 'VM'],
  [18, 'AC'],
  [19, 'VIF'],
  [20, 'VIP'],
  [21, 'ID'],
];

/** One line, without its end. */
export function formatRecord(record: TraceRecord): string {
  switch (record.kind) {
    case 'insn':
      return instructionLine(record);
    case 'event':
      return eventLine(record);
    case 'end': {
      const detail = record.detail === undefined ? '' : ` (${record.detail})`;
      return `${count(record.n)}  == end: ${record.outcome}${detail}`;
    }
  }
}

function instructionLine(record: InstructionRecord): string {
  const { n, cs, eip, mode, bytes, text, symbol } = record;
  const place = symbol === undefined ? `${cs}:${eip}` : `${cs}:${eip} ${symbol.padEnd(SYMBOL_WIDTH)}`;
  const head = `${count(n)}  ${place} ${mode.padEnd(4)}  ${bytes.padEnd(BYTES_WIDTH)}  `;
  const effects = [
    ...(record.faulted === true ? ['faults'] : []),
    ...registerTexts(record.regs),
    ...record.mem.map(memoryText),
    ...record.io.map(deviceText),
  ];
  return effects.length === 0 ? head + text : `${head}${text.padEnd(TEXT_WIDTH)}; ${effects.join(', ')}`;
}

function eventLine(record: EventRecord): string {
  const { n, event, vector, error, cr2, at, to } = record;
  const name = event === 'exception' ? (VECTOR_NAMES[vector] ?? 'exception') : event === 'nmi' ? 'NMI' : 'INTR';
  let line = `${count(n)}  -- ${name} vector ${vector}`;
  if (error !== undefined) line += ` error ${error}${vector === 14 ? pageFaultText(Number.parseInt(error, 16)) : ''}`;
  else if (event === 'exception' && pushesErrorCode(vector)) line += ' (no error code)';
  if (cr2 !== undefined) line += ` cr2 ${cr2}`;
  line += ` at ${at}`;
  line += to === undefined ? ', not delivered' : ` -> ${to}`;
  const effects = registerTexts(record.regs);
  return effects.length === 0 ? line : `${line}  ; ${effects.join(', ')}`;
}

function count(n: number): string {
  return String(n).padStart(COUNT_WIDTH);
}

/** What a page fault's error code says (SDM Vol. 3A, 4.7 "Page-Fault Exceptions"). */
function pageFaultText(error: number): string {
  const parts = [
    (error & 2) !== 0 ? 'write' : 'read',
    (error & 4) !== 0 ? 'user' : 'supervisor',
    (error & 1) !== 0 ? 'protection' : 'not present',
  ];
  if ((error & 8) !== 0) parts.push('reserved bit');
  return ` (${parts.join(', ')})`;
}

function registerTexts(regs: Readonly<Record<string, Change>>): string[] {
  return Object.entries(regs).map(([name, [before, after]]) =>
    name === 'eflags' ? `eflags ${after} ${flagsText(before, after)}` : `${name} ${before}->${after}`,
  );
}

/** `[+ZF -CF]`: what was set and what was cleared. */
function flagsText(before: string, after: string): string {
  const [old, now] = [Number.parseInt(before, 16), Number.parseInt(after, 16)];
  const parts: string[] = [];
  for (const [bit, name] of FLAG_NAMES) {
    const mask = 1 << bit;
    if (((old ^ now) & mask) !== 0) parts.push(`${(now & mask) !== 0 ? '+' : '-'}${name}`);
  }
  if (((old ^ now) & 0x3000) !== 0) parts.push(`IOPL=${(now >> 12) & 3}`);
  return `[${parts.join(' ')}]`;
}

/** `[addr].size = value` for a read, `[addr].size: old->new` for a write. */
function memoryText({ op, addr, size, value, old }: MemoryTouch): string {
  const what = `${op} [${addr}].${size}`;
  if (value === undefined) return what;
  return old === undefined ? `${what} = ${value}` : `${what} ${old}->${value}`;
}

function deviceText({ op, addr, value }: DeviceTouch): string {
  return op === 'out' || op === 'mmio-w' ? `${op} ${addr} <- ${value}` : `${op} ${addr} = ${value}`;
}
