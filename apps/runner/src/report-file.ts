/**
 * Writes a file at the end of a run (the JSON report, a picture) so that a reader sees it whole or not at all: into a
 * temporary file beside it, synced, then renamed over it. `probeReport` finds out before a long run whether that will be possible, and leaves nothing behind.
 * A path that is no regular file (/dev/stdout, a FIFO) is written to directly and never replaced.
 */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { unwritable } from './byte-output.js';

interface Place {
  /** The file itself, symbolic links followed. */
  readonly path: string;
  readonly temporary: string | undefined;
}

function placeOf(path: string): Place {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return { path, temporary: `${path}.${process.pid}.tmp` };
  if (stat.isDirectory()) throw new Error('it is a directory');
  if (!stat.isFile()) return { path, temporary: undefined };
  const real = realpathSync(path);
  return { path: real, temporary: `${real}.${process.pid}.tmp` };
}

/** Throws RF_OUTPUT_UNWRITABLE when a report or picture could not be written to `path`. */
export function probeReport(path: string): void {
  try {
    const { temporary } = placeOf(path);
    if (temporary === undefined) return;
    closeSync(openSync(temporary, 'wx'));
    rmSync(temporary, { force: true });
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Throws RF_OUTPUT_UNWRITABLE. */
export function writeReport(path: string, report: unknown): void {
  writeWhole(path, `${JSON.stringify(report, null, 2)}\n`);
}

/** Throws RF_OUTPUT_UNWRITABLE; the temporary file never stays. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  let temporary: string | undefined;
  try {
    const place = placeOf(path);
    temporary = place.temporary;
    if (temporary === undefined) writeFileSync(place.path, content);
    else {
      writeSynced(temporary, content);
      renameSync(temporary, place.path);
    }
  } catch (cause) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    throw unwritable(path, cause);
  }
}

function writeSynced(path: string, content: string | Uint8Array): void {
  const fd = openSync(path, 'w');
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
