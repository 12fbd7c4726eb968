/**
 * Sums vitest's JSON reports (every .json in a folder) to passed, failed and skipped. A spec file that fails before it
 * defines a test (a syntax error, say) counts as one failure: vitest itself counts no test there.
 * It does not run anything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export function sumReports(folder) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  for (const file of files) addReport(sum, JSON.parse(readFileSync(join(folder, file), 'utf8')));
  return sum;
}

/** Adds one parsed report to `sum`. */
export function addReport(sum, report) {
  for (const spec of report.testResults) {
    let failedHere = 0;
    for (const { status } of spec.assertionResults) {
      if (status === 'passed') sum.passed++;
      else if (status === 'failed') failedHere++;
      else sum.skipped++;
    }
    if (spec.status === 'failed' && failedHere === 0) failedHere = 1;
    sum.failed += failedHere;
  }
}
