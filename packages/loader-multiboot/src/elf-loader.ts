/**
 * Starts an ELF32 file that speaks no boot protocol: its segments at their physical addresses, the processor at its entry
 * in flat 32-bit protected mode, registers 0, paging and interrupts off. Taken only when asked for by name: such a file may
 * be an ordinary program. It is told nothing, so it can have neither an initrd nor a command line.
 */
import { FLAT_GDT_BYTES, RingfenceError, flatStart, injectable } from '@ringfence/sdk';
import type { LoadRequest, LoadedImage, Loader } from '@ringfence/sdk';
import { readElf } from './image.js';
import { freeLowMemory, placeParts } from './placement.js';

const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;

@injectable()
export class ElfLoader implements Loader {
  recognises(): boolean {
    return false;
  }

  load(request: LoadRequest): LoadedImage {
    const { commandLine, initrd, kernelName } = request;
    for (const [what, given] of [
      ['an initrd', initrd !== undefined],
      ['a command line', commandLine !== ''],
    ] as const) {
      if (!given) continue;
      throw new RingfenceError('RF_CONTRADICTION', {
        message: `a plain ELF file has no way to be told of ${what}`,
        value: kernelName,
        fix: 'leave it out, or use a kernel with a multiboot header',
      });
    }
    const { parts, entry } = readElf(request.kernel, kernelName);
    const segments = placeParts(parts, request);
    const at = freeLowMemory(FLAT_GDT_BYTES, parts, kernelName);
    const { table, gdt, cr0, eflags, segments: registers } = flatStart(CODE_SELECTOR, DATA_SELECTOR, at);
    segments.push(table);
    return { segments, entry: { registers: {}, eip: entry, eflags, cr0, segments: registers, gdt } };
  }
}
