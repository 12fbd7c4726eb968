/**
 * The example plugin, built against the sdk as it would be published (`npm pack`, with its own type declarations) and
 * loaded into the built command line: the guest ends as on the bare machine, and both techniques were used.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const here = import.meta.dirname;
const root = resolve(here, '../..');
const guest = join(root, 'guests/images/paging.elf');

interface Report {
  readonly retired: number;
  readonly stateHash: string;
  readonly monitor?: {
    readonly policy: string;
    readonly steps: number;
    readonly userEmulations: Record<string, number>;
  };
}

let folder: string;

/** A folder like the plugin author's: the sdk from its tarball, its dependencies, the example's sources. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rf-example-'));
  const sdk = join(root, 'packages/sdk');
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: sdk, stdio: 'pipe' });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  const installed = join(folder, 'node_modules/@ringfence/sdk');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  for (const name of ['reflect-metadata', 'tsyringe', 'zod']) {
    symlinkSync(realpathSync(join(sdk, 'node_modules', name)), join(folder, 'node_modules', name));
  }
  for (const name of ['src', 'package.json', 'tsconfig.json'])
    cpSync(join(here, name), join(folder, name), { recursive: true });
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'pipe' });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(...flags: string[]): Report {
  const report = join(folder, 'report.json');
  const bin = join(root, 'apps/runner/bin/ringfence.js');
  const args = [bin, 'run', '--kernel', guest, '-m', '16M', '--serial', 'none', '--report', report, ...flags];
  const ran = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(ran.status, ran.stderr).toBe(33);
  return JSON.parse(readFileSync(report, 'utf8')) as Report;
}

it('a guest cannot tell the third-party policy from bare hardware', () => {
  const bare = run();
  const alternating = run('--plugin', join(folder, 'dist/index.js'), '--monitor', 'alternating');
  expect(alternating).toMatchObject({ retired: bare.retired, stateHash: bare.stateHash });
  expect(alternating.monitor!.policy).toBe('alternating');
  expect(alternating.monitor!.steps).toBeGreaterThan(1000);
  expect(alternating.monitor!.userEmulations.structure).toBeGreaterThan(1000);
});
