/**
 * Starts multiboot 2 kernels (Multiboot2 Specification 2.0, 3.3 "I386 machine state", 3.6 "Boot information format"):
 * EAX = 36D76289h, EBX = information structure with command line, boot loader name, memory sizes, memory map, the text
 * screen as framebuffer and, for an initrd, one module. Flat segments, paging and interrupts off. No EFI, ACPI, SMBIOS,
 * VBE or network tags.
 */
import {
  EAX,
  EBX,
  FLAT_GDT_BYTES,
  flatStart,
  injectable,
  type LoadRequest,
  type LoadedImage,
  type Loader,
} from '@ringfence/sdk';
import { findHeader2, readImage2 } from './header2.js';
import { baseName, endOf, freeLowMemory, HIGH_BASE, LOW_END, memoryMap, placeInitrd, placeParts } from './placement.js';

const BOOTLOADER_MAGIC = 0x36d76289;
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const ALIGNMENT = 8;

const TAG_END = 0;
const TAG_COMMAND_LINE = 1;
const TAG_LOADER_NAME = 2;
const TAG_MODULE = 3;
const TAG_MEMORY = 4;
const TAG_MEMORY_MAP = 6;
const TAG_FRAMEBUFFER = 8;
const PROVIDED: ReadonlySet<number> = new Set([
  TAG_COMMAND_LINE,
  TAG_LOADER_NAME,
  TAG_MODULE,
  TAG_MEMORY,
  TAG_MEMORY_MAP,
  TAG_FRAMEBUFFER,
]);

/** The display starts in 80x25 colour text. */
const TEXT_SCREEN = { address: 0xb8000, pitch: 160, columns: 80, rows: 25, bitsPerCell: 16, type: 2 };

@injectable()
export class Multiboot2Loader implements Loader {
  recognises(kernel: Uint8Array): boolean {
    return findHeader2(kernel) >= 0;
  }

  load(request: LoadRequest): LoadedImage {
    const { parts, entry } = readImage2(request.kernel, request.kernelName, PROVIDED);
    const segments = placeParts(parts, request);
    const initrdAt = placeInitrd(request, endOf(parts));
    if (request.initrd !== undefined) segments.push({ address: initrdAt, bytes: request.initrd });
    const info = information(request, initrdAt);
    const at = freeLowMemory(FLAT_GDT_BYTES + ALIGNMENT + info.length, parts, request.kernelName);
    const infoAt = Math.ceil((at + FLAT_GDT_BYTES) / ALIGNMENT) * ALIGNMENT;
    segments.push({ address: infoAt, bytes: info });
    const { table, gdt, cr0, eflags, segments: registers } = flatStart(CODE_SELECTOR, DATA_SELECTOR, at);
    segments.push(table);
    const state = { registers: { [EAX]: BOOTLOADER_MAGIC, [EBX]: infoAt }, eip: entry, eflags, cr0, gdt };
    return { segments, entry: { ...state, segments: registers } };
  }
}

/** Total size, a reserved word, and the tags, each at a multiple of eight. */
function information(request: LoadRequest, initrdAt: number): Uint8Array {
  const { commandLine, initrd, initrdName, ramBytes } = request;
  const chunks: Buffer[] = [Buffer.alloc(8)];
  const tag = (type: number, ...content: Buffer[]): void => {
    const body = Buffer.concat(content);
    const padding = (ALIGNMENT - (body.length % ALIGNMENT)) % ALIGNMENT;
    chunks.push(words(type, 8 + body.length), body, Buffer.alloc(padding));
  };
  tag(TAG_COMMAND_LINE, text(commandLine));
  tag(TAG_LOADER_NAME, text('ringfence'));
  if (initrd !== undefined) {
    tag(TAG_MODULE, words(initrdAt, initrdAt + initrd.length), text(baseName(initrdName ?? 'initrd')));
  }
  tag(TAG_MEMORY, words(LOW_END / 1024, (ramBytes - HIGH_BASE) / 1024));
  // Entries of 24 bytes, version 0; addresses here never need the upper word.
  const map = memoryMap(ramBytes).map(([from, to, type]) => words(from, 0, to - from, 0, type, 0));
  tag(TAG_MEMORY_MAP, words(24, 0), ...map);
  const { address, pitch, columns, rows, bitsPerCell, type } = TEXT_SCREEN;
  tag(TAG_FRAMEBUFFER, words(address, 0, pitch, columns, rows), Buffer.of(bitsPerCell, type, 0, 0));
  tag(TAG_END);
  const info = Buffer.concat(chunks);
  info.writeUInt32LE(info.length, 0);
  return info;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, n) => bytes.writeUInt32LE(value, n * 4));
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
