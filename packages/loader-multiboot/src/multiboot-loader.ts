/**
 * Starts multiboot 1 kernels (Multiboot Specification 0.6.96, 3.2 "Machine state", 3.3 "Boot information format"):
 * EAX = 2BADB002h, EBX = information structure with memory sizes, memory map, command line, boot loader name and, for
 * an initrd, one module. Flat segments, paging and interrupts off. The specification lets GDTR be invalid; here it
 * describes the segments, so that a monitor can hold them. No VBE, APM, drives or symbol tables.
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
import { findHeader, readImage } from './header.js';
import { baseName, endOf, freeLowMemory, HIGH_BASE, LOW_END, memoryMap, placeInitrd, placeParts } from './placement.js';

const BOOTLOADER_MAGIC = 0x2badb002;
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;

// The information structure: offsets and the bits that announce them.
const INFO_BYTES = 0x58;
const INFO_MEMORY = 1 << 0;
const INFO_CMDLINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MMAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;

@injectable()
export class MultibootLoader implements Loader {
  recognises(kernel: Uint8Array): boolean {
    return findHeader(kernel) >= 0;
  }

  load(request: LoadRequest): LoadedImage {
    const { parts, entry } = readImage(request.kernel, request.kernelName);
    const segments = placeParts(parts, request);
    const initrdAt = placeInitrd(request, endOf(parts));
    if (request.initrd !== undefined) segments.push({ address: initrdAt, bytes: request.initrd });

    const info = new InfoBlock(request, initrdAt);
    const at = freeLowMemory(info.bytes + FLAT_GDT_BYTES, parts, request.kernelName);
    segments.push({ address: at + FLAT_GDT_BYTES, bytes: info.build(at + FLAT_GDT_BYTES) });
    const { table, gdt, cr0, eflags, segments: registers } = flatStart(CODE_SELECTOR, DATA_SELECTOR, at);
    segments.push(table);
    return {
      segments,
      entry: {
        registers: { [EAX]: BOOTLOADER_MAGIC, [EBX]: at + FLAT_GDT_BYTES },
        eip: entry,
        eflags,
        cr0,
        segments: registers,
        gdt,
      },
    };
  }
}

/** The information structure with everything it points to, in one piece. */
class InfoBlock {
  readonly bytes: number;
  private readonly loaderName = new TextEncoder().encode('ringfence\0');
  private readonly commandLine: Uint8Array;
  private readonly moduleLine: Uint8Array;
  private readonly map: readonly (readonly [number, number, number])[];

  constructor(
    private readonly request: LoadRequest,
    private readonly initrdAt: number,
  ) {
    const { kernelName, commandLine, initrdName, ramBytes } = request;
    // By convention the command line starts with the kernel's name.
    this.commandLine = new TextEncoder().encode(
      `${[baseName(kernelName), commandLine].filter((s) => s !== '').join(' ')}\0`,
    );
    this.moduleLine = new TextEncoder().encode(`${baseName(initrdName ?? 'initrd')}\0`);
    this.map = memoryMap(ramBytes);
    this.bytes =
      INFO_BYTES +
      this.map.length * 24 +
      16 +
      this.commandLine.length +
      this.moduleLine.length +
      this.loaderName.length;
  }

  build(base: number): Uint8Array {
    const out = new Uint8Array(this.bytes);
    const view = new DataView(out.buffer);
    let next = INFO_BYTES;
    const put = (bytes: Uint8Array): number => {
      out.set(bytes, next);
      next += bytes.length;
      return base + next - bytes.length;
    };
    let flags = INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_LOADER_NAME;
    view.setUint32(4, LOW_END / 1024, true);
    view.setUint32(8, (this.request.ramBytes - HIGH_BASE) / 1024, true);

    view.setUint32(44, this.map.length * 24, true);
    view.setUint32(48, base + next, true);
    for (const [from, to, type] of this.map) {
      view.setUint32(next, 20, true); // size of the entry, itself not counted
      view.setBigUint64(next + 4, BigInt(from), true);
      view.setBigUint64(next + 12, BigInt(to - from), true);
      view.setUint32(next + 20, type, true);
      next += 24;
    }
    if (this.request.initrd !== undefined) {
      flags |= INFO_MODULES;
      view.setUint32(20, 1, true);
      view.setUint32(24, base + next, true);
      const module = next;
      next += 16;
      view.setUint32(module, this.initrdAt, true);
      view.setUint32(module + 4, this.initrdAt + this.request.initrd.length, true);
      view.setUint32(module + 8, put(this.moduleLine), true);
    }
    view.setUint32(16, put(this.commandLine), true);
    view.setUint32(64, put(this.loaderName), true);
    view.setUint32(0, flags, true);
    return out;
  }
}
