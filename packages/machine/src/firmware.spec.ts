/** Firmware on the board: its two places, what is refused, and what devices are told of it. The start itself: preset-pc. */
import {
  NO_FIRMWARE,
  PAGE_ROM,
  Tokens,
  inject,
  injectable,
  type FirmwareInfo,
  type FirmwareKernel,
  type Part,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import type { PcMachine } from './machine.js';
import { toyMachine } from './testing/toy-board.js';
import type { CreateMachineOptions } from './types.js';

function image(bytes = 0x40000): { bytes: Uint8Array; name: string } {
  const rom = Uint8Array.from({ length: bytes }, (_, i) => (i >> 8) ^ i);
  rom[bytes - 16] = 0xea;
  return { bytes: rom, name: 'rom' };
}

const boot = (more: Partial<CreateMachineOptions> = {}, config = {}, parts: readonly Part[] = []): PcMachine =>
  toyMachine(
    [],
    { memory: '4M', firmware: {}, ...config },
    { kernel: undefined, firmware: { bios: image() }, ...more },
    parts,
  ) as PcMachine;

const refusal = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    expect((error as { fix?: string }).fix).toBeTruthy();
    return (error as { code?: string }).code;
  }
};

describe('the ROM', () => {
  it('ends at 4 GiB, and its last 128 KiB stand below 1 MiB too', () => {
    const { space } = boot().parts;
    const rom = Buffer.from(image().bytes);
    for (const at of [0, 0x1fffc, 0x20000, 0x3fff0]) {
      expect(space.read(0xfffc0000 + at, 4), at.toString(16)).toBe(rom.readInt32LE(at));
    }
    expect(space.read(0xe0000, 4)).toBe(rom.readInt32LE(0x20000));
    expect(space.read(0xffff0, 1)).toBe(0xea);
    space.write(0xfffffff0, 1, 0);
    space.write(0xffff0, 1, 0);
    expect([space.read(0xfffffff0, 1), space.read(0xffff0, 1)]).toEqual([0xea, 0xea]);
    expect(space.kind[0xe0]).toBe(PAGE_ROM);
    expect(space.read(0xdffff, 1)).toBe(0xff);
    expect([0xfffffff0, 0xffff0, 0xfee00000].map((at) => space.peek(at))).toEqual([0xea, 0xea, -1]);
  });

  it('may be of 64 KiB, which then stand at F0000h alone', () => {
    const { space } = boot({ firmware: { bios: image(0x10000) } }).parts;
    expect(space.read(0xeffff, 1)).toBe(0xff);
    expect(space.read(0xffff0, 1)).toBe(0xea);
    expect(space.read(0xfffeffff, 1)).toBe(0xff);
  });

  it.each([
    ['an odd size', { bytes: new Uint8Array(0x1234), name: 'x' }],
    ['nothing', { bytes: new Uint8Array(0), name: 'x' }],
    ['no jump at the reset vector', { bytes: new Uint8Array(0x10000), name: 'x' }],
  ])('is refused with %s', (_what, bios) => {
    expect(refusal(() => boot({ firmware: { bios } }))).toBe('RF_FIRMWARE_INVALID');
  });

  it('is refused with a video BIOS that is none', () => {
    const vgaBios = { bytes: Uint8Array.from([0x55, 0xaa, 2]), name: 'v' };
    expect(refusal(() => boot({ firmware: { bios: image(), vgaBios } }))).toBe('RF_FIRMWARE_INVALID');
  });
});

describe('the start', () => {
  it('needs a kernel where there is no firmware, and no initrd without a kernel', () => {
    expect(refusal(() => boot({ firmware: undefined }, { firmware: undefined }))).toBe('RF_BAD_USAGE');
    expect(refusal(() => boot({ firmware: undefined }))).toBe('RF_FIRMWARE_NOT_FOUND');
    expect(refusal(() => boot({ initrd: { bytes: new Uint8Array(1), name: 'i' } }))).toBe('RF_CONTRADICTION');
  });

  it('refuses a kernel whose format has no real-mode entry', () => {
    expect(refusal(() => boot({ kernel: { bytes: new Uint8Array([0x55]), name: 'k' } }))).toBe('RF_CONTRADICTION');
  });
});

describe('what devices are told', () => {
  const seen: FirmwareInfo[] = [];
  @injectable()
  class Listener {
    constructor(@inject(Tokens.FirmwareInfo) info: FirmwareInfo) {
      seen.push(info);
    }
    reset() {}
    saveState() {
      return { component: 'listener', version: 1, data: {} };
    }
    loadState() {}
  }
  const listener: Part = { kind: 'device', name: 'listener', summary: '', resources: {}, useClass: Listener };

  it('is the configuration and the kernel', () => {
    const kernel = {} as FirmwareKernel;
    const loader: Part = {
      kind: 'loader',
      name: 'real',
      summary: '',
      priority: 100,
      useClass: class {
        recognises = () => true;
        forFirmware = () => kernel;
      } as never,
    };
    boot(
      { kernel: { bytes: new Uint8Array(1), name: 'k' } },
      { firmware: { boot: ['cdrom'], menuSeconds: 1.5, serialConsole: true } },
      [listener, loader],
    );
    expect(seen.at(-1)).toMatchObject({ present: true, boot: ['cdrom'], menuMilliseconds: 1500, serialConsole: true });
    expect(seen.at(-1)!.kernel).toBe(kernel);
    expect(seen.at(-1)!.files()).toEqual([]);
  });

  it('is nothing without firmware', () => {
    const kernel = { bytes: new Uint8Array([0x55]), name: 'k' };
    boot({ firmware: undefined, kernel }, { firmware: undefined }, [listener]);
    expect(seen.at(-1)).toBe(NO_FIRMWARE);
  });
});
