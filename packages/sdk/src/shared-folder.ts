/**
 * A folder of the host that a guest may use: what a file-sharing device sees of it. Things are named by paths, lists of names
 * from the folder's root; whoever implements this keeps every access under that root and away from what is no file, folder
 * or link. Calls are synchronous and hold nothing open, so there is nothing to save: the folder is an outside input, like
 * what a person types, and a snapshot does not bring it back.
 */

/** Names from the root; none is empty, `.`, `..`, or holds a slash or a zero byte. The root itself is []. */
export type FolderPath = readonly string[];

export interface FolderEntry {
  readonly kind: 'file' | 'folder' | 'link';
  readonly bytes: number;
  readonly executable: boolean;
  /** Seconds since 1970 and nanoseconds, or undefined where the share keeps the host's times to itself. */
  readonly modified: { readonly seconds: number; readonly nanoseconds: number } | undefined;
}

/** Linux's error numbers that a share may answer with (include/uapi/asm-generic/errno-base.h, errno.h). */
export const LINUX_ERRNO = {
  ...{ EPERM: 1, ENOENT: 2, EIO: 5, EBADF: 9, EACCES: 13, EBUSY: 16, EEXIST: 17, EXDEV: 18, ENOTDIR: 20, EISDIR: 21 },
  ...{
    EINVAL: 22,
    ENFILE: 23,
    EMFILE: 24,
    EFBIG: 27,
    ENOSPC: 28,
    EROFS: 30,
    ENAMETOOLONG: 36,
    ENOTEMPTY: 39,
    ELOOP: 40,
  },
  ...{ EPROTO: 71, EOPNOTSUPP: 95, EDQUOT: 122 },
} as const;

/** Why the host did not. */
export class FolderError extends Error {
  constructor(readonly errno: keyof typeof LINUX_ERRNO) {
    super(errno);
  }
}

/** All methods throw `FolderError` and nothing else. Those that change something throw EROFS unless `writable`. */
export interface SharedFolder {
  /** What the guest mounts it by. */
  readonly tag: string;
  readonly writable: boolean;
  /** The thing itself, never what a link leads to. */
  look(path: FolderPath): FolderEntry;
  /** Names in a folder, in an order that depends on nothing but the names. */
  list(path: FolderPath): readonly string[];
  readLink(path: FolderPath): string;
  /** Answers how many bytes there were. */
  read(path: FolderPath, offset: number, into: Uint8Array): number;
  write(path: FolderPath, offset: number, from: Uint8Array): number;
  /** What was written is safe from a crash of the host. */
  sync(path: FolderPath): void;
  createFile(path: FolderPath, executable: boolean): void;
  createFolder(path: FolderPath): void;
  /** A file or link, or an empty folder. */
  remove(path: FolderPath, folder: boolean): void;
  rename(from: FolderPath, to: FolderPath): void;
  resize(path: FolderPath, bytes: number): void;
  setExecutable(path: FolderPath, executable: boolean): void;
}

/** The folders a machine was given: a capability. */
export interface SharedFolders {
  list(): readonly SharedFolder[];
}
