/**
 * The comparison table that closes a suite: what each monitor cost each guest, beside the bare run. Pure text.
 * By default one row per guest and policy, over all its strategies (a range where they differ); `verbose` gives a row per run.
 */
import type { GuestRecord, RunRecord, RunReport } from './results.js';

const HEADER = ['guest', 'monitor', 'retired', 'time', 'exits', 'steps', 'swaps', 'emulations', 'fills', 'as bare'];
const LEFT_COLUMNS = 2;

/** What a reader must know to read the table. */
export const TABLE_NOTE =
  'time: bare in seconds, the others as a multiple of it (runs below a second mostly measure the warm-up of our own code)\n' +
  'as bare: same instruction count, serial output and final state as the bare run';

export function comparisonTable(guests: readonly GuestRecord[], verbose: boolean): string {
  const rows = guests.flatMap(({ guest, runs }) => {
    const bare = runs[0].report;
    const groups = verbose ? runs.map((run) => [run]) : groupByPolicy(runs);
    return groups.map((group) => row(guest, verbose ? group[0].variant : group[0].policy, group, bare));
  });
  return render([HEADER, ...rows]);
}

function groupByPolicy(runs: readonly RunRecord[]): RunRecord[][] {
  return [...Map.groupBy(runs, (run) => run.policy).values()];
}

function row(guest: string, label: string, group: readonly RunRecord[], bare: RunReport | undefined): string[] {
  const reports = group.map((run) => run.report).filter((report) => report !== undefined);
  const monitors = reports.map((report) => report.monitor).filter((monitor) => monitor !== undefined);
  return [
    guest,
    label,
    range(reports.map((report) => report.retired)),
    time(reports, bare, group),
    range(monitors.map((monitor) => monitor.exits.total)),
    range(monitors.map((monitor) => monitor.steps)),
    range(monitors.map((monitor) => monitor.swaps)),
    range(monitors.map((monitor) => monitor.emulations)),
    range(monitors.map((monitor) => monitor.shadow.fills)),
    equality(group),
  ];
}

function time(reports: readonly RunReport[], bare: RunReport | undefined, group: readonly RunRecord[]): string {
  if (reports.length === 0) return '-';
  const mean = reports.reduce((sum, report) => sum + report.wallSeconds, 0) / reports.length;
  const isBare = group.every((run) => run.report?.monitor === undefined);
  if (isBare || bare === undefined || bare.wallSeconds === 0) return `${mean.toFixed(3)} s`;
  return `x${(mean / bare.wallSeconds).toFixed(2)}`;
}

function equality(group: readonly RunRecord[]): string {
  if (group.some((run) => run.verdict === 'not run')) return 'not run';
  if (group.some((run) => run.equal === false)) return 'NO';
  if (group.some((run) => run.verdict === 'failed')) return 'FAILED';
  return group.every((run) => run.equal === undefined) ? '-' : 'yes';
}

/** `12`, or `12-40` where the runs differ. */
function range(values: readonly number[]): string {
  if (values.length === 0) return '-';
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? grouped(low) : `${grouped(low)}-${grouped(high)}`;
}

/** 1234567 becomes 1,234,567. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function render(rows: readonly string[][]): string {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column < LEFT_COLUMNS ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(rows[0]), rule, ...rows.slice(1).map((cells, index) => line(blankRepeated(cells, rows[index])))].join(
    '\n',
  );
}

/** A guest's name is written once, in its first row. */
function blankRepeated(cells: readonly string[], above: readonly string[]): readonly string[] {
  return cells[0] === above[0] ? ['', ...cells.slice(1)] : cells;
}
