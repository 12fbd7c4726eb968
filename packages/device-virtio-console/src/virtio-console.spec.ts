/** The console: bytes out, bytes in at any moment, and a driver that is not there yet. */
import { VirtioDriver, deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { VirtioConsole, virtioConsole } from './index.js';

const RECEIVE = 0x1000;
const TRANSMIT = 0x4000;
const DATA = 0x10000;
const EVENT_IDX = 1 << 29;

const make = (kit: DeviceKit): VirtioConsole =>
  new VirtioConsole(kit.pci, kit.windows, kit.dma, kit.clock, kit.channel);

function setUp() {
  const kit = makeDeviceKit();
  const device = make(kit);
  device.reset();
  const driver = new VirtioDriver(kit, '8.0', 'modern');
  const run = () => kit.clock.advance(1_000_000);
  const text = (bytes: number) => Buffer.from(kit.dma.ram.subarray(DATA, DATA + bytes)).toString();
  return { kit, device, driver, run, text };
}

describe('the virtio console', () => {
  it('sends what the guest writes, in order', () => {
    const { kit, driver, run } = setUp();
    const [, transmit] = driver.start(0, RECEIVE, TRANSMIT);
    kit.dma.ram.set(Buffer.from('Hello, world\n'), DATA);
    transmit.add([
      { address: DATA, bytes: 5 },
      { address: DATA + 5, bytes: 8 },
    ]);
    transmit.add([{ address: DATA, bytes: 1 }]);
    transmit.notify();
    run();
    expect(kit.channel.text()).toBe('Hello, world\nH');
    expect(transmit.used().map(({ bytes }) => bytes)).toEqual([0, 0]);
  });

  it('fills buffers with what comes, and keeps the rest', () => {
    const { kit, driver, run, text } = setUp();
    const [receive] = driver.start(EVENT_IDX, RECEIVE, TRANSMIT);
    kit.channel.feed('abc');
    run();
    expect(kit.channel.pending).toBe(3);
    receive.add([{ address: DATA, bytes: 2, write: true }]);
    receive.notify();
    run();
    expect([receive.used(), text(2), kit.channel.pending]).toEqual([[{ head: 0, bytes: 2 }], 'ab', 1]);
    // it had asked to be told of the next buffer
    expect(kit.dma.ram[receive.device + 4 + 8 * receive.size]).toBe(1);
    receive.add([{ address: DATA, bytes: 100, write: true }]);
    receive.notify();
    run();
    expect([receive.used()[0].bytes, text(1)]).toEqual([1, 'c']);
  });

  it('wakes for bytes that come while a buffer waits', () => {
    const { kit, driver, run, text } = setUp();
    const [receive] = driver.start(0, RECEIVE, TRANSMIT);
    receive.add([{ address: DATA, bytes: 64, write: true }]);
    receive.notify();
    run();
    expect(receive.used()).toEqual([]);
    kit.channel.feed('key');
    expect(receive.used()).toEqual([]); // not within the outside's call
    run();
    expect([receive.used()[0].bytes, text(3), driver.interrupt]).toEqual([3, 'key', true]);
  });

  it('keeps what comes before there is a driver', () => {
    const { kit, driver, run, text } = setUp();
    kit.channel.feed('early');
    run();
    driver.negotiate(0);
    const receive = driver.queue(0, RECEIVE);
    receive.add([{ address: DATA, bytes: 64, write: true }]);
    receive.notify();
    run();
    expect(receive.used()).toEqual([]);
    driver.status = 15;
    run();
    expect([receive.used()[0].bytes, text(5)]).toEqual([5, 'early']);
  });

  it('sends a byte in an emergency, without queues', () => {
    const { kit, driver } = setUp();
    expect(driver.offered() & 4).toBe(4);
    driver.config(8, 4, 0x21);
    expect(kit.channel.text()).toBe('!');
    driver.config(0, 4, 0x22);
    expect(kit.channel.text()).toBe('!');
  });

  it('sends no more of a buffer than it should be asked to', () => {
    const { kit, driver, run } = setUp();
    const [, transmit] = driver.start(0, RECEIVE, TRANSMIT);
    transmit.add([{ address: DATA, bytes: 0xffffffff }]);
    transmit.notify();
    run();
    expect(kit.channel.sent).toHaveLength(0x10000);
  });
});

deviceContract('virtio-console', {
  make,
  resources: virtioConsole.resources,
  exercise: (_device, kit) => {
    const [receive, transmit] = new VirtioDriver(kit, '8.0', 'legacy').start(0, RECEIVE, TRANSMIT);
    receive.add([{ address: DATA, bytes: 3, write: true }]);
    for (let i = 0; i < 3; i++) transmit.add([{ address: DATA, bytes: 0x100 }]);
    transmit.notify();
    kit.clock.advance(600);
  },
});
