import { CS, EAX, EBX, DS, RingfenceError, type LoadRequest, type LoadedImage } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { MultibootLoader } from './multiboot-loader.js';

const MB = 1024 * 1024;
const MAGIC = 0x1badb002;
const loader = new MultibootLoader();

function header(view: DataView, at: number, flags: number, fields: readonly number[] = []): void {
  [MAGIC, flags, -(MAGIC + flags), ...fields].forEach((value, i) => view.setUint32(at + i * 4, value >>> 0, true));
}

/** An ELF file: header, one program header, multiboot header at 0x60, code from 0x80 on. */
function elf(change: (view: DataView) => void = () => {}, physical = 0x100000, virtual = physical): Uint8Array {
  const file = new Uint8Array(0x200);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x7f454c46, false);
  view.setUint8(4, 1);
  view.setUint8(5, 1);
  view.setUint16(18, 3, true);
  view.setUint32(24, virtual + 0x80, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0, virtual, physical, 0x200, 0x1000].forEach((value, i) => view.setUint32(52 + i * 4, value, true));
  header(view, 0x60, 3);
  file[0x80] = 0xf4;
  change(view);
  return file;
}

function load(kernel: Uint8Array, more: Partial<LoadRequest> = {}): LoadedImage {
  return loader.load({
    kernel,
    kernelName: '/home/me/kernel.elf',
    commandLine: 'a=1',
    ramBytes: 4 * MB,
    options: {},
    ...more,
  });
}

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

/** Reads what the image put at a physical address. */
function reader(image: LoadedImage) {
  const memory = new Uint8Array(4 * MB);
  for (const { address, bytes } of image.segments) memory.set(bytes, address);
  const view = new DataView(memory.buffer);
  return {
    u32: (at: number) => view.getUint32(at, true),
    u64: (at: number) => Number(view.getBigUint64(at, true)),
    text: (at: number) => Buffer.from(memory.subarray(at, memory.indexOf(0, at))).toString(),
    u8: (at: number) => memory[at],
  };
}

