/**
 * An image file as it lies on the host, byte for byte. Reads and writes synchronously. A file that has become shorter than
 * it was, or a host that reports an error, fails the access and nothing else. A tail of less than a sector reads as if
 * the file went on with zeros.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { RingfenceError } from '@ringfence/sdk';

export const SECTOR = 512;

export class RawFile {
  /** Bytes of the file when it was opened. */
  readonly fileBytes: number;
  /** The same in whole sectors. */
  readonly bytes: number;
  private readonly fd: number;

  /** Throws RF_DISK_NOT_FOUND or RF_DISK_UNREADABLE. */
  constructor(
    readonly name: string,
    readonly writable: boolean,
  ) {
    try {
      // Non-blocking, so that a named pipe is refused instead of waited for.
      this.fd = openSync(name, (writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const missing = code === 'ENOENT' || code === 'ENOTDIR';
      throw new RingfenceError(missing ? 'RF_DISK_NOT_FOUND' : 'RF_DISK_UNREADABLE', {
        message: missing ? `there is no disk image ${name}` : `cannot open the disk image ${name}: ${message}`,
        value: name,
        fix: 'check the path given with --drive, --hda or --cdrom, or under drives in the configuration',
        cause,
      });
    }
    const stat = fstatSync(this.fd);
    if (!stat.isFile() || stat.size === 0) {
      closeSync(this.fd);
      throw new RingfenceError('RF_DISK_UNREADABLE', {
        message: `the disk image ${name} ${stat.isFile() ? 'is empty' : 'is not a regular file'}`,
        value: name,
        fix: 'name an image file with at least one sector',
      });
    }
    this.fileBytes = stat.size;
    this.bytes = Math.ceil(stat.size / SECTOR) * SECTOR;
  }

  read(offset: number, into: Uint8Array): boolean {
    const present = Math.max(0, Math.min(into.length, this.fileBytes - offset));
    into.fill(0, present);
    try {
      for (let done = 0; done < present;) {
        const bytes = readSync(this.fd, into, done, present - done, offset + done);
        if (bytes === 0) return false; // the file has shrunk
        done += bytes;
      }
      return true;
    } catch {
      return false;
    }
  }

  write(offset: number, from: Uint8Array): boolean {
    if (!this.writable) return false;
    try {
      // The file keeps its size: a tail of less than a sector is cut off again.
      const bytes = Math.min(from.length, this.fileBytes - offset);
      for (let done = 0; done < bytes;) done += writeSync(this.fd, from, done, bytes - done, offset + done);
      return true;
    } catch {
      return false;
    }
  }

  flush(): boolean {
    try {
      fsyncSync(this.fd);
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}
