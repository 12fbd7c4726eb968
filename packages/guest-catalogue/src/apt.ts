/**
 * The system's package client as a source of packages: finds a package in apt's signed index, downloads it, holds it
 * against the index's hash, and takes files out of it. It installs nothing, needs no root and names no server: apt's own
 * sources do. Where the system's lists lack the package (another architecture, never updated, out of date) a private copy
 * of apt's lists is kept beside the cache; packages that are not signed for are refused.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RingfenceError } from '@ringfence/sdk';
import type { PackageSource } from './catalogue.js';
import { type RunTool, ToolFailed } from './tool.js';

export interface FetchedPackage {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly sha256: string;
  /** The package file. */
  readonly path: string;
}

export interface AptContext {
  readonly run: RunTool;
  /** Where private lists may be kept. */
  readonly stateFolder: string;
  readonly signal?: AbortSignal;
  readonly progress: (line: string) => void;
}

interface Candidate {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly bytes: number;
}

const SIGNED_ONLY = ['Acquire::AllowInsecureRepositories=false', 'APT::Get::AllowUnauthenticated=false'];
const PATIENCE = ['Acquire::Retries=2', 'Acquire::http::Timeout=20', 'Acquire::https::Timeout=20'];
// What is not needed to find and check a package is not downloaded.
const LISTS_ONLY = ['Acquire::Languages=none', 'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false'];

/** Downloads `source` into `folder`, which exists. Rejects with a typed error. */
export async function downloadPackage(
  source: PackageSource,
  folder: string,
  context: AptContext,
): Promise<FetchedPackage> {
  const architecture = source.architecture === 'all' ? await hostArchitecture(context) : source.architecture;
  const base = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures::=${architecture}`,
    ...SIGNED_ONLY,
    ...PATIENCE,
  ];
  const mine = [...base, ...privateLists(context.stateFolder)];
  // The system's lists, our own, our own brought up to date: the first that leads to the package's bytes.
  const attempts = [
    { options: base, update: false },
    { options: mine, update: false },
    { options: mine, update: true },
  ];
  let last: unknown;
  for (const { options, update } of attempts) {
    if (update) last = (await updateLists(options, context)) ?? last;
    const candidate = await findCandidate(source, options, context);
    if (candidate === undefined) continue;
    try {
      return await downloadCandidate(candidate, source.architecture, options, folder, context);
    } catch (error) {
      // A list out of date names a file that is gone.
      if (!(error instanceof ToolFailed) || isDiskFull(error.said)) throw asTyped(error, source.package);
      last = error;
    }
  }
  throw asTyped(last, source.package);
}

async function hostArchitecture({ run, signal }: AptContext): Promise<string> {
  return (await run('dpkg', ['--print-architecture'], { signal })).trim();
}

function privateLists(folder: string): string[] {
  for (const dir of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, dir), { recursive: true });
  return [
    `Dir::State::lists=${folder}/lists`,
    `Dir::Cache=${folder}/cache`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=',
  ];
}

const flags = (options: readonly string[]): string[] => options.flatMap((option) => ['-o', option]);

/** Answers a failure instead of throwing it: one broken list among good ones is none of our business. */
async function updateLists(options: readonly string[], { run, signal, progress }: AptContext): Promise<unknown> {
  progress('reading the package lists');
  try {
    await run('apt-get', [...flags([...options, ...LISTS_ONLY]), '-q', 'update'], { signal });
    return undefined;
  } catch (error) {
    if (error instanceof ToolFailed) return error;
    throw error;
  }
}

async function findCandidate(
  source: PackageSource,
  options: readonly string[],
  context: AptContext,
): Promise<Candidate | undefined> {
  const shown = await show(source.package, options, context);
  if (shown === undefined) return undefined;
  if (source.dependency === undefined) return candidateOf(shown);
  const depends = (field(shown, 'Depends') ?? '').split(',').map((each) => each.trim().split(' ')[0]);
  const name = depends.find((each) => source.dependency!.test(each));
  const followed = name === undefined ? undefined : await show(name, options, context);
  return followed === undefined ? undefined : candidateOf(followed);
}

/** apt's record of a package's candidate, or undefined when the lists do not have it. */
async function show(
  name: string,
  options: readonly string[],
  { run, signal }: AptContext,
): Promise<string | undefined> {
  try {
    const text = await run('apt-cache', [...flags(options), 'show', '--no-all-versions', name], { signal });
    return field(text, 'Version') === undefined ? undefined : text;
  } catch (error) {
    if (error instanceof ToolFailed) return undefined;
    throw error;
  }
}

const field = (record: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, 'm').exec(record)?.[1].trim();

/** Undefined also when the index gives no hash: what cannot be checked is not fetched. */
function candidateOf(record: string): Candidate | undefined {
  const [name, version, sha256] = ['Package', 'Version', 'SHA256'].map((each) => field(record, each));
  if (name === undefined || version === undefined || sha256 === undefined) return undefined;
  return { name, version, sha256, bytes: Number(field(record, 'Size') ?? 0) };
}

async function downloadCandidate(
  { name, version, sha256, bytes }: Candidate,
  architecture: string,
  options: readonly string[],
  folder: string,
  { run, signal, progress }: AptContext,
): Promise<FetchedPackage> {
  progress(`downloading ${name} ${version} (${(bytes / 1e6).toFixed(1)} MB)`);
  const into = join(folder, 'download');
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into);
  await run('apt-get', [...flags([...options, 'APT::Sandbox::User=']), '-q', 'download', `${name}=${version}`], {
    cwd: into,
    signal,
  });
  const deb = readdirSync(into).find((file) => file.endsWith('.deb'));
  if (deb === undefined) throw new ToolFailed('apt-get', 'E: the package client fetched nothing');
  const actual = await sha256OfFile(join(into, deb));
  if (actual !== sha256) {
    throw new RingfenceError('RF_PACKAGE_MISMATCH', {
      message: `the package ${name} ${version} has SHA-256 ${actual}, apt's signed index says ${sha256}`,
      value: actual,
      fix: 'fetch again; if it stays so, do not trust this mirror',
    });
  }
  const path = join(folder, `${name}.deb`);
  renameSync(join(into, deb), path);
  return { package: name, version, architecture, sha256, path };
}

