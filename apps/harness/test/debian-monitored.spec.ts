/**
 * A stock Debian kernel under every monitor policy, by the command that a user compares with: power-on to `poweroff -f`, a
 * session of forks, floats, hashes and compression in between, ends after the same instruction, with the same output and in
 * the same state as bare; and its first instructions do so in every combination of policy, shadow cache and assist.
 * What the session prints is checked bare (debian-busybox.spec.ts); what it costs is not a test's business.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGuest } from './fetched-guest.js';
import { root } from './run-guest.js';

const MINUTES = 60_000;
const SESSION = [
  'set -e',
  'mount -t tmpfs none /mnt',
  'for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3; do (true); done) & done; wait',
  'dd if=/dev/zero bs=1M count=8 2> /dev/null | sha256sum',
  "awk 'BEGIN { for (x = 0; x < 3; x += 0.25) print x / 7, x * x * 1.1, 355 / (113 + x) }'",
  'seq 5000 | gzip | gunzip | sha256sum',
  'dmesg | wc -l',
  'poweroff -f',
].join('; ');

interface Compared {
  readonly outcome: string;
  readonly report: Record<'retired' | 'serialSha256' | 'stateHash', unknown>;
}

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-debian-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function compare(matrix: string, ...flags: string[]): Promise<{ out: string; runs: readonly Compared[] }> {
  const bin = join(root, 'apps/harness/bin/ringfence-harness.js');
  const args = ['compare', '--guest', 'debian-busybox', '--matrix', matrix, '--jobs', '2', '--report-dir', folder];
  const options = { cwd: root, env: { ...process.env, RINGFENCE_CACHE: join(root, '.cache', 'guests') } };
  // A run that differs makes it end with status 1; what it printed says which.
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...args, ...flags], options).catch(
    (error: { stdout: string }) => error,
  );
  const { runs } = JSON.parse(readFileSync(join(folder, 'compare.json'), 'utf8')) as { runs: Compared[] };
  return { out: stdout, runs };
}

function expectAlike(runs: readonly Compared[], count: number, outcome: string, out: string): void {
  expect(runs, out).toHaveLength(count);
  for (const run of runs) expect(run.outcome, out).toBe(outcome);
  for (const field of ['retired', 'serialSha256', 'stateHash'] as const) {
    expect(new Set(runs.map(({ report }) => report[field])).size, `${field}\n${out}`).toBe(1);
  }
}

describe('debian-busybox under monitors', () => {
  it('ends its session as bare, under every policy', { timeout: 30 * MINUTES }, async (context) => {
    const { guest, skip } = await ensureGuest('debian-busybox');
    if (guest === undefined) return context.skip(skip);
    const { out, runs } = await compare(
      'shadow=tracked-lru,assist=vif',
      ...['--append', `console=ttyS0 quiet -- "${SESSION.replaceAll('"', "'")}"`],
    );
    expectAlike(runs, 4, 'power-off', out);
  });

  it('starts as bare in every combination', { timeout: 20 * MINUTES }, async (context) => {
    const { guest, skip } = await ensureGuest('debian-busybox');
    if (guest === undefined) return context.skip(skip);
    const { out, runs } = await compare(
      'shadow=rebuild+tracked-lru,assist=trap+vif',
      ...['--append', 'console=ttyS0', '--max-instructions', '400000000'],
    );
    expectAlike(runs, 13, 'limit-instructions', out);
  });
});