describe('multiboot', () => {
  it('starts an ELF kernel with the magic and the information structure', () => {
    const image = load(elf());
    const { entry } = image;
    const memory = reader(image);
    expect(entry.eip).toBe(0x100080);
    expect(memory.u8(0x100080)).toBe(0xf4);
    expect(entry.registers[EAX]).toBe(0x2badb002);
    expect([entry.segments[CS]!.selector, entry.segments[DS]!.selector]).toEqual([0x10, 0x18]);
    expect([memory.u32(entry.gdt!.base + 0x10), memory.u32(entry.gdt!.base + 0x14)]).toEqual([0xffff, 0x00cf9b00]);
    const info = entry.registers[EBX]!;
    expect(memory.u32(info)).toBe(0x245);
    expect([memory.u32(info + 4), memory.u32(info + 8)]).toEqual([639, 3 * 1024]);
    expect(memory.text(memory.u32(info + 16))).toBe('kernel.elf a=1');
    expect(memory.text(memory.u32(info + 64))).toBe('ringfence');
    const map: number[][] = [];
    for (let at = memory.u32(info + 48); at < memory.u32(info + 48) + memory.u32(info + 44); at += memory.u32(at) + 4) {
      map.push([memory.u64(at + 4), memory.u64(at + 12), memory.u32(at + 20)]);
    }
    expect(map).toEqual([
      [0, 0x9fc00, 1],
      [0x9fc00, 0x400, 2],
      [0xf0000, 0x10000, 2],
      [0x100000, 3 * MB, 1],
    ]);
  });

  it('gives the initrd as a module behind the kernel', () => {
    const image = load(elf(), { initrd: new Uint8Array([1, 2, 3]), initrdName: 'boot/disk.img' });
    const memory = reader(image);
    const info = image.entry.registers[EBX]!;
    expect(memory.u32(info) & 8).toBe(8);
    expect(memory.u32(info + 20)).toBe(1);
    const module = memory.u32(info + 24);
    expect([memory.u32(module), memory.u32(module + 4)]).toEqual([0x101000, 0x101003]);
    expect(memory.text(memory.u32(module + 8))).toBe('disk.img');
    expect(memory.u8(0x101002)).toBe(3);
  });

  it('takes a virtual entry to its physical address', () => {
    expect(load(elf(undefined, 0x100000, 0xc0100000)).entry.eip).toBe(0x100080);
  });

  it('clears what the file does not fill', () => {
    const segment = load(elf()).segments.find((s) => s.address === 0x100000)!;
    expect(segment.bytes).toHaveLength(0x1000);
  });

  it('keeps its structures clear of a kernel in low memory', () => {
    const { segments } = load(elf(undefined, 0x9e000));
    const kernel = segments.find((s) => s.address === 0x9e000)!;
    for (const s of segments) {
      if (s !== kernel) expect(s.address + s.bytes.length <= 0x9e000 || s.address >= 0x9f000).toBe(true);
    }
  });

  it('loads any format by the address fields', () => {
    const file = new Uint8Array(0x300);
    const view = new DataView(file.buffer);
    header(view, 0x40, 0x10000, [0x200040, 0x200000, 0x200200, 0x200400, 0x200100]);
    file[0x100] = 0x90;
    const { entry, segments } = load(file);
    const kernel = segments.find((s) => s.address === 0x200000)!;
    expect(entry.eip).toBe(0x200100);
    expect(kernel.bytes).toHaveLength(0x400);
    expect(kernel.bytes[0x100]).toBe(0x90);
    header(view, 0x40, 0x10000, [0x200040, 0x200000, 0, 0, 0x200100]);
    expect(load(file).segments.find((s) => s.address === 0x200000)!.bytes).toHaveLength(0x300);
  });

  it('recognises by magic and checksum', () => {
    expect(loader.recognises(elf())).toBe(true);
    expect(loader.recognises(elf((v) => v.setUint32(0x68, 0, true)))).toBe(false);
    expect(loader.recognises(new Uint8Array(3))).toBe(false);
  });

  const kludge = (fields: readonly number[]) => {
    const file = new Uint8Array(0x100);
    header(new DataView(file.buffer), 0, 0x10000, fields);
    return file;
  };
  it.each([
    ['no header', new Uint8Array(100), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['an unknown requirement', elf((v) => header(v, 0x60, 0x10)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['a 64-bit ELF', elf((v) => v.setUint8(4, 2)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['no ELF at all', elf((v) => v.setUint8(0, 0)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['no program headers', elf((v) => v.setUint16(44, 0, true)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['no loadable segment', elf((v) => v.setUint32(52, 4, true)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['a segment larger in the file', elf((v) => v.setUint32(52 + 20, 0x10, true)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['program headers past the end', elf((v) => v.setUint16(44, 100, true)), {}, 'RF_KERNEL_TRUNCATED'],
    ['a segment past the end', elf().subarray(0, 0x1ff), {}, 'RF_KERNEL_TRUNCATED'],
    ['a segment beyond memory', elf(undefined, 4 * MB - 0x800), {}, 'RF_KERNEL_TOO_LARGE'],
    ['a segment in the hole', elf(undefined, 0xa0000), {}, 'RF_KERNEL_TOO_LARGE'],
    ['an initrd beyond memory', elf(), { initrd: new Uint8Array(3 * MB) }, 'RF_INITRD_TOO_LARGE'],
    ['cut address fields', kludge([0x200000, 0x200000, 0, 0, 0]).subarray(0, 24), {}, 'RF_KERNEL_TRUNCATED'],
    ['address fields past the end', kludge([0x200000, 0x200000, 0x200200, 0, 0]), {}, 'RF_KERNEL_TRUNCATED'],
    ['address fields before the file', kludge([0x200010, 0x200000, 0, 0, 0]), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['address fields out of order', kludge([0x200000, 0x200000, 0x200080, 0x200040, 0]), {}, 'RF_KERNEL_NOT_BOOTABLE'],
  ] as [string, Uint8Array, Partial<LoadRequest>, string][])('refuses %s', (_what, kernel, more, expected) => {
    expect(refusal(() => load(kernel, more))).toBe(expected);
  });
});
