/**
 * The setup header of the Linux boot protocol (Linux, Documentation/arch/x86/boot.rst "The Real-Mode Kernel Header"):
 * reads it out of a kernel file and checks what can be checked before anything runs. Offsets are those of the file's
 * first sector, which are also those of the zero page.
 */
import { RingfenceError } from '@ringfence/sdk';

export const HDR_SETUP_SECTS = 0x1f1;
export const HDR_SYSSIZE = 0x1f4;
export const HDR_VID_MODE = 0x1fa;
export const HDR_BOOT_FLAG = 0x1fe;
export const HDR_JUMP = 0x200;
export const HDR_MAGIC = 0x202;
export const HDR_VERSION = 0x206;
export const HDR_TYPE_OF_LOADER = 0x210;
export const HDR_LOADFLAGS = 0x211;
export const HDR_CODE32_START = 0x214;
export const HDR_RAMDISK_IMAGE = 0x218;
export const HDR_RAMDISK_SIZE = 0x21c;
export const HDR_HEAP_END_PTR = 0x224;
export const HDR_CMD_LINE_PTR = 0x228;
export const HDR_INITRD_ADDR_MAX = 0x22c;
export const HDR_CMDLINE_SIZE = 0x238;
export const HDR_PREF_ADDRESS = 0x258;
export const HDR_INIT_SIZE = 0x260;

export const MAGIC_HDRS = 0x53726448; // "HdrS"
export const BOOT_FLAG = 0xaa55;
export const LOADED_HIGH = 0x01;
const SECTOR = 512;
const PROTOCOL_2_02 = 0x0202;

export interface SetupHeader {
  /** Its bytes, to be copied into the zero page at HDR_SETUP_SECTS. */
  readonly bytes: Uint8Array;
  readonly version: number;
  /** The protected-mode part of the file. */
  readonly payload: Uint8Array;
  readonly code32Start: number;
  /** Highest address an initrd may occupy. */
  readonly initrdAddrMax: number;
  /** Longest command line, without its terminating zero. */
  readonly cmdlineSize: number;
  /** Where the kernel will run, and how much memory it needs from there before it has looked at the memory map. */
  readonly prefAddress: number;
  readonly initSize: number;
}

export function looksLikeLinux(kernel: Uint8Array): boolean {
  if (kernel.length < HDR_MAGIC + 4) return false;
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  return view.getUint16(HDR_BOOT_FLAG, true) === BOOT_FLAG && view.getUint32(HDR_MAGIC, true) === MAGIC_HDRS;
}

/** Throws RF_KERNEL_NOT_BOOTABLE or RF_KERNEL_TRUNCATED. */
export function readSetupHeader(kernel: Uint8Array, name: string): SetupHeader {
  if (!looksLikeLinux(kernel)) {
    throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
      message: `${name} has no Linux setup header ("HdrS" at 0x202)`,
      value: name,
      fix: 'give a bzImage (arch/x86/boot/bzImage or /boot/vmlinuz-*), not a vmlinux',
    });
  }
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  const headerEnd = HDR_JUMP + 2 + view.getUint8(HDR_JUMP + 1);
  if (kernel.length < headerEnd || kernel.length < HDR_INITRD_ADDR_MAX) throw truncated(name, kernel.length, headerEnd);
  const version = view.getUint16(HDR_VERSION, true);
  if (version < PROTOCOL_2_02) {
    throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
      message: `${name} speaks boot protocol ${version >> 8}.${version & 0xff}, older than 2.02`,
      value: version,
      fix: 'use a kernel of Linux 2.4 or later',
    });
  }
  if ((view.getUint8(HDR_LOADFLAGS) & LOADED_HIGH) === 0) {
    throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
      message: `${name} is a zImage, which loads below 640K`,
      value: name,
      fix: 'build a bzImage',
    });
  }
  // setup_sects 0 means 4 for historical reasons; the boot sector itself comes on top.
  const payloadAt = ((view.getUint8(HDR_SETUP_SECTS) || 4) + 1) * SECTOR;
  const wide = version >= 0x0204;
  const paragraphs = wide ? view.getUint32(HDR_SYSSIZE, true) : view.getUint16(HDR_SYSSIZE, true);
  // syssize rounds up to 16 bytes.
  if (kernel.length <= payloadAt || kernel.length - payloadAt + 15 < paragraphs * 16) {
    throw truncated(name, kernel.length, payloadAt + paragraphs * 16);
  }
  const field = (offset: number, since: number, otherwise: number) =>
    version >= since && headerEnd >= offset + 4 ? view.getUint32(offset, true) : otherwise;
  const code32Start = view.getUint32(HDR_CODE32_START, true);
  const payload = kernel.subarray(payloadAt);
  return {
    bytes: kernel.subarray(HDR_SETUP_SECTS, headerEnd),
    version,
    payload,
    code32Start,
    initrdAddrMax: field(HDR_INITRD_ADDR_MAX, 0x0203, 0x37ffffff),
    cmdlineSize: field(HDR_CMDLINE_SIZE, 0x0206, 255) || 255,
    prefAddress: field(HDR_PREF_ADDRESS, 0x020a, code32Start),
    initSize: field(HDR_INIT_SIZE, 0x020a, payload.length),
  };
}

function truncated(name: string, bytes: number, needed: number): RingfenceError {
  return new RingfenceError('RF_KERNEL_TRUNCATED', {
    message: `${name} ends after ${bytes} bytes, its header promises ${needed}`,
    value: bytes,
    fix: 'fetch or copy the file again',
  });
}
