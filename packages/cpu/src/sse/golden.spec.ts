/**
 * Replays what a real processor did with every form of MMX, FXSAVE, FXRSTOR and the moving and integer half of SSE and SSE2
 * (golden/{mmx,xmm,state}.txt, recorded by tools/simd-probe/record.mjs, which explains the lines). Nothing is masked: registers, memory, tags, TOP,
 * the page-fault address are all compared. SIMD_GOLDEN=<folder> replays another recording.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CPL,
  CR0,
  CR0_AM,
  CR0_NE,
  CR0_WP,
  CR2,
  CR4,
  CR4_OSFXSR,
  EDI,
  ESI,
  FLAG_AC,
  FPU_CONTROL,
  FPU_REGISTERS,
  FPU_TAGS,
  XMM,
  type CpuModel,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { packedRows } from '../generated/packed.js';
import { fxsaveRows } from '../instructions/fxsave.js';
import { mmxRows } from '../instructions/mmx.js';
import { prefetchRows, sseControlRows } from '../instructions/sse-control.js';
import { sseIntegerRows } from '../instructions/sse-integer.js';
import { sseMoveRows } from '../instructions/sse-move.js';
import { sseShuffleRows } from '../instructions/sse-shuffle.js';
import { MODELS } from '../models.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import type { OpcodeRow } from '../table/row.js';

const FOLDER = process.env['SIMD_GOLDEN'] ?? fileURLToPath(new URL('golden', import.meta.url));
const PENTIUM4: CpuModel = MODELS.find((model) => model.name === 'pentium4')!;
const ROWS = [
  packedRows,
  fxsaveRows,
  mmxRows,
  prefetchRows,
  sseControlRows,
  sseIntegerRows,
  sseMoveRows,
  sseShuffleRows,
];
/** The memory window straddles the start of PAGE, where the recorder's second page is. */
const PAGE = 0x6000;
const WINDOW = 640;
const START = PAGE - WINDOW / 2;
const NAMES = ['eax', 'ecx', 'edx', 'ebx'];

interface Form {
  readonly title: string;
  readonly bytes: string[];
  readonly cases: string[];
}

function parse(file: string): Form[] {
  const forms: Form[] = [];
  for (const line of readFileSync(join(FOLDER, file), 'utf8').trimEnd().split('\n')) {
    const start = /^# form (\S+): (.*)$/.exec(line);
    if (start !== null) forms.push({ title: `${start[1]}: ${start[2]}`, bytes: start[2].split(' '), cases: [] });
    else forms.at(-1)!.cases.push(line);
  }
  return forms;
}

const hex = (value: number, digits: number) => (value >>> 0).toString(16).padStart(digits, '0');
const bytesOf = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

class Replay {
  readonly rows = new Set<OpcodeRow>();
  private readonly c = new BenchCpu(PENTIUM4);
  private readonly memory = this.c.memory.ram().subarray(START, START + WINDOW);

  constructor() {
    this.c.s[CR4] = CR4_OSFXSR;
    this.c.writeCr0(this.c.s[CR0] | CR0_AM | CR0_NE | CR0_WP);
  }

  /** Answers what differs, or undefined. */
  run(form: Form, line: string): string | undefined {
    const { c } = this;
    const [given, expected] = line.split(/ ?=> ?/).map((part) => part.split(' ').filter((word) => word !== ''));
    const values = new Map(given.map((word) => word.split('=') as [string, string]));
    this.fill();
    this.alignmentChecks(values.has('ac'));
    const place = Number(values.get('place') ?? 0);
    const off = Number(values.get('off') ?? 0);
    c.mmu.setPage(PAGE, place === 1 ? { present: false } : place === 2 ? { write: false } : {});
    const end = place === 1 ? WINDOW / 2 : WINDOW;
    for (const [name, value] of values) this.put(name, value, off, end);
    c.s[ESI] = START + off;
    c.s[EDI] = START + off;
    const before = this.state();
    const op = c.decode(form.bytes.map((byte) => parseInt(byte === 'II' ? values.get('imm')! : byte, 16)));
    this.rows.add(op.row);
    const vector = c.execute(op);
    const found: string[] = [];
    if (vector !== -1) found.push(`#${vector}`);
    if (vector === 14) found.push(`cr2=${c.s[CR2] - START}`);
    this.state().forEach(([name, value], i) => {
      if (value !== before[i][1]) found.push(name === 'mem' ? memoryChange(before[i][1], value) : `${name}=${value}`);
    });
    // In the recording's order, which is this one too.
    return found.join(' ') === expected.join(' ') ? undefined : `${form.title}\n  ${line}\n  here: ${found.join(' ')}`;
  }

