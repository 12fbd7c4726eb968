/** Multiboot 2: the header and its tags, what the kernel is told, and what is refused. */
import { CS, DS, EAX, EBX, RingfenceError, type LoadRequest, type LoadedImage } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { ElfLoader } from './elf-loader.js';
import { MultibootLoader } from './multiboot-loader.js';
import { Multiboot2Loader } from './multiboot2-loader.js';

const MB = 1024 * 1024;
const HEADER = 0x60;
const OPTIONAL = 1;
const loader = new Multiboot2Loader();

type HeaderTag = readonly [type: number, flags: number, ...words: number[]];

/** An ELF file of one segment at 1M, entry 80h behind its start; a multiboot 2 header with `tags` at 60h. */
function elf(tags: readonly HeaderTag[] = [], change: (view: DataView) => void = () => {}): Uint8Array {
  const file = new Uint8Array(0x200);
  const view = new DataView(file.buffer);
  const words = (at: number, ...values: number[]): void =>
    values.forEach((value, n) => view.setUint32(at + n * 4, value >>> 0, true));
  view.setUint32(0, 0x7f454c46, false);
  view.setUint8(4, 1);
  view.setUint8(5, 1);
  view.setUint16(18, 3, true);
  view.setUint32(24, 0x100180, true);
  // The program header stands behind the multiboot header.
  view.setUint32(28, 0x1a0, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  words(0x1a0, 1, 0, 0x100000, 0x100000, 0x200, 0x1000);
  let at = HEADER + 16;
  for (const [type, flags, ...content] of [...tags, [0, 0] as const]) {
    view.setUint16(at, type, true);
    view.setUint16(at + 2, flags, true);
    words(at + 4, 8 + content.length * 4, ...content);
    at += Math.ceil((8 + content.length * 4) / 8) * 8;
  }
  const length = at - HEADER;
  words(HEADER, 0xe85250d6, 0, length, -(0xe85250d6 + length));
  change(view);
  return file;
}

const request = (kernel: Uint8Array, more: Partial<LoadRequest> = {}): LoadRequest => ({
  kernel,
  kernelName: '/home/me/kernel.elf',
  commandLine: 'a=1',
  ramBytes: 4 * MB,
  options: {},
  ...more,
});
const load = (kernel: Uint8Array, more: Partial<LoadRequest> = {}): LoadedImage => loader.load(request(kernel, more));

function refusal(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(RingfenceError);
    expect((error as RingfenceError).fix).toBeTruthy();
    return (error as RingfenceError).code;
  }
}

function memoryOf(image: LoadedImage): Buffer {
  const memory = Buffer.alloc(4 * MB);
  for (const { address, bytes } of image.segments) memory.set(bytes, address);
  return memory;
}

/** Content of the information tags by type; checks sizes, alignment and the end. */
function tagsOf(image: LoadedImage): Map<number, Buffer> {
  const memory = memoryOf(image);
  const info = image.entry.registers[EBX]!;
  expect(info % 8).toBe(0);
  const end = info + memory.readUInt32LE(info);
  const tags = new Map<number, Buffer>();
  for (let at = info + 8; ;) {
    const [type, size] = [memory.readUInt32LE(at), memory.readUInt32LE(at + 4)];
    if (type === 0) {
      expect(at + size).toBe(end);
      return tags;
    }
    tags.set(type, memory.subarray(at + 8, at + size));
    at = Math.ceil((at + size) / 8) * 8;
    expect(at).toBeLessThan(end);
  }
}
const wordsOf = (bytes: Buffer): number[] =>
  Array.from({ length: Math.floor(bytes.length / 4) }, (_, n) => bytes.readUInt32LE(n * 4));

