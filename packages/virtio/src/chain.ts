/**
 * A descriptor chain as a device sees it (VIRTIO 1.1, 2.6 "Split Virtqueues"): a run of bytes the device may read, then a
 * run it may write, each scattered over guest memory. Every queue has one chain object, filled again by each `pop`.
 * Lengths are the guest's: a device bounds what it reads and writes itself. Buffers may overlap each other or the rings;
 * the bytes then are what the order of copies makes of them, and nothing else depends on it.
 */
import type { DmaMemory } from '@ringfence/sdk';

/** Descriptors of one chain, whatever the queue's size: an indirect table may hold more than the queue. */
export const MAX_CHAIN = 1024;

export class DescriptorChain {
  /** What `push` returns to the driver. */
  head = 0;
  readableBytes = 0;
  writableBytes = 0;
  private count = 0;
  /** Segments before this one are readable, the others writable. */
  private readables = 0;
  private readonly addresses = new Float64Array(MAX_CHAIN);
  private readonly lengths = new Float64Array(MAX_CHAIN);

  constructor(private readonly memory: DmaMemory) {}

  begin(head: number): void {
    this.head = head;
    this.count = this.readables = this.readableBytes = this.writableBytes = 0;
  }

  /** False: there are too many, or a readable one follows a writable one (2.6.4.2). */
  add(address: number, length: number, writable: boolean): boolean {
    if (this.count === MAX_CHAIN || (!writable && this.readables < this.count)) return false;
    this.addresses[this.count] = address;
    this.lengths[this.count++] = length;
    if (writable) this.writableBytes += length;
    else {
      this.readables = this.count;
      this.readableBytes += length;
    }
    return true;
  }

  /** Copies from offset `at` of the readable bytes; answers how many there were, at most `into.length`. */
  read(at: number, into: Uint8Array): number {
    return this.copy(0, this.readables, at, into, false);
  }

  /** Copies to offset `at` of the writable bytes; answers how many fitted. */
  write(at: number, from: Uint8Array): number {
    return this.copy(this.readables, this.count, at, from, true);
  }

  private copy(first: number, end: number, at: number, bytes: Uint8Array, write: boolean): number {
    let skip = at;
    let done = 0;
    for (let i = first; i < end && done < bytes.length; i++) {
      const length = this.lengths[i];
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const part = Math.min(length - skip, bytes.length - done);
      const piece = bytes.subarray(done, done + part);
      if (write) this.memory.write(this.addresses[i] + skip, piece);
      else this.memory.read(this.addresses[i] + skip, piece);
      done += part;
      skip = 0;
    }
    return done;
  }
}
