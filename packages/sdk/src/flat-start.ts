/**
 * The flat 32-bit start that boot protocols ask for: a GDT in guest memory with one code and one data descriptor, both
 * 0..4 GiB, segment registers that match it, paging and interrupts off. Loaders compose their entry states from it.
 */
import {
  AR_ACCESSED,
  AR_CODE,
  AR_DB,
  AR_G,
  AR_P,
  AR_RW,
  AR_S,
  CR0_ET,
  CR0_PE,
  CS,
  DS,
  ES,
  FS,
  GS,
  SS,
} from './layout.js';
import type { LoadSegment, SegmentImage } from './loader.js';

const ACCESS_CODE32 = AR_P | AR_S | AR_CODE | AR_RW | AR_ACCESSED | AR_DB | AR_G;
const ACCESS_DATA32 = AR_P | AR_S | AR_RW | AR_ACCESSED | AR_DB | AR_G;
/** Accessed already, so that nothing has to be written when the segments are loaded again. */
const DESCRIPTOR_CODE32 = 0x00cf9b000000ffffn;
const DESCRIPTOR_DATA32 = 0x00cf93000000ffffn;

export interface FlatStart {
  /** The GDT, to be loaded with the image. */
  readonly table: LoadSegment;
  readonly gdt: { readonly base: number; readonly limit: number };
  readonly segments: Readonly<Record<number, SegmentImage>>;
  readonly cr0: number;
  /** Interrupts off; bit 1 is always set. */
  readonly eflags: number;
}

/** Bytes of the GDT that `flatStart` makes. */
export const FLAT_GDT_BYTES = 32;

/** `code` and `data` are selectors below FLAT_GDT_BYTES; `base` is where the GDT goes. */
export function flatStart(code: number, data: number, base: number): FlatStart {
  const bytes = new Uint8Array(FLAT_GDT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(code, DESCRIPTOR_CODE32, true);
  view.setBigUint64(data, DESCRIPTOR_DATA32, true);
  const segment = (selector: number, access: number): SegmentImage => ({
    selector,
    base: 0,
    limit: 0xffffffff,
    access,
  });
  const dataSegment = segment(data, ACCESS_DATA32);
  return {
    table: { address: base, bytes },
    gdt: { base, limit: FLAT_GDT_BYTES - 1 },
    segments: {
      [CS]: segment(code, ACCESS_CODE32),
      [DS]: dataSegment,
      [ES]: dataSegment,
      [FS]: dataSegment,
      [GS]: dataSegment,
      [SS]: dataSegment,
    },
    cr0: CR0_PE | CR0_ET,
    eflags: 2,
  };
}
