/**
 * The JUnit report: a test suite per guest, a test case per run. Serial output holds whatever a guest printed, so
 * characters that XML cannot carry are shown as \xNN.
 */
import { create } from 'xmlbuilder2';
import type { GuestRecord, RunRecord, SuiteResults } from './results.js';

export function junitXml(results: SuiteResults): string {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele('testsuites', {
    name: 'ringfence',
    tests: String(results.passed + results.failed + results.notRun),
    failures: String(results.failed),
    skipped: String(results.notRun),
    time: results.seconds.toFixed(3),
  });
  for (const record of results.guests) {
    const suite = root.ele('testsuite', { name: record.guest, timestamp: results.startedAt, ...totals(record) });
    for (const run of record.runs) {
      const testCase = suite.ele('testcase', {
        name: run.variant,
        classname: `ringfence.${record.guest}`,
        time: (run.report?.wallSeconds ?? 0).toFixed(3),
      });
      if (run.verdict === 'not run') testCase.ele('skipped', { message: 'interrupted' });
      if (run.verdict !== 'failed') continue;
      testCase.ele('failure', { message: printable(run.faults[0]) }).txt(printable(run.faults.join('\n')));
      testCase.ele('system-out').txt(printable(details(run)));
    }
  }
  return `${root.end({ prettyPrint: true })}\n`;
}

function totals({ runs }: GuestRecord): Record<string, string> {
  const number = (verdict: RunRecord['verdict']): string =>
    String(runs.filter((run) => run.verdict === verdict).length);
  const time = runs.reduce((sum, run) => sum + (run.report?.wallSeconds ?? 0), 0);
  return { tests: String(runs.length), failures: number('failed'), skipped: number('not run'), time: time.toFixed(3) };
}

function details(run: RunRecord): string {
  const sections = [`to repeat: ${run.command}`, `serial output:\n${run.serial}`];
  if (run.screen !== undefined && run.screen !== '') sections.push(`screen:\n${run.screen}`);
  if (run.dump !== undefined) sections.push(run.dump);
  return sections.join('\n\n');
}

/** XML 1.0 has no escape for control characters, lone surrogates and U+FFFE, U+FFFF. */
export function printable(text: string): string {
  return text.toWellFormed().replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, (character) => {
    return `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`;
  });
}
