/**
 * The results of a suite as data: what results.json holds and what the table and the JUnit report are made from.
 */
import type { RunReport } from '@ringfence/machine';
import type { JobResult } from './job.js';

export type { RunReport };

export type Verdict = 'passed' | 'failed' | 'not run';

export interface RunRecord {
  readonly variant: string;
  /** The policy's label, or `bare`. */
  readonly policy: string;
  readonly verdict: Verdict;
  /** Why it failed, one line each. */
  readonly faults: readonly string[];
  readonly status: number | undefined;
  readonly outcome: string;
  readonly report: RunReport | undefined;
  /** Repeats the run. */
  readonly command: string;
  readonly serial: string;
  readonly screen: string | undefined;
  readonly dump: string | undefined;
  /** Equal to the bare run; undefined for the bare run itself and for runs without a report. */
  readonly equal: boolean | undefined;
}

export interface GuestRecord {
  readonly guest: string;
  readonly runs: readonly RunRecord[];
}

export interface SuiteResults {
  readonly suite: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly host: { readonly node: string; readonly arch: string; readonly platform: string };
  readonly guests: readonly GuestRecord[];
  readonly passed: number;
  readonly failed: number;
  readonly notRun: number;
}

export function count(guests: readonly GuestRecord[], verdict: Verdict): number {
  return guests.reduce((sum, { runs }) => sum + runs.filter((run) => run.verdict === verdict).length, 0);
}

export const notRun = (result: JobResult): boolean => result.outcome === 'interrupted';
