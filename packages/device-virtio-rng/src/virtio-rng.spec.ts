/** The entropy device: its bytes, its bounds, its repeatability. */
import { VirtioDriver, deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from './generator.js';
import { VirtioRng, virtioRng } from './index.js';

const RINGS = 0x1000;
const DATA = 0x10000;

const make = (kit: DeviceKit, seed?: number): VirtioRng =>
  new VirtioRng(kit.pci, kit.windows, kit.dma, kit.clock, seed === undefined ? {} : { seed });

function setUp(seed?: number) {
  const kit = makeDeviceKit();
  const device = make(kit, seed);
  device.reset();
  const driver = new VirtioDriver(kit, '9.0', 'modern');
  const [queue] = driver.start(0, RINGS);
  const ask = (bytes: number): string => {
    kit.dma.ram.fill(0, DATA);
    queue.add([{ address: DATA, bytes, write: true }]);
    queue.notify();
    kit.clock.advance(1_000_000);
    const [used] = queue.used();
    return Buffer.from(kit.dma.ram.subarray(DATA, DATA + used.bytes)).toString('hex');
  };
  return { kit, device, driver, queue, ask };
}

describe('the generator', () => {
  it('is xoshiro128** as its authors wrote it', () => {
    const generator = new Xoshiro128(0);
    generator.state.set([1, 2, 3, 4]);
    // The first values of the reference implementation from the state 1, 2, 3, 4.
    expect([0, 0, 0, 0].map(() => generator.next())).toEqual([11520, 0, 5927040, 70819200]);
  });
});

describe('the entropy device', () => {
  it('has no configuration of its own', () => {
    const { kit, driver } = setUp();
    expect(kit.pci.configRead('9.0', 0)).toBe(0x10051af4);
    expect(kit.pci.configRead('9.0', 0x2e, 2)).toBe(4);
    expect([...driver.structures.keys()].sort()).toEqual([1, 2, 3, 5]);
  });

  it('gives other bytes each time, the same for the same seed', () => {
    const [one, two, three] = [setUp(), setUp(1), setUp(2)];
    const first = one.ask(16);
    const second = one.ask(16);
    expect(first).not.toBe(second);
    expect([two.ask(16), two.ask(16)]).toEqual([first, second]);
    expect(three.ask(16)).not.toBe(first);
    one.driver.start(0, RINGS);
    one.device.reset();
  });

  it('begins anew with the machine, not with the driver', () => {
    const { device, ask, kit } = setUp();
    const first = ask(8);
    device.reset();
    const driver = new VirtioDriver(kit, '9.0', 'legacy');
    const [queue] = driver.start(0, RINGS);
    queue.add([{ address: DATA, bytes: 8, write: true }]);
    queue.notify();
    kit.clock.advance(1_000_000);
    expect(Buffer.from(kit.dma.ram.subarray(DATA, DATA + 8)).toString('hex')).toBe(first);
  });

  it('fills at most 4 KiB of a buffer, and nothing of one that cannot be written', () => {
    const { ask, queue, kit } = setUp();
    expect(ask(0x8000)).toHaveLength(2 * 4096);
    queue.add([{ address: DATA, bytes: 8 }]);
    queue.notify();
    kit.clock.advance(1_000_000);
    expect(queue.used()[0].bytes).toBe(0);
  });
});

deviceContract('virtio-rng', {
  make: (kit) => make(kit),
  resources: virtioRng.resources,
  exercise: (_device, kit) => {
    const [queue] = new VirtioDriver(kit, '9.0', 'legacy').start(0, RINGS);
    for (let i = 0; i < 3; i++) queue.add([{ address: DATA, bytes: 100, write: true }]);
    queue.notify();
    kit.clock.advance(600);
  },
});
