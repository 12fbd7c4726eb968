/**
 * Writes results.json and junit.xml into the report folder, each whole or not at all. The folder is made, and tried out
 * before the suite starts; a file of an earlier suite is replaced only at the end.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RingfenceError } from '@ringfence/sdk';
import { junitXml } from './junit.js';
import type { RunRecord, SuiteResults } from './results.js';

export const RESULTS_FILE = 'results.json';
export const JUNIT_FILE = 'junit.xml';

/** Makes the folder and tries to write in it. Throws RF_OUTPUT_UNWRITABLE. */
export function probeReportFolder(folder: string): void {
  const probe = join(folder, `.${process.pid}.tmp`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

export function writeReports(folder: string, results: SuiteResults): void {
  writeWhole(join(folder, RESULTS_FILE), `${JSON.stringify(withoutBulk(results), null, 2)}\n`);
  writeWhole(join(folder, JUNIT_FILE), junitXml(results));
}

/** Serial output, screens and dumps are kept for failures only; a passed run has its digests. */
function withoutBulk(results: SuiteResults): object {
  const lean = ({ serial, screen, dump, ...run }: RunRecord): object =>
    run.verdict === 'failed' ? { ...run, serial, screen, dump } : run;
  return { ...results, guests: results.guests.map(({ guest, runs }) => ({ guest, runs: runs.map(lean) })) };
}

/** Writes a file whole or not at all. Throws RF_OUTPUT_UNWRITABLE. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): RingfenceError {
  return new RingfenceError('RF_OUTPUT_UNWRITABLE', {
    message: `cannot write ${path}: ${(cause as Error).message}`,
    value: path,
    fix: 'name a folder that you may write with --report-dir',
    cause,
  });
}
