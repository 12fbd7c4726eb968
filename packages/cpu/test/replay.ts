/**
 * Replays families of vectors (packages/cpu/vectors) on the interpreter, for the specs beside this file: no mismatch may remain, and what
 * was masked is printed, by the citation that allows it. Which forms must have vectors is vectors.spec.ts's business.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import {
  UserMachine,
  compareVector,
  decodeVectors,
  divergences,
  familyOf,
  newMasked,
  opcodeRows,
  type Vector,
} from '../src/testing/index.js';

export const VECTORS = fileURLToPath(new URL('../vectors/', import.meta.url));
/** Mismatches shown in full; the rest is counted. */
const SHOWN = 10;

function describeVector(key: string, { input }: Vector, wrong: readonly string[]): string {
  const code = Buffer.from(input.code).toString('hex');
  return `${key}: ${code} at ${input.eip.toString(16)}: ${wrong.slice(0, 6).join('; ')}`;
}

/** One test for each family, and one of the divergences that they share. */
export function replayFamilies(families: readonly string[]): void {
  const masked = newMasked();
  let [allForms, allCases, allFailed] = [0, 0, 0];

  for (const family of families) {
    it(family, () => {
      const machine = new UserMachine();
      const failures: string[] = [];
      let [forms, cases, failed] = [0, 0, 0];
      for (const { key, vectors } of decodeVectors(readFileSync(`${VECTORS}${family}.vec`))) {
        forms++;
        for (const vector of vectors) {
          cases++;
          const wrong = compareVector(vector, machine.run(vector.input), masked);
          if (wrong.length === 0) continue;
          failed++;
          if (failures.length < SHOWN) failures.push(describeVector(key, vector, wrong));
        }
      }
      allForms += forms;
      allCases += cases;
      allFailed += failed;
      expect(cases).toBeGreaterThan(0);
      expect(failures, `${failed} of ${cases} cases`).toEqual([]);
    });
  }

  it('no divergence is let pass that nothing needs', () => {
    for (const { mnemonics, why } of divergences) {
      const rows = opcodeRows.filter((row) => mnemonics.test(row.mnemonic));
      // Of instructions that the other spec replays too, either may have met it.
      if (!rows.every((row) => families.includes(familyOf(row)))) continue;
      expect(masked.divergences.get(why), why).toBeGreaterThan(0);
    }
  });

  afterAll(() => {
    const lines = [
      `${allForms} forms, ${allCases} cases of ${families.join(', ')}: ${allFailed} mismatches. Masked where they differed:`,
    ];
    for (const [what, counts] of Object.entries(masked)) {
      for (const [why, count] of counts as Map<string, number>) lines.push(`  ${what}: ${count} by ${why}`);
    }
    console.log(lines.join('\n'));
  });
}
