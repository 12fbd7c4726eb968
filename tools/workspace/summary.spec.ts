/**
 * The closing line of `npm test` must not flatter: skips are counted apart, and a spec that never got to define a test fails.
 */
import { expect, it } from 'vitest';
import { addReport, sumReports } from './summary.mjs';

const spec = (status: string, ...tests: string[]) => ({ status, assertionResults: tests.map((t) => ({ status: t })) });

function sum(...testResults: ReturnType<typeof spec>[]) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  addReport(total, { testResults });
  return total;
}

it('counts passed, failed and every kind of skip', () => {
  const mixed = spec('failed', 'passed', 'failed', 'pending', 'skipped', 'todo');
  expect(sum(mixed, spec('passed', 'passed'))).toEqual({ passed: 2, failed: 1, skipped: 3 });
});

it('counts a spec that failed before its first test as one failure', () => {
  expect(sum(spec('failed'))).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

it('sums to nothing when there is no report', () => {
  expect(sumReports('reports/no-such-folder')).toEqual({ passed: 0, failed: 0, skipped: 0 });
});
