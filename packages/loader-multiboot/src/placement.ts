/**
 * Where things go in a guest's memory when a kernel is started without firmware: the kernel where it says, an initrd behind
 * it, boot information below 640K; and the memory map that tells the kernel so.
 */
import { EBDA_BASE, EBDA_END, RingfenceError, type LoadRequest, type LoadSegment } from '@ringfence/sdk';
import type { ImagePart } from './image.js';

export const LOW_END = EBDA_BASE;
export const HIGH_BASE = 0x100000;
const PAGE = 4096;
const MMAP_RAM = 1;
const MMAP_RESERVED = 2;

/** From, to, type, of both multiboot versions. */
export function memoryMap(ramBytes: number): (readonly [number, number, number])[] {
  const map = [
    [0, LOW_END, MMAP_RAM],
    [LOW_END, EBDA_END, MMAP_RESERVED],
    [0xf0000, HIGH_BASE, MMAP_RESERVED],
    [HIGH_BASE, ramBytes, MMAP_RAM],
  ] as const;
  return map.filter(([from, to]) => to > from);
}

/** The parts with their zeros. Throws RF_KERNEL_TOO_LARGE for one that does not fit. */
export function placeParts(parts: readonly ImagePart[], request: LoadRequest): LoadSegment[] {
  for (const part of parts) checkFits(part, request);
  return parts.map((part) => {
    const bytes = new Uint8Array(part.memoryBytes);
    bytes.set(part.bytes);
    return { address: part.address, bytes };
  });
}

/** The first address behind the kernel, not below 1M. */
export function endOf(parts: readonly ImagePart[]): number {
  return Math.max(HIGH_BASE, ...parts.map((part) => part.address + part.memoryBytes));
}

function checkFits(part: ImagePart, { kernelName, ramBytes }: LoadRequest): void {
  const end = part.address + part.memoryBytes;
  const inHole = part.address < HIGH_BASE && end > LOW_END;
  if (!inHole && end <= ramBytes) return;
  throw new RingfenceError('RF_KERNEL_TOO_LARGE', {
    message: `${kernelName} wants memory from 0x${part.address.toString(16)} to 0x${end.toString(16)}, the guest has 0-0x${LOW_END.toString(16)} and 0x100000-0x${ramBytes.toString(16)}`,
    value: end,
    fix: inHole ? 'link the kernel at 1M or above' : `give the guest at least ${Math.ceil(end / 1024 ** 2)}M with -m`,
  });
}

/** Throws RF_INITRD_TOO_LARGE. */
export function placeInitrd({ initrd, initrdName, ramBytes }: LoadRequest, kernelEnd: number): number {
  if (initrd === undefined) return 0;
  const address = Math.ceil(kernelEnd / PAGE) * PAGE;
  if (address + initrd.length <= ramBytes) return address;
  throw new RingfenceError('RF_INITRD_TOO_LARGE', {
    message: `${initrdName ?? 'the initrd'} (${initrd.length} bytes) does not fit behind the kernel`,
    value: initrd.length,
    fix: `give the guest at least ${Math.ceil((address + initrd.length) / 1024 ** 2)}M with -m`,
  });
}

/** The highest page-aligned place in conventional memory, clear of the kernel's own parts. */
export function freeLowMemory(bytes: number, parts: readonly ImagePart[], name: string): number {
  for (let at = Math.floor((LOW_END - bytes) / PAGE) * PAGE; at >= PAGE; at -= PAGE) {
    if (parts.every((part) => at + bytes <= part.address || at >= part.address + part.memoryBytes)) return at;
  }
  throw new RingfenceError('RF_KERNEL_TOO_LARGE', {
    message: `${name} leaves no room below 640K for ${bytes} bytes of boot information`,
    value: bytes,
    fix: 'link the kernel at 1M or above, or shorten --append',
  });
}

/** Without its folder: guest memory must not depend on where the user keeps a file. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}
