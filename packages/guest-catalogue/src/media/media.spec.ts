/** Drives made for guests, read back by what other programs would look for. That they boot is shown by the tests of the harness. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeFat16 } from './fat16.js';
import { withDependencies } from './grub.js';
import { writeIso } from './iso9660.js';
import { lzmaLiterals } from './lzma.js';
import { member, readTar } from './tar.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const noise = (length: number): Uint8Array => {
  let seed = 1;
  return Uint8Array.from({ length }, () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 24);
};

/** A decoder of literals after the LZMA specification, written from its other side. */
function decodeLiterals(packed: Uint8Array, length: number): Uint8Array {
  let [range, code, at] = [0xffffffff, 0, 1];
  for (let i = 0; i < 4; i++) code = ((code << 8) | packed[at++]) >>> 0;
  const decode = (table: Uint16Array, index: number): number => {
    const bound = (range >>> 11) * table[index];
    let bit = 0;
    if (code < bound) {
      range = bound;
      table[index] += (2048 - table[index]) >>> 5;
    } else {
      bit = 1;
      range -= bound;
      code -= bound;
      table[index] -= table[index] >>> 5;
    }
    if (range < 0x1000000) {
      range = (range << 8) >>> 0;
      code = ((code << 8) | packed[at++]) >>> 0;
    }
    return bit;
  };
  const matches = new Uint16Array(4).fill(1024);
  const literals = new Uint16Array(0x300 * 8).fill(1024);
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    if (decode(matches, i & 3) !== 0) throw new Error('a match');
    let symbol = 1;
    while (symbol < 0x100) symbol = (symbol << 1) | decode(literals, 0x300 * ((out[i - 1] ?? 0) >> 5) + symbol);
    out[i] = symbol;
  }
  return out;
}

describe('the LZMA stream', () => {
  it.each([
    ['nothing', new Uint8Array(0)],
    ['text', bytesOf('the quick brown fox '.repeat(200))],
    ['noise', noise(5000)],
    ['bytes that carry', new Uint8Array(3000).fill(0xff)],
  ])('holds %s', (_what, bytes) => {
    expect(decodeLiterals(lzmaLiterals(bytes), bytes.length)).toEqual(bytes);
  });
});

