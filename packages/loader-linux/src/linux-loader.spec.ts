import { CS, DS, ES, ESI, SS, RingfenceError, type LoadRequest } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { LinuxLoader } from './linux-loader.js';
import {
  BOOT_FLAG,
  HDR_BOOT_FLAG,
  HDR_CMDLINE_SIZE,
  HDR_CMD_LINE_PTR,
  HDR_CODE32_START,
  HDR_HEAP_END_PTR,
  HDR_INITRD_ADDR_MAX,
  HDR_INIT_SIZE,
  HDR_LOADFLAGS,
  HDR_MAGIC,
  HDR_PREF_ADDRESS,
  HDR_RAMDISK_IMAGE,
  HDR_SETUP_SECTS,
  HDR_SYSSIZE,
  HDR_VERSION,
  HDR_VID_MODE,
  MAGIC_HDRS,
} from './setup-header.js';

const MB = 1024 * 1024;
const loader = new LinuxLoader();

/** A bzImage with a payload of `payload` bytes, of which the last is 0xAB. */
function bzImage(change: (view: DataView) => void = () => {}, payload = 1000): Uint8Array {
  const file = new Uint8Array(3 * 512 + payload);
  const view = new DataView(file.buffer);
  view.setUint8(HDR_SETUP_SECTS, 2);
  view.setUint32(HDR_SYSSIZE, Math.ceil(payload / 16), true);
  view.setUint16(HDR_BOOT_FLAG, BOOT_FLAG, true);
  view.setUint8(0x201, 0x66);
  view.setUint32(HDR_MAGIC, MAGIC_HDRS, true);
  view.setUint16(HDR_VERSION, 0x020c, true);
  view.setUint8(HDR_LOADFLAGS, 1);
  view.setUint32(HDR_CODE32_START, 0x100000, true);
  view.setUint32(HDR_INITRD_ADDR_MAX, 0xffffffff, true);
  view.setUint32(HDR_CMDLINE_SIZE, 255, true);
  view.setUint32(HDR_PREF_ADDRESS, 0x100000, true);
  view.setUint32(HDR_INIT_SIZE, 0x68000, true);
  file[file.length - 1] = 0xab;
  change(view);
  return file;
}

