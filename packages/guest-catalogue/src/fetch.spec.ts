/** Fetching a guest: packages, hashes, the cache, and every way it may go wrong; no network. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUSYBOX_INIT, UDHCPC_SCRIPT } from './busybox-initramfs.js';
import { defaultCacheFolder, neededFiles } from './cache.js';
import { type Guest, GUESTS, findGuest } from './catalogue.js';
import { cachedRecord, fetchGuest } from './fetch.js';
import { type RunTool, runTool, ToolFailed } from './tool.js';

const TOY: Guest = {
  name: 'toy',
  summary: 'a guest for specs',
  licence: 'MIT',
  packages: [
    {
      package: 'toy-current',
      dependency: /^toy-\d+$/,
      architecture: 'i386',
      keep: [{ file: 'kernel', from: /^\.\/boot\/kernel-/ }],
    },
  ],
  derived: [
    { file: 'initrd', of: ['kernel'], build: (kernel) => Buffer.from(`around ${Buffer.from(kernel).toString()}`) },
  ],
  run: { kernel: 'kernel', initrd: 'initrd', memory: '8M', append: '' },
};

let folder: string;
let cache: string;
let calls: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringfence-fetch-'));
  cache = join(folder, 'cache');
  calls = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface FakeArchive {
  /** The system's own lists know the package. */
  readonly listed?: boolean;
  readonly hash?: string;
  /** What `apt-get download` and `apt-get update` complain about. */
  readonly downloadFails?: string;
  readonly updateFails?: string;
  readonly onDownload?: () => void;
}

/** apt and dpkg over one made-up package; tar is the host's. A "package" is its tar archive. */
function fakeApt({ listed = true, hash, downloadFails, updateFails, onDownload }: FakeArchive = {}): RunTool {
  const content = join(folder, 'content');
  mkdirSync(join(content, 'boot'), { recursive: true });
  writeFileSync(join(content, 'boot', 'kernel-1.2'), 'the kernel');
  const archive = join(folder, 'archive.tar');
  execFileSync('tar', ['-cf', archive, '-C', content, '.']);
  const sha256 = hash ?? createHash('sha256').update(readFileSync(archive)).digest('hex');
  let updated = false;
  return async (command, args, options = {}) => {
    const verb = args.find((arg) => ['update', 'show', 'download', '--fsys-tarfile'].includes(arg));
    calls.push(verb === undefined ? command : `${command} ${verb}`);
    if (command === 'tar') return runTool(command, args, options);
    if (command === 'dpkg-deb') {
      copyFileSync(args[1], options.into!);
      return '';
    }
    if (verb === 'update') {
      if (updateFails !== undefined) throw new ToolFailed(command, updateFails);
      updated = true;
      return '';
    }
    if (verb === 'show') {
      if (!listed && !updated) throw new ToolFailed(command, 'E: No packages found');
      return args.at(-1) === 'toy-current'
        ? 'Package: toy-current\nVersion: 9\nDepends: other (>= 2), toy-12 (= 9)\nSHA256: 00\n'
        : `Package: ${args.at(-1)}\nVersion: 1.2\nSize: 10240\nSHA256: ${sha256}\n`;
    }
    if (downloadFails !== undefined) throw new ToolFailed(command, downloadFails);
    copyFileSync(archive, join(options.cwd!, 'toy-12_1.2_i386.deb'));
    onDownload?.();
    options.signal?.throwIfAborted();
    return '';
  };
}

const fetchToy = (run: RunTool, more: { guest?: Guest; signal?: AbortSignal; again?: boolean } = {}) =>
  fetchGuest(more.guest ?? TOY, { cache, run, ...more });

/** Whatever the cache holds but apt's lists. */
const held = (): string[] => (existsSync(cache) ? readdirSync(cache).filter((name) => name !== 'apt') : []);

const refused = (code: string, fix?: RegExp): unknown =>
  expect.objectContaining({ code, ...(fix === undefined ? {} : { fix: expect.stringMatching(fix) as unknown }) });

