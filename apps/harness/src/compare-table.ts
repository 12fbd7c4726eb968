/**
 * The table of `ringfence-harness compare`: one guest, bare and under every monitor of a matrix. What each run cost, whether
 * it ended as the bare run did, and what its exits were for. As text for a terminal and as Markdown for a page. Pure.
 */
import type { RunReport } from './results.js';

/** One run of the comparison, the bare one first. */
export interface Compared {
  readonly variant: string;
  readonly outcome: string;
  /** Undefined when the run came to nothing. */
  readonly report: RunReport | undefined;
  /** Processor time. Unlike wall time it says the same on a busy host. */
  readonly cpuSeconds: number;
  /** How it differs from the bare run, one line each. */
  readonly faults: readonly string[];
}

type Cells = readonly string[];

const COSTS: Cells = [
  'run',
  'retired',
  'wall s',
  'cpu s',
  'ratio',
  'exits',
  'steps',
  'swaps',
  'emulated',
  'fills',
  'as bare',
];
/** Reasons below this share of every run's exits are told as one. */
const LEAST_SHARE = 0.01;

export function compareText(runs: readonly Compared[]): string {
  return [costs(runs), reasons(runs)]
    .filter((rows) => rows.length > 1)
    .map((rows) => `${text(rows)}\n`)
    .join('\n');
}

export function compareMarkdown(title: string, runs: readonly Compared[]): string {
  const [bare] = runs;
  const digests =
    bare.report === undefined
      ? ''
      : `Bare: ${bare.outcome}, serial output \`${bare.report.serialSha256}\`, state \`${bare.report.stateHash}\`.\n\n`;
  const tables = [costs(runs), reasons(runs)].filter((rows) => rows.length > 1).map(markdown);
  return `# ${title}\n\n${digests}${tables.join('\n')}`;
}

function costs(runs: readonly Compared[]): Cells[] {
  const bare = runs[0];
  const rows = runs.map(({ variant, report, faults, cpuSeconds }, index): Cells => {
    const equal = index === 0 ? '-' : faults.length === 0 ? 'yes' : 'NO';
    if (report === undefined) return [variant, '-', '-', '-', '-', '-', '-', '-', '-', '-', equal];
    const { retired, wallSeconds, monitor } = report;
    const ratio = bare.cpuSeconds > 0 ? (cpuSeconds / bare.cpuSeconds).toFixed(2) : '-';
    const counts =
      monitor === undefined
        ? ['-', '-', '-', '-', '-']
        : [monitor.exits.total, monitor.steps, monitor.swaps, monitor.emulations, monitor.shadow.fills].map(grouped);
    return [variant, grouped(retired), wallSeconds.toFixed(1), cpuSeconds.toFixed(1), ratio, ...counts, equal];
  });
  return [COSTS, ...rows];
}

/** A row a reason, a column a monitor. */
function reasons(runs: readonly Compared[]): Cells[] {
  const monitored = runs.filter(({ report }) => report?.monitor !== undefined);
  if (monitored.length === 0) return [];
  const exits = monitored.map(({ report }) => report!.monitor!.exits);
  const names = [...new Set(exits.flatMap(({ byReason }) => Object.keys(byReason)))];
  const most = (name: string): number => Math.max(...exits.map(({ byReason }) => byReason[name] ?? 0));
  const matters = (name: string): boolean =>
    exits.some(({ byReason, total }) => (byReason[name] ?? 0) >= total * LEAST_SHARE);
  const shown = names.filter(matters).sort((a, b) => most(b) - most(a));
  const rest = exits.map(({ byReason }) =>
    names.filter((name) => !shown.includes(name)).reduce((sum, name) => sum + (byReason[name] ?? 0), 0),
  );
  const row = (name: string): Cells => [name, ...exits.map(({ byReason }) => grouped(byReason[name] ?? 0))];
  return [
    ['exits for', ...monitored.map(({ variant }) => variant)],
    ...shown.map(row),
    ...(rest.some((count) => count > 0) ? [['(others)', ...rest.map(grouped)]] : []),
  ];
}

function text(rows: readonly Cells[]): string {
  // Names of runs as column heads would make the table unreadably wide: a head is written over several lines.
  const heads = rows[0].map((head) => head.split('/'));
  const height = Math.max(...heads.map((lines) => lines.length));
  const head = Array.from({ length: height }, (_, line) => heads.map((lines) => lines[line] ?? ''));
  const all = [...head, ...rows.slice(1)];
  const widths = rows[0].map((_, column) => Math.max(...all.map((cells) => cells[column].length)));
  const line = (cells: Cells): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [...head.map(line), rule, ...rows.slice(1).map(line)].join('\n');
}

function markdown(rows: readonly Cells[]): string {
  const line = (cells: Cells): string => `| ${cells.join(' | ')} |\n`;
  const rule = rows[0].map((_, column) => (column === 0 ? '---' : '---:'));
  return [rows[0], rule, ...rows.slice(1)].map(line).join('');
}

/** 1234567 becomes 1,234,567. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
