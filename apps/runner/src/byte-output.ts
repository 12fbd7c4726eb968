/**
 * Where the bytes of a console go: the process's stdout, or a file that is created only when everything else has been
 * validated. Bytes are collected and written in pieces, so that a guest that prints byte by byte costs no system call per
 * byte. A failing write (a full disk) is remembered and reported once: the guest's instruction that sent the byte must
 * not see it. It does not interpret the bytes.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { RingfenceError } from '@ringfence/sdk';

const FLUSH_BYTES = 1 << 16;

export interface ByteOutput {
  /** Makes the destination; throws RF_OUTPUT_UNWRITABLE. Nothing exists before. */
  open(): void;
  write(byte: number): void;
  flush(): void;
  /** Flushes and closes. */
  close(): void;
  /** Undoes `open`: a file that it created is removed. */
  discard(): void;
}

/** Collects bytes and flushes when the event loop turns or much has come together. */
class Collector {
  private readonly buffer = new Uint8Array(FLUSH_BYTES);
  private length = 0;
  private scheduled = false;

  constructor(private readonly sink: (bytes: Uint8Array) => void) {}

  add(byte: number): void {
    this.buffer[this.length++] = byte;
    if (this.length === FLUSH_BYTES) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = this.buffer.slice(0, this.length);
    this.length = 0;
    this.sink(bytes);
  }
}

/** `write` answers false once the reader has gone away; `onGone` is then called once. */
export function stdoutOutput(write: (bytes: Uint8Array) => boolean, onGone: () => void): ByteOutput {
  let gone = false;
  const collector = new Collector((bytes) => {
    if (write(bytes) || gone) return;
    gone = true;
    onGone();
  });
  return {
    open: () => {},
    write: (byte) => collector.add(byte),
    flush: () => collector.flush(),
    close: () => collector.flush(),
    discard: () => {},
  };
}

/** Writes to `path`, replacing what it holds. `onError` is called once when a write fails. */
export function fileOutput(path: string, onError: (error: RingfenceError) => void): ByteOutput {
  let fd: number | undefined;
  let created = false;
  let failed = false;
  const collector = new Collector((bytes) => {
    if (fd === undefined || failed) return;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } catch (cause) {
      failed = true;
      onError(unwritable(path, cause));
    }
  });
  const close = (): void => {
    collector.flush();
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    open: () => {
      try {
        [fd, created] = openNewOrExisting(path);
      } catch (cause) {
        throw unwritable(path, cause);
      }
    },
    write: (byte) => collector.add(byte),
    flush: () => collector.flush(),
    close,
    discard: () => {
      close();
      if (created) rmSync(path, { force: true });
    },
  };
}

function openNewOrExisting(path: string): [fd: number, created: boolean] {
  try {
    return [openSync(path, 'wx'), true];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return [openSync(path, 'w'), false];
  }
}

/** The typed error for an output that cannot be written. */
export function unwritable(path: string, cause: unknown): RingfenceError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new RingfenceError('RF_OUTPUT_UNWRITABLE', {
    message: `cannot write ${path}: ${full ? 'the disk is full' : message}`,
    value: path,
    fix: full ? 'free some space or name another place' : 'name a file in an existing folder that you may write',
    cause,
  });
}
