/**
 * Holds what our processor made of a vector against what the real one did. What the manual leaves undefined (undefined.ts) and where
 * the recorded processor goes its own way (divergences.ts) is taken out, and counted where it made a difference. It runs nothing.
 */
import { FLAG_ZF } from '@ringfence/sdk';
import { Decoder } from '../decode/decoder.js';
import { buildTable } from '../decode/form.js';
import { PENTIUM4 } from '../models.js';
import type { Op } from '../op.js';
import { opcodeRows } from '../table/index.js';
import { divergencesOf, type Divergence } from './divergences.js';
import { looseOf, type Loose } from './undefined.js';
import {
  AREAS,
  CODE_BASE,
  CODE_BYTES,
  LDT_ENTRIES,
  baseMemory,
  type UserCase,
  type UserOutcome,
} from './user-environment.js';
import { FX_FIELDS, FX_NAMES, fxField, type Vector } from './vector-file.js';

const decoder = new Decoder(buildTable(opcodeRows, PENTIUM4), undefined);
const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const hex = (value: number) => (value >>> 0).toString(16);
const padded = new Uint8Array(32);

/** What was taken out, where it made a difference: how many vectors, by the citation that allows it. */
export interface Masked {
  readonly flags: Map<string, number>;
  readonly conditions: Map<string, number>;
  readonly results: Map<string, number>;
  readonly approximations: Map<string, number>;
  /** By what the recorded processor does. */
  readonly divergences: Map<string, number>;
}

export function newMasked(): Masked {
  return {
    flags: new Map(),
    conditions: new Map(),
    results: new Map(),
    approximations: new Map(),
    divergences: new Map(),
  };
}

function count(counts: Map<string, number>, name: string | undefined): void {
  counts.set(name ?? '', (counts.get(name ?? '') ?? 0) + 1);
}

/** The first instruction of a case, as the decoder sees it; undefined when its bytes do not suffice. */
export function operationOf(input: UserCase): Op | undefined {
  padded.fill(0xcc);
  padded.set(input.code);
  const wide = (input.seg[1] & 4) === 0 || (LDT_ENTRIES[input.seg[1] >> 3]?.wide ?? true);
  // Where the code's pages end, it may be cut off.
  const cut = input.codeAt + input.code.length === CODE_BASE + CODE_BYTES;
  return decoder.decode(padded, 0, cut ? input.code.length : padded.length, wide ? 1 : 0);
}

function looseFor(op: Op, { input, outcome }: Vector): Loose {
  const { operands } = op.row;
  const size = operands[0]?.[1] === 'b' ? 8 : op.wide ? 32 : 16;
  const shift = operands.includes('CL') ? input.regs[1] & 0xff : operands.includes('1') ? 1 : op.imm;
  return looseOf(op.row, size, shift, (outcome.eflags & FLAG_ZF) !== 0);
}

/** Index of the general register that an operation writes as its first operand, or -1. */
function destination(op: Op): number {
  const operand = op.row.operands[0] ?? '';
  if (operand.startsWith('G')) return op.wide ? op.src : op.src >> 1;
  if (op.mem) return -1;
  return op.wide ? op.dst : op.dst >> 1;
}

function ulps(a: Uint8Array, b: Uint8Array): bigint {
  const value = (x: Uint8Array) => {
    const view = Buffer.from(x);
    const magnitude = (BigInt(view.readUInt16LE(8) & 0x7fff) << 63n) | (view.readBigUInt64LE(0) & 0x7fffffffffffffffn);
    return view[9] >= 0x80 ? -magnitude : magnitude;
  };
  const distance = value(a) - value(b);
  return distance < 0n ? -distance : distance;
}

/** Whether two vectors of four singles agree up to a relative error, lane by lane. */
function near(a: Uint8Array, b: Uint8Array, bound: number): boolean {
  const x = new Float32Array(a.slice().buffer);
  const y = new Float32Array(b.slice().buffer);
  return x.every((value, i) => Object.is(value, y[i]) || Math.abs(value - y[i]) <= bound * Math.abs(y[i]));
}

/** Answers what differs, a word each; empty when nothing does, or nothing that is not excused. */
export function compareVector(vector: Vector, got: UserOutcome, masked: Masked): string[] {
  const op = operationOf(vector.input);
  const wrong = differences(vector, got, op, undefined, masked);
  if (wrong.length === 0 || op === undefined) return wrong;
  for (const divergence of divergencesOf(op, vector, got)) {
    if (divergence.everything !== true && differences(vector, got, op, divergence, newMasked()).length > 0) continue;
    count(masked.divergences, divergence.why);
    return [];
  }
  return wrong;
}

