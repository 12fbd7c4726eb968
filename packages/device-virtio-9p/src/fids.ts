/**
 * What a client holds: numbers of its own choice for things by their paths (intro(5), "fids"), and whether it has opened
 * them. Bounded in number and length of path, so that no client makes the host grow. It touches no file.
 */
import { FolderError, RingfenceError, type FolderPath, type StateRecord } from '@ringfence/sdk';

export const MOST_FIDS = 1024;
const MOST_DEPTH = 64;
const MOST_NAME_BYTES = 255;
/** Not a fid: none. */
export const NOFID = 0xffffffff;

export type OpenMode = 'closed' | 'read' | 'write' | 'both';
const MODES: readonly OpenMode[] = ['closed', 'read', 'write', 'both'];

export interface Fid {
  path: FolderPath;
  mode: OpenMode;
}

export class Fids {
  private readonly all = new Map<number, Fid>();

  clear(): void {
    this.all.clear();
  }

  /** Throws EBADF for one that the client does not hold. */
  get(fid: number): Fid {
    const found = this.all.get(fid);
    if (found === undefined) throw new FolderError('EBADF');
    return found;
  }

  /** Throws EBADF when `fid` is in use or none, EMFILE when there are too many. */
  add(fid: number, path: FolderPath): void {
    if (fid === NOFID || this.all.has(fid)) throw new FolderError('EBADF');
    if (this.all.size >= MOST_FIDS) throw new FolderError('EMFILE');
    this.all.set(fid, { path, mode: 'closed' });
  }

  remove(fid: number): void {
    this.all.delete(fid);
  }

  /** Something was given another name: what leads to it or through it follows. */
  moved(from: FolderPath, to: FolderPath): void {
    for (const fid of this.all.values()) {
      const below = from.every((name, i) => fid.path[i] === name);
      if (below) fid.path = [...to, ...fid.path.slice(from.length)];
    }
  }

  save(): StateRecord['data'][string] {
    return [...this.all].map(([fid, { path, mode }]) => ({ fid, path: [...path], mode: MODES.indexOf(mode) }));
  }

  /** What was saved, or RF_BAD_STATE. */
  static checked(saved: StateRecord['data'][string]): [number, Fid][] {
    const bad = (): RingfenceError =>
      new RingfenceError('RF_BAD_STATE', { message: 'the saved fids of a share are none', value: saved });
    if (!Array.isArray(saved) || saved.length > MOST_FIDS) throw bad();
    return (saved as readonly StateRecord['data'][]).map((each) => {
      const { fid, path, mode } = each ?? {};
      const known = typeof fid === 'number' && typeof mode === 'number' && MODES[mode] !== undefined;
      if (!known || !Array.isArray(path) || !path.every((name) => isName(name))) throw bad();
      return [fid, { path: path as string[], mode: MODES[mode] }];
    });
  }

  load(fids: readonly [number, Fid][]): void {
    this.all.clear();
    for (const [fid, { path, mode }] of fids) this.all.set(fid, { path, mode });
  }
}

/** `path` and one name more. Throws EINVAL, ENAMETOOLONG. */
export function below(path: FolderPath, name: string): FolderPath {
  if (!isName(name)) throw new FolderError('EINVAL');
  if (path.length >= MOST_DEPTH || Buffer.byteLength(name) > MOST_NAME_BYTES) throw new FolderError('ENAMETOOLONG');
  return [...path, name];
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}
