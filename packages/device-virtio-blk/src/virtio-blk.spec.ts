/** The block device through both interfaces: requests and their answers, errors of the host, requests that are none. */
import {
  FakeBlockDevice,
  VirtioDriver,
  deviceContract,
  makeDeviceKit,
  type DeviceKit,
  type VirtioInterface,
} from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { VirtioBlk, virtioBlk } from './index.js';

const RINGS = 0x1000;
const HEADER = 0x10000;
const STATUS = 0x10100;
const DATA = 0x11000;
const FLUSH = 1 << 9;
const [OK, IOERR, UNSUPP] = [0, 1, 2];

function make(kit: DeviceKit, ...storages: FakeBlockDevice[]): VirtioBlk {
  kit.bay.list = storages.map((storage, unit) => ({ media: 'disk', interface: 'virtio', unit, storage }));
  return new VirtioBlk(kit.pci, kit.windows, kit.dma, kit.clock, kit.bay);
}

function setUp(by: VirtioInterface = 'modern', storage = new FakeBlockDevice(1 << 20), features = FLUSH) {
  const kit = makeDeviceKit();
  const device = make(kit, storage);
  device.reset();
  const driver = new VirtioDriver(kit, '4.0', by);
  const [queue] = driver.start(features, RINGS);
  const { ram } = kit.dma;
  /** Status of a request, and the length that came back with it. */
  const request = (type: number, sector: number, out: Uint8Array, inBytes: number): [number, number] => {
    const view = new DataView(ram.buffer);
    view.setUint32(HEADER, type, true);
    view.setUint32(HEADER + 4, 0, true);
    view.setBigUint64(HEADER + 8, BigInt(sector), true);
    ram.set(out, DATA);
    ram[STATUS] = 0xee;
    queue.add([
      { address: HEADER, bytes: 16 },
      ...(out.length > 0 ? [{ address: DATA, bytes: out.length }] : []),
      ...(inBytes > 0 ? [{ address: DATA, bytes: inBytes, write: true }] : []),
      { address: STATUS, bytes: 1, write: true },
    ]);
    queue.notify();
    kit.clock.advance(10_000_000);
    const [used] = queue.used();
    return [ram[STATUS], used.bytes];
  };
  const data = (bytes: number) => [...ram.subarray(DATA, DATA + bytes)];
  return { kit, device, driver, queue, storage, request, data };
}

const nothing = new Uint8Array(0);
const segment = (sector: number, sectors: number, flags = 0): Uint8Array => {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, sector, true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
};

describe.each([['legacy'], ['modern']] as const)('a virtio disk by the %s interface', (by) => {
  it('says what it is', () => {
    const { kit, driver } = setUp(by);
    expect(kit.pci.configRead('4.0', 0)).toBe(0x10011af4);
    expect(kit.pci.configRead('4.0', 0x2c)).toBe(0x00021af4);
    expect([driver.config(0, 4), driver.config(4, 4)]).toEqual([2048, 0]);
    expect([driver.config(8, 4), driver.config(12, 4), driver.config(20, 4)]).toEqual([0x10000, 126, 512]);
    expect(driver.offered() & (1 << 5)).toBe(0);
  });

  it('reads, writes and flushes', () => {
    const { storage, request, data, driver } = setUp(by);
    expect(request(0, 3, nothing, 1024)).toEqual([OK, 1025]);
    expect(data(1024)).toEqual([...storage.content.subarray(1536, 2560)]);
    expect(driver.isr()).toBe(1);
    expect(request(1, 2047, new Uint8Array(512).fill(0xab), 0)).toEqual([OK, 1]);
    expect(storage.content.subarray(-512).every((byte) => byte === 0xab)).toBe(true);
    expect(storage.flushes).toBe(0);
    expect(request(4, 0, nothing, 0)).toEqual([OK, 1]);
    expect(storage.flushes).toBe(1);
  });
});

