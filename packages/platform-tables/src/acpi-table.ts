/**
 * Bytes of an ACPI table (ACPI 6.4, 5.2.6 "System Description Table Header"): the header that all share, and fields written at
 * the offsets the specification gives. `AcpiFile` collects tables in one file with the places of their checksums and pointers.
 */
import type { Checksum, Pointer } from './table-files.js';

export const HEADER_BYTES = 36;
export const OEM_ID = 'RNGFNC';
const OEM_TABLE_ID = 'RINGFENC';
const CREATOR_ID = 'RNGF';
const LENGTH = 4;
const CHECKSUM = 9;
/** Tables begin at multiples of it; only FACS needs as much. */
export const TABLE_ALIGNMENT = 64;

/** Fields at offsets, little-endian, in a table that knows its length. */
export class TableBytes {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  text(at: number, value: string): this {
    for (let i = 0; i < value.length; i++) this.bytes[at + i] = value.charCodeAt(i);
    return this;
  }

  u8(at: number, ...values: number[]): this {
    this.bytes.set(values, at);
    return this;
  }

  u16(at: number, value: number): this {
    this.view.setUint16(at, value, true);
    return this;
  }

  u32(at: number, value: number): this {
    this.view.setUint32(at, value, true);
    return this;
  }
}

/** A table with its header; the checksum comes when it is placed. */
export function table(signature: string, revision: number, length: number): TableBytes {
  return new TableBytes(length)
    .text(0, signature)
    .u32(LENGTH, length)
    .u8(8, revision)
    .text(10, OEM_ID)
    .text(16, OEM_TABLE_ID)
    .u32(24, 1)
    .text(28, CREATOR_ID)
    .u32(32, 1);
}

/** The same around a body of bytes or AML. */
export function tableAround(signature: string, revision: number, body: readonly number[]): TableBytes {
  const made = table(signature, revision, HEADER_BYTES + body.length);
  made.bytes.set(body, HEADER_BYTES);
  return made;
}

export class AcpiFile {
  readonly pointers: Pointer[] = [];
  readonly checksums: Checksum[] = [];
  private readonly chunks: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  private end = 0;

  /** Where the table starts. `pointers` count from there. */
  add({ bytes }: TableBytes, pointers: readonly Pointer[] = []): number {
    const at = Math.ceil(this.end / TABLE_ALIGNMENT) * TABLE_ALIGNMENT;
    this.chunks.push({ at, bytes });
    this.end = at + bytes.length;
    this.pointers.push(...pointers.map((pointer) => ({ ...pointer, at: at + pointer.at })));
    this.checksums.push({ at: at + CHECKSUM, start: at, bytes: bytes.length });
    return at;
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.end);
    for (const { at, bytes } of this.chunks) all.set(bytes, at);
    return all;
  }
}