/** Takes the wanted files out of a package into `folder`. */
export async function extractFiles(
  fetched: FetchedPackage,
  keep: PackageSource['keep'],
  folder: string,
  { run, signal, progress }: AptContext,
): Promise<void> {
  progress(`unpacking ${fetched.package}`);
  const tar = join(folder, 'data.tar');
  try {
    await run('dpkg-deb', ['--fsys-tarfile', fetched.path], { signal, into: tar });
    const members = (await run('tar', ['-tf', tar], { signal })).split('\n');
    for (const { file, from } of keep) {
      if (from === 'archive') {
        copyFileSync(tar, join(folder, file));
        continue;
      }
      const member = members.find((each) => from.test(each));
      if (member === undefined) {
        throw new RingfenceError('RF_PACKAGE_MISMATCH', {
          message: `the package ${fetched.package} ${fetched.version} holds no ${file}`,
          value: file,
          fix: 'its layout has changed: report this to the authors of Ringfence',
        });
      }
      const path = join(folder, file);
      await run('tar', ['-xOf', tar, member], { signal, into: path });
      if (statSync(path).size === 0) throw new ToolFailed('tar', `E: ${member} came out empty`);
    }
  } catch (error) {
    throw asTyped(error, fetched.package);
  } finally {
    rmSync(tar, { force: true });
  }
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest('hex');
}

const isDiskFull = (text: string): boolean =>
  /No space left on device|enough free space|Disk quota exceeded/.test(text);
const isUnreachable = (text: string): boolean =>
  /Temporary failure resolving|Could not (resolve|connect)|Unable to connect|Connection (timed out|failed|refused)|Network is unreachable/.test(
    text,
  );

function asTyped(error: unknown, name: string): unknown {
  if (error === undefined) {
    return new RingfenceError('RF_FETCH_FAILED', {
      message: `the system's package sources do not offer \`${name}\``,
      value: name,
      fix: "add Debian's `main` to apt's sources",
    });
  }
  if (!(error instanceof ToolFailed)) return error;
  if (isDiskFull(error.said)) {
    return new RingfenceError('RF_CACHE_UNWRITABLE', {
      message: `the disk is full: ${error.message}`,
      value: name,
      fix: 'free some space, or name another folder with RINGFENCE_CACHE',
      cause: error,
    });
  }
  const offline = isUnreachable(error.said);
  return new RingfenceError('RF_FETCH_FAILED', {
    message: `cannot fetch \`${name}\`: ${offline ? "apt's servers cannot be reached: " : ''}${error.message}`,
    value: name,
    fix: offline
      ? 'connect to the network; what was fetched once needs none'
      : 'see whether `apt-get update` works here',
    cause: error,
  });
}
