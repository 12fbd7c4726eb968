/** A queue of bytes with a fixed capacity: what a connection has still to send or to have acknowledged. */
export class ByteQueue {
  private readonly ring: Uint8Array;
  private start = 0;
  length = 0;

  constructor(readonly capacity: number) {
    this.ring = new Uint8Array(capacity);
  }

  get room(): number {
    return this.capacity - this.length;
  }

  /** Preconditions: there is room for all of it. */
  push(bytes: Uint8Array): void {
    const end = (this.start + this.length) % this.capacity;
    const first = Math.min(bytes.length, this.capacity - end);
    this.ring.set(bytes.subarray(0, first), end);
    this.ring.set(bytes.subarray(first), 0);
    this.length += bytes.length;
  }

  /** A copy of `count` bytes from `offset` on. Preconditions: they are there. */
  copy(offset: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    const from = (this.start + offset) % this.capacity;
    const first = Math.min(count, this.capacity - from);
    bytes.set(this.ring.subarray(from, from + first));
    bytes.set(this.ring.subarray(0, count - first), first);
    return bytes;
  }

  drop(count: number): void {
    this.start = (this.start + count) % this.capacity;
    this.length -= count;
  }
}
