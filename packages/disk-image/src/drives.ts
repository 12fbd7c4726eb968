/**
 * Storage of a machine's drives: a copy-on-write overlay in memory over an image that is never written (the rule), an
 * image written for good (`snapshot: off`), and a disc. What a guest wrote is state: the overlay's blocks are saved and
 * hashed; of an image written for good there is only a running digest, and no way back.
 */
import { createHash } from 'node:crypto';
import {
  RingfenceError,
  checkedState,
  stateBytes,
  stateNumber,
  type BlockDevice,
  type StateRecord,
} from '@ringfence/sdk';
import type { RawFile } from './raw-file.js';

/** What an overlay or a disc needs of an image. */
export interface ImageReader {
  readonly name: string;
  readonly bytes: number;
  read(offset: number, into: Uint8Array): boolean;
}

const BLOCK = 4096;

export class OverlayDisk implements BlockDevice {
  readonly name: string;
  readonly bytes: number;
  readonly readOnly = false;
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(private readonly image: ImageReader) {
    this.name = image.name;
    this.bytes = image.bytes;
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.each(offset, into.length, (block, inside, at, bytes) => {
      const own = this.blocks.get(block);
      const part = into.subarray(at, at + bytes);
      if (own === undefined) return this.image.read(offset + at, part);
      part.set(own.subarray(inside, inside + bytes));
      return true;
    });
  }

  write(offset: number, from: Uint8Array): boolean {
    return this.each(offset, from.length, (block, inside, at, bytes) => {
      let own = this.blocks.get(block);
      if (own === undefined) {
        own = new Uint8Array(BLOCK);
        const present = Math.min(BLOCK, this.bytes - block * BLOCK);
        if (bytes < present && !this.image.read(block * BLOCK, own.subarray(0, present))) return false;
        this.blocks.set(block, own);
      }
      own.set(from.subarray(at, at + bytes), inside);
      return true;
    });
  }

  /** Nothing of the overlay outlives the process. */
  flush(): boolean {
    return true;
  }

  saveState(): StateRecord {
    const numbers = [...this.blocks.keys()].sort((a, b) => a - b);
    const content = new Uint8Array(numbers.length * BLOCK);
    numbers.forEach((number, i) => content.set(this.blocks.get(number)!, i * BLOCK));
    return { component: 'overlay-disk', version: 1, data: { bytes: this.bytes, blocks: numbers, content } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, 'overlay-disk', 1);
    const numbers = data.blocks;
    const most = Math.ceil(this.bytes / BLOCK);
    const valid = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 0 && (n as number) < most;
    if (stateNumber(data, 'bytes') !== this.bytes || !Array.isArray(numbers) || !numbers.every(valid)) {
      throw new RingfenceError('RF_BAD_STATE', {
        message: `the saved disk does not fit ${this.name}`,
        value: this.name,
        fix: 'load it into a machine with the same drives',
      });
    }
    const content = stateBytes(data, 'content', numbers.length * BLOCK);
    this.blocks.clear();
    numbers.forEach((number: number, i) => this.blocks.set(number, content.slice(i * BLOCK, (i + 1) * BLOCK)));
  }

  /** Calls `part` for the piece of every block; stops at the first failure. */
  private each(
    offset: number,
    length: number,
    part: (block: number, inside: number, at: number, bytes: number) => boolean,
  ): boolean {
    for (let at = 0; at < length;) {
      const inside = (offset + at) % BLOCK;
      const bytes = Math.min(length - at, BLOCK - inside);
      if (!part((offset + at - inside) / BLOCK, inside, at, bytes)) return false;
      at += bytes;
    }
    return true;
  }
}

export class DirectDisk implements BlockDevice {
  readonly name: string;
  readonly bytes: number;
  readonly readOnly = false;
  private readonly written = createHash('sha256');

  constructor(private readonly file: RawFile) {
    this.name = file.name;
    this.bytes = file.bytes;
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.file.read(offset, into);
  }

  write(offset: number, from: Uint8Array): boolean {
    this.written.update(`${offset}:${from.length}:`).update(from);
    return this.file.write(offset, from);
  }

  flush(): boolean {
    return this.file.flush();
  }

  saveState(): StateRecord {
    const written = this.written.copy().digest('hex');
    return { component: 'direct-disk', version: 1, data: { bytes: this.bytes, written } };
  }

  /** Fits only the disk as it is: what was written cannot be taken back. */
  loadState(record: StateRecord): void {
    const data = checkedState(record, 'direct-disk', 1);
    if (data.bytes === this.bytes && data.written === this.saveState().data.written) return;
    throw new RingfenceError('RF_BAD_STATE', {
      message: `the disk ${this.name} was written for good since the state was saved`,
      value: this.name,
      fix: 'use snapshots with drives of snapshot: on',
    });
  }
}

export class Disc implements BlockDevice {
  readonly name: string;
  readonly bytes: number;
  readonly readOnly = true;

  constructor(private readonly image: ImageReader) {
    this.name = image.name;
    this.bytes = image.bytes;
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.image.read(offset, into);
  }

  write(): boolean {
    return false;
  }

  flush(): boolean {
    return true;
  }

  saveState(): StateRecord {
    return { component: 'disc', version: 1, data: { bytes: this.bytes } };
  }

  loadState(record: StateRecord): void {
    if (stateNumber(checkedState(record, 'disc', 1), 'bytes') === this.bytes) return;
    throw new RingfenceError('RF_BAD_STATE', {
      message: `the saved disc does not fit ${this.name}`,
      value: this.name,
      fix: 'load it into a machine with the same drives',
    });
  }
}
