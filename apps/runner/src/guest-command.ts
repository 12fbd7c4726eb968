/**
 * `ringfence guest` and `--guest NAME`: the catalogue of fetched guests on the command line. Listing and showing read the
 * cache only; fetching goes through the system's package client, says on stderr what it does, and can be interrupted.
 */
import { join } from 'node:path';
import {
  cachedRecord,
  defaultCacheFolder,
  type FetchedGuest,
  type Guest,
  fetchGuest,
  findGuest,
  GUESTS,
  neededFiles,
  SEABIOS,
} from '@ringfence/guest-catalogue';
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';
import { STATUS_INTERRUPTED } from './failure.js';
import type { RunFlags } from './flags.js';
import type { CliIo } from './io.js';

export interface GuestFetchFlags {
  /** Also when it is there. */
  readonly again?: boolean;
}

/** One line a guest: its name, whether it is here, what it is. */
export function listGuests(io: CliIo): void {
  const cache = defaultCacheFolder(io.env);
  const width = Math.max(...GUESTS.map(({ name }) => name.length));
  for (const guest of GUESTS) {
    const state = cachedRecord(guest, cache) === undefined ? 'not fetched' : 'fetched    ';
    io.stdout(`${guest.name.padEnd(width)}  ${state}  ${guest.summary}\n`);
  }
}

/** Everything known of one guest. */
export function showGuest(name: string, io: CliIo): void {
  const guest = findGuest(name);
  const cache = defaultCacheFolder(io.env);
  const record = cachedRecord(guest, cache);
  const lines = [
    `${guest.name}: ${guest.summary}`,
    `  licence   ${guest.licence}`,
    `  packages  ${guest.packages.map((source) => `${source.package} (${source.architecture})`).join(', ')}`,
    `  started   ${startOf(guest)}`,
  ];
  if (record === undefined) lines.push(`  fetched   no: ringfence guest fetch ${guest.name}`);
  else {
    for (const each of record.packages) {
      lines.push(
        `  fetched   ${each.package} ${each.version} ${each.architecture}`,
        `            sha256 ${each.sha256}`,
      );
    }
    for (const file of neededFiles(guest)) {
      lines.push(`  file      ${cache}/${guest.name}/${file}`, `            sha256 ${record.files[file]}`);
    }
  }
  io.stdout(`${lines.join('\n')}\n`);
}

function startOf({ name, run }: Guest): string {
  if (run === undefined) return `by --bios ${name}`;
  const boot = run.kernel === undefined ? '--bios seabios ' : '';
  return `${boot}-m ${run.memory}${run.append === '' ? '' : ` --append "${run.append}"`}`;
}

/** Answers the exit status. */
export async function fetchCommand(name: string, flags: GuestFetchFlags, io: CliIo): Promise<number> {
  const fetched = await fetchInterruptibly(name, flags, io);
  if (fetched === undefined) return STATUS_INTERRUPTED;
  io.stdout(`${fetched.guest.name}: ${fetched.cached ? 'already there' : 'fetched'}, ${fetched.folder}\n`);
  return 0;
}

/**
 * What `--guest` says of a machine, to lie under the configuration file and the other flags; fetches when it has to.
 * Answers undefined when a signal ended the fetch.
 */
export async function guestConfig(flags: RunFlags, io: CliIo): Promise<MachineConfigInput | undefined> {
  if (flags.guest === undefined) return {};
  for (const key of ['kernel', 'initrd'] as const) {
    if (flags[key] !== undefined) {
      throw new RingfenceError('RF_CONTRADICTION', {
        message: `--guest ${flags.guest} brings a kernel of its own, and --${key} names another`,
        value: flags[key],
        fix: `leave --guest or --${key} out`,
      });
    }
  }
  if (findGuest(flags.guest).run === undefined) {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `${flags.guest} is firmware, not a guest`,
      value: flags.guest,
      fix: `use --bios ${flags.guest} with a drive to boot from`,
    });
  }
  const fetched = await fetchInterruptibly(flags.guest, {}, io);
  if (fetched === undefined) return undefined;
  const { kernel, initrd, guest, folder } = fetched;
  const { memory, append, drives } = guest.run!;
  return {
    ...(kernel === undefined ? { firmware: { serialConsole: true } } : { kernel }),
    ...(initrd === undefined ? {} : { initrd }),
    ...(drives === undefined ? {} : { drives: drives.map(({ file, media }) => ({ file: join(folder, file), media })) }),
    memory,
    append,
  };
}

/** SeaBIOS's two images; fetches them when it has to. Answers undefined when a signal ended the fetch. */
export async function seabiosFiles(io: CliIo): Promise<{ bios: string; vgaBios: string } | undefined> {
  const fetched = await fetchInterruptibly(SEABIOS.guest, {}, io);
  if (fetched === undefined) return undefined;
  return { bios: join(fetched.folder, SEABIOS.bios), vgaBios: join(fetched.folder, SEABIOS.vgaBios) };
}

async function fetchInterruptibly(
  name: string,
  { again }: GuestFetchFlags,
  io: CliIo,
): Promise<FetchedGuest | undefined> {
  const guest = findGuest(name);
  const abort = new AbortController();
  const stop = io.onInterrupt(() => abort.abort());
  try {
    return await fetchGuest(guest, {
      cache: defaultCacheFolder(io.env),
      signal: abort.signal,
      again,
      progress: (line) => io.stderr(`ringfence: ${guest.name}: ${line}\n`),
    });
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    io.stderr(`ringfence: ${guest.name}: interrupted; nothing was kept\n`);
    return undefined;
  } finally {
    stop();
  }
}