describe('the tar reader', () => {
  it('finds the files that tar has written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringfence-tar-'));
    try {
      writeFileSync(join(folder, 'a'), 'first');
      writeFileSync(join(folder, 'b'), noise(1500));
      execFileSync('tar', ['--format=ustar', '-cf', 'x.tar', './a', './b'], { cwd: folder });
      const files = readTar(readFileSync(join(folder, 'x.tar')));
      expect([...files.keys()]).toEqual(['./a', './b']);
      expect(Buffer.from(member(files, './a')).toString()).toBe('first');
      expect(new Uint8Array(member(files, './b'))).toEqual(noise(1500));
      expect(() => member(files, './c')).toThrow(expect.objectContaining({ code: 'RF_PACKAGE_MISMATCH' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('GRUB modules', () => {
  it('stand behind what they need, once', () => {
    const list = 'normal: boot net\nlinux: boot normal\nnet: boot\nboot:\n';
    expect(withDependencies(['linux', 'boot'], list)).toEqual(['boot', 'net', 'normal', 'linux']);
  });
});

describe('the FAT16 volume', () => {
  const big = noise(10_000);
  const volume = writeFat16(20_480, 2048, [
    { path: 'BOOT/GRUB/GRUB.CFG', bytes: bytesOf('set timeout=0\n') },
    { path: 'VMLINUZ', bytes: big },
    { path: 'EMPTY', bytes: new Uint8Array(0) },
  ]);
  const view = new DataView(volume.buffer);
  const perFat = view.getUint16(22, true);
  const root = 512 * (1 + 2 * perFat);
  const data = root + 512 * 32;

  /** The directory entry of that name in the folder at `at`. */
  function find(at: number, name: string): { cluster: number; size: number } {
    for (; volume[at] !== 0; at += 32) {
      if (Buffer.from(volume.subarray(at, at + 11)).toString('latin1') !== name) continue;
      return { cluster: view.getUint16(at + 26, true), size: view.getUint32(at + 28, true) };
    }
    throw new Error(`no ${name}`);
  }
  const clusterAt = (cluster: number): number => data + (cluster - 2) * 2048;

  it('describes itself', () => {
    expect([view.getUint16(11, true), volume[13], volume[16], view.getUint16(19, true)]).toEqual([512, 4, 2, 20_480]);
    expect(view.getUint32(28, true)).toBe(2048);
    expect(view.getUint16(510, true)).toBe(0xaa55);
    const copies = [1, 1 + perFat].map((sector) => volume.subarray(512 * sector, 512 * (sector + perFat)));
    expect(copies[0]).toEqual(copies[1]);
  });

  it('leads to its files by folders and chains', () => {
    const boot = find(root, 'BOOT       ');
    const grub = find(clusterAt(boot.cluster), 'GRUB       ');
    expect(find(clusterAt(grub.cluster), '..         ').cluster).toBe(boot.cluster);
    const config = find(clusterAt(grub.cluster), 'GRUB    CFG');
    expect(Buffer.from(volume.subarray(clusterAt(config.cluster)).subarray(0, config.size)).toString()).toBe(
      'set timeout=0\n',
    );
    const kernel = find(root, 'VMLINUZ    ');
    const found: number[] = [];
    for (let cluster = kernel.cluster; cluster < 0xfff8; cluster = view.getUint16(512 + 2 * cluster, true)) {
      found.push(...volume.subarray(clusterAt(cluster), clusterAt(cluster) + 2048));
    }
    expect(Uint8Array.from(found.slice(0, kernel.size))).toEqual(big);
    expect(find(root, 'EMPTY      ')).toEqual({ cluster: 0, size: 0 });
  });

  it('refuses what does not fit', () => {
    expect(() => writeFat16(20_480, 0, [{ path: 'A', bytes: new Uint8Array(11e6) }])).toThrow(/fit/);
    expect(() => writeFat16(20_480, 0, [{ path: 'lower', bytes: big }])).toThrow(/8\.3/);
    expect(() => writeFat16(1000, 0, [])).toThrow(/clusters/);
  });
});

describe('the CD-ROM', () => {
  const loader = noise(5000);
  const image = writeIso(
    'TEST',
    [
      { path: 'BOOT/LOADER.BIN', bytes: loader },
      { path: 'KERNEL', bytes: bytesOf('a kernel') },
    ],
    { path: 'BOOT/LOADER.BIN', sectors: 4, infoTable: true },
  );
  const view = new DataView(image.buffer);
  const ascii = (at: number, bytes: number): string => Buffer.from(image.subarray(at, at + bytes)).toString('latin1');

  /** Extent and size of a record in the folder at `sector`. */
  function find(sector: number, name: string): { sector: number; bytes: number } {
    for (let at = sector * 2048; image[at] !== 0; at += image[at]) {
      if (ascii(at + 33, image[at + 32]) !== name) continue;
      expect(view.getUint32(at + 2, true)).toBe(view.getUint32(at + 6, false));
      return { sector: view.getUint32(at + 2, true), bytes: view.getUint32(at + 10, true) };
    }
    throw new Error(`no ${name}`);
  }
  const root = view.getUint32(16 * 2048 + 156 + 2, true);

  it('describes itself', () => {
    expect([16, 17, 18].map((sector) => ascii(sector * 2048 + 1, 5))).toEqual(['CD001', 'CD001', 'CD001']);
    expect(ascii(16 * 2048 + 40, 8)).toBe('TEST    ');
    expect(view.getUint32(16 * 2048 + 80, true)).toBe(image.length / 2048);
  });

  it('leads to its files', () => {
    const file = find(root, 'KERNEL;1');
    expect(ascii(file.sector * 2048, file.bytes)).toBe('a kernel');
    const boot = find(root, 'BOOT');
    expect(find(boot.sector, '\x01').sector).toBe(root);
    expect(find(boot.sector, 'LOADER.BIN;1').bytes).toBe(5000);
  });

  it('boots the loader, which is told where it lies', () => {
    const catalogue = view.getUint32(17 * 2048 + 0x47, true) * 2048;
    let sum = 0;
    for (let at = 0; at < 32; at += 2) sum += view.getUint16(catalogue + at, true);
    expect(sum & 0xffff).toBe(0);
    const { sector } = find(find(root, 'BOOT').sector, 'LOADER.BIN;1');
    expect([image[catalogue + 0x20], view.getUint16(catalogue + 0x26, true)]).toEqual([0x88, 4]);
    expect(view.getUint32(catalogue + 0x28, true)).toBe(sector);
    const table = [8, 12, 16].map((at) => view.getUint32(sector * 2048 + at, true));
    expect(table).toEqual([16, sector, 5000]);
    expect(image.subarray(sector * 2048 + 64, sector * 2048 + 5000)).toEqual(loader.subarray(64));
  });
});
