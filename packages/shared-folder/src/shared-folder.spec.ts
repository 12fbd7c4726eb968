/** A shared folder on a real file system: what a guest may see and change, and every way out of it that is none. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderError, parseMachineConfig, type SharedFolder } from '@ringfence/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openShares } from './index.js';

let outside: string;
let root: string;
beforeEach(() => {
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'rf-share-')));
  root = join(outside, 'root');
  mkdirSync(join(root, 'sub'), { recursive: true });
  writeFileSync(join(outside, 'secret'), 'not for the guest');
  writeFileSync(join(root, 'b.txt'), 'some text');
  writeFileSync(join(root, 'sub', 'a'), 'deep');
});
afterEach(() => rmSync(outside, { recursive: true }));

const share = (more: Record<string, unknown> = {}): SharedFolder =>
  openShares(parseMachineConfig({ shares: [{ tag: 'host', path: root, ...more }] }).shares)[0];
const text = (folder: SharedFolder, ...path: string[]): string => {
  const into = new Uint8Array(100);
  return Buffer.from(into.subarray(0, folder.read(path, 0, into))).toString();
};
const errno = (name: string) => expect.objectContaining({ errno: name }) as Error;
const bytes = (content: string) => Buffer.from(content);

describe('a folder that is only read', () => {
  it('shows names in order, and what they are', () => {
    writeFileSync(join(root, 'a.sh'), '', { mode: 0o700 });
    symlinkSync('b.txt', join(root, 'link'));
    const folder = share();
    expect(folder.list([])).toEqual(['a.sh', 'b.txt', 'link', 'sub']);
    expect(folder.look([])).toMatchObject({ kind: 'folder' });
    expect(folder.look(['b.txt'])).toEqual({ kind: 'file', bytes: 9, executable: false, modified: undefined });
    expect(folder.look(['a.sh'])).toMatchObject({ executable: true });
    expect(folder.look(['link'])).toMatchObject({ kind: 'link' });
    expect(folder.readLink(['link'])).toBe('b.txt');
  });

  it('reads files at any offset', () => {
    const folder = share();
    const into = new Uint8Array(4);
    expect(folder.read(['b.txt'], 5, into)).toBe(4);
    expect(Buffer.from(into).toString()).toBe('text');
    expect([folder.read(['b.txt'], 8, into), folder.read(['b.txt'], 900, into)]).toEqual([1, 0]);
    expect(text(folder, 'sub', 'a')).toBe('deep');
  });

  it('keeps times to itself unless it may tell', () => {
    utimesSync(join(root, 'b.txt'), 1000, 1234.5);
    expect(share().look(['b.txt']).modified).toBeUndefined();
    expect(share({ times: 'host' }).look(['b.txt']).modified).toEqual({ seconds: 1234, nanoseconds: 500_000_000 });
  });

  it.each<[string, (folder: SharedFolder) => void]>([
    ['write', (folder) => folder.write(['b.txt'], 0, bytes('x'))],
    ['createFile', (folder) => folder.createFile(['new'], false)],
    ['createFolder', (folder) => folder.createFolder(['new'])],
    ['remove', (folder) => folder.remove(['b.txt'], false)],
    ['rename', (folder) => folder.rename(['b.txt'], ['c'])],
    ['resize', (folder) => folder.resize(['b.txt'], 0)],
    ['setExecutable', (folder) => folder.setExecutable(['b.txt'], true)],
  ])('refuses to %s', (_name, change) => {
    expect(() => change(share())).toThrow(errno('EROFS'));
    expect(share().list([])).toEqual(['b.txt', 'sub']);
    expect(readFileSync(join(root, 'b.txt'), 'utf8')).toBe('some text');
  });

  it('says what is wrong with a path', () => {
    const folder = share();
    expect(() => folder.look(['none'])).toThrow(errno('ENOENT'));
    expect(() => folder.look(['b.txt', 'x'])).toThrow(errno('ENOTDIR'));
    expect(() => folder.list(['b.txt'])).toThrow(FolderError);
    expect(() => text(folder, 'sub')).toThrow(errno('EISDIR'));
    expect(() => folder.readLink(['b.txt'])).toThrow(errno('EINVAL'));
  });
});

describe('a way out', () => {
  it('is no link to a file', () => {
    symlinkSync(join(outside, 'secret'), join(root, 'link'));
    symlinkSync('b.txt', join(root, 'inner'));
    const folder = share({ writable: true });
    for (const name of ['link', 'inner']) {
      expect(() => text(folder, name)).toThrow(errno('ELOOP'));
      expect(() => folder.write([name], 0, bytes('x'))).toThrow(errno('ELOOP'));
      expect(() => folder.resize([name], 0)).toThrow(errno('ELOOP'));
      expect(() => folder.setExecutable([name], true)).toThrow(errno('ELOOP'));
      expect(() => folder.createFile([name], false)).toThrow(errno('EEXIST'));
    }
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('not for the guest');
  });

  it('is no link to a folder, first, last or in the middle of a path', () => {
    symlinkSync(outside, join(root, 'up'));
    symlinkSync('..', join(root, 'sub', 'up'));
    const folder = share({ writable: true });
    for (const path of [['up'], ['sub', 'up'], ['sub', 'up', 'sub', 'up']]) {
      expect(() => folder.list(path), path.join('/')).toThrow(FolderError);
      for (const name of ['secret', 'b.txt', 'root']) {
        expect(() => folder.look([...path, name]), path.join('/')).toThrow(FolderError);
        expect(() => text(folder, ...path, name)).toThrow(FolderError);
      }
      expect(() => folder.createFile([...path, 'made'], false)).toThrow(FolderError);
      expect(() => folder.createFolder([...path, 'made'])).toThrow(FolderError);
      expect(() => folder.rename(['b.txt'], [...path, 'made'])).toThrow(FolderError);
      expect(() => folder.rename([...path, 'secret'], ['mine'])).toThrow(FolderError);
      expect(() => folder.remove([...path, 'secret'], false)).toThrow(FolderError);
    }
    expect(existsSync(join(outside, 'made'))).toBe(false);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('not for the guest');
  });

  it('is no pipe, socket or device, nor can one be replaced or removed', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
    try {
      const folder = share({ writable: true });
      expect(folder.list([])).toEqual(['b.txt', 'sub']);
      for (const name of ['pipe', 'socket']) {
        expect(() => folder.look([name])).toThrow(errno('ENOENT'));
        expect(() => text(folder, name)).toThrow(errno('ENOENT'));
        expect(() => folder.write([name], 0, bytes('x'))).toThrow(errno('ENOENT'));
        expect(() => folder.rename(['b.txt'], [name])).toThrow(errno('ENOENT'));
        expect(() => folder.remove([name], false)).toThrow(errno('ENOENT'));
        expect(() => folder.createFile([name], false)).toThrow(errno('EEXIST'));
      }
      expect(lstatSync(join(root, 'pipe')).isFIFO()).toBe(true);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('is not the folder itself: the root cannot be removed or moved', () => {
    const folder = share({ writable: true });
    expect(() => folder.remove([], true)).toThrow(errno('EINVAL'));
    expect(() => folder.rename([], ['x'])).toThrow(errno('EINVAL'));
    expect(() => folder.rename(['b.txt'], [])).toThrow(errno('EINVAL'));
  });
});

describe('a folder that may be written', () => {
  it('makes, writes, resizes, renames and removes', () => {
    const folder = share({ writable: true });
    folder.createFolder(['made']);
    folder.createFile(['made', 'f'], true);
    expect(folder.write(['made', 'f'], 2, bytes('hello'))).toBe(5);
    folder.resize(['made', 'f'], 6);
    folder.sync(['made', 'f']);
    expect(readFileSync(join(root, 'made', 'f'), 'utf8')).toBe('\0\0hell');
    expect(lstatSync(join(root, 'made', 'f')).mode & 0o100).toBe(0o100);
    folder.setExecutable(['made', 'f'], false);
    expect(lstatSync(join(root, 'made', 'f')).mode & 0o111).toBe(0);
    folder.rename(['made', 'f'], ['b.txt']);
    expect(readFileSync(join(root, 'b.txt'), 'utf8')).toBe('\0\0hell');
    expect(() => folder.remove(['made'], false)).toThrow(errno('EISDIR'));
    expect(() => folder.remove(['b.txt'], true)).toThrow(errno('ENOTDIR'));
    expect(() => folder.remove(['sub'], true)).toThrow(errno('ENOTEMPTY'));
    folder.remove(['made'], true);
    folder.remove(['b.txt'], false);
    expect(folder.list([])).toEqual(['sub']);
  });

  it('removes and renames a link, not what it leads to', () => {
    symlinkSync(join(outside, 'secret'), join(root, 'link'));
    const folder = share({ writable: true });
    folder.rename(['link'], ['moved']);
    expect(folder.readLink(['moved'])).toBe(join(outside, 'secret'));
    folder.remove(['moved'], false);
    expect(existsSync(join(outside, 'secret'))).toBe(true);
  });
});

describe('openShares', () => {
  const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;

  it('resolves the folder once: a link to it is fine', () => {
    symlinkSync(root, join(outside, 'alias'));
    expect(text(share({ path: join(outside, 'alias') }), 'b.txt')).toBe('some text');
  });

  it.each<[string, () => unknown[], string]>([
    ['a missing folder', () => [{ tag: 'a', path: join(outside, 'none') }], 'RF_SHARE_UNUSABLE'],
    ['a file', () => [{ tag: 'a', path: join(outside, 'secret') }], 'RF_SHARE_UNUSABLE'],
    ['a tag twice', () => [1, 2].map(() => ({ tag: 'a', path: root })), 'RF_RESOURCE_CONFLICT'],
    ['a tag with a space', () => [{ tag: 'a b', path: root }], 'RF_BAD_CONFIG'],
    ['nine shares', () => Array.from({ length: 9 }, (_, i) => ({ tag: `t${i}`, path: root })), 'RF_BAD_CONFIG'],
  ])('refuses %s', (_name, shares, expected) => {
    expect(() => openShares(parseMachineConfig({ shares: shares() }).shares)).toThrow(code(expected));
  });
});
