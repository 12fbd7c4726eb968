/**
 * A split virtqueue, the device's half (VIRTIO 1.1, 2.6 "Split Virtqueues"): takes descriptor chains from the available
 * ring, returns them on the used ring, with indirect tables (2.6.5.3) and event indexes (2.6.7, 2.6.8) once negotiated.
 * Everything in memory is the guest's word: a loop, an index from nowhere, an indirect table in an indirect table marks the
 * queue `broken`, and it stays silent until the device is reset. Work is bounded: one chain a `pop`, at most `MAX_CHAIN`
 * descriptors. All methods that touch memory want `DmaMemory`'s precondition. Does not do packed queues or IN_ORDER.
 */
import { type DmaMemory, RingfenceError, type StateRecord, stateNumbers } from '@ringfence/sdk';
import { DescriptorChain, MAX_CHAIN } from './chain.js';
import { GuestWords } from './guest-words.js';

const DESCRIPTOR_BYTES = 16;
const VIRTQ_DESC_F_NEXT = 1;
const VIRTQ_DESC_F_WRITE = 2;
const VIRTQ_DESC_F_INDIRECT = 4;
const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;

/** The rings of a legacy queue lie in one piece, the used ring at the next page (2.6.2 "Legacy Interfaces"). */
const LEGACY_ALIGN = 4096;

export const RING_DESCRIPTORS = 0;
export const RING_DRIVER = 1;
export const RING_DEVICE = 2;

const SAVED = ['size', 'enabled', 'next', 'used', 'signalled', 'broken'] as const;
const SAVED_ADDRESSES = ['desc', 'descHigh', 'driver', 'driverHigh', 'device', 'deviceHigh'] as const;

export class SplitQueue {
  size: number;
  enabled = false;
  /** The driver broke the rules of the rings. */
  broken = false;
  /** Index of the next chain to take. */
  private next = 0;
  /** Index of the next element of the used ring. */
  private used = 0;
  /** `used` when it was last considered whether to interrupt. */
  private signalled = 0;
  /** Low and high words of the three rings' addresses. */
  private readonly words = new Uint32Array(6);
  private indirect = false;
  private eventIndex = false;
  private readonly memory: GuestWords;
  private readonly chain: DescriptorChain;

  /** `maxSize` is a power of two. */
  constructor(
    dma: DmaMemory,
    readonly maxSize: number,
  ) {
    this.size = maxSize;
    this.memory = new GuestWords(dma);
    this.chain = new DescriptorChain(dma);
  }

  reset(): void {
    this.size = this.maxSize;
    this.enabled = this.broken = false;
    this.next = this.used = this.signalled = 0;
    this.words.fill(0);
  }

  negotiated(indirect: boolean, eventIndex: boolean): void {
    this.indirect = indirect;
    this.eventIndex = eventIndex;
  }

  addressWord(ring: number, high: boolean): number {
    return this.words[2 * ring + (high ? 1 : 0)];
  }

  setAddressWord(ring: number, high: boolean, value: number): void {
    this.words[2 * ring + (high ? 1 : 0)] = value;
  }

  /** The page number of a legacy queue; 0 takes the queue away. */
  get legacyPage(): number {
    return this.enabled ? Math.floor(this.address(RING_DESCRIPTORS) / LEGACY_ALIGN) : 0;
  }

  placeLegacy(page: number): void {
    this.size = this.maxSize;
    const base = (page >>> 0) * LEGACY_ALIGN;
    const driver = base + DESCRIPTOR_BYTES * this.size;
    const device = Math.ceil((driver + 6 + 2 * this.size) / LEGACY_ALIGN) * LEGACY_ALIGN;
    [base, driver, device].forEach((address, ring) => {
      this.words[2 * ring] = address % 2 ** 32;
      this.words[2 * ring + 1] = Math.floor(address / 2 ** 32);
    });
    this.enabled = page !== 0;
    this.next = this.used = this.signalled = 0;
  }

  /**
   * The next chain, or undefined when there is none or the queue broke. It is this queue's one chain object: it holds until
   * the next `pop`. A queue found empty asks the driver to notify about the next chain.
   */
  pop(): DescriptorChain | undefined {
    if (!this.enabled || this.broken) return undefined;
    const driver = this.address(RING_DRIVER);
    const waiting = (this.memory.read16(driver + 2) - this.next) & 0xffff;
    if (waiting === 0) {
      if (this.eventIndex) this.memory.write16(this.address(RING_DEVICE) + 4 + 8 * this.size, this.next);
      return undefined;
    }
    if (waiting > this.size) return this.fail();
    const head = this.memory.read16(driver + 4 + 2 * (this.next % this.size));
    this.next = (this.next + 1) & 0xffff;
    this.chain.begin(head);
    return this.walk(this.address(RING_DESCRIPTORS), this.size, head) ? this.chain : this.fail();
  }

