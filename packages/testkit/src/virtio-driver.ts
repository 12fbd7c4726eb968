/**
 * The driver's half of virtio over PCI, for specs of devices: finds the function on the fake bus, walks its capabilities,
 * negotiates, builds rings in fake memory and takes back what the device returns. By the legacy interface in ports or the
 * modern one in memory, as the spec asks. It obeys the standard; a spec that wants to break a rule writes the ring itself.
 */
import type { DeviceKit } from './device-kit.js';

export type VirtioInterface = 'legacy' | 'modern';

export interface DriverSegment {
  readonly address: number;
  readonly bytes: number;
  readonly write?: boolean;
}

const PORT_BASE = 0xc000;
const MEMORY_BASE = 0xfe000000;
const [ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK] = [1, 2, 4, 8];
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];

export class VirtioDriver {
  /** Where the modern structures are, by their type. */
  readonly structures = new Map<number, number>();
  private notifyMultiplier = 0;

  /** `place` as `FakePciBus` names it: `4.0`. Enables everything in the command register. */
  constructor(
    readonly kit: DeviceKit,
    readonly place: string,
    readonly by: VirtioInterface,
  ) {
    const { pci } = kit;
    pci.configWrite(place, 0x10, PORT_BASE);
    pci.configWrite(place, 0x14, MEMORY_BASE);
    pci.configWrite(place, 0x04, 7, 2);
    for (let at = pci.configRead(place, 0x34, 1); at !== 0; at = pci.configRead(place, at + 1, 1)) {
      const type = pci.configRead(place, at + 3, 1);
      this.structures.set(type, pci.configRead(place, at + 8));
      if (type === 2) this.notifyMultiplier = pci.configRead(place, at + 16);
    }
  }

  port(offset: number, size: number, value?: number): number {
    const { device } = this.kit.windows.list.find(({ base, device }) => base === PORT_BASE && device !== undefined)!;
    if (value === undefined) return device!.portRead('', offset, size);
    device!.portWrite('', offset, size, value);
    return 0;
  }

  /** A register of a modern structure: 1 common, 2 notify, 3 ISR, 4 the device's own. */
  mmio(structure: number, offset: number, size: number, value?: number): number {
    const { handler } = this.kit.windows.list.find(({ base }) => base === MEMORY_BASE)!;
    const at = this.structures.get(structure)! + offset;
    if (value === undefined) return handler!.mmioRead(at, size);
    handler!.mmioWrite(at, size, value);
    return 0;
  }

  /** Features 0-31 or 32-63 that the device offers. */
  offered(word = 0): number {
    if (this.by === 'legacy') return word === 0 ? this.port(0, 4) >>> 0 : 0;
    this.mmio(1, 0, 4, word);
    return this.mmio(1, 4, 4) >>> 0;
  }

  get status(): number {
    return this.by === 'legacy' ? this.port(18, 1) : this.mmio(1, 20, 1);
  }

  set status(value: number) {
    if (this.by === 'legacy') this.port(18, 1, value);
    else this.mmio(1, 20, 1, value);
  }

  /** Reads ISR, which acknowledges. */
  isr(): number {
    return this.by === 'legacy' ? this.port(19, 1) : this.mmio(3, 0, 1);
  }

  /** Whether INTA# is asserted. */
  get interrupt(): boolean {
    return this.kit.pci.pins.has(`${this.place}:1`);
  }

  config(offset: number, size: number, value?: number): number {
    return this.by === 'legacy' ? this.port(20 + offset, size, value) : this.mmio(4, offset, size, value);
  }

  /** Reset, negotiation of `features` (VERSION_1 on top in the modern interface), queues at `bases`, and DRIVER_OK. */
  start(features: number, ...bases: readonly number[]): DriverQueue[] {
    this.negotiate(features);
    const queues = bases.map((base, i) => this.queue(i, base));
    this.status = this.status | DRIVER_OK;
    return queues;
  }

