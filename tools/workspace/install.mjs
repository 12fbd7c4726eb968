/**
 * Installs the workspace's dependencies with the pinned pnpm, exactly as pnpm-lock.yaml says. Needs only Node >= 20 and npm.
 * A stamp inside node_modules skips the work when neither the lockfile nor a package.json changed since.
 * It does not build, and never changes the lockfile (to change it: `npx -y pnpm@<PNPM> install`).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './node24.mjs';
import { listPackages, root } from './packages.mjs';

const PNPM = 'pnpm@12.21.0';
const stampFile = join(root, 'node_modules/.ringfence-install');

function fingerprint() {
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'];
  for (const { dir } of listPackages()) files.push(`${dir}/package.json`);
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Resolves to an exit status. */
export async function install() {
  const wanted = fingerprint();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return 0;
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const status = await run(npx, ['-y', PNPM, 'install', '--frozen-lockfile'], {
    cwd: root,
    shell: process.platform === 'win32',
    env: { ...process.env, CI: 'true' },
  });
  if (status === 0) writeFileSync(stampFile, wanted);
  return status;
}