function differences(
  vector: Vector,
  got: UserOutcome,
  op: Op | undefined,
  open: Divergence | undefined,
  masked: Masked,
): string[] {
  const { input, outcome } = vector;
  const wrong: string[] = [];
  const differs = (name: string, ours: number, real: number) => {
    if (ours !== real) wrong.push(`${name} ${hex(ours)} not ${hex(real)}`);
  };
  if (got.kind !== 'trap') return [got.kind];
  differs('vector', got.vector, outcome.vector);
  if (wrong.length > 0) return wrong;
  // Whatever an instruction leaves undefined, it does so only when it completes.
  const done = outcome.eip !== input.eip || outcome.vector === 3;
  const loose = done && op !== undefined ? looseFor(op, vector) : undefined;

  // Linux turns NX on, so that page faults of fetches say so; the processors modelled have no NX (SDM Vol. 3A, 4.7 "Page-Fault Exceptions").
  differs('error', got.errorCode, outcome.vector === 14 ? outcome.errorCode & ~0x10 : outcome.errorCode);
  if (outcome.vector === 14 && open?.cr2 !== true) differs('cr2', got.cr2, outcome.cr2);
  if (open?.eip !== true) differs('eip', got.eip, outcome.eip);
  const flags = got.eflags ^ outcome.eflags;
  const free = loose?.flags ?? 0;
  if ((flags & ~free) !== 0) differs('eflags', got.eflags & ~free, outcome.eflags & ~free);
  else if (flags !== 0) count(masked.flags, loose?.cite);
  const freeRegister = loose?.result === true && op !== undefined ? destination(op) : -1;
  for (let i = 0; i < 8; i++) {
    if (got.regs[i] === outcome.regs[i]) continue;
    if (i === freeRegister) count(masked.results, loose?.cite);
    else if (open?.registers !== true) differs(REGISTERS[i], got.regs[i], outcome.regs[i]);
  }
  // A null selector comes back as 0 whatever its RPL: the return to the signal handler empties it (SDM Vol. 2, "IRET/IRETD/IRETQ").
  for (let i = 0; i < 6; i++) if ((got.seg[i] | outcome.seg[i]) > 3) differs(SEGMENTS[i], got.seg[i], outcome.seg[i]);
  compareMemory(vector, got, loose, open?.memory, masked, wrong);
  compareFx(vector, got, loose, open, masked, wrong);
  return wrong;
}

/** `free`: bytes, by address, that may hold anything. */
function compareMemory(
  { input, outcome }: Vector,
  got: UserOutcome,
  loose: Loose | undefined,
  free: ((at: number) => boolean) | undefined,
  masked: Masked,
  wrong: string[],
): void {
  if (Buffer.compare(Buffer.from(got.changes.buffer), Buffer.from(outcome.changes.buffer)) === 0) return;
  if (loose?.result === true) {
    count(masked.results, loose?.cite);
    return;
  }
  const cells = new Map<number, [number | undefined, number | undefined]>();
  for (let i = 0; i < got.changes.length; i += 2) cells.set(got.changes[i], [got.changes[i + 1], undefined]);
  for (let i = 0; i < outcome.changes.length; i += 2) {
    cells.set(outcome.changes[i], [cells.get(outcome.changes[i])?.[0], outcome.changes[i + 1]]);
  }
  // Where the upper half of a pushed selector lies; the stack may be a segment's.
  const high = loose?.pushedHigh === true ? (stackLinear(input, outcome) + 2) >>> 0 : -1;
  let excused = false;
  for (const [at, [ours, real]] of cells) {
    if (ours === real) continue;
    const was = initialDword(input, at);
    for (let i = 0; i < 4; i++) {
      const [a, b] = [((ours ?? was) >>> (i * 8)) & 0xff, ((real ?? was) >>> (i * 8)) & 0xff];
      if (a === b) continue;
      const place = at + i;
      if (place === high || place === high + 1 || free?.(place) === true) excused = true;
      else wrong.push(`[${hex(place)}] ${hex(a)} not ${hex(b)}`);
    }
  }
  if (excused) count(masked.results, loose?.cite);
}

function stackLinear(input: UserCase, outcome: UserOutcome): number {
  const entry = (input.seg[2] & 4) === 0 ? undefined : LDT_ENTRIES[input.seg[2] >> 3];
  const esp = outcome.regs[4];
  return ((entry?.base ?? 0) + (entry?.wide === false ? esp & 0xffff : esp)) >>> 0;
}

const base = baseMemory();

/** What a case found at `at`. */
function initialDword(input: UserCase, at: number): number {
  let from = 0;
  const bytes = [0, 0, 0, 0];
  for (const area of AREAS) {
    for (let i = 0; i < 4; i++)
      if (at + i >= area.at && at + i < area.at + area.bytes) bytes[i] = base[from + at + i - area.at];
    from += area.bytes;
  }
  for (const patch of input.patches) {
    for (let i = 0; i < 4; i++) {
      if (at + i >= patch.at && at + i < patch.at + patch.bytes.length) bytes[i] = patch.bytes[at + i - patch.at];
    }
  }
  return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0;
}

function compareFx(
  { outcome }: Vector,
  got: UserOutcome,
  loose: Loose | undefined,
  open: Divergence | undefined,
  masked: Masked,
  wrong: string[],
): void {
  for (let field = 0; field < FX_FIELDS; field++) {
    const ours = fxField(got.fx, field);
    const real = fxField(outcome.fx, field);
    if (Buffer.compare(ours, real) === 0 || (open?.tags === true && field === 2)) continue;
    const text = (bytes: Uint8Array) => Buffer.from(bytes).reverse().toString('hex');
    if (field === 1) {
      const word = (bytes: Uint8Array) => bytes[0] | (bytes[1] << 8);
      const free = (loose?.fsw ?? 0) | (open?.fsw ?? 0);
      if (((word(ours) ^ word(real)) & ~free) === 0) {
        count(masked.conditions, loose?.cite);
        continue;
      }
    }
    if (field >= 4 && field < 12 && (loose?.ulps ?? 0) > 0 && ulps(ours, real) <= BigInt(loose?.ulps ?? 0)) {
      count(masked.approximations, loose?.cite);
      continue;
    }
    if (field >= 12 && (loose?.relative ?? 0) > 0 && near(ours, real, loose?.relative ?? 0)) {
      count(masked.approximations, loose?.cite);
      continue;
    }
    wrong.push(`${FX_NAMES[field]} ${text(ours)} not ${text(real)}`);
  }
}
