/**
 * Descriptors in and out of their packed form, and the compression of a guest descriptor into the one the hardware gets:
 * ring 0 becomes ring 1, no segment reaches the stack page at the top of linear space, and no code segment the window
 * (nor a data segment, while the guest has the window's addresses mapped).
 * Pure functions; which descriptors are kept where is descriptors.ts.
 */
import { AR_ACCESSED, AR_AVL, AR_CODE, AR_DB, AR_DC, AR_DPL, AR_DPL_SHIFT, AR_G, AR_P, AR_S } from '@ringfence/sdk';
import { GUEST_LINEAR_LIMIT } from './layout.js';

/** A descriptor's contents; limit in bytes, access as in layout.ts of the sdk. */
export interface SegmentContents {
  base: number;
  limit: number;
  access: number;
}

/** SDM Vol. 3A, 3.4.5 "Segment Descriptors". Results as signed 32-bit numbers, as they stand in state words. */
export function unpackDescriptor(low: number, high: number): SegmentContents {
  const raw = (low & 0xffff) | (high & 0xf0000);
  const granular = (high & 0x800000) !== 0;
  return {
    base: (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000) | 0,
    limit: (granular ? (raw << 12) | 0xfff : raw) | 0,
    access: (high >>> 8) & 0xf0ff,
  };
}

/**
 * A data segment of ring 3 that goes on at address 0 behind the end of linear space: with limits cut for the stack page, all
 * its lower part would be out of reach. Such are the segments of thread-local storage, which is addressed by negative offsets.
 */
export function wrapsAround({ base, limit, access }: SegmentContents): boolean {
  if ((access & (AR_CODE | AR_DC | AR_S | AR_P)) !== (AR_S | AR_P) || (access & AR_DPL) !== AR_DPL) return false;
  return (base >>> 0) + (limit >>> 0) > 0xffffffff;
}

/**
 * The hardware's version of a guest code or data descriptor, as two words; undefined when the hardware must not have it:
 * a system descriptor, one not present, one for ring 1 or 2, one whose Accessed bit the next load still has to set, or one that cannot be
 * kept away from the stack page (then the monitor's emulator does what is done with it).
 * `window` is the linear address where the monitor's window begins; with `exposed` data segments are kept below it as well.
 * `whole`: for ring 3 alone, which paging keeps out of what the limits are cut for.
 * AVL, which nothing can see in a segment register, records that ring 0 was compressed.
 */
export function compressDescriptor(
  low: number,
  high: number,
  window: number,
  exposed = false,
  whole = false,
): readonly [number, number] | undefined {
  const { base, limit, access } = unpackDescriptor(low, high);
  if ((access & (AR_P | AR_S | AR_ACCESSED)) !== (AR_P | AR_S | AR_ACCESSED)) return undefined;
  // A guest's own ring 1 or 2 would be taken for its ring 0.
  const dpl = (access & AR_DPL) >> AR_DPL_SHIFT;
  if (dpl === 1 || dpl === 2) return undefined;
  const start = base >>> 0;
  let end = limit >>> 0;
  const expandDown = (access & (AR_CODE | AR_DC)) === AR_DC;
  // Paging of this age cannot forbid execution: what keeps the guest from running the nub is the code segment's limit.
  const last = exposed || (access & AR_CODE) !== 0 ? (window >>> 0) - 1 : GUEST_LINEAR_LIMIT;
  if (start > last) return undefined;
  const room = last - start;
  if (expandDown) {
    const top = (access & AR_DB) !== 0 ? 0xffffffff : 0xffff;
    if (end < top && top > room) return undefined;
  }
  let bits = access & ~AR_AVL;
  if (dpl === 0) bits |= (1 << AR_DPL_SHIFT) | AR_AVL;
  if (!expandDown && end > room && !(whole && wrapsAround({ base, limit, access }))) end = room;
  let raw: number;
  if ((access & AR_G) !== 0) {
    // A limit cut short may fall inside a 4 KiB unit: leave the unit out.
    const units = Math.floor((end + 1) / 4096) - 1;
    if (units < 0) return undefined;
    raw = units;
  } else {
    raw = end;
  }
  return [
    (raw & 0xffff) | (start << 16) | 0,
    ((start >>> 16) & 0xff) | ((bits & 0xff) << 8) | (raw & 0xf0000) | ((bits & 0xf000) << 8) | (start & 0xff000000),
  ];
}