  /** Whether `pop` would find a chain. Does not ask for a notification. */
  waiting(): boolean {
    if (!this.enabled || this.broken) return false;
    return this.memory.read16(this.address(RING_DRIVER) + 2) !== this.next;
  }

  /** Returns a chain to the driver with so many bytes of its writable part filled. */
  push(head: number, written: number): void {
    if (!this.enabled || this.broken) return;
    const device = this.address(RING_DEVICE);
    this.memory.write32x2(device + 4 + 8 * (this.used % this.size), head, written);
    this.used = (this.used + 1) & 0xffff;
    this.memory.write16(device + 2, this.used);
  }

  /** Whether what was returned since the last call is worth an interrupt to the driver (2.6.7). */
  takeInterrupt(): boolean {
    if (!this.enabled || this.broken || this.used === this.signalled) return false;
    const returned = (this.used - this.signalled) & 0xffff;
    this.signalled = this.used;
    const driver = this.address(RING_DRIVER);
    if (!this.eventIndex) return (this.memory.read16(driver) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
    const event = this.memory.read16(driver + 4 + 2 * this.size);
    return ((this.used - event - 1) & 0xffff) < returned;
  }

  save(): StateRecord['data'] {
    const { size, next, used, signalled } = this;
    const words = Object.fromEntries(SAVED_ADDRESSES.map((name, i) => [name, this.words[i]]));
    return { size, next, used, signalled, enabled: Number(this.enabled), broken: Number(this.broken), ...words };
  }

  /** Throws RF_BAD_STATE; changes nothing. */
  check(data: StateRecord['data']): void {
    const { size } = stateNumbers(data, [...SAVED, ...SAVED_ADDRESSES]);
    if (size >= 1 && size <= this.maxSize && (size & (size - 1)) === 0) return;
    throw new RingfenceError('RF_BAD_STATE', { message: `a queue of ${size} entries does not fit`, value: size });
  }

  load(data: StateRecord['data']): void {
    const saved = stateNumbers(data, [...SAVED, ...SAVED_ADDRESSES]);
    this.size = saved.size;
    this.enabled = saved.enabled !== 0;
    this.broken = saved.broken !== 0;
    this.next = saved.next;
    this.used = saved.used;
    this.signalled = saved.signalled;
    SAVED_ADDRESSES.forEach((name, i) => (this.words[i] = saved[name]));
  }

  /** Adds the descriptors from `index` on of a table of `count`; false: they are not as they must be. */
  private walk(table: number, count: number, index: number): boolean {
    let inner = false;
    let left = Math.min(count, MAX_CHAIN);
    for (let at = index; ;) {
      if (at >= count || left-- === 0) return false;
      const descriptor = this.memory.descriptor(table + DESCRIPTOR_BYTES * at);
      const address = descriptor.getUint32(0, true) + descriptor.getUint32(4, true) * 2 ** 32;
      const length = descriptor.getUint32(8, true);
      const flags = descriptor.getUint16(12, true);
      at = descriptor.getUint16(14, true);
      if ((flags & VIRTQ_DESC_F_INDIRECT) === 0) {
        if (!this.chain.add(address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0)) return false;
        if ((flags & VIRTQ_DESC_F_NEXT) === 0) return true;
        continue;
      }
      // A table takes the place of the last descriptor; there are none within tables (2.6.5.3.1).
      const entries = length / DESCRIPTOR_BYTES;
      if (!this.indirect || inner || (flags & VIRTQ_DESC_F_NEXT) !== 0) return false;
      if (entries === 0 || !Number.isInteger(entries)) return false;
      inner = true;
      [table, count, at, left] = [address, entries, 0, Math.min(entries, MAX_CHAIN)];
    }
  }

  /** A chain whose content the device's own rules forbid is as bad as a broken ring. */
  fail(): undefined {
    this.broken = true;
    return undefined;
  }

  private address(ring: number): number {
    return this.words[2 * ring] + this.words[2 * ring + 1] * 2 ** 32;
  }
}