function load(kernel: Uint8Array, more: Partial<LoadRequest> = {}) {
  return loader.load({
    kernel,
    kernelName: 'vmlinuz',
    commandLine: 'console=ttyS0',
    ramBytes: 8 * MB,
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

describe('Linux boot protocol', () => {
  it('enters at code32_start with the zero page in ESI', () => {
    const { entry, segments } = load(bzImage());
    expect(entry.eip).toBe(0x100000);
    expect(entry.eflags).toBe(2);
    expect(entry.registers[ESI]).toBe(0x90000);
    expect(entry.segments[CS]!.selector).toBe(0x10);
    for (const index of [DS, ES, SS]) expect(entry.segments[index]!.selector).toBe(0x18);
    const table = segments.find((s) => s.address === entry.gdt!.base)!;
    expect(new DataView(table.bytes.buffer).getBigUint64(0x10, true)).toBe(0x00cf9b000000ffffn);
    const payload = segments.find((s) => s.address === 0x100000)!;
    expect(payload.bytes).toHaveLength(1000);
    expect(payload.bytes[999]).toBe(0xab);
  });

  it('fills the zero page', () => {
    const { segments } = load(bzImage());
    const page = segments.find((s) => s.address === 0x90000)!.bytes;
    const view = new DataView(page.buffer);
    expect(view.getUint32(HDR_MAGIC, true)).toBe(MAGIC_HDRS);
    expect(view.getUint32(HDR_CODE32_START, true)).toBe(0x100000);
    expect(view.getUint8(0x210)).toBe(0xff);
    expect(view.getUint8(0x0f)).toBe(1);
    expect(view.getUint32(0x1e0, true)).toBe(7 * 1024);
    const map = Array.from({ length: view.getUint8(0x1e8) }, (_, i) => {
      const at = 0x2d0 + i * 20;
      return [
        Number(view.getBigUint64(at, true)),
        Number(view.getBigUint64(at + 8, true)),
        view.getUint32(at + 16, true),
      ];
    });
    expect(map).toEqual([
      [0, 0x9fc00, 1],
      [0x9fc00, 0x400, 2],
      [0xf0000, 0x10000, 2],
      [0x100000, 7 * MB, 1],
    ]);
    const commandLine = segments.find((s) => s.address === view.getUint32(0x228, true))!.bytes;
    expect(Buffer.from(commandLine).toString()).toBe('console=ttyS0\0');
  });

  it('puts the initrd as high as the kernel allows', () => {
    const initrd = new Uint8Array(5000);
    const at = (kernel: Uint8Array) => {
      const { segments } = load(kernel, { initrd, initrdName: 'initrd' });
      const view = new DataView(segments.find((s) => s.address === 0x90000)!.bytes.buffer);
      expect(view.getUint32(0x21c, true)).toBe(5000);
      const address = view.getUint32(0x218, true);
      expect(segments.some((s) => s.address === address && s.bytes === initrd)).toBe(true);
      return address;
    };
    expect(at(bzImage())).toBe(8 * MB - 8192);
    expect(at(bzImage((v) => v.setUint32(HDR_INITRD_ADDR_MAX, 4 * MB - 1, true)))).toBe(4 * MB - 8192);
  });

  it('lays out the real-mode entry for firmware, and leaves the file as it is', () => {
    const initrd = new Uint8Array(5000);
    // A Buffer, as files are read: its `slice` would not copy.
    const file = Buffer.from(bzImage());
    const request = { kernel: file, kernelName: 'k', commandLine: 'quiet', ramBytes: 8 * MB, options: {}, initrd };
    const { setup, payload, commandLine, initrd: placed } = loader.forFirmware(request);
    expect(file.equals(bzImage())).toBe(true);
    expect([setup.address, setup.bytes.length, payload.address, payload.bytes.length]).toEqual([
      0x10000, 1536, 0x100000, 1000,
    ]);
    expect(Buffer.from(commandLine.bytes).toString()).toBe('quiet\0');
    const view = new DataView(setup.bytes.buffer, setup.bytes.byteOffset);
    expect(view.getUint8(HDR_LOADFLAGS)).toBe(0x81);
    expect(view.getUint16(HDR_HEAP_END_PTR, true)).toBe(0xfe00);
    expect(view.getUint32(HDR_CMD_LINE_PTR, true)).toBe(commandLine.address);
    // The top megabyte is the firmware's.
    expect(placed).toEqual({ address: 7 * MB - 8192, bytes: initrd });
    expect(view.getUint32(HDR_RAMDISK_IMAGE, true)).toBe(7 * MB - 8192);
    expect(refusal(() => loader.forFirmware({ ...request, ramBytes: 1.25 * MB }))).toBe('RF_KERNEL_TOO_LARGE');
  });

  it.each([
    ['quiet', 0xffff],
    ['vga=0x314 quiet', 0x314],
    ['quiet vga=788', 788],
    ['vga=ext', 0xfffe],
    ['vga=ask vga=normal', 0xffff],
    ['novga=0x314', 0xffff],
    ['vga=large', 0xffff],
  ])('has the setup code of the real-mode entry set the mode of "%s"', (commandLine, mode) => {
    const request = { kernel: bzImage(), kernelName: 'k', commandLine, ramBytes: 8 * MB, options: {} };
    const { bytes } = loader.forFirmware(request).setup;
    expect(new DataView(bytes.buffer, bytes.byteOffset).getUint16(HDR_VID_MODE, true)).toBe(mode);
  });

  it('takes a syssize rounded up, as memtest86+ has', () => {
    expect(refusal(() => load(bzImage(undefined, 1001)))).toBeUndefined();
  });

  it('recognises by magic alone', () => {
    expect(loader.recognises(bzImage())).toBe(true);
    expect(loader.recognises(bzImage().subarray(0, 0x206))).toBe(true);
    expect(loader.recognises(new Uint8Array(100))).toBe(false);
    expect(loader.recognises(new Uint8Array(4096))).toBe(false);
  });

  it.each([
    ['no header', new Uint8Array(4096), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['an old protocol', bzImage((v) => v.setUint16(HDR_VERSION, 0x0201, true)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['a zImage', bzImage((v) => v.setUint8(HDR_LOADFLAGS, 0)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['a low load address', bzImage((v) => v.setUint32(HDR_CODE32_START, 0x10000, true)), {}, 'RF_KERNEL_NOT_BOOTABLE'],
    ['a cut header', bzImage().subarray(0, 0x210), {}, 'RF_KERNEL_TRUNCATED'],
    ['a cut payload', bzImage().subarray(0, 2000), {}, 'RF_KERNEL_TRUNCATED'],
    ['no payload', bzImage().subarray(0, 1536), {}, 'RF_KERNEL_TRUNCATED'],
    ['too little memory', bzImage((v) => v.setUint32(HDR_INIT_SIZE, 8 * MB, true)), {}, 'RF_KERNEL_TOO_LARGE'],
    ['a huge initrd', bzImage(), { initrd: new Uint8Array(7 * MB) }, 'RF_INITRD_TOO_LARGE'],
    ['a long command line', bzImage(), { commandLine: 'x'.repeat(256) }, 'RF_BAD_USAGE'],
  ] as [string, Uint8Array, Partial<LoadRequest>, string][])('refuses %s', (_what, kernel, more, expected) => {
    expect(refusal(() => load(kernel, more))).toBe(expected);
  });
});
