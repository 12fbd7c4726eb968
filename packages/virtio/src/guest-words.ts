/**
 * Little-endian words in guest memory by DMA: what rings and descriptors are read and written with. Addresses are numbers
 * up to 2^64; whatever is not RAM is open bus (`DmaMemory`), so no address needs a check here.
 */
import type { DmaMemory } from '@ringfence/sdk';

export class GuestWords {
  private readonly bytes = new Uint8Array(16);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly two = this.bytes.subarray(0, 2);
  private readonly eight = this.bytes.subarray(0, 8);

  constructor(readonly memory: DmaMemory) {}

  read16(address: number): number {
    this.memory.read(address, this.two);
    return this.view.getUint16(0, true);
  }

  write16(address: number, value: number): void {
    this.view.setUint16(0, value, true);
    this.memory.write(address, this.two);
  }

  /** Two words of 32 bits, as an element of a used ring. */
  write32x2(address: number, first: number, second: number): void {
    this.view.setUint32(0, first, true);
    this.view.setUint32(4, second, true);
    this.memory.write(address, this.eight);
  }

  /** A descriptor of 16 bytes, to be looked at until the next call. */
  descriptor(address: number): DataView {
    this.memory.read(address, this.bytes);
    return this.view;
  }
}
