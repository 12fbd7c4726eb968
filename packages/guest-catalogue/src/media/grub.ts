/**
 * Makes GRUB bootable from a disk (GRUB manual, "BIOS installation"): the core image that grub-mkimage would make of the
 * kernel and modules of Debian's grub-pc-bin, and the boot sector that loads it. The core image is a sector that loads the
 * rest by a block list, a decompressor, and, as one LZMA stream, GRUB's kernel, a header, its modules and its prefix.
 * What mkimage can do beyond that (memory disks, keys, other platforms) is not here.
 */
import { RingfenceError } from '@ringfence/sdk';
import { lzmaLiterals } from './lzma.js';
import { member } from './tar.js';

const SECTOR = 512;
const FOLDER = './usr/lib/grub/i386-pc/';

const MODULE_MAGIC = 0x676d696d; // "mimg"
const MODULE_INFO_BYTES = 12;
const MODULE_HEADER_BYTES = 8;
const TYPE_ELF = 0;
const TYPE_PREFIX = 3;

const DECOMPRESSOR_COMPRESSED_SIZE = 0x08;
const DECOMPRESSOR_UNCOMPRESSED_SIZE = 0x0c;
/** In the core image's first sector: from which sector, how many, to which segment. */
const BLOCK_LIST = 0x1f4;
const LOAD_SEGMENT = 0x820;
/** In the boot sector: the core image's first sector; a check for BIOSes that pass a wrong drive, a jump over which is two NOPs. */
const BOOT_KERNEL_SECTOR = 0x5c;
const BOOT_DRIVE_CHECK = 0x66;
const NOP = 0x90;
/** GRUB keeps what is above for itself. */
const MAX_CORE = 0x78000;

/** The boot sector without a partition table, and the core image for the sectors behind it. */
export interface GrubImages {
  readonly boot: Uint8Array;
  readonly core: Uint8Array;
}

/** `files` are those of grub-pc-bin; `prefix` is GRUB's name of the folder with grub.cfg. */
export function grubImages(
  files: ReadonlyMap<string, Uint8Array>,
  modules: readonly string[],
  prefix: string,
): GrubImages {
  const file = (name: string): Uint8Array => member(files, `${FOLDER}${name}`);
  const boot = new Uint8Array(file('boot.img'));
  new DataView(boot.buffer).setBigUint64(BOOT_KERNEL_SECTOR, 1n, true);
  boot.fill(NOP, BOOT_DRIVE_CHECK, BOOT_DRIVE_CHECK + 2);

  const closure = withDependencies(modules, Buffer.from(file('moddep.lst')).toString());
  const plain = concat([
    loadSegment(file('kernel.img')),
    moduleArea([
      ...closure.map((name) => ({ type: TYPE_ELF, bytes: file(`${name}.mod`) })),
      { type: TYPE_PREFIX, bytes: Buffer.from(`${prefix}\0`) },
    ]),
  ]);
  const packed = lzmaLiterals(plain);
  const decompressor = new Uint8Array(file('lzma_decompress.img'));
  const header = new DataView(decompressor.buffer);
  header.setUint32(DECOMPRESSOR_COMPRESSED_SIZE, packed.length, true);
  header.setUint32(DECOMPRESSOR_UNCOMPRESSED_SIZE, plain.length, true);

  const loaded = decompressor.length + packed.length;
  if (loaded > MAX_CORE) {
    throw new RingfenceError('RF_INTERNAL', {
      message: `GRUB's core image of ${loaded} bytes is too large`,
      value: loaded,
    });
  }
  const sectors = Math.ceil(loaded / SECTOR);
  const core = new Uint8Array(SECTOR * (1 + sectors));
  core.set(file('diskboot.img'));
  core.set(decompressor, SECTOR);
  core.set(packed, SECTOR + decompressor.length);
  const list = new DataView(core.buffer, BLOCK_LIST);
  list.setBigUint64(0, 2n, true);
  list.setUint16(8, sectors, true);
  list.setUint16(10, LOAD_SEGMENT, true);
  return { boot, core };
}

/** Each module behind those it needs. `list` has a line `module: what it needs` each. */
export function withDependencies(modules: readonly string[], list: string): string[] {
  const needs = new Map<string, string[]>();
  for (const line of list.split('\n')) {
    const [name, rest] = line.split(':');
    if (rest !== undefined) needs.set(name.trim(), rest.split(/\s+/).filter(Boolean));
  }
  const order: string[] = [];
  const seen = new Set<string>();
  const add = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const other of needs.get(name) ?? []) add(other);
    order.push(name);
  };
  for (const name of modules) add(name);
  return order;
}

/** The bytes in the file of an ELF's only loadable segment. */
function loadSegment(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
  const table = view.getUint32(28, true);
  const entry = view.getUint16(42, true);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = table + i * entry;
    if (view.getUint32(at, true) !== 1) continue;
    const offset = view.getUint32(at + 4, true);
    return elf.subarray(offset, offset + view.getUint32(at + 16, true));
  }
  throw new RingfenceError('RF_PACKAGE_MISMATCH', {
    message: "GRUB's kernel has no loadable segment",
    value: 'kernel.img',
    fix: 'its layout has changed: report this to the authors of Ringfence',
  });
}

function moduleArea(objects: readonly { readonly type: number; readonly bytes: Uint8Array }[]): Uint8Array {
  const padded = objects.map(({ type, bytes }) => ({ type, bytes, size: Math.ceil(bytes.length / 4) * 4 }));
  const total = padded.reduce((sum, { size }) => sum + MODULE_HEADER_BYTES + size, MODULE_INFO_BYTES);
  const area = new Uint8Array(total);
  const view = new DataView(area.buffer);
  view.setUint32(0, MODULE_MAGIC, true);
  view.setUint32(4, MODULE_INFO_BYTES, true);
  view.setUint32(8, total, true);
  let at = MODULE_INFO_BYTES;
  for (const { type, bytes, size } of padded) {
    view.setUint32(at, type, true);
    view.setUint32(at + 4, MODULE_HEADER_BYTES + size, true);
    area.set(bytes, at + MODULE_HEADER_BYTES);
    at += MODULE_HEADER_BYTES + size;
  }
  return area;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
