/**
 * Judges runs: what a guest was expected to do, and that every variant ended exactly as the bare run did. Pure.
 */
import type { JobResult } from './job.js';
import type { Guest } from './suite.js';

/** What must be equal over all runs of a guest. */
export const EQUAL_FIELDS = ['retired', 'serialSha256', 'stateHash'] as const;

/** What is wrong with one run, one line each; empty when it passed. */
export function judge(guest: Guest, result: JobResult, bare: JobResult | undefined): string[] {
  if (result.error !== undefined) return [result.error];
  const faults: string[] = [];
  if (result.status !== guest.expect.status) {
    faults.push(`exit status ${result.status} (${result.outcome}), expected ${guest.expect.status}`);
  }
  for (const pattern of guest.expect.serial) {
    if (!new RegExp(pattern, 'm').test(result.serial)) {
      faults.push(`serial output does not match /${pattern}/; it ends in ${JSON.stringify(result.serial.slice(-120))}`);
    }
  }
  return [...faults, ...differences(result, bare)];
}

/** How a run differs from the bare one. */
export function differences(result: JobResult, bare: JobResult | undefined): string[] {
  if (bare === undefined || bare === result) return [];
  const [mine, yardstick] = [result.report, bare.report];
  if (mine === undefined || yardstick === undefined) return ['there is no bare run to compare with'];
  return EQUAL_FIELDS.filter((field) => mine[field] !== yardstick[field]).map(
    (field) => `${field} ${mine[field]} differs from the bare run's ${yardstick[field]}`,
  );
}
