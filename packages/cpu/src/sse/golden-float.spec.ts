/**
 * Replays what a real processor's SSE and SSE2 arithmetic did (golden-float/*.txt, recorded by tools/sse-probe/record.mjs) through
 * decoder and handlers, with register and with memory operands: result, MXCSR, EFLAGS, #XM, and that nothing else changes.
 * Approximations need only agree within twice their bound. SSE_GOLDEN=<folder> replays another recording.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CR0,
  CR0_NE,
  CR4,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  EAX,
  ECX,
  ESI,
  FLAGS_ARITH,
  FPU_REGISTERS,
  FPU_TAGS,
  MXCSR,
  VEC_XM,
  XMM,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { sseCompareRows } from '../instructions/sse-compare.js';
import { sseConvertRows } from '../instructions/sse-convert.js';
import { sseFloatRows } from '../instructions/sse-float.js';
import { PENTIUM4 } from '../models.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { BenchCpu } from '../testing/bench-cpu.js';

const FOLDER = process.env['SSE_GOLDEN'] ?? fileURLToPath(new URL('golden-float', import.meta.url));
const OPERAND = 0x2000;
const FILL = 0xa5a5a5a5 | 0;
const MMX1 = FPU_REGISTERS + 4;
/** Both processors may be off by 1.5 * 2^-12. */
const APPROXIMATE = 3 * 2 ** -12;
const hex = (v: number, digits: number) => (v >>> 0).toString(16).padStart(digits, '0');

interface Form {
  readonly name: string;
  readonly first: boolean;
  readonly second: string;
  readonly to: string;
  readonly result: string;
}

/** Elements, lowest first, to words. */
function words(text: string): number[] {
  return text.split(',').flatMap((element) => {
    if (element.length === 8) return [parseInt(element, 16) | 0];
    return [parseInt(element.slice(8), 16) | 0, parseInt(element.slice(0, 8), 16) | 0];
  });
}

/** Four words: `known`, FILL above. */
function filled(known: readonly number[]): number[] {
  return [0, 1, 2, 3].map((i) => known[i] ?? FILL);
}

function single(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0];
}

function close(got: number, wanted: number): boolean {
  return got === wanted || Math.abs(single(got) / single(wanted) - 1) <= APPROXIMATE;
}

class Replay {
  private readonly c = new BenchCpu(PENTIUM4);
  private form: Form = { name: '', first: false, second: '', to: '', result: '' };
  private ops: Op[] = [];
  /** Rows that forms were of. */
  readonly rows = new Set<OpcodeRow>();

  constructor() {
    this.c.s[CR0] |= CR0_NE;
    this.c.s[CR4] |= CR4_OSFXSR | CR4_OSXMMEXCPT;
  }

  start(line: string): void {
    const [, name, code, a, second, to, result] = /^# form (\S+): ([^|]*) \| (\w+),(\w+) => (\w) ?(\w*)$/.exec(line)!;
    this.form = { name, first: a !== '0', second, to, result };
    const bytes = code.split(' ').map((byte) => parseInt(byte, 16));
    const memory = bytes.map((byte, i) => (i === bytes.lastIndexOf(0xc1) ? 0x06 : byte));
    this.ops = [this.c.decode(bytes), this.c.decode(memory)];
    for (const op of this.ops) this.rows.add(op.row);
  }

  /** Answers a message when the case comes out differently. */
  run(line: string): string | undefined {
    const [before, after] = line.split(' => ').map((side) => side.split(' '));
    const first = filled(this.form.first ? words(before[1]) : []);
    const second = filled(words(before.at(-1)!));
    for (const op of this.ops) {
      const wrong = this.execute(op, parseInt(before[0], 16), first, second, after);
      if (wrong !== '') return `${this.form.name} ${op.mem ? 'memory' : 'register'} ${line}: ${wrong}`;
    }
    return undefined;
  }

  private execute(op: Op, mxcsr: number, first: number[], second: number[], [control, value]: string[]): string {
    const { c, form } = this;
    const w = c.sse.w;
    w.set(first, XMM);
    w.set(op.mem ? filled([]) : second, XMM + 4);
    w.set(first.slice(0, 2), FPU_REGISTERS);
    w.set(second.slice(0, 2), MMX1);
    w[FPU_TAGS] = 0;
    w[MXCSR] = mxcsr;
    c.s[EAX] = first[0];
    c.s[ECX] = second[0];
    c.s[ESI] = OPERAND;
    c.setFlags(FLAGS_ARITH);
    second.forEach((word, i) => c.poke(OPERAND + i * 4, word, word >> 8, word >> 16, word >> 24));
    const vector = c.execute(op);

    const raised = value === '#XM';
    const wrong: string[] = [];
    if (vector !== (raised ? VEC_XM : -1)) wrong.push(`vector ${vector}`);
    if (w[MXCSR] !== parseInt(control, 16)) wrong.push(`MXCSR ${hex(w[MXCSR], 4)}`);
    const result = raised || form.to === 'f' ? [] : words(value);
    const expected = (to: string, start: number[]) =>
      start.map((word, i) => (form.to === to ? result[i] : undefined) ?? word);
    const check = (name: string, at: number, wanted: number[], words = w) => {
      const same = /^rcp|^rsqrt/.test(form.name) ? close : Object.is;
      wanted.forEach((word, i) => {
        if (!same(words[at + i], word)) wrong.push(`${name}[${i}] ${hex(words[at + i], 8)}`);
      });
    };
    check('xmm0', XMM, expected('x', first));
    check('mm0', FPU_REGISTERS, expected('m', first.slice(0, 2)));
    check('eax', EAX, expected('r', first.slice(0, 1)), c.s);
    const flags = form.to === 'f' && !raised ? parseInt(value, 16) : FLAGS_ARITH;
    if ((c.flags & FLAGS_ARITH) !== flags) wrong.push(`flags ${hex(c.flags & FLAGS_ARITH, 3)}`);
    const mmx = form.to === 'm' || (!op.mem && /^cvtpi2/.test(form.name));
    if (w[FPU_TAGS] !== (mmx ? 0xff : 0)) wrong.push(`tags ${hex(w[FPU_TAGS], 2)}`);
    return wrong.join(' ');
  }
}

describe('SSE arithmetic against real silicon', () => {
  const replay = new Replay();
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))) {
    it(file, () => {
      const wrong: string[] = [];
      let cases = 0;
      for (const line of readFileSync(join(FOLDER, file), 'latin1').trim().split('\n')) {
        if (line.startsWith('#')) {
          replay.start(line);
          continue;
        }
        cases++;
        const message = replay.run(line);
        if (message !== undefined) wrong.push(message);
      }
      expect(cases).toBeGreaterThan(0);
      expect(wrong.slice(0, 20), `${wrong.length} of ${cases}`).toEqual([]);
    });
  }

  it('every row is in the recording', () => {
    const missing = [...sseFloatRows, ...sseCompareRows, ...sseConvertRows].filter((row) => !replay.rows.has(row));
    expect(missing.map((row) => row.mnemonic)).toEqual([]);
  });
});
