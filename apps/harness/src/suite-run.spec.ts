import { describe, expect, it } from 'vitest';
import type { Job, JobResult } from './job.js';
import { junitXml, printable } from './junit.js';
import { spread } from './matrix.js';
import type { SuiteResults } from './results.js';
import { runSuite } from './suite-run.js';
import { comparisonTable } from './table.js';
import { fakeGuest, fakeMonitor, fakeResult, fakeRunner } from './testing/fakes.js';

const variants = spread({ policy: ['p', 'q'], shadow: ['s', 't'], protection: ['w'] });
const policyOf = (job: Job): string => job.variant.split('/')[0];

function run(
  answer: (job: Job) => JobResult,
  options: { bail?: boolean; abort?: AbortController } = {},
): Promise<SuiteResults> {
  const guests = [fakeGuest('one', { serial: ['^PASS'] }), fakeGuest('two')];
  return runSuite({
    suite: { path: 'suite.yaml', guests, matrix: {}, plugins: [] },
    guests,
    variants,
    runner: fakeRunner(answer),
    observer: { runDone: () => {}, guestDone: () => {} },
    bail: options.bail ?? false,
    signal: (options.abort ?? new AbortController()).signal,
  });
}

function monitored(job: Job): JobResult {
  const policy = policyOf(job);
  if (policy === 'bare') return fakeResult();
  return fakeResult({ wallSeconds: 1, monitor: fakeMonitor(policy, job.variant.includes('/t/') ? 20 : 1000) });
}

describe('runSuite', () => {
  it('passes when every run is as the bare one', async () => {
    const results = await run(monitored);
    expect(results).toMatchObject({ passed: 10, failed: 0, notRun: 0, interrupted: false });
    expect(results.guests[0].runs.map((each) => each.equal)).toEqual([undefined, true, true, true, true]);
  });

  it.each(['retired', 'serialSha256', 'stateHash'])('fails a run whose %s differs', async (field) => {
    const results = await run((job) => (job.variant === 'q/s/w' ? fakeResult({ [field]: 99 }) : fakeResult()));
    expect(results).toMatchObject({ passed: 8, failed: 2 });
    const failed = results.guests[1].runs.find((each) => each.variant === 'q/s/w')!;
    expect(failed).toMatchObject({ equal: false, verdict: 'failed' });
    expect(failed.faults).toEqual([expect.stringMatching(`${field} 99 differs from the bare run's`)]);
    expect(failed.command).toContain('--monitor q --shadow-cache s --protection w');
  });

  it('fails a run with the wrong status, serial output, or an error', async () => {
    const results = await run((job) => {
      if (policyOf(job) === 'p') return fakeResult({}, { status: 35, outcome: 'debug-exit' });
      if (job.variant === 'q/s/w') return fakeResult({}, { serial: 'nothing' });
      if (job.variant === 'q/t/w')
        return { status: undefined, outcome: 'crashed', serial: '', error: 'signal SIGSEGV' };
      return fakeResult();
    });
    const faults = results.guests[0].runs.map((each) => each.faults[0] ?? '');
    expect(faults).toEqual([
      '',
      'exit status 35 (debug-exit), expected 33',
      'exit status 35 (debug-exit), expected 33',
      expect.stringContaining('does not match /^PASS/'),
      'signal SIGSEGV',
    ]);
  });

  it('keeps what was earned before an interruption', async () => {
    const abort = new AbortController();
    const results = await run(
      (job) => {
        if (job.guest === 'one' && job.variant === 'q/t/w') abort.abort();
        return monitored(job);
      },
      { abort },
    );
    expect(results.interrupted).toBe(true);
    expect(results.passed).toBeGreaterThan(4);
    expect(results.passed + results.notRun).toBe(10);
    expect(junitXml(results)).toContain('<skipped message="interrupted"/>');
  });

  it('stops at the first failure when asked to', async () => {
    const results = await run(() => fakeResult({}, { status: 1 }), { bail: true });
    expect(results.failed).toBeGreaterThan(0);
    expect(results.notRun).toBeGreaterThan(0);
  });
});

describe('comparisonTable', () => {
  it('has a row for each guest and policy, with ranges over the strategies', async () => {
    const { guests } = await run(monitored);
    expect(comparisonTable(guests.slice(0, 1), false)).toBe(
      [
        'guest  monitor  retired     time     exits  steps  swaps  emulations  fills  as bare',
        '-----  -------  -------  -------  --------  -----  -----  ----------  -----  -------',
        'one    bare       1,234  0.500 s         -      -      -           -      -        -',
        '       p          1,234    x2.00  20-1,000      1      2           3      7      yes',
        '       q          1,234    x2.00  20-1,000      1      2           3      7      yes',
      ].join('\n'),
    );
  });

  it('says which run differs', async () => {
    const { guests } = await run((job) => (job.variant === 'q/s/w' ? fakeResult({ stateHash: 'x' }) : fakeResult()));
    const lines = comparisonTable(guests.slice(0, 1), true).split('\n');
    expect(lines.find((line) => line.includes('q/s/w'))).toMatch(/NO$/);
    expect(lines.find((line) => line.includes('q/t/w'))).toMatch(/yes$/);
  });
});

describe('junitXml', () => {
  it('carries failures, with any output a guest may print', async () => {
    const results = await run(() => fakeResult({}, { status: 1, serial: '\x1b[1m<&]]>\0\ud800' }));
    const xml = junitXml(results);
    expect(xml).toContain('<testsuite name="one"');
    expect(xml).toContain('failures="10"');
    expect(xml).toContain('\\x1b[1m&lt;&amp;]]&gt;\\x00\ufffd');
  });

  it('replaces only what XML cannot carry', () => {
    expect(printable('a\tb\n\u{1f600}\uffff')).toBe('a\tb\n\u{1f600}\\xffff');
  });
});
