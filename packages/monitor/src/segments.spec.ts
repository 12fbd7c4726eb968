/** Compression of descriptors: rings, limits kept below the stack page, and what the hardware must not be given. */
import { AR_AVL, AR_DPL } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { GUEST_LINEAR_LIMIT } from './layout.js';
import { compressDescriptor, unpackDescriptor } from './segments.js';

/** Packs base, limit field (20 bits) and access (with G, D in bits 15 and 14). */
function pack(base: number, rawLimit: number, access: number): [number, number] {
  return [
    (rawLimit & 0xffff) | (base << 16) | 0,
    ((base >>> 16) & 0xff) |
      ((access & 0xff) << 8) |
      (rawLimit & 0xf0000) |
      ((access & 0xf000) << 8) |
      (base & 0xff000000) |
      0,
  ];
}

function compressed(base: number, rawLimit: number, access: number) {
  const words = compressDescriptor(...pack(base, rawLimit, access), WINDOW);
  return words === undefined ? undefined : unpackDescriptor(...words);
}

const WINDOW = 0xff800000;
const FLAT_CODE0 = 0xc09b;
const FLAT_DATA0 = 0xc093;
const FLAT_DATA3 = 0xc0f3;

describe('compressDescriptor', () => {
  it('turns ring 0 into ring 1 and marks it', () => {
    const out = compressed(0, 0xfffff, FLAT_CODE0)!;
    expect((out.access & AR_DPL) >> 5).toBe(1);
    expect(out.access & AR_AVL).toBe(AR_AVL);
  });

  it('leaves ring 3 at ring 3', () => {
    const out = compressed(0, 0xfffff, FLAT_DATA3)!;
    expect((out.access & AR_DPL) >> 5).toBe(3);
    expect(out.access & AR_AVL).toBe(0);
  });

  it.each([
    ['flat', 0, 0xfffff],
    ['high base', 0xc0000000, 0xfffff],
    ['unaligned base', 0xc0000123, 0xfffff],
    ['wraps around', 0xfffe0000, 0x00fff],
  ])('cuts the limit of a segment that reaches the stack page: %s', (_name, base, limit) => {
    const out = compressed(base, limit, FLAT_DATA0)!;
    const end = (out.base >>> 0) + (out.limit >>> 0);
    expect(end).toBeLessThanOrEqual(GUEST_LINEAR_LIMIT);
    expect(end).toBeGreaterThan(GUEST_LINEAR_LIMIT - 0x1000);
  });

  it('leaves a data segment of ring 3 whole where it wraps round, for ring 3 alone', () => {
    const whole = (base: number, rawLimit: number, access: number) =>
      unpackDescriptor(...compressDescriptor(...pack(base, rawLimit, access), WINDOW, false, true)!);
    expect(whole(0x9000, 0xfffff, FLAT_DATA3)).toMatchObject({ base: 0x9000, limit: -1 });
    expect(whole(0x9000, 0xff6ff, FLAT_DATA3)).toEqual(compressed(0x9000, 0xff6ff, FLAT_DATA3)); // just up to the end
    expect(whole(0, 0xfffff, FLAT_DATA3)).toEqual(compressed(0, 0xfffff, FLAT_DATA3));
    expect(whole(0x9000, 0xfffff, FLAT_DATA0)).toEqual(compressed(0x9000, 0xfffff, FLAT_DATA0));
    expect(whole(0x9000, 0xfffff, 0xc0fb)).toEqual(compressed(0x9000, 0xfffff, 0xc0fb));
  });

  it('cuts a code segment below the window, so that the nub cannot be run', () => {
    expect(compressed(0, 0xfffff, FLAT_CODE0)).toMatchObject({ base: 0, limit: (WINDOW - 1) | 0 });
    expect(compressed(WINDOW, 0xff, FLAT_CODE0)).toBeUndefined();
  });

  it('cuts a data segment there too while the guest has the window mapped', () => {
    const cut = (base: number) => compressDescriptor(...pack(base, 0xfffff, FLAT_DATA0), WINDOW, true);
    expect(unpackDescriptor(...cut(0)!)).toMatchObject({ base: 0, limit: (WINDOW - 1) | 0 });
    expect(cut(WINDOW)).toBeUndefined();
  });

  it('does not touch a limit below the stack page', () => {
    expect(compressed(0x10000, 0x1234, 0x4093)).toMatchObject({ base: 0x10000, limit: 0x1234 });
  });

  it.each([
    ['not present', 0xc013],
    ['Accessed bit clear', 0xc092],
    ['for ring 1', 0xc0b3],
    ['for ring 2', 0xc0d3],
    ['system descriptor', 0x0089],
    ['expand-down over the stack page', 0xc097],
  ])('gives the hardware nothing for a descriptor that is %s', (_name, access) => {
    expect(compressed(0, 0x10, access)).toBeUndefined();
  });

  it('gives a 16-bit expand-down segment, which ends at 64 KiB', () => {
    expect(compressed(0x20000, 0x0fff, 0x0097)).toMatchObject({ base: 0x20000, limit: 0x0fff });
  });

  it('gives nothing for a segment that begins in the stack page', () => {
    expect(compressed(0xfffff000, 0x10, 0x4093)).toBeUndefined();
  });
});
