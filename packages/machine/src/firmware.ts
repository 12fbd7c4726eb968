/**
 * Firmware on the board: a ROM image that ends at 4 GiB, whose last 128 KiB also stand at E0000h-FFFFFh, where the host
 * bridge's PAM registers lay RAM over it (SDM Vol. 3A, 9.1.4 "First Instruction Executed": F000:FFF0 with a CS base of
 * FFFF0000h). Processors fetch from the high copy a byte at a time, as from any device: firmware leaves it at once.
 * It does not know which firmware it is. Flash commands do nothing.
 */
import {
  PHYS_BASE,
  RingfenceError,
  type FirmwareInfo,
  type FirmwareKernel,
  type MachineConfig,
  type PhysicalSpace,
} from '@ringfence/sdk';
import { EXTENDED_BASE } from './memory-map.js';
import type { FirmwareImages, ImageFile } from './types.js';

const FOUR_GIB = 0x1_0000_0000;
const LOW_COPY = 0x20000;
const GRAIN = 0x10000;
const MAX_BIOS = 0x1000000;
const MAX_VGA_BIOS = 0x10000;

/** Throws RF_FIRMWARE_INVALID for what cannot be a BIOS or a video BIOS. */
export function checkFirmware({ bios, vgaBios }: FirmwareImages): void {
  const { length } = bios.bytes;
  if (length === 0 || length % GRAIN !== 0 || length > MAX_BIOS) {
    throw invalid(bios, `a BIOS is 64K to 16M in steps of 64K, this has ${length} bytes`);
  }
  // The first instruction: firmware begins with a jump, an erased chip or a text does not.
  if (![0xea, 0xe9, 0xeb].includes(bios.bytes[length - 16]))
    throw invalid(bios, 'there is no jump at its reset vector');
  if (vgaBios === undefined) return;
  const [first, second, blocks] = vgaBios.bytes;
  const fits = blocks * 512 <= vgaBios.bytes.length && vgaBios.bytes.length <= MAX_VGA_BIOS;
  if (first !== 0x55 || second !== 0xaa || !fits)
    throw invalid(vgaBios, 'it is not an option ROM (55 AA, its size) of at most 64K');
}

/** Puts the ROM into its two places. Preconditions: `checkFirmware`, and the guest's memory is mapped. */
export function mapFirmware(space: PhysicalSpace, bios: ImageFile): void {
  const { bytes } = bios;
  const low = bytes.subarray(Math.max(0, bytes.length - LOW_COPY));
  space.memory.u8.set(low, PHYS_BASE + EXTENDED_BASE - low.length);
  space.mapMmio(FOUR_GIB - bytes.length, bytes.length, {
    isRom: true,
    mmioRead: (offset, size) => {
      let value = 0;
      for (let i = 0; i < size; i++) value |= bytes[offset + i] << (8 * i);
      return value;
    },
    mmioWrite: () => {},
  });
}

/** What the board's chips tell firmware. */
export function firmwareInfo(
  config: MachineConfig['firmware'],
  images: FirmwareImages,
  kernel: FirmwareKernel | undefined,
  files: FirmwareInfo['files'],
): FirmwareInfo {
  return {
    present: true,
    boot: config?.boot ?? ['disk', 'cdrom', 'floppy'],
    menuMilliseconds: Math.round((config?.menuSeconds ?? 0) * 1000),
    serialConsole: config?.serialConsole ?? false,
    kernel,
    vgaBios: images.vgaBios?.bytes,
    files,
  };
}

function invalid(file: ImageFile, why: string): RingfenceError {
  return new RingfenceError('RF_FIRMWARE_INVALID', {
    message: `${file.name} cannot be the board's firmware: ${why}`,
    value: file.name,
    fix: 'use --bios seabios, or an image made for a PC',
  });
}
