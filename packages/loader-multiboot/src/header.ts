/**
 * Reads a multiboot 1 image (Multiboot Specification 0.6.96, sections 3.1 "OS image format"): finds the header, and from
 * its address fields or the ELF32 program headers works out what goes where. Checks everything against the file's end.
 */
import { type KernelImage, notBootable, readElf, truncated, viewOf } from './image.js';

const MAGIC = 0x1badb002;
/** The header lies within the first 8192 bytes, 4-byte aligned. */
const SEARCH_BYTES = 8192;
/** Bits 0..15 of the flags are requirements; these are the ones we meet: alignment, memory information, video. */
const KNOWN_REQUIREMENTS = 0x0007;
const FLAG_ADDRESSES = 0x10000;

/** Offset of the header, or -1. */
export function findHeader(kernel: Uint8Array): number {
  const view = viewOf(kernel);
  const end = Math.min(kernel.length, SEARCH_BYTES) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    if (((MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true)) | 0) === 0) return at;
  }
  return -1;
}

/** Throws RF_KERNEL_NOT_BOOTABLE or RF_KERNEL_TRUNCATED. */
export function readImage(kernel: Uint8Array, name: string): KernelImage {
  const at = findHeader(kernel);
  if (at < 0) throw notBootable(name, 'has no multiboot header in its first 8192 bytes');
  const flags = viewOf(kernel).getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0)
    throw notBootable(name, `requires multiboot features 0x${unknown.toString(16)}, which nobody defines`);
  return (flags & FLAG_ADDRESSES) !== 0 ? readAddresses(kernel, name, at) : readElf(kernel, name);
}

/** Section 3.1.3 "The address fields of Multiboot header". */
function readAddresses(kernel: Uint8Array, name: string, at: number): KernelImage {
  if (kernel.length < at + 32) throw truncated(name, kernel.length, at + 32);
  const view = viewOf(kernel);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((o) =>
    view.getUint32(at + o, true),
  );
  const from = at - (headerAddress - loadAddress);
  if (from < 0 || headerAddress < loadAddress) throw notBootable(name, 'has address fields that point before the file');
  const fileBytes = loadEnd === 0 ? kernel.length - from : loadEnd - loadAddress;
  if (fileBytes < 0 || (bssEnd !== 0 && bssEnd < loadAddress + fileBytes))
    throw notBootable(name, 'has address fields out of order');
  if (from + fileBytes > kernel.length) throw truncated(name, kernel.length, from + fileBytes);
  const memoryBytes = bssEnd === 0 ? fileBytes : bssEnd - loadAddress;
  return { parts: [{ address: loadAddress, bytes: kernel.subarray(from, from + fileBytes), memoryBytes }], entry };
}
