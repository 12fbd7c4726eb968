/**
 * The folder that fetched guests are kept in: one folder a guest, with a record of where each file came from and its hash.
 * A guest is there whole or not at all: it is put together in a working folder, then renamed into place. Working folders
 * of processes that died are swept up. Nothing here touches the network.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { RingfenceError } from '@ringfence/sdk';
import { sha256OfFile } from './apt.js';
import type { Guest } from './catalogue.js';

export interface GuestRecord {
  readonly format: 1;
  readonly guest: string;
  readonly packages: readonly {
    readonly package: string;
    readonly version: string;
    readonly architecture: string;
    readonly sha256: string;
  }[];
  /** SHA-256 by file name, derived files included. */
  readonly files: Readonly<Record<string, string>>;
}

export const RECORD_FILE = 'record.json';
const WORK_PREFIX = 'work-';

type Environment = Readonly<Record<string, string | undefined>>;

/** RINGFENCE_CACHE, or ringfence/guests in the user's cache folder (XDG Base Directory Specification). */
export function defaultCacheFolder(env: Environment): string {
  if (env.RINGFENCE_CACHE) return resolve(env.RINGFENCE_CACHE);
  // The specification has relative paths ignored.
  const base = env.XDG_CACHE_HOME?.startsWith('/') ? env.XDG_CACHE_HOME : join(env.HOME ?? homedir(), '.cache');
  return join(base, 'ringfence', 'guests');
}

export const guestFolder = (cache: string, guest: Guest): string => join(cache, guest.name);

/** The record of a guest that is there with every file as it was fetched, or undefined. */
export async function readIntact(cache: string, guest: Guest): Promise<GuestRecord | undefined> {
  const record = readRecord(cache, guest);
  if (record === undefined) return undefined;
  const kept = guest.packages.flatMap(({ keep }) => keep.map(({ file }) => file));
  const wanted = [...neededFiles(guest), ...kept];
  if (wanted.some((file) => !(file in record.files))) return undefined;
  for (const [file, hash] of Object.entries(record.files)) {
    try {
      if ((await sha256OfFile(join(guestFolder(cache, guest), file))) !== hash) return undefined;
    } catch {
      return undefined;
    }
  }
  return record;
}

/** What a run of the guest reads; of what is no guest, everything. */
export function neededFiles({ run, packages }: Guest): string[] {
  if (run === undefined) return packages.flatMap(({ keep }) => keep.map(({ file }) => file));
  return [run.kernel, run.initrd, ...(run.drives ?? []).map(({ file }) => file)].filter((file) => file !== undefined);
}

/** The record alone, its files unread; undefined when there is none of a form we know. */
export function readRecord(cache: string, guest: Guest): GuestRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(guestFolder(cache, guest), RECORD_FILE), 'utf8')) as GuestRecord;
    const known = record.format === 1 && record.guest === guest.name && Array.isArray(record.packages);
    return known && typeof record.files === 'object' && record.files !== null ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Has `fill` put a guest together in a working folder and renames that into place. Whatever goes wrong, the working folder
 * goes, and what the cache held before stays. Rejects with RF_CACHE_UNWRITABLE when the disk is full or not ours.
 */
export async function replaceGuest(
  cache: string,
  guest: Guest,
  fill: (folder: string) => Promise<GuestRecord>,
): Promise<GuestRecord> {
  let work: string | undefined;
  try {
    mkdirSync(cache, { recursive: true });
    sweep(cache);
    work = mkdtempSync(join(cache, `${WORK_PREFIX}${process.pid}-`));
    const fresh = join(work, 'new');
    mkdirSync(fresh);
    const record = await fill(fresh);
    writeFileSync(join(fresh, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`);
    moveIntoPlace(fresh, guestFolder(cache, guest), join(work, 'old'));
    return record;
  } catch (error) {
    throw asUnwritable(error, cache);
  } finally {
    if (work !== undefined) rmSync(work, { recursive: true, force: true });
  }
}

/** A folder cannot be renamed over one that holds files: the old one steps aside, also one that another fetch just made. */
function moveIntoPlace(fresh: string, place: string, aside: string): void {
  for (let attempt = 0; ; attempt++) {
    if (existsSync(place)) renameSync(place, `${aside}-${attempt}`);
    try {
      return renameSync(fresh, place);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (attempt === 3 || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) throw error;
    }
  }
}

function sweep(cache: string): void {
  for (const name of readdirSync(cache)) {
    const pid = new RegExp(`^${WORK_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function asUnwritable(error: unknown, cache: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === undefined || !['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code)) {
    return error;
  }
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new RingfenceError('RF_CACHE_UNWRITABLE', {
    message: `cannot write the guest cache ${cache}: ${full ? 'the disk is full' : (error as Error).message}`,
    value: cache,
    fix: `${full ? 'free some space' : 'make it writable'}, or name another folder with RINGFENCE_CACHE`,
    cause: error,
  });
}
