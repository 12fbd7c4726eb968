/**
 * The failures of a suite as text for people: runs that fail alike are told once, with the command that repeats the first of
 * them. The full text of each is in the reports. Pure.
 */
import { relative } from 'node:path';
import type { GuestRecord, RunRecord } from './results.js';

const MOST_GROUPS = 8;

export function failureList(guests: readonly GuestRecord[], cwd: string): string {
  const groups = guests.flatMap(({ guest, runs }) => {
    const failed = runs.filter((run) => run.verdict === 'failed');
    return [...Map.groupBy(failed, (run) => run.faults[0]).values()].map((alike) => ({ guest, alike }));
  });
  const told = groups.slice(0, MOST_GROUPS).map(({ guest, alike }) => describe(guest, alike, cwd));
  if (groups.length > MOST_GROUPS)
    told.push(`and ${groups.length - MOST_GROUPS} more kinds of failure: see the reports\n`);
  return told.join('');
}

function describe(guest: string, alike: readonly RunRecord[], cwd: string): string {
  const [first, ...others] = alike;
  const more = others.length === 0 ? '' : `\n  the same in: ${others.map((run) => run.variant).join(', ')}`;
  const faults = first.faults.map((fault) => `\n  ${shortDigests(fault)}`).join('');
  return `FAILED ${guest} ${first.variant}${faults}${more}\n  to repeat: ${relativePaths(first.command, cwd)}\n`;
}

/** SHA-256 values to their first 12 digits. */
export function shortDigests(text: string): string {
  return text.replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1...');
}

function relativePaths(command: string, cwd: string): string {
  return command.replace(/(?<= )\/[^ ']+/g, (path) => {
    const short = relative(cwd, path);
    return short !== '' && !short.startsWith('..') ? short : path;
  });
}