describe('fetching a guest', () => {
  it('follows the current package, checks it, keeps its files and builds the others', async () => {
    const fetched = await fetchToy(fakeApt());
    expect(fetched.cached).toBe(false);
    expect(readFileSync(fetched.kernel!, 'utf8')).toBe('the kernel');
    expect(readFileSync(fetched.initrd!, 'utf8')).toBe('around the kernel');
    expect(fetched.record.packages).toMatchObject([{ package: 'toy-12', version: '1.2', architecture: 'i386' }]);
    expect(readdirSync(fetched.folder).sort()).toEqual(['initrd', 'kernel', 'record.json']);
    expect(held()).toEqual(['toy']);
    expect(cachedRecord(TOY, cache)).toEqual(fetched.record);
  });

  it('uses what is there without any program of the host', async () => {
    const first = await fetchToy(fakeApt());
    const second = await fetchToy(() => Promise.reject(new Error('called')));
    expect(second).toEqual({ ...first, cached: true });
  });

  it('fetches again when told to, and when a file was changed', async () => {
    const { kernel } = await fetchToy(fakeApt());
    expect((await fetchToy(fakeApt(), { again: true })).cached).toBe(false);
    writeFileSync(kernel!, 'another kernel');
    expect((await fetchToy(fakeApt())).cached).toBe(false);
    expect(readFileSync(kernel!, 'utf8')).toBe('the kernel');
    expect(held()).toEqual(['toy']);
  });

  it('builds again, without the network, what a newer Ringfence builds differently', async () => {
    await fetchToy(fakeApt());
    const guest = { ...TOY, derived: [{ ...TOY.derived![0], build: () => Buffer.from('new') }] };
    const fetched = await fetchToy(() => Promise.reject(new Error('called')), { guest });
    expect(readFileSync(fetched.initrd!, 'utf8')).toBe('new');
    expect(fetched.cached).toBe(true);
    expect((await fetchToy(() => Promise.reject(new Error('called')), { guest })).cached).toBe(true);
  });

  it('makes lists of its own where the system has none', async () => {
    await fetchToy(fakeApt({ listed: false }));
    expect(calls.filter((call) => call === 'apt-get update')).toHaveLength(1);
    calls = [];
    await fetchToy(fakeApt(), { again: true });
    expect(calls).not.toContain('apt-get update');
  });

  it('refuses a package that is not the one the index signs for', async () => {
    await expect(fetchToy(fakeApt({ hash: 'f'.repeat(64) }))).rejects.toEqual(refused('RF_PACKAGE_MISMATCH'));
    expect(held()).toEqual([]);
  });

  it('refuses a package without the file', async () => {
    const guest = { ...TOY, packages: [{ ...TOY.packages[0], keep: [{ file: 'kernel', from: /nowhere/ }] }] };
    await expect(fetchToy(fakeApt(), { guest })).rejects.toEqual(refused('RF_PACKAGE_MISMATCH'));
    expect(held()).toEqual([]);
  });

  it.each([
    ['no network', 'E: Failed to fetch: Temporary failure resolving host', 'RF_FETCH_FAILED', /network/],
    ['a server that says no', 'E: 403  Forbidden', 'RF_FETCH_FAILED', /apt-get update/],
    ['a full disk', 'E: write error: No space left on device', 'RF_CACHE_UNWRITABLE', /RINGFENCE_CACHE/],
  ])('says what is wrong with %s, and keeps what was there', async (_what, downloadFails, code, fix) => {
    const { kernel } = await fetchToy(fakeApt());
    await expect(fetchToy(fakeApt({ downloadFails }), { again: true })).rejects.toEqual(refused(code, fix));
    expect(readFileSync(kernel!, 'utf8')).toBe('the kernel');
    expect(held()).toEqual(['toy']);
  });

  it('says so when the sources do not offer the package', async () => {
    const run = fakeApt({ listed: false, updateFails: 'E: Temporary failure resolving host' });
    await expect(fetchToy(run)).rejects.toEqual(refused('RF_FETCH_FAILED', /network/));
  });

  it('says so when there is no package client', async () => {
    const run: RunTool = (_command, args, options) => runTool('ringfence-no-such-program', args, options);
    await expect(fetchToy(run)).rejects.toEqual(refused('RF_NO_PACKAGE_CLIENT', /Debian/));
    expect(held()).toEqual([]);
  });

  it('keeps nothing when it is interrupted', async () => {
    const abort = new AbortController();
    const run = fakeApt({ onDownload: () => abort.abort() });
    await expect(fetchToy(run, { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(held()).toEqual([]);
  });

  it('sweeps up after a process that was killed', async () => {
    const { pid } = runToEnd();
    mkdirSync(join(cache, `work-${pid}-abc`), { recursive: true });
    await fetchToy(fakeApt());
    expect(held()).toEqual(['toy']);
  });

  it('says so when the cache cannot be made', async () => {
    writeFileSync(cache, 'a file');
    await expect(fetchToy(fakeApt())).rejects.toEqual(refused('RF_CACHE_UNWRITABLE'));
  });
});

/** A process id that was one. */
function runToEnd(): { pid: number } {
  return { pid: Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' })) };
}

describe('running a tool of the host', () => {
  it('ends it with the signal', async () => {
    const abort = new AbortController();
    const running = runTool('sleep', ['60'], { signal: abort.signal });
    abort.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('reports what it said, and output that cannot be written', async () => {
    await expect(runTool('sh', ['-c', 'echo "E: no" >&2; exit 3'])).rejects.toThrow('`sh` failed: E: no');
    await expect(runTool('echo', ['x'], { into: folder })).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

describe('the catalogue', () => {
  it('starts guests from files it keeps or builds', () => {
    const filesOf = ({ packages, derived = [] }: Guest): string[] => [
      ...packages.flatMap(({ keep }) => keep.map(({ file }) => file)),
      ...derived.map(({ file }) => file),
    ];
    for (const guest of GUESTS) {
      const { packages, derived = [], uses = [] } = guest;
      expect(neededFiles(guest).length).toBeGreaterThan(0);
      expect(filesOf(guest)).toEqual(expect.arrayContaining(neededFiles(guest)));
      const used = uses.flatMap((name) => filesOf(findGuest(name)).map((file) => `${name}/${file}`));
      const kept = [...packages.flatMap(({ keep }) => keep.map(({ file }) => file)), ...used];
      for (const { of } of derived) expect(kept).toEqual(expect.arrayContaining([...of]));
    }
  });

  it('names the nearest guest', () => {
    expect(() => findGuest('debian-busibox')).toThrow(refused('RF_UNKNOWN_NAME', /"debian-busybox"/));
  });

  it('has an /init that a shell can read', () => {
    for (const input of [BUSYBOX_INIT, UDHCPC_SCRIPT]) {
      expect(execFileSync('sh', ['-n'], { input, encoding: 'utf8' })).toBe('');
    }
  });
});

describe('the cache folder', () => {
  it.each([
    [{ RINGFENCE_CACHE: '/c', XDG_CACHE_HOME: '/x' }, '/c'],
    [{ XDG_CACHE_HOME: '/x', HOME: '/h' }, '/x/ringfence/guests'],
    [{ XDG_CACHE_HOME: 'relative', HOME: '/h' }, '/h/.cache/ringfence/guests'],
    [{ HOME: '/h' }, '/h/.cache/ringfence/guests'],
  ])('for %j is %s', (env, expected) => {
    expect(defaultCacheFolder(env)).toBe(expected);
  });
});
