/**
 * `npm test`: installs, then runs every check even when an earlier one failed, and closes with one line that counts:
 * `N passed, N failed, N skipped`, summed over vitest's JSON reports. A failed step that is no test (lint, types, build)
 * counts as one failure, so the line never says "0 failed" when the exit status is 1. Arguments go to vitest.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './install.mjs';
import { root } from './packages.mjs';
import { steps } from './steps.mjs';
import { sumReports } from './summary.mjs';

const reports = join(root, 'reports');
rmSync(reports, { recursive: true, force: true });

const failedSteps = [];
async function step(name, work) {
  const begun = Date.now();
  console.log(`\n=== ${name}`);
  const status = await work().catch((error) => {
    console.error(error);
    return 1;
  });
  console.log(
    `=== ${name}: ${status === 0 ? 'ok' : `FAILED (${status})`}, ${((Date.now() - begun) / 1000).toFixed(1)} s`,
  );
  if (status !== 0) failedSteps.push(name);
  return status;
}

let tests = 0;
if ((await step('install', install)) === 0) {
  await step('references', steps.references);
  await step('build', steps.build);
  await step('lint and boundaries', steps.lint);
  await step('types', steps.typecheck);
  const json = ['--reporter=default', '--reporter=./tools/workspace/skip-reporter.ts', '--reporter=json'];
  const args = [...json, '--outputFile.json=reports/vitest.json', ...process.argv.slice(2)];
  tests = await step('tests', () => steps.vitest(args));
}

const sum = sumReports(reports);
const countedByVitest = tests !== 0 && sum.failed > 0 ? 1 : 0;
const failed = sum.failed + failedSteps.length - countedByVitest;
if (failedSteps.length) console.log(`\nfailed steps: ${failedSteps.join(', ')}`);
console.log(`\n${sum.passed} passed, ${failed} failed, ${sum.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
