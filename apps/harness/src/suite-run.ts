/**
 * Runs a suite: every guest in every variant, the bare run first, and judges each run as it comes in. Progress is
 * reported through `Observer`; what was earned before an interruption is kept.
 */
import { commandOf, type JobResult, type JobRunner, jobOf } from './job.js';
import { differences, judge } from './check.js';
import { partLabel, type Variant } from './matrix.js';
import { count, type GuestRecord, notRun, type RunRecord, type SuiteResults } from './results.js';
import type { Guest, Suite } from './suite.js';

export interface Observer {
  runDone(guest: string, run: RunRecord): void;
  guestDone(record: GuestRecord): void;
}

export interface SuiteRunOptions {
  readonly suite: Suite;
  readonly guests: readonly Guest[];
  readonly variants: readonly Variant[];
  readonly runner: JobRunner;
  readonly observer: Observer;
  /** Stop at the first failure. */
  readonly bail: boolean;
  readonly signal: AbortSignal;
}

export async function runSuite(options: SuiteRunOptions): Promise<SuiteResults> {
  const startedAt = new Date();
  const stop = (): void => void options.runner.close();
  options.signal.addEventListener('abort', stop);
  if (options.signal.aborted) stop();
  const guests = await Promise.all(options.guests.map((guest) => runGuest(guest, options, stop)));
  options.signal.removeEventListener('abort', stop);
  return {
    suite: options.suite.path,
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    interrupted: options.signal.aborted,
    host: { node: process.version, arch: process.arch, platform: process.platform },
    guests,
    passed: count(guests, 'passed'),
    failed: count(guests, 'failed'),
    notRun: count(guests, 'not run'),
  };
}

async function runGuest(guest: Guest, options: SuiteRunOptions, stop: () => void): Promise<GuestRecord> {
  const [bareVariant, ...others] = options.variants;
  const start = (variant: Variant): Promise<JobResult> =>
    options.runner.run(jobOf(guest, variant, options.suite.plugins));
  const bareStarted = start(bareVariant);
  const finish = async (variant: Variant, started: Promise<JobResult>): Promise<RunRecord> => {
    const result = await started;
    const run = recordOf(guest, variant, result, variant === bareVariant ? undefined : await bareStarted);
    options.observer.runDone(guest.name, run);
    if (run.verdict === 'failed' && options.bail) stop();
    return run;
  };
  const runs = await Promise.all([
    finish(bareVariant, bareStarted),
    ...others.map((variant) => finish(variant, start(variant))),
  ]);
  const record = { guest: guest.name, runs };
  options.observer.guestDone(record);
  return record;
}

function recordOf(guest: Guest, variant: Variant, result: JobResult, bare: JobResult | undefined): RunRecord {
  const left = notRun(result);
  const faults = left ? [] : judge(guest, result, bare);
  const comparable = bare?.report !== undefined && result.report !== undefined;
  return {
    variant: variant.label,
    policy: variant.monitor === undefined ? variant.label : partLabel(variant.monitor.policy),
    verdict: left ? 'not run' : faults.length === 0 ? 'passed' : 'failed',
    faults,
    status: result.status,
    outcome: result.outcome,
    report: result.report,
    command: commandOf(guest, variant),
    serial: result.serial,
    screen: result.screen,
    dump: result.dump,
    equal: comparable ? differences(result, bare).length === 0 : undefined,
  };
}