describe('multiboot 2', () => {
  it('starts an ELF kernel with the magic and the information structure', () => {
    const image = load(elf());
    const { entry } = image;
    expect(entry.eip).toBe(0x100180);
    expect(entry.registers[EAX]).toBe(0x36d76289);
    expect([entry.segments[CS]!.selector, entry.segments[DS]!.selector]).toEqual([0x10, 0x18]);
    const memory = memoryOf(image);
    expect(memory.readBigUInt64LE(entry.gdt!.base + 0x10)).toBe(0x00cf9b000000ffffn);
    expect(memory.readUInt32BE(0x100000)).toBe(0x7f454c46);
    const tags = tagsOf(image);
    expect([...tags.keys()]).toEqual([1, 2, 4, 6, 8]);
    expect(tags.get(1)!.toString()).toBe('a=1\0');
    expect(tags.get(2)!.toString()).toBe('ringfence\0');
    expect(wordsOf(tags.get(4)!)).toEqual([639, 3 * 1024]);
    expect(wordsOf(tags.get(6)!)).toEqual([
      ...[24, 0],
      ...[0, 0, 0x9fc00, 0, 1, 0],
      ...[0x9fc00, 0, 0x400, 0, 2, 0],
      ...[0xf0000, 0, 0x10000, 0, 2, 0],
      ...[0x100000, 0, 3 * MB, 0, 1, 0],
    ]);
    expect(wordsOf(tags.get(8)!)).toEqual([0xb8000, 0, 160, 80, 25, 0x0210]);
  });

  it('passes an initrd as a module', () => {
    const image = load(elf(), { initrd: Uint8Array.of(1, 2, 3), initrdName: '/x/initrd.img' });
    const module = tagsOf(image).get(3)!;
    const [from, to] = wordsOf(module);
    expect([...memoryOf(image).subarray(from, to)]).toEqual([1, 2, 3]);
    expect(from).toBe(0x101000);
    expect(module.subarray(8).toString()).toBe('initrd.img\0');
  });

  it('goes by address and entry tags when there are some', () => {
    const image = load(
      elf([
        [2, 0, 0x200060, 0x200000, 0x200100, 0x200300],
        [3, 0, 0x200080],
      ]),
    );
    expect(image.entry.eip).toBe(0x200080);
    const { bytes } = image.segments.find(({ address }) => address === 0x200000)!;
    expect(bytes).toHaveLength(0x300);
    expect(bytes[0]).toBe(0x7f);
    expect(bytes.subarray(0x100).every((byte) => byte === 0)).toBe(true);
    expect(load(elf([[3, 0, 0x100190]])).entry.eip).toBe(0x100190);
  });

  it('knows its own files from those of version 1', () => {
    expect(loader.recognises(elf())).toBe(true);
    expect(new MultibootLoader().recognises(elf())).toBe(false);
    expect(loader.recognises(new Uint8Array(4096))).toBe(false);
    expect(loader.recognises(elf([], (view) => view.setUint32(HEADER + 12, 1, true)))).toBe(false);
    // One that does not start at a multiple of eight is none.
    expect(loader.recognises(elf().subarray(4))).toBe(false);
  });

  it.each([
    ['what it gives', [[1, 0, 1, 2, 3, 4, 6, 8]], undefined],
    [
      'optional things',
      [
        [1, OPTIONAL, 14],
        [99, OPTIONAL, 1],
      ],
      undefined,
    ],
    [
      'console, text screen, page-aligned modules, EFI',
      [
        [4, 0, 3],
        [5, 0, 80, 25, 0],
        [6, 0],
        [7, 0],
        [9, 0, 1],
      ],
      undefined,
    ],
    ['a range of addresses', [[10, 0, 0x100000, 0xffffff, 0x1000, 0]], undefined],
    ['ACPI tables', [[1, 0, 14]], 'RF_KERNEL_NOT_BOOTABLE'],
    ['an unknown tag', [[99, 0, 1]], 'RF_KERNEL_NOT_BOOTABLE'],
    ['addresses without an entry', [[2, 0, 0x200060, 0x200000, 0, 0]], 'RF_KERNEL_NOT_BOOTABLE'],
    [
      'addresses out of order',
      [
        [2, 0, 0x200060, 0x200000, 0x200100, 0x200080],
        [3, 0, 0],
      ],
      'RF_KERNEL_NOT_BOOTABLE',
    ],
    [
      'addresses before the file',
      [
        [2, 0, 0x200060, 0x1f0000, 0, 0],
        [3, 0, 0],
      ],
      'RF_KERNEL_NOT_BOOTABLE',
    ],
    [
      'addresses behind the file',
      [
        [2, 0, 0x200060, 0x200000, 0x201000, 0],
        [3, 0, 0],
      ],
      'RF_KERNEL_TRUNCATED',
    ],
    ['a tag that is too short', [[3, 0]], 'RF_KERNEL_NOT_BOOTABLE'],
  ] as [string, HeaderTag[], string | undefined][])('asked for %s', (_what, tags, expected) => {
    expect(refusal(() => load(elf(tags)))).toBe(expected);
  });

  /** Adds to a word of the header and takes it from the checksum. */
  const shift =
    (offset: number, by: number) =>
    (view: DataView): void => {
      view.setUint32(HEADER + offset, view.getUint32(HEADER + offset, true) + by, true);
      view.setUint32(HEADER + 12, view.getUint32(HEADER + 12, true) - by, true);
    };

  it.each([
    ['another processor', shift(4, 4), 'RF_KERNEL_NOT_BOOTABLE'],
    ['a header longer than the file', shift(8, 4096), 'RF_KERNEL_TRUNCATED'],
    ['no end tag', (view) => view.setUint16(HEADER + 16, 4, true), 'RF_KERNEL_NOT_BOOTABLE'],
    ['a tag without a size', (view) => view.setBigUint64(HEADER + 16, 4n, true), 'RF_KERNEL_NOT_BOOTABLE'],
  ] as [string, (view: DataView) => void, string][])('refuses %s', (_what, change, expected) => {
    const kernel = elf([], change);
    expect(loader.recognises(kernel)).toBe(true);
    expect(refusal(() => load(kernel))).toBe(expected);
  });
});

describe('plain ELF', () => {
  const plain = new ElfLoader();

  it('starts at its entry, with nothing in its registers', () => {
    const image = plain.load(request(elf(), { commandLine: '' }));
    expect(image.entry).toMatchObject({ eip: 0x100180, registers: {} });
    expect(memoryOf(image).readUInt32BE(0x100000)).toBe(0x7f454c46);
    expect(memoryOf(image).readBigUInt64LE(image.entry.gdt!.base + 0x18)).toBe(0x00cf93000000ffffn);
  });

  it('is never taken unasked, and takes nothing that it could not pass on', () => {
    expect(plain.recognises()).toBe(false);
    expect(refusal(() => plain.load(request(elf())))).toBe('RF_CONTRADICTION');
    const initrd = new Uint8Array(1);
    expect(refusal(() => plain.load(request(elf(), { commandLine: '', initrd })))).toBe('RF_CONTRADICTION');
    expect(refusal(() => plain.load(request(new Uint8Array(100), { commandLine: '' })))).toBe('RF_KERNEL_NOT_BOOTABLE');
    expect(refusal(() => plain.load(request(elf(), { commandLine: '', ramBytes: MB })))).toBe('RF_KERNEL_TOO_LARGE');
  });
});
