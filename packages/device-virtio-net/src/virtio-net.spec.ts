/** The network card through both interfaces: frames both ways, what is lost, what waits, drivers that break the rules. */
import { VirtioDriver, deviceContract, makeDeviceKit, type DeviceKit, type VirtioInterface } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { VirtioNet, virtioNet } from './index.js';

const [RX_RINGS, TX_RINGS] = [0x1000, 0x5000];
const RX = 0x10000;
const TX = 0x18000;
const BUFFER = 1526;

const make = (kit: DeviceKit): VirtioNet => new VirtioNet(kit.pci, kit.windows, kit.dma, kit.clock, kit.network);

function setUp(by: VirtioInterface = 'modern') {
  const kit = makeDeviceKit();
  const device = make(kit);
  device.reset();
  const driver = new VirtioDriver(kit, '3.0', by);
  const [rx, tx] = driver.start(0x10028, RX_RINGS, TX_RINGS);
  const { ram } = kit.dma;
  const header = by === 'modern' ? 12 : 10;
  /** Makes a receive buffer available, filled with EEh. */
  const offer = (index: number, bytes = BUFFER): void => {
    ram.fill(0xee, RX + 0x800 * index, RX + 0x800 * index + bytes);
    rx.add([{ address: RX + 0x800 * index, bytes, write: true }]);
    rx.notify();
  };
  const transmit = (frame: Uint8Array): void => {
    ram.fill(0, TX, TX + header);
    ram.set(frame, TX + header);
    tx.add([
      { address: TX, bytes: header },
      { address: TX + header, bytes: frame.length },
    ]);
    tx.notify();
  };
  return { kit, device, driver, rx, tx, ram, header, offer, transmit, run: () => kit.clock.advance(100_000) };
}

const frameOf = (bytes: number, seed = 1): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => i * 3 + seed);

describe.each([['legacy'], ['modern']] as const)('a virtio network card by the %s interface', (by) => {
  it('says what it is', () => {
    const { kit, driver } = setUp(by);
    expect(kit.pci.configRead('3.0', 0)).toBe(0x10001af4);
    expect(kit.pci.configRead('3.0', 8)).toBe(0x02000000);
    expect(kit.pci.configRead('3.0', 0x2c)).toBe(0x00011af4);
    expect(driver.offered() & 0xffffff).toBe((1 << 3) | (1 << 5) | (1 << 16));
    const mac = Array.from({ length: 6 }, (_, i) => driver.config(i, 1));
    expect(mac).toEqual([...kit.network.mac]);
    expect([driver.config(6, 2), driver.config(8, 2), driver.config(10, 2)]).toEqual([1, 1, 1500]);
  });

  it('sends what the driver gives it', () => {
    const { kit, tx, transmit, run, driver } = setUp(by);
    transmit(frameOf(14));
    transmit(frameOf(1514));
    run();
    expect(kit.network.sent).toEqual([frameOf(14), frameOf(1514)]);
    expect(tx.used().map(({ bytes }) => bytes)).toEqual([0, 0]);
    expect(driver.interrupt).toBe(true);
    expect(driver.isr()).toBe(1);
  });

  it('gives the driver what comes, with a header of its interface', () => {
    const { kit, rx, ram, header, offer, run } = setUp(by);
    offer(0);
    offer(1);
    kit.network.deliver(frameOf(60));
    run();
    expect(rx.used()).toEqual([{ head: 0, bytes: header + 60 }]);
    const head = by === 'modern' ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0] : new Array(10).fill(0);
    expect([...ram.subarray(RX, RX + header)]).toEqual(head);
    expect(ram.subarray(RX + header, RX + header + 60)).toEqual(frameOf(60));
    expect(ram[RX + header + 60]).toBe(0xee);
  });
});

