/**
 * The vectors against the opcode table, and the integer families against the interpreter. Every form of every row has its vectors, or the
 * row is listed with its reason and the spec that covers it. vectors-float.spec.ts replays the x87, MMX and SSE.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  UNCOVERED,
  allForms,
  decodeVectors,
  divergences,
  familyOf,
  looseMnemonics,
  opcodeRows,
  operationOf,
  rowKey,
  uncovered,
  type VectorForm,
} from '../src/testing/index.js';
import { FLOAT_FAMILIES } from './families.js';
import { VECTORS, replayFamilies } from './replay.js';

const SOURCES = fileURLToPath(new URL('../src/', import.meta.url));
const LEAST = 60;

const forms = allForms(opcodeRows);
const covered = forms.filter(({ row }) => uncovered(row) === undefined);
const families = [...new Set(covered.map(({ row }) => familyOf(row)))].sort();

describe('coverage', () => {
  const counts = new Map<string, number>();
  const strangers: string[] = [];
  const byKey = new Map<string, VectorForm>(forms.map((form) => [form.key, form]));
  for (const family of families) {
    if (!existsSync(`${VECTORS}${family}.vec`)) continue;
    for (const { key, vectors } of decodeVectors(readFileSync(`${VECTORS}${family}.vec`))) {
      counts.set(key, vectors.length);
      const form = byKey.get(key);
      // A vector that is another instruction than it says would cover nothing. (LOCK where it is not allowed makes an invalid one.)
      for (const { input } of vectors) {
        const row = operationOf(input)?.row;
        if (form === undefined || row === undefined || row === form.row || row.mnemonic === '(bad)') continue;
        if (rowKey(row) !== rowKey(form.row))
          strangers.push(`${key}: ${Buffer.from(input.code).toString('hex')} is ${rowKey(row)}`);
      }
    }
  }

  it(`every form has ${LEAST} cases`, () => {
    const missing = covered.filter(({ key }) => (counts.get(key) ?? 0) < LEAST);
    expect(missing.map(({ key }) => `${key}: ${counts.get(key) ?? 0}`)).toEqual([]);
  });

  it('no vectors are of forms that do not exist, and no files of families that do not', () => {
    const known = new Set(covered.map(({ key }) => key));
    expect([...counts.keys()].filter((key) => !known.has(key))).toEqual([]);
    const files = readdirSync(VECTORS).filter((name) => name.endsWith('.vec'));
    expect(files.sort()).toEqual(families.map((name) => `${name}.vec`));
  });

  it('vectors are of the instruction they are filed under', () => {
    expect(strangers.slice(0, 10)).toEqual([]);
  });

  it('rows without vectors have a reason, and a spec that covers them', () => {
    for (const { name, rows, reason, spec, says } of UNCOVERED) {
      expect(opcodeRows.some(rows), name).toBe(true);
      expect(reason).not.toBe('');
      expect(readFileSync(`${SOURCES}${spec}`, 'utf8'), `${spec} on ${name}`).toContain(says);
    }
    const without = opcodeRows.filter((row) => uncovered(row) !== undefined);
    console.log(`${opcodeRows.length} rows, ${forms.length} forms, ${covered.length} with vectors; without: ${without.map(rowKey).join('; ')}`); // prettier-ignore
  });

  it('what is undefined or goes another way is said of instructions that exist, with a citation', () => {
    const mnemonics = new Set(opcodeRows.map((row) => row.mnemonic));
    expect(looseMnemonics.filter((name) => !mnemonics.has(name))).toEqual([]);
    for (const { mnemonics: pattern, cite, why } of divergences) {
      expect(
        [...mnemonics].some((name) => pattern.test(name)),
        why,
      ).toBe(true);
      expect(cite).toMatch(/^SDM Vol\. \d/);
    }
  });
});

describe('integer instructions as recorded', () => {
  replayFamilies(families.filter((name) => !FLOAT_FAMILIES.includes(name)));
});
