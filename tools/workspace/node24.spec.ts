/**
 * The bins stand or fall with this helper: exit status and signals must come through, and a checkout that was never built
 * must answer with one coded line.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findNode24, run } from './node24.mjs';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringfence-node24-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it('passes an exit status through', async () => {
  expect(await run(process.execPath, ['-e', 'process.exit(7)'])).toBe(7);
});

it('reports death by a signal as a shell does', async () => {
  expect(await run(process.execPath, ['-e', 'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 1e5)'])).toBe(
    143,
  );
});

it('finds a Node that is new enough', () => {
  const version = execFileSync(findNode24() ?? '', ['--version'], { encoding: 'utf8' });
  expect(Number(version.slice(1).split('.')[0])).toBeGreaterThanOrEqual(24);
});

it('says in one line that a checkout is not built', () => {
  const helper = fileURLToPath(new URL('./node24.mjs', import.meta.url));
  const bin = join(folder, 'bin.mjs');
  writeFileSync(bin, `import { launch } from ${JSON.stringify(helper)};\nawait launch(import.meta.url);\n`);
  const result = spawnSync(process.execPath, [bin], { encoding: 'utf8' });
  expect(result.stderr).toMatch(/^RF_NOT_BUILT: .*npm start.*\n$/);
  expect(result.status).toBe(2);
});
