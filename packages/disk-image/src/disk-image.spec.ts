/** Raw and qcow2 images, the overlay over them, and files that are not what they should be. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gunzipSync } from 'node:zlib';
import { parseMachineConfig, type BlockDevice } from '@ringfence/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDrives } from './index.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'rf-disk-'))));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: Uint8Array): string {
  const path = join(folder, `image${files++}`);
  writeFileSync(path, content);
  return path;
}

const pattern = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i >>> 9) * 5 + i);

type DriveInput = Record<string, unknown>;
const open = (...drives: DriveInput[]) => openDrives(parseMachineConfig({ drives }).drives);
const storage = (drive: DriveInput): BlockDevice => open(drive)[0].storage;
const read = (device: BlockDevice, offset: number, bytes: number): number[] | undefined => {
  const into = new Uint8Array(bytes);
  return device.read(offset, into) ? [...into] : undefined;
};
const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;

/** A qcow2 image with clusters of 512 bytes, of one table: each entry is made by `entry` from where data begins. */
function qcow2(init: {
  version?: number;
  clusters: readonly (Uint8Array | 'absent' | 'zero')[];
  compressed?: boolean;
  patch?: (view: DataView) => void;
}): Uint8Array {
  const { version = 3, clusters, compressed = false } = init;
  const bytes = new Uint8Array(512 * 3 + clusters.length * 1024);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, version);
  view.setUint32(20, 9);
  view.setUint32(28, clusters.length * 512);
  view.setUint32(36, 1);
  view.setUint32(44, 512); // first table
  if (version === 3) view.setUint32(100, 104);
  view.setUint32(512, 0x80000000);
  view.setUint32(516, 1024); // its one entry: the second table
  let at = 512 * 3;
  clusters.forEach((cluster, i) => {
    const entry = 1024 + i * 8;
    if (cluster === 'zero') view.setUint32(entry + 4, 1);
    if (typeof cluster === 'string') return;
    const stored = compressed ? deflateRawSync(cluster, { windowBits: 12 }) : cluster;
    bytes.set(stored, at);
    if (compressed) {
      // Clusters of 2^9: the offset has 61 bits, one bit counts further sectors.
      const further = Math.floor((at + stored.length - 1) / 512) - Math.floor(at / 512);
      view.setUint32(entry, 0x40000000 | (further << 29));
      view.setUint32(entry + 4, at);
      at += stored.length;
    } else {
      view.setUint32(entry, 0x80000000);
      view.setUint32(entry + 4, at);
      at += 512;
    }
  });
  init.patch?.(view);
  return bytes;
}

describe('a raw image behind an overlay', () => {
  it('reads as the file, keeps what is written to itself and never writes the file', () => {
    const content = pattern(10 * 512);
    const path = file(content);
    const disk = storage({ file: path });
    expect(disk.bytes).toBe(10 * 512);
    expect(read(disk, 512, 1024)).toEqual([...content.subarray(512, 1536)]);
    expect(disk.write(1024, new Uint8Array(512).fill(0xee))).toBe(true);
    expect(read(disk, 512, 1536)).toEqual([
      ...content.subarray(512, 1024),
      ...new Array<number>(512).fill(0xee),
      ...content.subarray(1536, 2048),
    ]);
    expect(disk.write(0, new Uint8Array(5120).fill(1))).toBe(true);
    expect(read(disk, 4608, 512)).toEqual(new Array(512).fill(1));
    expect(disk.flush()).toBe(true);
    expect(new Uint8Array(readFileSync(path))).toEqual(content);
  });

  it('saves what was written, alike however it came about', () => {
    const path = file(pattern(64 * 512));
    const [one, two] = [storage({ file: path }), storage({ file: path })];
    one.write(8192, new Uint8Array(512).fill(3));
    one.write(0, new Uint8Array(512).fill(4));
    two.write(0, new Uint8Array(512).fill(4));
    expect(two.saveState()).not.toEqual(one.saveState());
    two.write(8192, new Uint8Array(512).fill(3));
    expect(two.saveState()).toEqual(one.saveState());
    const three = storage({ file: path });
    three.loadState(one.saveState());
    expect(read(three, 8192, 512)).toEqual(new Array(512).fill(3));
    expect(() => storage({ file: file(pattern(512)) }).loadState(one.saveState())).toThrow(code('RF_BAD_STATE'));
  });

  it('fills the last sector up with zeros', () => {
    const disk = storage({ file: file(pattern(700)) });
    expect(disk.bytes).toBe(1024);
    expect(read(disk, 512, 512)).toEqual([...pattern(700).subarray(512), ...new Array<number>(324).fill(0)]);
  });

  it('fails accesses to what a file no longer has, and only those', () => {
    const path = file(pattern(16 * 512));
    const disk = storage({ file: path });
    truncateSync(path, 3 * 512);
    expect(read(disk, 0, 512)).toBeDefined();
    expect(read(disk, 8 * 512, 512)).toBeUndefined();
    expect(disk.write(8 * 512, new Uint8Array(512))).toBe(false);
    expect(read(disk, 3 * 512, 512)).toBeUndefined();
  });
});

