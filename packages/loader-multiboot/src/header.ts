/**
 * Reads a multiboot 1 image (Multiboot Specification 0.6.96, sections 3.1 "OS image format"): finds the header, and from
 * its address fields or the ELF32 program headers works out what goes where. Checks everything against the file's end.
 */
import { RingfenceError } from '@ringfence/sdk';

const MAGIC = 0x1badb002;
/** The header lies within the first 8192 bytes, 4-byte aligned. */
const SEARCH_BYTES = 8192;
/** Bits 0..15 of the flags are requirements; these are the ones we meet: alignment, memory information, video. */
const KNOWN_REQUIREMENTS = 0x0007;
const FLAG_ADDRESSES = 0x10000;
const EM_386 = 3;
const PT_LOAD = 1;

/** A stretch of memory to fill: file bytes, then zeros up to `memoryBytes`. */
export interface ImagePart {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

export interface MultibootImage {
  readonly parts: readonly ImagePart[];
  readonly entry: number;
}

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
export function readImage(kernel: Uint8Array, name: string): MultibootImage {
  const at = findHeader(kernel);
  if (at < 0) throw notBootable(name, 'has no multiboot header in its first 8192 bytes');
  const flags = viewOf(kernel).getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0)
    throw notBootable(name, `requires multiboot features 0x${unknown.toString(16)}, which nobody defines`);
  return (flags & FLAG_ADDRESSES) !== 0 ? readAddresses(kernel, name, at) : readElf(kernel, name);
}

/** Section 3.1.3 "The address fields of Multiboot header". */
function readAddresses(kernel: Uint8Array, name: string, at: number): MultibootImage {
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

function readElf(kernel: Uint8Array, name: string): MultibootImage {
  const view = viewOf(kernel);
  if (kernel.length < 52) throw truncated(name, kernel.length, 52);
  if (view.getUint32(0, false) !== 0x7f454c46)
    throw notBootable(name, 'has a multiboot header, but neither address fields nor an ELF header');
  if (view.getUint8(4) !== 1 || view.getUint8(5) !== 1 || view.getUint16(18, true) !== EM_386) {
    throw notBootable(name, 'is an ELF file, but not a 32-bit one for i386');
  }
  const table = view.getUint32(28, true);
  const stride = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (stride < 32 || count === 0) throw notBootable(name, 'has no program headers');
  if (table + stride * count > kernel.length) throw truncated(name, kernel.length, table + stride * count);
  const parts: ImagePart[] = [];
  const elfEntry = view.getUint32(24, true);
  let entry = elfEntry;
  for (let i = 0; i < count; i++) {
    const at = table + i * stride;
    const field = (offset: number) => view.getUint32(at + offset, true);
    if (field(0) !== PT_LOAD || field(20) === 0) continue;
    const [offset, virtual, address, fileBytes, memoryBytes] = [field(4), field(8), field(12), field(16), field(20)];
    if (fileBytes > memoryBytes) throw notBootable(name, `has a segment with more bytes in the file than in memory`);
    if (offset + fileBytes > kernel.length) throw truncated(name, kernel.length, offset + fileBytes);
    parts.push({ address, bytes: kernel.subarray(offset, offset + fileBytes), memoryBytes });
    // Kernels linked high give a virtual entry; the start is at its physical address (as GRUB takes it).
    if (elfEntry >= virtual && elfEntry < virtual + memoryBytes) entry = elfEntry - virtual + address;
  }
  if (parts.length === 0) throw notBootable(name, 'has no loadable segments');
  return { parts, entry };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function notBootable(name: string, what: string): RingfenceError {
  return new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
    message: `${name} ${what}`,
    value: name,
    fix: 'check it with grub-file --is-x86-multiboot',
  });
}

function truncated(name: string, bytes: number, needed: number): RingfenceError {
  return new RingfenceError('RF_KERNEL_TRUNCATED', {
    message: `${name} ends after ${bytes} bytes, its headers promise ${needed}`,
    value: bytes,
    fix: 'fetch or build the file again',
  });
}
