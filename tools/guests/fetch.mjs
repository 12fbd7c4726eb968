// Fetches the guests nobody here wrote, with the system's own package client, into the git-ignored cache
// `.cache/guests/`. Today that is Debian's memtest86+ (GPL-2). Needs no root when apt's lists are readable: a
// private copy of apt's state is used when the system's lists are missing.
//
// It does not install anything, does not name a registry (apt's own sources do), and never falls back to another
// source. Callers in tests use ensureMemtest(), which answers {path} or {skip: reason} and does not throw.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const cacheDir = join(root, '.cache', 'guests');

const PACKAGE = 'memtest86+';
const BINARY = 'memtest86+ia32.bin';
const RECORD = `${BINARY}.json`;
/** The binary the numbers in guests/MEMTEST86.md were measured on. Another version is accepted, with a note. */
export const KNOWN_SHA256 = '9aee6d56888b8a78fa1dd774b341db40ea8049a576417de302e5daed4c91707e';

class FetchError extends Error {}

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      timeout: 180_000,
      ...options,
    });
  } catch (error) {
    if (error.code === 'ENOENT') throw new FetchError(`no \`${command}\` on this system`);
    const said = String(error.stderr ?? '')
      .trim()
      .split('\n');
    const line = said.find((each) => each.startsWith('E:')) ?? said.at(-1);
    const verb = args.find((arg) => /^[a-z-]+$/.test(arg) && !arg.startsWith('-')) ?? '';
    throw new FetchError(`\`${`${command} ${verb}`.trim()}\` failed: ${line || error.message}`);
  }
}

/** apt options: the system's state when it lists the package, else a private state folder filled by `apt-get update`. */
function aptOptions() {
  const architecture = ['-o', 'APT::Architecture=' + run('dpkg', ['--print-architecture']).trim()];
  const candidate = (options) => {
    try {
      return /^Version: /m.test(run('apt-cache', [...options, 'show', '--no-all-versions', PACKAGE]));
    } catch (error) {
      if (/no `/.test(error.message)) throw error;
      return false;
    }
  };
  if (candidate(architecture)) return architecture;
  const state = join(cacheDir, 'apt');
  for (const dir of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, dir), { recursive: true });
  const own = [
    ...architecture,
    '-o',
    `Dir::State::lists=${state}/lists`,
    '-o',
    `Dir::Cache=${state}/cache`,
    '-o',
    'Debug::NoLocking=1',
    '-o',
    'APT::Sandbox::User=',
  ];
  if (candidate(own)) return own;
  run('apt-get', [...own, '-q', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20', 'update']);
  if (!candidate(own))
    throw new FetchError(`the system's package sources do not offer \`${PACKAGE}\` (or could not be reached)`);
  return own;
}

function extract(deb, into) {
  mkdirSync(into, { recursive: true });
  try {
    run('dpkg-deb', ['-x', deb, into]);
    return;
  } catch (error) {
    if (!/no `dpkg-deb`/.test(error.message)) throw error;
  }
  run('ar', ['x', deb], { cwd: into });
  const data = readdirSync(into).find((name) => name.startsWith('data.tar'));
  if (!data) throw new FetchError('the package holds no data.tar');
  run('tar', ['-xf', data], { cwd: into });
}

function findFile(dir, name) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      const found = findFile(path, name);
      if (found) return found;
    } else if (entry.name === name) return path;
  }
  return undefined;
}

/** Downloads, verifies and extracts; returns the record. Throws FetchError with one line of reason. */
export function fetchMemtest() {
  mkdirSync(cacheDir, { recursive: true });
  const work = join(cacheDir, `work-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const options = aptOptions();
    const shown = run('apt-cache', [...options, 'show', '--no-all-versions', PACKAGE]);
    const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(shown)?.[1];
    const expected = field('SHA256');
    const version = field('Version');
    if (!expected || !version) throw new FetchError(`apt knows no SHA256 for \`${PACKAGE}\``);
    run(
      'apt-get',
      [
        ...options,
        '-q',
        '-o',
        'APT::Sandbox::User=',
        '-o',
        'Acquire::Retries=2',
        '-o',
        'Acquire::http::Timeout=20',
        'download',
        `${PACKAGE}=${version}`,
      ],
      { cwd: work },
    );
    const deb = readdirSync(work).find((name) => name.endsWith('.deb'));
    if (!deb) throw new FetchError('the package client fetched nothing');
    const actual = sha256(join(work, deb));
    if (actual !== expected) throw new FetchError(`the package's SHA256 is ${actual}, apt's metadata says ${expected}`);
    extract(join(work, deb), join(work, 'x'));
    const found = findFile(join(work, 'x'), BINARY);
    if (!found) throw new FetchError(`\`${PACKAGE}\` ${version} holds no ${BINARY}`);
    const record = { package: PACKAGE, version, packageSha256: actual, file: BINARY, sha256: sha256(found) };
    copyFileSync(found, join(work, BINARY));
    writeFileSync(join(work, RECORD), `${JSON.stringify(record, null, 2)}\n`);
    renameSync(join(work, BINARY), join(cacheDir, BINARY));
    renameSync(join(work, RECORD), join(cacheDir, RECORD));
    return record;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The record of a cached, intact binary, or undefined. */
function cached() {
  const path = join(cacheDir, BINARY);
  const recordPath = join(cacheDir, RECORD);
  if (!existsSync(path) || !existsSync(recordPath)) return undefined;
  try {
    const record = JSON.parse(readFileSync(recordPath, 'utf8'));
    return record.sha256 === sha256(path) ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * For tests: `{ path, record }` of memtest86+ia32.bin, fetched when it is not cached, or `{ skip: reason }`. With
 * RINGFENCE_REQUIRE_NETWORK_GUESTS set (as .ci/run does) it throws instead of skipping.
 */
export function ensureMemtest() {
  const path = join(cacheDir, BINARY);
  try {
    return { path, record: cached() ?? fetchMemtest() };
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    const skip = `memtest86+ was not fetched: ${error.message}`;
    if (process.env.RINGFENCE_REQUIRE_NETWORK_GUESTS) throw new Error(skip, { cause: error });
    return { skip };
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const result = ensureMemtest();
  if (result.skip) {
    console.error(result.skip);
    process.exitCode = 1;
  } else {
    const { version, sha256: hash } = result.record;
    console.log(`${result.path}: ${PACKAGE} ${version}, sha256 ${hash}`);
    if (hash !== KNOWN_SHA256) console.log('note: not the build that guests/MEMTEST86.md describes');
  }
}