describe('a raw image written for good', () => {
  it('changes the file, and says so in its state', () => {
    const path = file(pattern(4 * 512));
    const disk = storage({ file: path, snapshot: 'off' });
    const before = disk.saveState();
    expect(disk.write(512, new Uint8Array(512).fill(9))).toBe(true);
    expect(disk.flush()).toBe(true);
    expect([...readFileSync(path).subarray(512, 1024)]).toEqual(new Array(512).fill(9));
    expect(disk.saveState()).not.toEqual(before);
    expect(() => disk.loadState(before)).toThrow(code('RF_BAD_STATE'));
    disk.loadState(disk.saveState());
  });
});

describe('a qcow2 image', () => {
  const clusters = [pattern(512), 'absent', 'zero', pattern(1024).subarray(512)] as const;
  const flat = [...pattern(512), ...new Array<number>(1024).fill(0), ...pattern(1024).subarray(512)];

  it.each([
    ['version 3', qcow2({ clusters })],
    ['version 2', qcow2({ version: 2, clusters: [clusters[0], 'absent', 'absent', clusters[3]] })],
    ['compressed clusters', qcow2({ clusters, compressed: true })],
  ])('reads: %s', (_name, image) => {
    const disk = storage({ file: file(image) });
    expect(disk.bytes).toBe(2048);
    expect(read(disk, 0, 2048)).toEqual(flat);
    expect(read(disk, 1600, 100)).toEqual(flat.slice(1600, 1700));
    expect(disk.write(512, new Uint8Array(512).fill(7))).toBe(true);
    expect(read(disk, 0, 1024)).toEqual([...flat.slice(0, 512), ...new Array<number>(512).fill(7)]);
  });

  it.each<[string, (view: DataView) => void]>([
    ['a backing file', (view) => view.setUint32(12, 600)],
    ['encryption', (view) => view.setUint32(32, 1)],
    ['another version', (view) => view.setUint32(4, 4)],
    ['clusters of an impossible size', (view) => view.setUint32(20, 40)],
    ['no size', (view) => view.setUint32(28, 0)],
    ['a mark of corruption', (view) => view.setUint32(76, 2)],
    ['data in another file', (view) => view.setUint32(76, 4)],
    ['another compression', (view) => view.setUint32(76, 8)],
    ['extended entries', (view) => view.setUint32(76, 16)],
    ['features of the future', (view) => view.setUint32(72, 1)],
    ['a first table that is too short', (view) => view.setUint32(36, 0)],
    ['a first table beyond the file', (view) => view.setUint32(44, 1 << 24)],
    ['a second table beyond the file', (view) => view.setUint32(516, 1 << 24)],
  ])('is refused with %s', (_name, patch) => {
    const path = file(qcow2({ clusters, patch }));
    expect(() => open({ file: path })).toThrow(code('RF_DISK_FORMAT'));
  });

  it('is refused when it is truncated', () => {
    expect(() => open({ file: file(qcow2({ clusters }).subarray(0, 40)) })).toThrow(code('RF_DISK_FORMAT'));
    expect(() => open({ file: file(qcow2({ clusters }).subarray(0, 1000)) })).toThrow(code('RF_DISK_FORMAT'));
  });

  it('fails accesses to damaged clusters, and only those', () => {
    const beyond = storage({ file: file(qcow2({ clusters, patch: (view) => view.setUint32(1028, 1 << 24) })) });
    expect(read(beyond, 0, 512)).toBeUndefined();
    expect(read(beyond, 1536, 512)).toBeDefined();
    const garbage = qcow2({ clusters, compressed: true });
    garbage.fill(0xff, 512 * 3, 512 * 3 + 20);
    expect(read(storage({ file: file(garbage) }), 0, 512)).toBeUndefined();
  });

  it.each(['plain-512', 'compressed-512', 'compressed-64k'])('is what qemu-img makes: %s', (name) => {
    const made = gunzipSync(readFileSync(new URL(`../fixtures/${name}.qcow2.gz`, import.meta.url)));
    expect(read(storage({ file: file(made) }), 0, 299_008)).toEqual([...pattern(299_008)]);
  });
});

