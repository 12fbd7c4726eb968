/**
 * What kernels of every kind here share: parts of a file that go to places in memory, and how an ELF32 file says which
 * (Tool Interface Standard, "Executable and Linking Format", 1.2). Checks everything against the file's end. No sections,
 * no relocation, no ELF64: a processor of IA-32 cannot run that.
 */
import { RingfenceError } from '@ringfence/sdk';

const EM_386 = 3;
const PT_LOAD = 1;

/** A stretch of memory to fill: file bytes, then zeros up to `memoryBytes`. */
export interface ImagePart {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

export interface KernelImage {
  readonly parts: readonly ImagePart[];
  readonly entry: number;
}

/** Throws RF_KERNEL_NOT_BOOTABLE or RF_KERNEL_TRUNCATED. */
export function readElf(kernel: Uint8Array, name: string): KernelImage {
  const view = viewOf(kernel);
  if (kernel.length < 52) throw truncated(name, kernel.length, 52);
  if (view.getUint32(0, false) !== 0x7f454c46)
    throw notBootable(name, 'is no ELF file, and says in no other way where it goes');
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

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function notBootable(name: string, what: string): RingfenceError {
  return new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
    message: `${name} ${what}`,
    value: name,
    fix: 'check it with readelf -l, grub-file --is-x86-multiboot or grub-file --is-x86-multiboot2',
  });
}

export function truncated(name: string, bytes: number, needed: number): RingfenceError {
  return new RingfenceError('RF_KERNEL_TRUNCATED', {
    message: `${name} ends after ${bytes} bytes, its headers promise ${needed}`,
    value: bytes,
    fix: 'fetch or build the file again',
  });
}
