/**
 * Reads the regular files of a tar archive (POSIX.1-1988 ustar), as `dpkg-deb --fsys-tarfile` writes it. Names are those of
 * the archive. Does not follow links and knows no long names beyond ustar's prefix.
 */
import { RingfenceError } from '@ringfence/sdk';

const BLOCK = 512;

export function readTar(archive: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (at: number, bytes: number): string =>
    Buffer.from(archive.subarray(at, at + bytes))
      .toString('latin1')
      .replace(/\0.*$/s, '');
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8);
    if (!Number.isInteger(size) || at + BLOCK + size > archive.length) break;
    const prefix = text(at + 257, 5) === 'ustar' ? text(at + 345, 155) : '';
    const name = prefix === '' ? text(at, 100) : `${prefix}/${text(at, 100)}`;
    if (text(at + 156, 1) === '0' || archive[at + 156] === 0)
      files.set(name, archive.subarray(at + BLOCK, at + BLOCK + size));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** Throws RF_PACKAGE_MISMATCH when the archive does not have it. */
export function member(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const found = files.get(name);
  if (found !== undefined) return found;
  throw new RingfenceError('RF_PACKAGE_MISMATCH', {
    message: `the package holds no ${name}`,
    value: name,
    fix: 'its layout has changed: report this to the authors of Ringfence',
  });
}