  private fill(): void {
    const { c } = this;
    const { w, u8 } = c.sse;
    for (let n = 0; n < 8; n++) {
      const at = FPU_REGISTERS + n * 4;
      for (let i = 0; i < 8; i++) u8[at * 4 + i] = n * 16 + i;
      w[at + 2] = 0x4000 + n;
      for (let i = 0; i < 16; i++) u8[(XMM + n * 4) * 4 + i] = 128 + n * 16 + i;
    }
    c.fpu.setControl(0x37f);
    c.fpu.setStatus(0x1800);
    w[FPU_TAGS] = 0x0f;
    c.sse.mxcsr = 0x1f80;
    NAMES.forEach((_, i) => (c.s[i] = 0xa0a1a2a3 + i * 0x10101010));
    for (let i = 0; i < WINDOW; i++) this.memory[i] = i * 7 + 13;
  }

  private alignmentChecks(on: boolean): void {
    const { c } = this;
    c.s[CPL] = on ? 3 : 0;
    c.setFlags(on ? FLAG_AC : 0);
    c.stateChanged();
  }

  private put(name: string, value: string, off: number, end: number): void {
    const { c } = this;
    const [, kind, number] = /^(\D+)(\d*)$/.exec(name)!;
    const n = Number(number);
    if (kind === 'mm') c.sse.u8.set(bytesOf(value), (FPU_REGISTERS + n * 4) * 4);
    else if (kind === 'xmm') c.sse.u8.set(bytesOf(value), (XMM + n * 4) * 4);
    else if (kind === 'mem') this.memory.set(bytesOf(value).subarray(0, Math.max(0, end - off)), off);
    else if (kind === 'fcw') c.fpu.setControl(parseInt(value, 16));
    else if (kind === 'fsw') c.fpu.setStatus(parseInt(value, 16));
    else if (kind === 'ftw') c.sse.w[FPU_TAGS] = parseInt(value, 16);
    else if (kind === 'mxcsr') c.sse.mxcsr = parseInt(value, 16);
    else if (NAMES.includes(name)) c.s[NAMES.indexOf(name)] = parseInt(value, 16);
  }

  private state(): [string, string][] {
    const { c } = this;
    const { w, u8 } = c.sse;
    const out: [string, string][] = [
      ['fcw', hex(w[FPU_CONTROL], 4)],
      ['fsw', hex(c.fpu.status, 4)],
      ['ftw', hex(w[FPU_TAGS], 2)],
      ['mxcsr', hex(c.sse.mxcsr, 4)],
    ];
    for (let n = 0; n < 8; n++) {
      const at = FPU_REGISTERS + n * 4;
      out.push([`mm${n}`, textOf(u8.subarray(at * 4, at * 4 + 8))], [`se${n}`, hex(w[at + 2], 4)]);
      out.push([`xmm${n}`, textOf(u8.subarray((XMM + n * 4) * 4, (XMM + n * 4) * 4 + 16))]);
    }
    NAMES.forEach((name, i) => out.push([name, hex(c.s[i], 8)]));
    out.push(['mem', textOf(this.memory)]);
    return out;
  }
}

function memoryChange(before: string, after: string): string {
  let first = 0;
  while (before.slice(first * 2, first * 2 + 2) === after.slice(first * 2, first * 2 + 2)) first++;
  let last = WINDOW;
  while (before.slice(last * 2 - 2, last * 2) === after.slice(last * 2 - 2, last * 2)) last--;
  return `mem+${first}=${after.slice(first * 2, last * 2)}`;
}

describe('MMX and SSE against real silicon', () => {
  const replay = new Replay();
  for (const file of ['mmx.txt', 'xmm.txt', 'state.txt']) {
    const forms = parse(file);
    const count = forms.reduce((sum, form) => sum + form.cases.length, 0);
    it(`${file}: ${forms.length} forms, ${count} cases`, () => {
      expect(count).toBeGreaterThan(0);
      const wrong = forms
        .flatMap((form) => form.cases.map((line) => replay.run(form, line)))
        .filter((message) => message !== undefined);
      expect(wrong.slice(0, 20), `${wrong.length} of ${count}`).toEqual([]);
    }, 600_000);
  }

  it('every row is in the recording', () => {
    const missing = ROWS.flat().filter((row) => !replay.rows.has(row));
    expect(missing.map((row) => `${row.mnemonic} ${row.operands.join()}`)).toEqual([]);
  });
});
