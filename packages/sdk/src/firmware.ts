/**
 * What firmware and the board have to tell each other: where to boot from, a kernel to start, files to read. A board
 * without firmware has the same capability with nothing in it. How it reaches the firmware (CMOS memory, fw_cfg) is the
 * affair of the chips that ask for it; what firmware does with it is its own.
 */
import type { FirmwareFile } from './platform-tables.js';

/** The kinds of drives that firmware can boot from. */
export const BOOT_SOURCES = ['disk', 'cdrom', 'floppy'] as const;
export type BootSource = (typeof BOOT_SOURCES)[number];

/** One part of a kernel and where it goes in guest memory. */
export interface FirmwareKernelPart {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * A kernel to be started by its real-mode entry: the parts are copied, then execution begins 512 bytes into `setup`, with
 * all data segments on `setup`, whose 64 KiB are the kernel's.
 */
export interface FirmwareKernel {
  readonly setup: FirmwareKernelPart;
  readonly payload: FirmwareKernelPart;
  readonly commandLine: FirmwareKernelPart;
  readonly initrd: FirmwareKernelPart | undefined;
}

export interface FirmwareInfo {
  /** There is firmware on the board. */
  readonly present: boolean;
  /** In the order in which they are tried; what is not named comes after. */
  readonly boot: readonly BootSource[];
  /** How long firmware waits for somebody to press the key of its boot menu; 0: it does not. */
  readonly menuMilliseconds: number;
  /** Firmware also talks on the first serial line. */
  readonly serialConsole: boolean;
  readonly kernel: FirmwareKernel | undefined;
  /** Video BIOS. */
  readonly vgaBios: Uint8Array | undefined;
  /** What else firmware may read by name: ACPI tables, say. Preconditions: asked when the whole board stands. */
  files(): readonly FirmwareFile[];
}

export const NO_FIRMWARE: FirmwareInfo = {
  present: false,
  boot: [],
  menuMilliseconds: 0,
  serialConsole: false,
  kernel: undefined,
  vgaBios: undefined,
  files: () => [],
};

/**
 * Whether an option ROM belongs to a PCI function, which then serves it as its expansion ROM (PCI Local Bus Specification 2.1,
 * 6.3.1 "PCI Expansion ROM Contents"): it points at a PCI data structure.
 */
export function isPciRom(image: Uint8Array): boolean {
  const at = image[0x18] | (image[0x19] << 8);
  return [0x50, 0x43, 0x49, 0x52].every((byte, n) => image[at + n] === byte); // "PCIR"
}
