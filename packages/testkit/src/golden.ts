/**
 * Golden files: short text that a person can read, kept in `goldens/` beside the spec and reviewed as a diff.
 * `RINGFENCE_GOLDEN=write` regenerates; otherwise a difference, or a golden that is missing, fails the test.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** Whether this run writes goldens instead of comparing them. */
export function regeneratesGoldens(): boolean {
  return process.env.RINGFENCE_GOLDEN === 'write';
}

/**
 * Compares text with `goldens/<name>.txt` beside the spec: `expectGolden(import.meta.url, 'alu', lines)`.
 * An array is one line each.
 */
export function expectGolden(specUrl: string, name: string, text: string | readonly string[]): void {
  const actual = (typeof text === 'string' ? text : text.join('\n')).trimEnd() + '\n';
  const folder = new URL('./goldens/', specUrl);
  const file = fileURLToPath(new URL(`${name}.txt`, folder));
  if (regeneratesGoldens()) {
    mkdirSync(fileURLToPath(folder), { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  let golden: string;
  try {
    golden = readFileSync(file, 'utf8');
  } catch {
    throw new Error(`no golden ${file}: run the spec once with RINGFENCE_GOLDEN=write and review what it wrote`);
  }
  expect(actual, `golden ${name}`).toBe(golden);
}