describe('openDrives', () => {
  it('gives units: disks from the first on, discs from the second cable on', () => {
    const image = file(pattern(4096));
    const drives = open({ file: image, media: 'cdrom' }, { file: image }, { file: image }, { file: image, unit: 3 });
    expect(drives.map(({ unit, media }) => [unit, media])).toEqual([
      [0, 'disk'],
      [1, 'disk'],
      [2, 'cdrom'],
      [3, 'disk'],
    ]);
    expect(drives[2].storage.readOnly).toBe(true);
    expect(drives[2].storage.write(0, new Uint8Array(512))).toBe(false);
  });

  it('gives each interface units of its own', () => {
    const image = file(pattern(4096));
    const virtio = { file: image, interface: 'virtio' };
    const drives = open(virtio, { file: image }, { ...virtio, media: 'cdrom' }, { ...virtio, unit: 0 });
    expect(drives.map((drive) => [drive.interface, drive.unit, drive.media])).toEqual([
      ['ide', 0, 'disk'],
      ['virtio', 0, 'disk'],
      ['virtio', 1, 'disk'],
      ['virtio', 2, 'cdrom'],
    ]);
  });

  it.each<[string, () => DriveInput[], string]>([
    ['a missing file', () => [{ file: join(folder, 'nothing') }], 'RF_DISK_NOT_FOUND'],
    ['a folder', () => [{ file: folder }], 'RF_DISK_UNREADABLE'],
    ['an empty file', () => [{ file: file(new Uint8Array(0)) }], 'RF_DISK_UNREADABLE'],
    ['a disc of no whole sector', () => [{ file: file(pattern(512)), media: 'cdrom' }], 'RF_DISK_FORMAT'],
    ['raw called qcow2', () => [{ file: file(pattern(512)), format: 'qcow2' }], 'RF_DISK_FORMAT'],
    ['writing qcow2', () => [{ file: file(qcow2({ clusters: ['zero'] })), snapshot: 'off' }], 'RF_CONTRADICTION'],
    ['a unit twice', () => [1, 2].map(() => ({ file: file(pattern(512)), unit: 1 })), 'RF_RESOURCE_CONFLICT'],
    ['a fifth drive', () => [1, 2, 3, 4, 5].map(() => ({ file: file(pattern(512)) })), 'RF_RESOURCE_CONFLICT'],
    ['a unit that is none', () => [{ file: 'x', unit: 4 }], 'RF_BAD_CONFIG'],
  ])('refuses %s', (_name, drives, expected) => {
    expect(() => open(...drives())).toThrow(code(expected));
  });
});
