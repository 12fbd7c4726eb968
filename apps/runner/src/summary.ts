/**
 * What a person reads on stderr when a run is over: how it ended, what it cost, and the monitor's figures. Pure text.
 */
import type { MonitorReport } from '@ringfence/sdk';
import type { Outcome, RunReport, RunResult } from '@ringfence/machine';

const OUTCOME_TEXT: Record<Outcome, string> = {
  'power-off': 'the guest powered off',
  'debug-exit': 'the guest ended the run',
  'until-serial': 'the serial output matched',
  reset: 'the guest reset the machine',
  'limit-instructions': 'the instruction limit was hit',
  'limit-time': 'the time limit was hit',
  halted: 'the guest halted for good',
  'triple-fault': 'the guest died: triple fault',
  interrupted: 'interrupted',
  'internal-error': 'a fault of Ringfence itself',
};

/** The closing lines of `ringfence run`, the dump first when the guest died. */
export function formatSummary({ report, dump }: RunResult): string {
  const lines: string[] = [];
  if (dump !== undefined) lines.push(dump.trimEnd());
  const detail = report.detail === undefined || report.outcome === 'internal-error' ? '' : ` (${report.detail})`;
  lines.push(`ringfence: ${OUTCOME_TEXT[report.outcome]}${detail}; exit status ${report.exitStatus}`);
  lines.push(`  ${cost(report)}`);
  if (report.monitor !== undefined) lines.push(...monitorLines(report.monitor, report.retired));
  return `${lines.join('\n')}\n`;
}

function cost(report: RunReport): string {
  const speed = (report.instructionsPerSecond / 1e6).toFixed(1);
  const seconds = report.wallSeconds.toFixed(2);
  const resets = report.resets === 0 ? '' : `, ${grouped(report.resets)} resets`;
  return `${grouped(report.retired)} instructions in ${seconds} s (${speed} M/s), ${grouped(report.serialBytes)} serial bytes${resets}`;
}

function monitorLines(monitor: MonitorReport, retired: number): string[] {
  const { exits, shadow } = monitor;
  const reasons = Object.entries(exits.byReason)
    .filter(([, times]) => times > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, times]) => `${reason} ${grouped(times)}`);
  return [
    `  ${monitor.policy}: ${grouped(exits.total)} exits${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`,
    `  ${grouped(monitor.steps)} steps, ${grouped(monitor.swaps)} swaps, ${grouped(monitor.emulations)} emulations, ` +
      `${grouped(monitor.windowFaults)} window faults, ${grouped(monitor.relocations)} relocations`,
    `  shadow ${shadow.strategy}: ${grouped(shadow.rootSwitches)} root switches, ${grouped(shadow.hits)} hits, ` +
      `${grouped(shadow.misses)} misses, ${grouped(shadow.fills)} fills, ${grouped(shadow.evictions)} evictions, ` +
      `${grouped(shadow.traceWrites)} trace writes`,
    ...emulatorLine(monitor, retired),
  ];
}

/** What ran on the emulator although it was no system instruction, and why; nothing when that was nothing. */
function emulatorLine({ userEmulations }: MonitorReport, retired: number): string[] {
  const reasons = Object.entries(userEmulations).filter(([, times]) => times > 0);
  if (reasons.length === 0) return [];
  const all = reasons.reduce((sum, [, times]) => sum + times, 0);
  const share = ((100 * all) / Math.max(retired, 1)).toFixed(1);
  const list = reasons
    .sort(([, a], [, b]) => b - a)
    .map(([why, times]) => `${why.replace('state-', '')} ${grouped(times)}`)
    .join(', ');
  return [`  on the emulator: ${grouped(all)} instructions, ${share} % of all (${list})`];
}

/** 1234567 becomes 1,234,567. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
