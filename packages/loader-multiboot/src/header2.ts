/**
 * Reads a multiboot 2 image (Multiboot2 Specification 2.0, section 3.1 "OS image format"): finds the header, reads its tags,
 * and from them or the ELF32 program headers works out what goes where. A tag that must be understood and is not is refused.
 */
import { type KernelImage, notBootable, readElf, truncated, viewOf } from './image.js';

const MAGIC = 0xe85250d6;
const ARCHITECTURE_I386 = 0;
/** The header lies within the first 32768 bytes, 8-byte aligned, as its tags are. */
const SEARCH_BYTES = 32768;
const ALIGNMENT = 8;
const HEADER_BYTES = 16;

const TAG_END = 0;
const TAG_INFORMATION_REQUEST = 1;
const TAG_ADDRESS = 2;
const TAG_ENTRY = 3;
/** Console, framebuffer and module alignment ask for what is so anyway; EFI tags mean nothing without EFI. */
const TAGS_MET: ReadonlySet<number> = new Set([4, 5, 6, 7, 8, 9]);
const TAG_RELOCATABLE = 10;
const OPTIONAL = 1;

interface Tag {
  readonly type: number;
  readonly optional: boolean;
  readonly at: number;
  readonly bytes: number;
}

/** Offset of the header, or -1. */
export function findHeader2(kernel: Uint8Array): number {
  const view = viewOf(kernel);
  const end = Math.min(kernel.length, SEARCH_BYTES) - HEADER_BYTES;
  for (let at = 0; at <= end; at += ALIGNMENT) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const sum = [0, 4, 8, 12].reduce((total, offset) => (total + view.getUint32(at + offset, true)) | 0, 0);
    if (sum === 0) return at;
  }
  return -1;
}

/** `provided` are the types of information tags that a request may ask for. Throws RF_KERNEL_*. */
export function readImage2(kernel: Uint8Array, name: string, provided: ReadonlySet<number>): KernelImage {
  const at = findHeader2(kernel);
  if (at < 0) throw notBootable(name, 'has no multiboot 2 header in its first 32768 bytes');
  const view = viewOf(kernel);
  if (view.getUint32(at + 4, true) !== ARCHITECTURE_I386)
    throw notBootable(name, 'is a multiboot 2 image, but not for i386');
  let addresses: Tag | undefined;
  let entry: number | undefined;
  for (const tag of readTags(kernel, name, at)) {
    if (tag.type === TAG_ADDRESS) addresses = tag;
    else if (tag.type === TAG_ENTRY) entry = view.getUint32(tag.at + 8, true);
    else if (tag.type === TAG_INFORMATION_REQUEST) checkRequest(view, tag, name, provided);
    else if (tag.type === TAG_RELOCATABLE)
      continue; // it is loaded where it was linked to
    else if (!TAGS_MET.has(tag.type) && !tag.optional) {
      throw notBootable(name, `requires multiboot 2 header tag ${tag.type}, which is not known here`);
    }
  }
  if (addresses === undefined) {
    const image = readElf(kernel, name);
    return entry === undefined ? image : { ...image, entry };
  }
  if (entry === undefined) throw notBootable(name, 'has an address tag without an entry address tag');
  return { parts: [readAddresses(kernel, name, at, addresses)], entry };
}

function readTags(kernel: Uint8Array, name: string, at: number): Tag[] {
  const view = viewOf(kernel);
  const end = at + view.getUint32(at + 8, true);
  if (end > kernel.length) throw truncated(name, kernel.length, end);
  const tags: Tag[] = [];
  for (let next = at + HEADER_BYTES; next + 8 <= end;) {
    const bytes = view.getUint32(next + 4, true);
    const tag = { type: view.getUint16(next, true), optional: (view.getUint16(next + 2, true) & OPTIONAL) !== 0 };
    if (tag.type === TAG_END) return tags;
    const least = tag.type === TAG_ADDRESS ? 24 : tag.type === TAG_ENTRY ? 12 : 8;
    if (bytes < least || next + bytes > end) throw notBootable(name, `has a multiboot 2 header tag of ${bytes} bytes`);
    tags.push({ ...tag, at: next, bytes });
    next += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
  throw notBootable(name, 'has a multiboot 2 header without an end tag');
}

function checkRequest(view: DataView, tag: Tag, name: string, provided: ReadonlySet<number>): void {
  if (tag.optional) return;
  for (let at = tag.at + 8; at + 4 <= tag.at + tag.bytes; at += 4) {
    const type = view.getUint32(at, true);
    if (!provided.has(type)) throw notBootable(name, `requires multiboot 2 information of type ${type}`);
  }
}

/** Section 3.1.5 "The address tag of Multiboot2 header". */
function readAddresses(kernel: Uint8Array, name: string, header: number, tag: Tag): KernelImage['parts'][number] {
  const view = viewOf(kernel);
  const [headerAddress, loadAddress, loadEnd, bssEnd] = [8, 12, 16, 20].map((o) => view.getUint32(tag.at + o, true));
  // FFFFFFFFh: load from the file's first byte.
  const address = loadAddress === 0xffffffff ? headerAddress - header : loadAddress;
  const from = header - (headerAddress - address);
  if (address < 0 || from < 0 || headerAddress < address) {
    throw notBootable(name, 'has an address tag that points before the file');
  }
  const fileBytes = loadEnd === 0 ? kernel.length - from : loadEnd - address;
  if (fileBytes < 0 || (bssEnd !== 0 && bssEnd < address + fileBytes)) {
    throw notBootable(name, 'has an address tag with addresses out of order');
  }
  if (from + fileBytes > kernel.length) throw truncated(name, kernel.length, from + fileBytes);
  return {
    address,
    bytes: kernel.subarray(from, from + fileBytes),
    memoryBytes: bssEnd === 0 ? fileBytes : bssEnd - address,
  };
}
