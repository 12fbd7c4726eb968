/**
 * The fuzzer's loop: sequences by (seed, number) in batches, natively and on ours at the same time, compared; counts; what differs is
 * shrunk and handed to `onFailure`. `stride` and `offset` share the numbers out among jobs, so that a seed and a range of numbers mean
 * the same whatever the number of jobs. Deterministic but for time limits. The command is fuzz.mjs.
 */
import { Decoder, Formatter, FormatterSyntax } from 'iced-x86';
import { LDT_ENTRIES } from '../../packages/cpu/dist/testing/user-environment.js';
import { formatFound } from '../../packages/cpu/dist/testing/found-file.js';
import { differences, honestChanges, incomparable, openAt, quirksSeen } from './compare.mjs';
import { assemble } from './fuzz-assemble.mjs';
import { generate } from './fuzz-generate.mjs';
import { shrink } from './shrink.mjs';

const BATCH = 1024;

export function newCounts() {
  return {
    sequences: 0,
    instructions: 0,
    failures: 0,
    completed: 0,
    vectors: {},
    hangs: 0,
    skipped: {},
    forms: {},
    masked: 0,
    quirks: {},
  };
}

/** Adds `more` to `sum`, record by record. */
export function addCounts(sum, more) {
  for (const [name, value] of Object.entries(more)) {
    if (typeof value === 'number') sum[name] = (sum[name] ?? 0) + value;
    else sum[name] = addCounts(sum[name] ?? {}, value);
  }
  return sum;
}

const bump = (record, name) => (record[name] = (record[name] ?? 0) + 1);

/** Ours may fail in ways of its own: a thrown error is an outcome too. */
export function runOurs(ours, c) {
  try {
    return ours.run(c);
  } catch (error) {
    return { kind: `threw ${error.stack}`, vector: -1 };
  }
}

const is16 = (cs) => (cs & 4) !== 0 && LDT_ENTRIES[cs >> 3]?.wide === false;

export function disassemble(bytes, cs, at) {
  const decoder = new Decoder(is16(cs) ? 16 : 32, Uint8Array.from(bytes), 0);
  decoder.ip = BigInt(at);
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const instruction = decoder.decode();
  const text = formatter.format(instruction);
  for (const each of [instruction, formatter, decoder]) each.free();
  return text;
}

/** Shrinks one failing sequence; answers it with what both sides make of it now. */
export async function shrinkFailure(sequence, native, ours) {
  const first = assemble(sequence);
  const [outcome] = await native.run([first]);
  const flagsOnly = differences(first, outcome, runOurs(ours, first)).every((text) => text.startsWith('eflags'));
  const fails = async (candidate) => {
    if (candidate.items.length === 0) return false;
    const c = assemble(candidate);
    const [there] = await native.run([c]);
    if (incomparable(there, c) !== undefined) return false;
    // Flags may have become undefined on the way: they count only where nothing else differed from the start.
    return differences(c, there, runOurs(ours, c)).some((text) => flagsOnly || !text.startsWith('eflags'));
  };
  const small = await shrink(sequence, fails);
  const c = assemble(small);
  const [there] = await native.run([c]);
  const here = runOurs(ours, c);
  return { sequence: small, case: c, native: there, ours: here, differences: differences(c, there, here) };
}

/** A shrunken failure as the text of a vector file: what the real processor did is what shall be. */
export function failureText(failure, title) {
  const { sequence, case: c, native } = failure;
  const open = openAt(c, native);
  const code = sequence.items
    .map((item, i) => {
      const bytes = c.code.slice(c.ats[i] - c.codeAt, c.ats[i + 1] - c.codeAt);
      return { bytes, text: bytes.length === item.bytes.length ? disassemble(bytes, item.cs, c.ats[i]) : '(cut)' };
    })
    .filter(({ bytes }) => bytes.length > 0);
  const outcome = {
    ...native,
    changes: honestChanges(c, native),
    errorCode: native.vector === 14 ? native.errorCode & ~0x10 : native.vector >= 8 ? native.errorCode : 0,
  };
  const input = { ...c, patches: c.patches, fx: c.fx };
  return formatFound({ title, input, outcome, openFlags: open.flags, openFsw: open.c1 ? 0x200 : 0 }, code);
}

/**
 * Runs until `instructions` are done, `sequences` are, or `until` (ms) has passed. `onFailure(number, failure)` gets what
 * differs, at most `failures` times; `onProgress(counts)` is called after each batch.
 */
export async function fuzz(options) {
  const { native, ours, seed, offset = 0, stride = 1, failures = 20, first = 0 } = options;
  const { instructions = Infinity, sequences = Infinity, until = Infinity, onFailure, onProgress } = options;
  const counts = newCounts();
  let number = first + offset * BATCH;
  while (counts.instructions < instructions && counts.sequences < sequences && performance.now() < until) {
    const made = [];
    const cases = [];
    for (let i = 0; i < BATCH && counts.sequences + i < sequences; i++) {
      made.push(generate(seed, number + i));
      cases.push(assemble(made[i]));
    }
    const pending = native.run(cases);
    const mine = [];
    for (const c of cases) {
      mine.push(runOurs(ours, c));
      counts.instructions += ours.instructions;
    }
    const real = await pending;
    for (let i = 0; i < cases.length; i++) {
      counts.sequences++;
      const skipped = incomparable(real[i], cases[i]);
      if (skipped !== undefined) {
        bump(counts.skipped, skipped);
        continue;
      }
      if (real[i].kind === 'trap') bump(counts.vectors, real[i].vector);
      else counts.hangs++;
      for (const item of made[i].items) bump(counts.forms, item.key);
      if (openAt(cases[i], real[i]).flags !== 0) counts.masked++;
      if (differences(cases[i], real[i], mine[i]).length === 0) continue;
      counts.failures++;
      if (counts.failures <= failures) await onFailure?.(number + i, await shrinkFailure(made[i], native, ours));
    }
    counts.quirks = Object.fromEntries(quirksSeen);
    onProgress?.(counts);
    number += BATCH * stride;
  }
  return counts;
}
