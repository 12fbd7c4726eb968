/**
 * Debian's network installer, 512 MB: a kernel and an initrd of somebody else's making reach their first dialog on the serial
 * line, bare and under a monitor, after the same instruction and in the same state. By the command that a user runs, both
 * at once. About 13 thousand million instructions each.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGuest } from './fetched-guest.js';
import { root } from './run-guest.js';

const TIMEOUT = 30 * 60_000;

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-installer-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(name: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const report = join(folder, `${name}.json`);
  await promisify(execFile)(
    process.execPath,
    [
      join(root, 'apps/runner/bin/ringfence.js'),
      ...['run', '--guest', 'debian-installer', '--serial', `file:${join(folder, `${name}.log`)}`],
      ...['--until-serial', 'Select a language', '--timeout', '1500', '--report', report, ...flags],
    ],
    { cwd: root, env: { ...process.env, RINGFENCE_CACHE: join(root, '.cache', 'guests') } },
  );
  return JSON.parse(readFileSync(report, 'utf8')) as Record<string, unknown>;
}

describe('debian-installer', () => {
  it('shows its first dialog, bare and monitored alike', { timeout: TIMEOUT }, async (context) => {
    const { guest, skip } = await ensureGuest('debian-installer');
    if (guest === undefined) return context.skip(skip);
    const [bare, monitored] = await Promise.all([
      run('bare'),
      run('monitored', '--monitor', 'data-swap', '--assist', 'vif'),
    ]);
    const facts = ({ outcome, retired, serialSha256, stateHash }: typeof bare) => [
      outcome,
      retired,
      serialSha256,
      stateHash,
    ];
    expect(bare.outcome).toBe('until-serial');
    expect(bare.machine).toMatchObject({ memoryBytes: 512 << 20, monitor: 'none' });
    expect(monitored.machine).toMatchObject({ monitor: 'data-swap' });
    expect(facts(monitored)).toEqual(facts(bare));
  });
});
