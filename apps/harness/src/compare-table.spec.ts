import { describe, expect, it } from 'vitest';
import { compareMarkdown, compareText, type Compared } from './compare-table.js';
import type { RunReport } from './results.js';

function report(wallSeconds: number, byReason?: Record<string, number>): RunReport {
  const total = Object.values(byReason ?? {}).reduce((sum, count) => sum + count, 0);
  const monitor = { exits: { total, byReason }, steps: 7, swaps: 0, emulations: 12345, shadow: { fills: 3 } };
  return {
    retired: 1234567,
    wallSeconds,
    serialSha256: 'aa',
    stateHash: 'bb',
    monitor: byReason === undefined ? undefined : monitor,
  } as unknown as RunReport;
}

const RUNS: readonly Compared[] = [
  { variant: 'bare', outcome: 'debug-exit', report: report(11), cpuSeconds: 10, faults: [] },
  {
    variant: 'a/trap',
    outcome: 'debug-exit',
    report: report(15, { cli: 900, iret: 95, hlt: 5 }),
    cpuSeconds: 15,
    faults: [],
  },
  {
    variant: 'a/vif',
    outcome: 'debug-exit',
    report: report(12, { iret: 95 }),
    cpuSeconds: 12,
    faults: ['retired 1 differs'],
  },
  { variant: 'b/vif', outcome: 'refused', report: undefined, cpuSeconds: 0, faults: ['RF_X'] },
];

describe('the comparison', () => {
  it('as text', () => {
    expect(compareText(RUNS)).toBe(
      [
        'run       retired  wall s  cpu s  ratio  exits  steps  swaps  emulated  fills  as bare',
        '------  ---------  ------  -----  -----  -----  -----  -----  --------  -----  -------',
        'bare    1,234,567    11.0   10.0   1.00      -      -      -         -      -        -',
        'a/trap  1,234,567    15.0   15.0   1.50  1,000      7      0    12,345      3      yes',
        'a/vif   1,234,567    12.0   12.0   1.20     95      7      0    12,345      3       NO',
        'b/vif           -       -      -      -      -      -      -         -      -       NO',
        '',
        'exits for     a    a',
        '           trap  vif',
        '---------  ----  ---',
        'cli         900    0',
        'iret         95   95',
        '(others)      5    0',
        '',
      ].join('\n'),
    );
  });

  it('as Markdown', () => {
    const page = compareMarkdown('guest g', RUNS);
    expect(page).toMatch(/^# guest g\n\nBare: debug-exit, serial output `aa`, state `bb`\.\n\n\| run \| retired /);
    expect(page).toContain('| a/vif | 1,234,567 | 12.0 | 12.0 | 1.20 | 95 | 7 | 0 | 12,345 | 3 | NO |\n');
    expect(page).toContain('\n\n| exits for | a/trap | a/vif |\n');
  });

  it('of bare runs alone has no exits', () => {
    expect(compareText(RUNS.slice(0, 1)).split('\n')).toHaveLength(4);
  });
});
