/**
 * Prints vectors as lines that a person can read; build first (`npm run build`).
 *   node tools/silicon/dump.mjs FILE                    its forms and their counts
 *   node tools/silicon/dump.mjs FILE --form TEXT        the cases of forms whose key contains TEXT
 *   node tools/silicon/dump.mjs FILE --form TEXT --limit N
 * FILE: a family (`alu`) or a path. A line: code, what differs from the background (packages/cpu/src/testing/vector-file.ts),
 * `=>`, what changed, and how it ended: `ok`, or the fault with its error code and address.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as file from '../../packages/cpu/dist/testing/vector-file.js';

const REGISTERS = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const FLAGS = [[1, 'CF'], [4, 'PF'], [0x10, 'AF'], [0x40, 'ZF'], [0x80, 'SF'], [0x100, 'TF'], [0x400, 'DF'], [0x800, 'OF'], [0x40000, 'AC'], [0x200000, 'ID']]; // prettier-ignore
const VECTORS = { 0: '#DE', 1: '#DB', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 10: '#TS', 11: '#NP', 12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC', 19: '#XM' }; // prettier-ignore
const WITH_CODE = new Set([10, 11, 12, 13, 14, 17]);

const hex = (value) => (value >>> 0).toString(16);
const bytes = (run) => Buffer.from(run).toString('hex');
const flagNames = (flags) => FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name).join(' '); // prettier-ignore

function changed(names, now, was) {
  return names.flatMap((name, i) => (now[i] === was[i] ? [] : [`${name}=${hex(now[i])}`]));
}

function fxChanged(now, was) {
  return file.FX_NAMES.flatMap((name, i) => {
    const field = file.fxField(now, i);
    return Buffer.compare(field, file.fxField(was, i)) === 0
      ? []
      : [`${name}=${bytes(Uint8Array.from(field).reverse())}`];
  });
}

function line({ input, outcome }) {
  const before = [
    ...changed(
      REGISTERS,
      input.regs,
      file.BACKGROUND_REGS.map((v) => v >>> 0),
    ),
    ...changed(SEGMENTS, input.seg, file.BACKGROUND_SEG),
    ...input.patches.map(({ at, bytes: run }) => `[${hex(at)}]=${bytes(run)}`),
    ...fxChanged(input.fx, file.initialFx()),
    `(${flagNames(input.eflags)})`,
  ];
  const memory = [];
  for (let i = 0; i < outcome.changes.length; i += 2) memory.push(`[${hex(outcome.changes[i])}]=${hex(outcome.changes[i + 1]).padStart(8, '0')}`); // prettier-ignore
  const after = [
    ...changed(REGISTERS, outcome.regs, input.regs),
    ...changed(SEGMENTS, outcome.seg, input.seg),
    ...memory,
    ...fxChanged(outcome.fx, input.fx),
    `(${flagNames(outcome.eflags)})`,
    end(outcome),
    `eip=${hex(outcome.eip)}`,
  ];
  return `${bytes(input.code)} @${hex(input.eip)} ${before.join(' ')} => ${after.join(' ')}`;
}

function end({ vector, errorCode, cr2 }) {
  if (vector === 3) return 'ok';
  const code = WITH_CODE.has(vector) ? `(${hex(errorCode)})` : '';
  return `${VECTORS[vector] ?? `vector ${vector}`}${code}${vector === 14 ? ` at ${hex(cr2)}` : ''}`;
}

function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

const name = process.argv[2];
if (name === undefined || name.startsWith('--')) throw new Error('usage: dump.mjs FILE [--form TEXT] [--limit N]');
const path = existsSync(name)
  ? name
  : fileURLToPath(new URL(`../../packages/cpu/vectors/${name}.vec`, import.meta.url));
const form = option('--form');
const limit = Number(option('--limit') ?? Infinity);
process.stdout.on('error', () => process.exit());
for (const { key, vectors } of file.decodeVectors(readFileSync(path))) {
  if (form === undefined) console.log(`${key}: ${vectors.length}`);
  else if (key.includes(form)) {
    console.log(`# ${key}: ${vectors.length}`);
    for (const vector of vectors.slice(0, limit)) console.log(line(vector));
  }
}