  /** Up to FEATURES_OK. */
  negotiate(features: number): void {
    this.status = 0;
    this.status = ACKNOWLEDGE;
    this.status = ACKNOWLEDGE | DRIVER;
    if (this.by === 'legacy') {
      this.port(4, 4, features);
      return;
    }
    [features, 1].forEach((value, word) => {
      this.mmio(1, 8, 4, word);
      this.mmio(1, 12, 4, value);
    });
    this.status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
  }

  /** Rings at `base`, a multiple of 4096, laid out as the legacy interface wants them. */
  queue(index: number, base: number): DriverQueue {
    let size: number;
    if (this.by === 'legacy') {
      this.port(14, 2, index);
      size = this.port(12, 2);
    } else {
      this.mmio(1, 22, 2, index);
      size = this.mmio(1, 24, 2);
    }
    const queue = new DriverQueue(this, index, size, base);
    this.kit.dma.ram.fill(0, base, queue.device + 6 + 8 * size);
    if (this.by === 'legacy') this.port(8, 4, base / 4096);
    else {
      [base, queue.driver, queue.device].forEach((address, ring) => this.mmio(1, 32 + 8 * ring, 4, address));
      this.mmio(1, 28, 2, 1);
    }
    return queue;
  }

  notify(index: number): void {
    if (this.by === 'legacy') {
      this.port(16, 2, index);
      return;
    }
    this.mmio(1, 22, 2, index);
    this.mmio(2, this.mmio(1, 30, 2) * this.notifyMultiplier, 2, index);
  }
}

export class DriverQueue {
  readonly driver: number;
  readonly device: number;
  private free = 0;
  private added = 0;
  private taken = 0;

  constructor(
    private readonly owner: VirtioDriver,
    readonly index: number,
    readonly size: number,
    readonly base: number,
  ) {
    this.driver = base + 16 * size;
    this.device = Math.ceil((this.driver + 6 + 2 * size) / 4096) * 4096;
  }

  private get view(): DataView {
    return new DataView(this.owner.kit.dma.ram.buffer);
  }

  /** Makes a chain available, readable segments first; `table`: as an indirect table at that address. Answers its head. */
  add(segments: readonly DriverSegment[], table?: number): number {
    const first = this.free;
    const at = (i: number): number => (table === undefined ? (first + i) % this.size : i);
    segments.forEach((segment, i) => {
      const last = i === segments.length - 1;
      this.descriptor(at(i), segment, last ? 0 : NEXT, at(i + 1), table ?? this.base);
    });
    if (table !== undefined) this.descriptor(first, { address: table, bytes: 16 * segments.length }, INDIRECT, 0);
    this.free = (first + (table === undefined ? segments.length : 1)) % this.size;
    this.offer(first);
    return first;
  }

  /** One descriptor of the queue's table or of an indirect one. */
  descriptor(index: number, segment: DriverSegment, flags: number, next: number, table = this.base): void {
    const at = table + 16 * index;
    this.view.setUint32(at, segment.address, true);
    this.view.setUint32(at + 4, 0, true);
    this.view.setUint32(at + 8, segment.bytes, true);
    this.view.setUint16(at + 12, flags | (segment.write === true ? WRITE : 0), true);
    this.view.setUint16(at + 14, next, true);
  }

  /** Puts a head into the available ring. */
  offer(head: number): void {
    this.view.setUint16(this.driver + 4 + 2 * (this.added % this.size), head, true);
    this.added = (this.added + 1) & 0xffff;
    this.view.setUint16(this.driver + 2, this.added, true);
  }

  notify(): void {
    this.owner.notify(this.index);
  }

  /** What the device has returned since the last call. */
  used(): { head: number; bytes: number }[] {
    const list: { head: number; bytes: number }[] = [];
    for (; this.taken !== this.view.getUint16(this.device + 2, true); this.taken = (this.taken + 1) & 0xffff) {
      const at = this.device + 4 + 8 * (this.taken % this.size);
      list.push({ head: this.view.getUint32(at, true), bytes: this.view.getUint32(at + 4, true) });
    }
    return list;
  }
}
