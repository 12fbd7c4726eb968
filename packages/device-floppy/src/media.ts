/**
 * Diskettes by the size of their images: the geometries of the PC's formats, and the data rate at which each can be read (the
 * value of the rate bits in CCR and DSR). Only sectors of 512 bytes.
 */
import type { BlockDevice, Drive } from '@ringfence/sdk';

export const SECTOR_BYTES = 512;
/** Value of N for 512 bytes. */
export const SECTOR_CODE = 2;

export const RATE_500K = 0;
export const RATE_300K = 1;
export const RATE_250K = 2;
export const RATE_1M = 3;

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
  readonly rates: readonly number[];
}

const DOUBLE_DENSITY = [RATE_250K, RATE_300K];
const FORMATS: readonly Geometry[] = [
  { cylinders: 40, heads: 1, sectors: 8, rates: DOUBLE_DENSITY },
  { cylinders: 40, heads: 1, sectors: 9, rates: DOUBLE_DENSITY },
  { cylinders: 40, heads: 2, sectors: 8, rates: DOUBLE_DENSITY },
  { cylinders: 40, heads: 2, sectors: 9, rates: DOUBLE_DENSITY },
  { cylinders: 80, heads: 2, sectors: 9, rates: DOUBLE_DENSITY },
  { cylinders: 80, heads: 2, sectors: 15, rates: [RATE_500K] },
  { cylinders: 80, heads: 2, sectors: 18, rates: [RATE_500K] },
  { cylinders: 80, heads: 2, sectors: 21, rates: [RATE_500K] },
  { cylinders: 80, heads: 2, sectors: 36, rates: [RATE_1M] },
];
/** What an image of another size is taken for: the smallest that holds it, and the rest of it is unformatted. */
const LARGEST = FORMATS[FORMATS.length - 1];

export class Diskette {
  readonly geometry: Geometry;

  constructor(readonly storage: BlockDevice) {
    this.geometry = FORMATS.find((format) => capacity(format) >= storage.bytes) ?? LARGEST;
  }

  /** Byte offset of a sector, or -1 for one that is not on the diskette. */
  offset(cylinder: number, head: number, sector: number): number {
    const { cylinders, heads, sectors } = this.geometry;
    if (cylinder >= cylinders || head >= heads || sector < 1 || sector > sectors) return -1;
    const at = ((cylinder * heads + head) * sectors + sector - 1) * SECTOR_BYTES;
    return at + SECTOR_BYTES <= this.storage.bytes ? at : -1;
  }
}

export function diskettes(drives: readonly Drive[]): (Diskette | undefined)[] {
  const found: (Diskette | undefined)[] = [undefined, undefined, undefined, undefined];
  for (const { unit, storage } of drives) found[unit] = new Diskette(storage);
  return found;
}

function capacity({ cylinders, heads, sectors }: Geometry): number {
  return cylinders * heads * sectors * SECTOR_BYTES;
}
