/**
 * Tables that point at each other, before anyone knows their addresses: files of bytes with the places of pointers and
 * checksums. They are put at addresses of ours (`placeFiles`), or handed to firmware as files with a script that has it do the
 * same (`linkerScript`: the format of QEMU's docs/specs and bios-linker-loader, entries of 128 bytes: allocate, add pointer,
 * add checksum).
 */
import type { FirmwareFile, LoadSegment } from '@ringfence/sdk';

export interface Pointer {
  readonly at: number;
  readonly bytes: 4 | 8;
  /** The file pointed into; the offset in there stands at `at`. */
  readonly into: string;
}

/** The byte at `at` makes the sum over the range zero. */
export interface Checksum {
  readonly at: number;
  readonly start: number;
  readonly bytes: number;
}

export interface TableFile {
  readonly name: string;
  readonly alignment: number;
  /** Where old software looks for it: below 1 MiB, in F0000h-FFFFFh. */
  readonly lowSegment: boolean;
  readonly bytes: Uint8Array;
  readonly pointers: readonly Pointer[];
  readonly checksums: readonly Checksum[];
}

/** Throws when a pointer goes into a file that is not there: a fault of ours. */
export function placeFiles(files: readonly TableFile[], addresses: ReadonlyMap<string, number>): LoadSegment[] {
  return files.map((file) => {
    const bytes = file.bytes.slice();
    const view = new DataView(bytes.buffer);
    for (const { at, into } of file.pointers) {
      view.setUint32(at, view.getUint32(at, true) + addresses.get(into)!, true);
    }
    for (const sum of file.checksums) writeChecksum(bytes, sum);
    return { address: addresses.get(file.name)!, bytes };
  });
}

export function writeChecksum(bytes: Uint8Array, { at, start, bytes: length }: Checksum): void {
  bytes[at] = 0;
  bytes[at] = -bytes.subarray(start, start + length).reduce((sum, byte) => sum + byte, 0);
}

const ENTRY = 128;
const FILE_NAME = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_F_SEGMENT = 2;

export const LINKER_SCRIPT = 'etc/table-loader';

/** The files as they are, pointers relative, and the script. */
export function linkerFiles(files: readonly TableFile[]): FirmwareFile[] {
  return [...files.map(({ name, bytes }) => ({ name, bytes })), { name: LINKER_SCRIPT, bytes: linkerScript(files) }];
}

export function linkerScript(files: readonly TableFile[]): Uint8Array {
  const entries = [
    ...files.map((file) =>
      entry(ALLOCATE, [file.name], [file.alignment], file.lowSegment ? ZONE_F_SEGMENT : ZONE_HIGH),
    ),
    ...files.flatMap((file) =>
      file.pointers.map(({ at, bytes, into }) => entry(ADD_POINTER, [file.name, into], [at], bytes)),
    ),
    ...files.flatMap((file) =>
      file.checksums.map(({ at, start, bytes }) => entry(ADD_CHECKSUM, [file.name], [at, start, bytes])),
    ),
  ];
  const script = new Uint8Array(entries.length * ENTRY);
  entries.forEach((bytes, i) => script.set(bytes, i * ENTRY));
  return script;
}

/** Command, file names, words, and in some a last byte. */
function entry(command: number, names: readonly string[], words: readonly number[], last = 0): Uint8Array {
  const bytes = new Uint8Array(ENTRY);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, command, true);
  let at = 4;
  for (const name of names) {
    bytes.set(new TextEncoder().encode(name), at);
    at += FILE_NAME;
  }
  for (const value of words) {
    view.setUint32(at, value, true);
    at += 4;
  }
  bytes[at] = last;
  return bytes;
}
