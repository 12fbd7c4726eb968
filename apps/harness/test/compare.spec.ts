/** `ringfence-harness compare` on a bundled guest: the table, its files, and what it refuses. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/cli.js';
import type { Compared } from '../src/compare-table.js';
import { inProcessRunner } from '../src/execute.js';
import { root } from './run-guest.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-compare-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function compare(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const status = await main(['compare', '--report-dir', folder, ...args], {
    cwd: root,
    env: {},
    terminal: false,
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    onInterrupt: () => () => {},
    createRunner: () => inProcessRunner(),
  });
  return { status, out, err };
}

const PAGING = ['--kernel', 'guests/images/paging.elf'];

describe('compare', { timeout: 5 * 60_000 }, () => {
  it('runs a guest bare and under every monitor of the matrix', async () => {
    const { status, out, err } = await compare(...PAGING, '--matrix', 'policy=step-through+full-emulation,assist=vif');
    expect(status, out + err).toBe(0);
    const { runs } = JSON.parse(readFileSync(join(folder, 'compare.json'), 'utf8')) as { runs: Compared[] };
    expect(runs.map(({ variant }) => variant)).toEqual([
      'bare',
      'step-through/rebuild',
      'step-through/tracked-lru',
      'full-emulation/rebuild',
      'full-emulation/tracked-lru',
    ]);
    expect(new Set(runs.map(({ report }) => report!.stateHash)).size).toBe(1);
    expect(runs.every(({ report }, index) => index === 0 || report!.machine.assist === 'vif')).toBe(true);
    expect(out).toMatch(/^full-emulation\/tracked-lru +239,503 .* yes$/m);
    expect(out).toMatch(/^single-step +[1-9][\d,]+ +[1-9][\d,]+ +0 +0$/m);
    expect(readFileSync(join(folder, 'compare.md'), 'utf8')).toContain('| single-step |');
  });

  it('stops every run at the same instruction', async () => {
    const { status, out } = await compare(
      ...PAGING,
      ...['--max-instructions', '100000', '--matrix', 'policy=data-swap,shadow=rebuild,assist=trap'],
    );
    expect(status, out).toBe(0);
    expect(out).toMatch(/^data-swap +100,000 .* yes$/m);
  });

  it.each([
    [[], 'RF_BAD_USAGE', /nothing to compare/],
    [['--guest', 'debian-busibox'], 'RF_UNKNOWN_NAME', /debian-busybox/],
    [['--guest', 'memtest86', ...PAGING], 'RF_BAD_USAGE', /both/],
    [[...PAGING, '--matrix', 'assist=viff'], 'RF_UNKNOWN_NAME', /vif/],
    [[...PAGING, '--timeout', '0'], 'RF_BAD_USAGE', /--timeout/],
    [[...PAGING, '--matrx', 'x'], 'RF_BAD_USAGE', /did you mean --matrix/],
    [['--kernel', 'nowhere.elf', '--matrix', 'policy=none'], 'RF_KERNEL_NOT_FOUND', /nowhere\.elf/],
  ])('refuses %j', async (args, code, says) => {
    const { status, err } = await compare(...args);
    expect(status).toBe(2);
    expect(err).toMatch(/^RF_[A-Z_]+: .+\n$/);
    expect(err).toContain(code);
    expect(err).toMatch(says);
  });
});
