/**
 * A folder of the host's file system as a `SharedFolder`. Confinement: every access first resolves the folder above the
 * thing and holds the result against the path that was asked for, so that no symbolic link in the middle is ever followed;
 * the last name is opened with O_NOFOLLOW, never followed either, and what was opened is held against its path again where
 * the system can say it (/proc/self/fd). Device files, sockets and named pipes do not exist. Nothing stays open between
 * calls. A process of the host that moves folders about meanwhile can make accesses fail, or at worst, in the instant
 * between check and open on systems without /proc, follow what it puts there.
 */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { FolderError, type FolderEntry, type FolderPath, LINUX_ERRNO, type SharedFolder } from '@ringfence/sdk';

const HAS_PROC = existsSync('/proc/self/fd');
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
const EXECUTABLE = 0o111;

export interface HostFolderInit {
  readonly tag: string;
  /** An existing folder, resolved: no symbolic link in it. */
  readonly root: string;
  readonly writable: boolean;
  /** Tell when things were modified. */
  readonly hostTimes: boolean;
}

export class HostFolder implements SharedFolder {
  readonly tag: string;
  readonly writable: boolean;
  private readonly root: string;
  private readonly hostTimes: boolean;

  constructor(init: HostFolderInit) {
    this.tag = init.tag;
    this.writable = init.writable;
    this.root = init.root;
    this.hostTimes = init.hostTimes;
  }

  look(path: FolderPath): FolderEntry {
    return this.try(() => this.entry(lstatSync(this.place(path))));
  }

  list(path: FolderPath): readonly string[] {
    return this.try(() => {
      const place = this.place([...path, '.']);
      const names: string[] = [];
      for (const entry of readdirSync(place, { withFileTypes: true })) {
        const known = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink();
        // A name that is no text would not lead back to its file.
        if (known && !entry.name.includes('\ufffd')) names.push(entry.name);
      }
      return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    });
  }

  readLink(path: FolderPath): string {
    return this.try(() => readlinkSync(this.place(path)));
  }

  read(path: FolderPath, offset: number, into: Uint8Array): number {
    return this.withFile(path, constants.O_RDONLY, (fd) => {
      let done = 0;
      while (done < into.length) {
        const bytes = readSync(fd, into, done, into.length - done, offset + done);
        if (bytes === 0) break;
        done += bytes;
      }
      return done;
    });
  }

  write(path: FolderPath, offset: number, from: Uint8Array): number {
    this.checkWritable();
    return this.withFile(path, constants.O_WRONLY, (fd) => {
      let done = 0;
      while (done < from.length) done += writeSync(fd, from, done, from.length - done, offset + done);
      return done;
    });
  }

  sync(path: FolderPath): void {
    if (this.look(path).kind !== 'file') return;
    this.withFile(path, constants.O_RDONLY, (fd) => fsyncSync(fd));
  }

  createFile(path: FolderPath, executable: boolean): void {
    this.checkWritable();
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    this.try(() => closeSync(openSync(this.place(path), flags, FILE_MODE | (executable ? EXECUTABLE : 0))));
  }

  createFolder(path: FolderPath): void {
    this.checkWritable();
    this.try(() => mkdirSync(this.place(path), FOLDER_MODE));
  }

  remove(path: FolderPath, folder: boolean): void {
    this.checkWritable();
    if (path.length === 0) throw new FolderError('EINVAL');
    const { kind } = this.look(path);
    if (folder !== (kind === 'folder')) throw new FolderError(folder ? 'ENOTDIR' : 'EISDIR');
    this.try(() => (folder ? rmdirSync : unlinkSync)(this.place(path)));
  }

  rename(from: FolderPath, to: FolderPath): void {
    this.checkWritable();
    if (from.length === 0 || to.length === 0) throw new FolderError('EINVAL');
    this.look(from);
    // What is no file, folder or link does not exist, but is not replaced either.
    const over = this.try(() => lstatSync(this.place(to), { throwIfNoEntry: false }));
    if (over !== undefined) this.entry(over);
    this.try(() => renameSync(this.place(from), this.place(to)));
  }

  resize(path: FolderPath, bytes: number): void {
    this.checkWritable();
    this.withFile(path, constants.O_WRONLY, (fd) => ftruncateSync(fd, bytes));
  }

  setExecutable(path: FolderPath, executable: boolean): void {
    this.checkWritable();
    // chmod follows links, so it is done through the open file.
    this.withFile(path, constants.O_RDONLY, (fd, place) => {
      const mode = fstatSync(fd).mode & 0o777;
      chmodSync(HAS_PROC ? `/proc/self/fd/${fd}` : place, executable ? mode | EXECUTABLE : mode & ~EXECUTABLE);
    });
  }

  private checkWritable(): void {
    if (!this.writable) throw new FolderError('EROFS');
  }

  private entry(stat: Stats): FolderEntry {
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : undefined;
    if (kind === undefined) throw new FolderError('ENOENT');
    const { mtimeMs } = stat;
    const seconds = Math.floor(mtimeMs / 1000);
    return {
      kind,
      bytes: kind === 'folder' ? 0 : stat.size,
      executable: (stat.mode & 0o100) !== 0,
      modified: this.hostTimes ? { seconds, nanoseconds: Math.floor((mtimeMs - seconds * 1000) * 1e6) } : undefined,
    };
  }

  /** The thing's place on the host, once the folder it is in has proved to be where its path says. */
  private place(path: FolderPath): string {
    if (path.length === 0) return this.root;
    const above = join(this.root, ...path.slice(0, -1));
    if (realpathSync(above) !== above) throw new FolderError('ENOTDIR');
    return join(above, path[path.length - 1]);
  }

  /** Opens a regular file, and no other thing, for the time of a call. */
  private withFile<T>(path: FolderPath, flags: number, use: (fd: number, place: string) => T): T {
    return this.try(() => {
      const place = this.place(path);
      const { kind } = this.entry(lstatSync(place));
      if (kind !== 'file') throw new FolderError(kind === 'folder' ? 'EISDIR' : 'ELOOP');
      // What took the file's place meanwhile is found out below, not waited for.
      const fd = openSync(place, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        if (!fstatSync(fd).isFile() || (HAS_PROC && readlinkSync(`/proc/self/fd/${fd}`) !== place))
          throw new FolderError('ENOENT');
        return use(fd, place);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Whatever the host says becomes an error that the guest's kernel knows. */
  private try<T>(access: () => T): T {
    try {
      return access();
    } catch (error) {
      if (error instanceof FolderError) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? '';
      throw new FolderError(code in LINUX_ERRNO ? (code as keyof typeof LINUX_ERRNO) : 'EIO');
    }
  }
}
