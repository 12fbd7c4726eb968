/**
 * The 16-bit entry of the Linux boot protocol (Linux, Documentation/arch/x86/boot.rst "Memory Layout", "The Real-Mode Kernel
 * Header"): a kernel whose own setup code asks the BIOS for memory, screen and disks before it enters protected mode.
 * This lays out the parts and fills in what a boot loader has to; firmware copies them and jumps.
 *
 * Memory: 10000 the real-mode code, its heap and stack up to 20000; 20000 the command line; the kernel at code32_start;
 * the initrd below the megabyte at the top, in which firmware keeps its tables.
 */
import type { FirmwareKernel, LoadRequest } from '@ringfence/sdk';
import {
  HDR_CMD_LINE_PTR,
  HDR_HEAP_END_PTR,
  HDR_LOADFLAGS,
  HDR_RAMDISK_IMAGE,
  HDR_RAMDISK_SIZE,
  HDR_SETUP_SECTS,
  HDR_TYPE_OF_LOADER,
  HDR_VID_MODE,
  type SetupHeader,
} from './setup-header.js';

export const REAL_MODE_CODE = 0x10000;
export const REAL_MODE_COMMAND_LINE = 0x20000;
/** A command line may take what is left below the extended BIOS data area, which is more than any kernel reads. */
export const FIRMWARE_TOP = 0x100000;

const CAN_USE_HEAP = 0x80;
const STACK_BYTES = 0x200;
/** What `vga=` may say besides a number ("Special Command Line Options"). */
const VID_MODES: Readonly<Record<string, number>> = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd };
const LOADER_UNDEFINED = 0xff;
const SECTOR = 512;

/** Preconditions: everything has been checked, `initrdAt` included. */
export function realModeEntry(
  header: SetupHeader,
  request: LoadRequest,
  commandLine: Uint8Array,
  initrdAt: number,
): FirmwareKernel {
  const bytes = ((request.kernel[HDR_SETUP_SECTS] || 4) + 1) * SECTOR;
  // A copy: the kernel's own bytes stay as they are. (`slice` of a Node Buffer is none.)
  const setup = new Uint8Array(request.kernel.subarray(0, bytes));
  const view = new DataView(setup.buffer);
  view.setUint16(HDR_VID_MODE, videoMode(request.commandLine), true);
  view.setUint8(HDR_TYPE_OF_LOADER, LOADER_UNDEFINED);
  view.setUint8(HDR_LOADFLAGS, view.getUint8(HDR_LOADFLAGS) | CAN_USE_HEAP);
  view.setUint16(HDR_HEAP_END_PTR, REAL_MODE_COMMAND_LINE - REAL_MODE_CODE - STACK_BYTES, true);
  view.setUint32(HDR_CMD_LINE_PTR, REAL_MODE_COMMAND_LINE, true);
  view.setUint32(HDR_RAMDISK_IMAGE, initrdAt, true);
  view.setUint32(HDR_RAMDISK_SIZE, request.initrd?.length ?? 0, true);
  return {
    setup: { address: REAL_MODE_CODE, bytes: setup },
    payload: { address: header.code32Start, bytes: header.payload },
    commandLine: { address: REAL_MODE_COMMAND_LINE, bytes: commandLine },
    initrd: request.initrd === undefined ? undefined : { address: initrdAt, bytes: request.initrd },
  };
}

/** The mode that the kernel's setup code is to set: it does not look at the command line, a boot loader does. */
function videoMode(commandLine: string): number {
  const asked = [...commandLine.matchAll(/(?:^|\s)vga=(\S+)/g)].at(-1)?.[1] ?? 'normal';
  return VID_MODES[asked] ?? (/^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(asked) ? Number(asked) & 0xffff : VID_MODES.normal);
}
