/**
 * Loads a file without any format at `address` and starts it at `entry` (default: its first byte), in flat 32-bit
 * protected mode (CS = 10h, data = 18h, a GDT in low memory, ESP below the image's own doing: 0) or in real mode
 * (CS:IP = entry as 0:entry below 64 KiB, else paragraph:offset; data segments 0; SP = 7C00h).
 * It takes no initrd and no command line: there is nowhere to put them.
 */
import {
  AR_ACCESSED,
  AR_P,
  AR_RW,
  AR_S,
  CR0_ET,
  CS,
  DS,
  ES,
  ESP,
  FLAT_GDT_BYTES,
  FS,
  GS,
  RingfenceError,
  SS,
  flatStart,
  injectable,
  z,
  type LoadRequest,
  type LoadedImage,
  type Loader,
  type SegmentImage,
} from '@ringfence/sdk';

/** A number, or text such as 0x7c00 (the command line gives text). */
const address = z
  .union([
    z.number().int(),
    z
      .string()
      .regex(/^(0x[0-9a-f]+|\d+)$/i)
      .transform(Number),
  ])
  .pipe(z.number().int().min(0).max(0xffffffff));

export const flatOptions = z.strictObject({
  address: address.default(0x100000),
  entry: address.optional(),
  mode: z.enum(['protected', 'real']).default('protected'),
});

/** Free places for the GDT on a PC: after the BIOS data area, or the end of conventional memory. */
const GDT_PLACES = [0x600, 0x9f000];

@injectable()
export class FlatLoader implements Loader {
  recognises(): boolean {
    return false;
  }

  load(request: LoadRequest): LoadedImage {
    const { kernel, kernelName, ramBytes } = request;
    const { address, entry = address, mode } = flatOptions.parse(request.options);
    if (kernel.length === 0) {
      throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
        message: `${kernelName} is empty`,
        value: kernelName,
        fix: 'give a file with code in it',
      });
    }
    if (request.initrd !== undefined) {
      throw new RingfenceError('RF_CONTRADICTION', {
        message: 'a flat image has no way to be told of an initrd',
        value: request.initrdName,
        fix: 'leave --initrd out, or use a multiboot or Linux kernel',
      });
    }
    const end = address + kernel.length;
    if (end > ramBytes || (address < 0x100000 && end > 0xa0000)) {
      throw new RingfenceError('RF_KERNEL_TOO_LARGE', {
        message: `${kernelName} (${kernel.length} bytes) does not fit into memory at 0x${address.toString(16)}`,
        value: kernel.length,
        fix: address < 0x100000 ? 'choose an address from 0x100000 up' : 'give the guest more memory with -m',
      });
    }
    if (entry < address || entry >= end) {
      throw new RingfenceError('RF_BAD_CONFIG', {
        message: `entry 0x${entry.toString(16)} lies outside of the image`,
        value: entry,
        fix: `choose an entry from 0x${address.toString(16)} to 0x${(end - 1).toString(16)}`,
      });
    }
    const image = { address, bytes: kernel };
    if (mode === 'real') {
      if (entry >= 0x100000) {
        throw new RingfenceError('RF_CONTRADICTION', {
          message: `real mode cannot start at 0x${entry.toString(16)}`,
          value: entry,
          fix: 'choose an address below 0x100000, e.g. 0x7c00',
        });
      }
      return { segments: [image], entry: realEntry(entry) };
    }
    const gdtAt = GDT_PLACES.find((place) => place + FLAT_GDT_BYTES <= address || place >= end) ?? GDT_PLACES[0];
    const { table, gdt, segments, cr0, eflags } = flatStart(0x10, 0x18, gdtAt);
    return { segments: [table, image], entry: { registers: {}, eip: entry, eflags, cr0, segments, gdt } };
  }
}

function realEntry(entry: number): LoadedImage['entry'] {
  const paragraph = entry < 0x10000 ? 0 : entry >>> 4;
  // The rights that any load leaves in real mode, a far jump's load of CS among them.
  const segment = (selector: number): SegmentImage => ({
    selector,
    base: selector << 4,
    limit: 0xffff,
    access: AR_P | AR_S | AR_RW | AR_ACCESSED,
  });
  const data = segment(0);
  return {
    registers: { [ESP]: 0x7c00 },
    eip: entry - (paragraph << 4),
    eflags: 2,
    cr0: CR0_ET,
    segments: {
      [CS]: segment(paragraph),
      [DS]: data,
      [ES]: data,
      [FS]: data,
      [GS]: data,
      [SS]: data,
    },
  };
}
