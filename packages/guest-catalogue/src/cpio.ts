/**
 * Writes cpio archives in the "newc" format, as the Linux kernel unpacks them into its first file system
 * (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same bytes: files belong
 * to root, times are 0, inode numbers count up. It does not read archives, and knows no hard links and no checksums.
 */
import { RingfenceError } from '@ringfence/sdk';

export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'device'; readonly path: string; readonly mode: number; readonly major: number; minor: number };

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
/** Names and contents start at multiples of four. */
const ALIGNMENT = 4;
/** Archives are padded to whole blocks, as cpio itself does. */
const BLOCK = 512;

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;

/** The archive. Folders must come before what they hold: the kernel makes none by itself. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  checkFolders(entries);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const add = (bytes: Uint8Array): void => {
    chunks.push(bytes);
    length += bytes.length;
  };
  const pad = (alignment: number): void => add(new Uint8Array((alignment - (length % alignment)) % alignment));
  const member = (inode: number, path: string, mode: number, content: Uint8Array, major = 0, minor = 0): void => {
    const name = Buffer.from(`${path}\0`);
    const links = mode >>> 12 === S_IFDIR >>> 12 ? 2 : 1;
    // inode, mode, uid, gid, links, mtime, size, device (2), rdev (2), length of the name, check
    const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, major, minor, name.length, 0];
    add(Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('')));
    add(name);
    pad(ALIGNMENT);
    add(content);
    pad(ALIGNMENT);
  };
  const nothing = new Uint8Array(0);
  entries.forEach((entry, index) => {
    const inode = index + 1;
    if (entry.kind === 'folder') member(inode, entry.path, S_IFDIR | entry.mode, nothing);
    else if (entry.kind === 'file') member(inode, entry.path, S_IFREG | entry.mode, entry.bytes);
    else if (entry.kind === 'link') member(inode, entry.path, S_IFLNK | 0o777, Buffer.from(entry.target));
    else member(inode, entry.path, S_IFCHR | entry.mode, nothing, entry.major, entry.minor);
  });
  member(0, TRAILER, 0, nothing);
  pad(BLOCK);
  return Buffer.concat(chunks, length);
}

function checkFolders(entries: readonly CpioEntry[]): void {
  const folders = new Set(['']);
  for (const { kind, path } of entries) {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (path === '' || path.startsWith('/') || !folders.has(parent)) {
      throw new RingfenceError('RF_INTERNAL', { message: `archive member "${path}" has no folder`, value: path });
    }
    if (kind === 'folder') folders.add(path);
  }
}
