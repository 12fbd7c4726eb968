/**
 * Each spec belongs to one project of vitest.config.ts: those that need the built packages to `system`, the rest to `unit`. A pattern that
 * matches nothing would leave the whole-machine tests to the slow sources without a word. It runs none of them.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NEEDS_BUILD = /^((apps|packages)\/[^/]+\/test|tools\/machine-fuzz)\//;

function listed(): { project: string; file: string }[] {
  const vitest = `${ROOT}node_modules/vitest/vitest.mjs`;
  const text = execFileSync(process.execPath, [vitest, 'list', '--filesOnly'], { cwd: ROOT, encoding: 'utf8' });
  return [...text.matchAll(/^\[(\w+)\] (.+\.spec\.ts)$/gm)].map(([, project, file]) => ({ project, file }));
}

it('every spec is in one project, the right one', () => {
  const all = listed();
  const wrong = all.filter(({ project, file }) => (project === 'system') !== NEEDS_BUILD.test(file));
  expect(wrong).toEqual([]);
  expect(new Set(all.map(({ file }) => file)).size).toBe(all.length);
  for (const file of [
    'packages/cpu/test/vectors.spec.ts',
    'apps/harness/test/equivalence.spec.ts',
    'packages/cpu/src/flags.spec.ts',
  ]) {
    expect(all.map((each) => each.file)).toContain(file);
  }
});
