/**
 * 9P messages as bytes (Plan 9 manual, section 5, intro(5)): little-endian numbers, texts with a length of 16 bits before
 * them, qids of 13 bytes. A reader never leaves its message: what is not there throws `FolderError` EPROTO.
 */
import { FolderError } from '@ringfence/sdk';

export interface Qid {
  readonly type: number;
  /** Two words, low first. */
  readonly path: readonly [number, number];
}

export const QID_BYTES = 13;
const TEXT = new TextDecoder('utf-8', { fatal: true });
const ENCODER = new TextEncoder();

export class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** Beyond 2^53 it is not exact, and larger than anything it is compared with. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  /** Throws EINVAL for what is no UTF-8. */
  text(): string {
    const bytes = this.raw(this.u16());
    try {
      return TEXT.decode(bytes);
    } catch {
      throw new FolderError('EINVAL');
    }
  }

  raw(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  private take(count: number): number {
    const { at } = this;
    if (count > this.bytes.length - at) throw new FolderError('EPROTO');
    this.at += count;
    return at;
  }
}

export class Writer {
  private readonly view: DataView;

  /** `length` is what was written so far. */
  constructor(
    private readonly bytes: Uint8Array,
    public length = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(value: number): this {
    this.view.setUint8(this.length++, value);
    return this;
  }

  u16(value: number): this {
    this.view.setUint16(this.length, value, true);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    this.view.setUint32(this.length, value, true);
    this.length += 4;
    return this;
  }

  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  qid({ type, path }: Qid): this {
    return this.u8(type).u32(0).u32(path[0]).u32(path[1]);
  }

  text(text: string): this {
    const bytes = ENCODER.encode(text);
    this.u16(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** The next `count` bytes, to be filled by the caller. */
  room(count: number): Uint8Array {
    const at = this.length;
    this.length += count;
    return this.bytes.subarray(at, at + count);
  }
}

/** Bytes of a text on the wire. */
export function textBytes(text: string): number {
  return 2 + ENCODER.encode(text).length;
}
