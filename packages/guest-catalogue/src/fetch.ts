/**
 * From a guest's entry in the catalogue to files on disk. What is in the cache and intact is used as it is, without the
 * network; what is not is fetched whole. Files that we build ourselves are rebuilt from their cached parts when a newer
 * Ringfence would build them differently.
 */
import { createHash } from 'node:crypto';
import { readFileSync, copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AptContext, downloadPackage, extractFiles, sha256OfFile } from './apt.js';
import { type GuestRecord, guestFolder, readIntact, readRecord, replaceGuest } from './cache.js';
import { findGuest, type Guest } from './catalogue.js';
import { type RunTool, runTool } from './tool.js';

export interface FetchOptions {
  readonly cache: string;
  readonly signal?: AbortSignal;
  /** Told one line per step. */
  readonly progress?: (line: string) => void;
  /** Fetch even what is there. */
  readonly again?: boolean;
  /** The host's programs; for specs. */
  readonly run?: RunTool;
}

export interface FetchedGuest {
  readonly guest: Guest;
  readonly folder: string;
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly record: GuestRecord;
  /** Nothing was downloaded. */
  readonly cached: boolean;
}

/** The guest's files, fetched if need be. Rejects with a RingfenceError, or with the signal's reason. */
export async function fetchGuest(guest: Guest, options: FetchOptions): Promise<FetchedGuest> {
  const { cache, signal } = options;
  signal?.throwIfAborted();
  for (const name of guest.uses ?? []) await fetchGuest(findGuest(name), options);
  const there = options.again ? undefined : await readIntact(cache, guest);
  if (there !== undefined && isCurrent(guest, there, cache)) return located(guest, cache, there, true);
  try {
    const record =
      there === undefined
        ? await download(guest, options)
        : await replaceGuest(cache, guest, rederive(guest, cache, there));
    return located(guest, cache, record, there !== undefined);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** What of a guest the cache holds, the files unread. */
export function cachedRecord(guest: Guest, cache: string): GuestRecord | undefined {
  return readRecord(cache, guest);
}

function located(guest: Guest, cache: string, record: GuestRecord, cached: boolean): FetchedGuest {
  const folder = guestFolder(cache, guest);
  const place = (file: string | undefined): string | undefined => (file === undefined ? undefined : join(folder, file));
  return { guest, folder, kernel: place(guest.run?.kernel), initrd: place(guest.run?.initrd), record, cached };
}

function download(guest: Guest, options: FetchOptions): Promise<GuestRecord> {
  const { cache, signal, progress = () => {}, run = runTool } = options;
  const context: AptContext = { run, signal, progress, stateFolder: join(cache, 'apt') };
  return replaceGuest(cache, guest, async (folder) => {
    const packages = [];
    const files: Record<string, string> = {};
    for (const source of guest.packages) {
      const { path, ...fetched } = await downloadPackage(source, folder, context);
      await extractFiles({ ...fetched, path }, source.keep, folder, context);
      rmSync(path);
      rmSync(join(folder, 'download'), { recursive: true, force: true });
      packages.push(fetched);
      for (const { file } of source.keep) files[file] = await sha256OfFile(join(folder, file));
    }
    for (const { file } of guest.derived ?? []) progress(`building ${file}`);
    return { format: 1, guest: guest.name, packages, files: { ...files, ...derive(guest, cache, folder, folder) } };
  });
}

/** Builds what is built, from files in `from` into `into`; answers the hashes. */
function derive(guest: Guest, cache: string, from: string, into: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const { file, of, build } of guest.derived ?? []) {
    const bytes = build(...of.map((part) => readPart(part, cache, from)));
    writeFileSync(join(into, `${file}.tmp`), bytes);
    renameSync(join(into, `${file}.tmp`), join(into, file));
    hashes[file] = sha256(bytes);
  }
  return hashes;
}

/** A file of the guest's own in `from`, or one of another guest. */
function readPart(part: string, cache: string, from: string): Uint8Array {
  return readFileSync(part.includes('/') ? join(cache, part) : join(from, part));
}

function isCurrent(guest: Guest, record: GuestRecord, cache: string): boolean {
  const folder = guestFolder(cache, guest);
  return (guest.derived ?? []).every(
    ({ file, of, build }) => record.files[file] === sha256(build(...of.map((part) => readPart(part, cache, folder)))),
  );
}

function rederive(guest: Guest, cache: string, record: GuestRecord): (folder: string) => Promise<GuestRecord> {
  return async (folder) => {
    const old = guestFolder(cache, guest);
    const fetched = guest.packages.flatMap(({ keep }) => keep.map(({ file }) => file));
    for (const file of fetched) copyFileSync(join(old, file), join(folder, file));
    return { ...record, files: { ...record.files, ...derive(guest, cache, folder, folder) } };
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