describe('a virtio network card', () => {
  it('keeps frames until there are buffers, in order', () => {
    const { kit, rx, ram, offer, run } = setUp();
    for (let i = 0; i < 3; i++) kit.network.deliver(frameOf(100, i));
    run();
    expect(rx.used()).toEqual([]);
    expect(kit.network.waiting).toHaveLength(2);
    for (let i = 0; i < 3; i++) offer(i);
    run();
    expect(rx.used()).toHaveLength(3);
    for (let i = 0; i < 3; i++) expect(ram[RX + 0x800 * i + 12]).toBe(i);
  });

  it('loses a frame that the buffer cannot hold, and goes on', () => {
    const { kit, rx, ram, offer, run } = setUp();
    offer(0, 100);
    offer(1);
    kit.network.deliver(frameOf(200));
    kit.network.deliver(frameOf(60, 9));
    run();
    expect(rx.used()).toEqual([
      { head: 0, bytes: 0 },
      { head: 1, bytes: 72 },
    ]);
    expect(ram.subarray(RX, RX + 100).every((byte) => byte === 0xee)).toBe(true);
  });

  it('loses what is no frame, and goes on', () => {
    const { kit, tx, transmit, run, driver } = setUp();
    transmit(frameOf(13));
    transmit(frameOf(1515));
    tx.add([{ address: TX, bytes: 0xffffffff }]);
    tx.notify();
    tx.add([{ address: TX, bytes: 12 }]);
    tx.notify();
    transmit(frameOf(60));
    run();
    expect(kit.network.sent).toEqual([frameOf(60)]);
    expect(tx.used()).toHaveLength(5);
    expect(driver.status & 0x40).toBe(0);
  });

  it('wants a reset for a chain without a whole header', () => {
    const { kit, driver, tx, run } = setUp();
    tx.add([{ address: TX, bytes: 11 }]);
    tx.notify();
    run();
    expect(driver.status & 0x40).toBe(0x40);
    expect([tx.used(), kit.network.sent]).toEqual([[], []]);
  });

  it('takes as long for a frame as a gigabit link', () => {
    const { kit, tx, transmit } = setUp();
    transmit(frameOf(976));
    transmit(frameOf(60));
    kit.clock.advance(500);
    expect(tx.used()).toHaveLength(1);
    kit.clock.advance(799);
    expect(tx.used()).toEqual([]);
    kit.clock.advance(1);
    expect(tx.used()).toHaveLength(1);
  });

  it('does nothing without bus mastering or before it runs', () => {
    const { kit, driver, offer, run, rx } = setUp();
    driver.kit.pci.configWrite('3.0', 4, 3, 2);
    offer(0);
    kit.network.deliver(frameOf(60));
    run();
    expect(rx.used()).toEqual([]);
    const idle = makeDeviceKit();
    make(idle).reset();
    idle.network.deliver(frameOf(60));
    idle.clock.advance(100_000);
    expect(idle.network.waiting).toHaveLength(1);
    expect(idle.clock.deadlines()).toEqual({});
  });

  it('says that its cable is loose', () => {
    const kit = makeDeviceKit();
    kit.network.connected = false;
    make(kit).reset();
    expect(new VirtioDriver(kit, '3.0', 'modern').config(6, 2)).toBe(0);
  });

  it('keeps the frame it has in hand through a snapshot', () => {
    const { kit, device, run } = setUp();
    kit.network.deliver(frameOf(80));
    run();
    const saved = structuredClone(device.saveState());
    const other = setUp();
    other.device.loadState(saved);
    other.kit.dma.ram.set(kit.dma.ram);
    other.offer(0);
    other.run();
    expect(other.ram.subarray(RX + 12, RX + 92)).toEqual(frameOf(80));
  });
});

deviceContract('virtio-net', {
  make,
  resources: virtioNet.resources,
  exercise: (_device, kit) => {
    const driver = new VirtioDriver(kit, '3.0', 'modern');
    const [rx, tx] = driver.start(0, RX_RINGS, TX_RINGS);
    rx.add([{ address: RX, bytes: BUFFER, write: true }]);
    tx.add([{ address: TX, bytes: 200 }]);
    tx.add([{ address: TX, bytes: 200 }]);
    tx.notify();
    for (let i = 0; i < 3; i++) kit.network.deliver(frameOf(500));
    kit.clock.advance(600);
  },
});