describe('a virtio disk', () => {
  it('tells its name', () => {
    const { request, data } = setUp();
    expect(request(8, 0, nothing, 20)).toEqual([OK, 21]);
    expect(Buffer.from(data(20)).toString()).toBe('RINGFENCE-0'.padEnd(20, '\0'));
    expect(request(8, 0, nothing, 4)).toEqual([OK, 5]);
  });

  it('keeps what is written safe by itself when the driver will not flush', () => {
    const { storage, request } = setUp('modern', undefined, 0);
    request(1, 0, new Uint8Array(512), 0);
    expect(storage.flushes).toBe(1);
  });

  it('writes zeroes, and discards without a change', () => {
    const { storage, request } = setUp();
    expect(request(13, 0, segment(4, 2), 0)).toEqual([OK, 1]);
    expect(storage.content.subarray(2048, 3072).every((byte) => byte === 0)).toBe(true);
    const before = storage.content.slice();
    expect(request(11, 0, segment(8, 2), 0)).toEqual([OK, 1]);
    expect(storage.content).toEqual(before);
    expect(request(11, 0, segment(8, 2, 1), 0)[0]).toBe(UNSUPP);
    expect(request(13, 0, segment(8, 2, 2), 0)[0]).toBe(UNSUPP);
    expect(request(13, 0, segment(2047, 2), 0)[0]).toBe(IOERR);
    expect(request(13, 0, segment(0, 0xffffffff), 0)[0]).toBe(IOERR);
    expect(request(13, 0, new Uint8Array(32), 0)[0]).toBe(IOERR);
    expect(storage.content).toEqual(before);
  });

  it('refuses what runs past the end, is no whole sector or of no known type', () => {
    const { storage, request } = setUp();
    const before = storage.content.slice();
    expect(request(0, 2048, nothing, 512)).toEqual([IOERR, 0]);
    expect(request(0, 2047, nothing, 1024)).toEqual([IOERR, 0]);
    expect(request(1, 2 ** 52, new Uint8Array(512), 0)).toEqual([IOERR, 1]);
    expect(request(1, 0, new Uint8Array(100), 0)).toEqual([IOERR, 1]);
    expect(request(2, 0, nothing, 512)[0]).toBe(UNSUPP);
    expect(storage.content).toEqual(before);
  });

  it('does not write a disk that is read-only', () => {
    const { driver, request } = setUp('modern', new FakeBlockDevice(65536, true));
    expect(driver.offered() & (1 << 5)).toBe(1 << 5);
    expect(request(1, 0, new Uint8Array(512), 0)[0]).toBe(IOERR);
    expect(request(13, 0, segment(0, 1), 0)[0]).toBe(IOERR);
    expect(request(0, 0, nothing, 512)[0]).toBe(OK);
  });

  it("hands on the host's errors", () => {
    const { storage, request } = setUp();
    storage.broken = true;
    expect(request(0, 0, nothing, 512)).toEqual([IOERR, 0]);
    expect(request(1, 0, new Uint8Array(512), 0)[0]).toBe(IOERR);
    expect(request(4, 0, nothing, 0)[0]).toBe(IOERR);
    storage.broken = false;
    expect(request(0, 0, nothing, 512)[0]).toBe(OK);
  });

  it.each([
    [
      'no header',
      [
        { address: HEADER, bytes: 15 },
        { address: STATUS, bytes: 1, write: true },
      ],
    ],
    ['no status', [{ address: HEADER, bytes: 16 }]],
  ])('wants a reset for a chain with %s', (_name, segments) => {
    const { kit, driver, queue } = setUp();
    queue.add(segments);
    queue.notify();
    kit.clock.advance(100_000);
    expect(driver.status & 0x40).toBe(0x40);
    expect(queue.used()).toEqual([]);
  });

  it('bounds what one request moves', () => {
    const { kit, queue, storage } = setUp('modern', new FakeBlockDevice(9 << 20));
    kit.dma.ram.fill(0, HEADER, HEADER + 16);
    queue.add([
      { address: HEADER, bytes: 16 },
      ...Array.from({ length: 20 }, () => ({ address: 0xf0000000, bytes: 0x70000, write: true })),
      { address: STATUS, bytes: 1, write: true },
    ]);
    expect(storage.bytes).toBeGreaterThan(20 * 0x70000);
    queue.notify();
    kit.clock.advance(100_000);
    expect(kit.dma.ram[STATUS]).toBe(IOERR);
  });

  it('takes as long as its bytes do before the next one', () => {
    const { kit, queue } = setUp();
    kit.dma.ram.fill(0, HEADER, HEADER + 16);
    for (let i = 0; i < 2; i++)
      queue.add([
        { address: HEADER, bytes: 16 },
        { address: DATA, bytes: 0x8000, write: true },
        { address: STATUS, bytes: 1, write: true },
      ]);
    queue.notify();
    kit.clock.advance(500);
    expect(queue.used()).toHaveLength(1);
    kit.clock.advance(1000 + 6553);
    expect(queue.used()).toEqual([]);
    kit.clock.advance(1);
    expect(queue.used()).toHaveLength(1);
  });

  it('stands once for each drive, and nowhere without one', () => {
    const kit = makeDeviceKit();
    make(kit, new FakeBlockDevice(512), new FakeBlockDevice(1024));
    expect([...kit.pci.functions.keys()]).toEqual(['4.0', '5.0']);
    const none = makeDeviceKit();
    make(none);
    expect(none.pci.functions.size).toBe(0);
  });
});

deviceContract('virtio-blk', {
  make: (kit) => make(kit, new FakeBlockDevice(65536)),
  resources: virtioBlk.resources,
  exercise: (_device, kit) => {
    const driver = new VirtioDriver(kit, '4.0', 'modern');
    const [queue] = driver.start(FLUSH, RINGS);
    for (let i = 0; i < 3; i++)
      queue.add([
        { address: HEADER, bytes: 16 },
        { address: DATA, bytes: 0x4000, write: true },
        { address: STATUS, bytes: 1, write: true },
      ]);
    queue.notify();
    kit.clock.advance(1000);
  },
});
