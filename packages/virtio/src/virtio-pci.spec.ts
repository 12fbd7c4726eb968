/** The transport and its queues with a model that turns bytes round, driven through both register interfaces. */
import { VirtioDriver, makeDeviceKit, type VirtioInterface } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { NOTHING_LEFT, type SplitQueue, type VirtioModel, VirtioPci } from './index.js';

const RINGS = 0x1000;
const OUT = 0x10000;
const IN = 0x11000;
const INDIRECT = 1 << 28;
const EVENT_IDX = 1 << 29;

/** Returns what is readable, backwards, in what is writable. */
class Mirror implements VirtioModel {
  readonly name = 'mirror';
  readonly type = 42;
  readonly pciDevice = 0x1009;
  readonly classCode = 0xff0000;
  readonly features = 0x5;
  readonly queueSizes = [8, 4];
  readonly configBytes = 6;
  readonly own = Uint8Array.of(1, 2, 3, 4, 5, 6);
  resets = 0;
  served = 0;

  configRead(offset: number): number {
    return this.own[offset];
  }

  configWrite(offset: number, value: number): void {
    this.own[offset] = value;
  }

  serve(_index: number, queue: SplitQueue): number {
    this.served++;
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const bytes = new Uint8Array(Math.min(chain.readableBytes, 4096));
    chain.read(0, bytes);
    queue.push(chain.head, chain.write(0, bytes.reverse()));
    return 100;
  }

  reset(): void {
    this.resets++;
  }
}

function setUp(by: VirtioInterface = 'modern') {
  const kit = makeDeviceKit();
  const model = new Mirror();
  const pci = new VirtioPci(model, { bus: kit.pci, windows: kit.windows, memory: kit.dma, clock: kit.clock }, 5);
  pci.reset();
  const driver = new VirtioDriver(kit, '5.0', by);
  const put = (address: number, text: string) => kit.dma.ram.set(Buffer.from(text), address);
  const got = (address: number, bytes: number) =>
    Buffer.from(kit.dma.ram.subarray(address, address + bytes)).toString();
  return { kit, model, pci, driver, put, got, run: () => kit.clock.advance(1_000_000) };
}

const both = (['legacy', 'modern'] as const).map((by) => [by] as const);

describe.each(both)('the %s interface', (by) => {
  it('offers features, and knows what was taken', () => {
    const { driver, pci } = setUp(by);
    const ringBits = INDIRECT | EVENT_IDX | (by === 'legacy' ? 1 << 27 : 0);
    expect(driver.offered()).toBe((5 | ringBits) >>> 0);
    expect(driver.offered(1)).toBe(by === 'legacy' ? 0 : 1);
    driver.negotiate(4 | INDIRECT);
    expect([0, 2, 28, 29, 32].map((bit) => pci.negotiated(bit))).toEqual([false, true, true, false, by === 'modern']);
  });

  it('passes scattered bytes there and back, and interrupts', () => {
    const { driver, put, got, run, model } = setUp(by);
    const [queue] = driver.start(0, RINGS);
    expect(queue.size).toBe(8);
    run();
    put(OUT, 'abc');
    put(OUT + 100, 'defgh');
    const head = queue.add([
      { address: OUT, bytes: 3 },
      { address: OUT + 100, bytes: 5 },
      { address: IN, bytes: 2, write: true },
      { address: IN + 50, bytes: 20, write: true },
    ]);
    const before = model.served;
    queue.notify();
    expect([model.served, queue.used()]).toEqual([before, []]); // nothing happens within the write
    run();
    expect(queue.used()).toEqual([{ head, bytes: 8 }]);
    expect(got(IN, 2) + got(IN + 50, 6)).toBe('hgfedcba');
    expect(driver.interrupt).toBe(true);
    expect(driver.isr()).toBe(1);
    expect([driver.interrupt, driver.isr()]).toEqual([false, 0]);
  });

  it('goes round the ring', () => {
    const { driver, put, got, run } = setUp(by);
    const [, queue] = driver.start(0, RINGS, RINGS + 0x3000);
    for (let round = 0; round < 11; round++) {
      put(OUT, `round ${round % 10}`);
      const head = queue.add([
        { address: OUT, bytes: 7 },
        { address: IN, bytes: 7, write: true },
      ]);
      queue.notify();
      run();
      expect(queue.used()).toEqual([{ head, bytes: 7 }]);
      expect(got(IN, 7)).toBe(`${round % 10} dnuor`);
    }
  });

  it('serves many chains from one notification, a hundred ticks apart', () => {
    const { kit, driver, run } = setUp(by);
    const [queue] = driver.start(0, RINGS);
    for (let i = 0; i < 4; i++)
      queue.add([
        { address: OUT, bytes: 1 },
        { address: IN, bytes: 1, write: true },
      ]);
    queue.notify();
    kit.clock.advance(500 + 250);
    expect(queue.used()).toHaveLength(3);
    run();
    expect(queue.used()).toHaveLength(1);
  });

  it('takes a chain from an indirect table once negotiated', () => {
    const { driver, put, got, run } = setUp(by);
    const [queue] = driver.start(INDIRECT, RINGS);
    put(OUT, 'xyz');
    const segments = [
      { address: OUT, bytes: 3 },
      { address: IN, bytes: 3, write: true },
    ];
    queue.add(segments, 0x12000);
    queue.notify();
    run();
    expect(got(IN, 3)).toBe('zyx');
    const [plain] = driver.start(0, RINGS);
    plain.add(segments, 0x12000);
    plain.notify();
    run();
    expect(driver.status & 0x40).toBe(0x40);
  });

  it('holds back interrupts as the driver says', () => {
    const { kit, driver, run } = setUp(by);
    const [queue] = driver.start(0, RINGS);
    const one = () => {
      queue.add([{ address: IN, bytes: 1, write: true }]);
      queue.notify();
      run();
      return driver.isr();
    };
    kit.dma.ram[queue.driver] = 1; // VIRTQ_AVAIL_F_NO_INTERRUPT
    expect([one(), one()]).toEqual([0, 0]);
    kit.dma.ram[queue.driver] = 0;
    expect(one()).toBe(1);
    const [eventful] = driver.start(EVENT_IDX, RINGS);
    const event = eventful.driver + 4 + 2 * eventful.size;
    kit.dma.ram[event] = 2;
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      eventful.add([{ address: IN, bytes: 1, write: true }]);
      eventful.notify();
      run();
      seen.push(driver.isr());
    }
    expect(seen).toEqual([0, 0, 1, 0]);
    // and says itself that it wants to hear of the next chain
    expect(kit.dma.ram[eventful.device + 4 + 8 * eventful.size]).toBe(4);
  });

  it("shows the device's own configuration at any width", () => {
    const { driver, model, pci } = setUp(by);
    driver.start(0, RINGS);
    expect([driver.config(0, 4), driver.config(1, 1), driver.config(4, 2), driver.config(4, 4)]).toEqual([
      0x04030201, 2, 0x0605, 0x0605,
    ]);
    driver.config(2, 2, 0xbbaa);
    expect([...model.own]).toEqual([1, 2, 0xaa, 0xbb, 5, 6]);
    pci.configChanged();
    expect(driver.isr()).toBe(2);
  });

  it('is as new after a reset by the driver', () => {
    const { kit, driver, model, pci, run } = setUp(by);
    const [queue] = driver.start(4, RINGS);
    queue.add([{ address: IN, bytes: 1, write: true }]);
    queue.notify();
    const { resets } = model;
    driver.status = 0;
    expect([driver.status, model.resets, pci.negotiated(2)]).toEqual([0, resets + 1, false]);
    expect(kit.clock.deadlines()).toEqual({});
    run();
    expect(queue.used()).toEqual([]);
  });

  it('does nothing without bus mastering', () => {
    const { kit, driver, run } = setUp(by);
    const [queue] = driver.start(0, RINGS);
    kit.pci.configWrite('5.0', 4, 3, 2);
    queue.add([{ address: IN, bytes: 1, write: true }]);
    queue.notify();
    run();
    expect(queue.used()).toEqual([]);
    kit.pci.configWrite('5.0', 4, 7, 2);
    queue.notify();
    run();
    expect(queue.used()).toHaveLength(1);
  });

  it('saves itself in mid-work', () => {
    const { kit, driver, pci, model } = setUp(by);
    const [queue] = driver.start(INDIRECT | EVENT_IDX, RINGS);
    for (let i = 0; i < 3; i++) queue.add([{ address: IN, bytes: 1, write: true }]);
    queue.notify();
    kit.clock.advance(550);
    const saved = structuredClone(pci.save());
    const other = setUp(by);
    other.kit.dma.ram.set(kit.dma.ram);
    other.kit.clock.jumpTo(kit.clock.now());
    other.pci.check(saved);
    other.pci.load(saved);
    expect(other.pci.save()).toEqual(saved);
    expect(other.driver.interrupt).toBe(driver.interrupt);
    for (const each of [kit, other.kit]) each.clock.advance(10_000);
    expect(other.pci.save()).toEqual(pci.save());
    expect(other.kit.dma.ram).toEqual(kit.dma.ram);
    expect(model.served).toBeGreaterThan(3);
  });
});

describe('a modern driver', () => {
  it('must take VERSION_1 and nothing that was not offered', () => {
    const { driver } = setUp();
    driver.negotiate(2);
    expect(driver.status).toBe(3);
    driver.status = 0;
    driver.status = 3;
    driver.status = 11;
    expect(driver.status).toBe(3);
    driver.negotiate(5);
    expect(driver.status).toBe(11);
    driver.mmio(1, 8, 4, 0);
    driver.mmio(1, 12, 4, 0); // too late
    expect(driver.mmio(1, 12, 4)).toBe(5);
  });

  it('chooses a smaller queue, of a power of two, before it enables it', () => {
    const { driver } = setUp();
    driver.negotiate(0);
    const size = () => driver.mmio(1, 24, 2);
    for (const wrong of [0, 3, 16, 0x8000]) driver.mmio(1, 24, 2, wrong);
    expect(size()).toBe(8);
    driver.mmio(1, 24, 2, 2);
    expect(size()).toBe(2);
    driver.queue(0, RINGS);
    driver.mmio(1, 24, 2, 4);
    driver.mmio(1, 32, 4, 0x5000);
    expect([size(), driver.mmio(1, 32, 4)]).toEqual([2, RINGS]);
    driver.mmio(1, 22, 2, 9);
    expect([size(), driver.mmio(1, 28, 2), driver.mmio(1, 18, 2)]).toEqual([0, 0, 2]);
  });

  it('reaches registers through configuration space', () => {
    const { kit, driver, model } = setUp();
    const cap = 0x84;
    expect(kit.pci.configRead('5.0', cap + 3, 1)).toBe(5);
    kit.pci.configWrite('5.0', cap + 4, 1, 1);
    kit.pci.configWrite('5.0', cap + 8, driver.structures.get(4)! + 2);
    kit.pci.configWrite('5.0', cap + 12, 2);
    expect(kit.pci.configRead('5.0', cap + 16)).toBe(0x0403);
    kit.pci.configWrite('5.0', cap + 16, 0x7788, 2);
    expect([...model.own]).toEqual([1, 2, 0x88, 0x77, 5, 6]);
    // a width that is none, an offset beyond the BAR, another BAR
    for (const [bar, offset, bytes] of [
      [1, 0x2000, 3],
      [1, 0xfffffffe, 2],
      [5, 0x2000, 4],
    ]) {
      kit.pci.configWrite('5.0', cap + 4, bar, 1);
      kit.pci.configWrite('5.0', cap + 8, offset);
      kit.pci.configWrite('5.0', cap + 12, bytes);
      kit.pci.configWrite('5.0', cap + 16, -1);
      expect(kit.pci.configRead('5.0', cap + 16)).toBe(0);
    }
    expect([...model.own]).toEqual([1, 2, 0x88, 0x77, 5, 6]);
  });
});

describe('a hostile driver', () => {
  const NEXT = 1;
  type Setup = ReturnType<typeof setUp> & { queue: ReturnType<VirtioDriver['start']>[number] };
  const cases: [string, (it: Setup) => void][] = [
    [
      'a loop of descriptors',
      ({ queue }) => {
        queue.descriptor(0, { address: OUT, bytes: 1 }, NEXT, 1);
        queue.descriptor(1, { address: OUT, bytes: 1 }, NEXT, 0);
        queue.offer(0);
      },
    ],
    ['a head beyond the table', ({ queue }) => queue.offer(8)],
    [
      'a next beyond the table',
      ({ queue }) => {
        queue.descriptor(0, { address: OUT, bytes: 1 }, NEXT, 0xffff);
        queue.offer(0);
      },
    ],
    ['more chains than the ring holds', ({ kit, queue }) => kit.dma.ram.set([9, 0], queue.driver + 2)],
    [
      'a readable buffer after a writable one',
      ({ queue }) => {
        queue.descriptor(0, { address: IN, bytes: 1, write: true }, NEXT, 1);
        queue.descriptor(1, { address: OUT, bytes: 1 }, 0, 0);
        queue.offer(0);
      },
    ],
    [
      'a table within a table',
      ({ queue }) => {
        queue.descriptor(0, { address: 0x12000, bytes: 16 }, 4, 0, 0x12000);
        queue.descriptor(0, { address: 0x12000, bytes: 16 }, 4, 0);
        queue.offer(0);
      },
    ],
    [
      'a table and a next',
      ({ queue }) => {
        queue.descriptor(0, { address: 0x12000, bytes: 16 }, 4 | NEXT, 1);
        queue.offer(0);
      },
    ],
    [
      'a table of no whole descriptor',
      ({ queue }) => {
        queue.descriptor(0, { address: 0x12000, bytes: 24 }, 4, 0);
        queue.offer(0);
      },
    ],
    [
      'an empty table',
      ({ queue }) => {
        queue.descriptor(0, { address: 0x12000, bytes: 0 }, 4, 0);
        queue.offer(0);
      },
    ],
    [
      'a table of 2^28 descriptors that loops',
      ({ queue }) => {
        for (let i = 0; i < 2; i++) queue.descriptor(i, { address: OUT, bytes: 1 }, NEXT, 1 - i, 0x12000);
        queue.descriptor(0, { address: 0x12000, bytes: 0xfffffff0 }, 4, 0);
        queue.offer(0);
      },
    ],
  ];

  it.each(cases)('is told to reset: %s', (_name, bend) => {
    const all = setUp();
    const [queue] = all.driver.start(INDIRECT, RINGS);
    bend({ ...all, queue });
    queue.notify();
    all.run();
    expect(all.driver.status & 0x40).toBe(0x40);
    expect(all.driver.isr()).toBe(2);
    expect(queue.used()).toEqual([]);
    // silent until it obeys
    const { served } = all.model;
    queue.notify();
    all.run();
    expect([all.model.served, all.kit.clock.deadlines()]).toEqual([served, {}]);
    const [again] = all.driver.start(0, RINGS);
    again.add([{ address: IN, bytes: 1, write: true }]);
    again.notify();
    all.run();
    expect(again.used()).toHaveLength(1);
  });

  it('gains nothing by rings and buffers outside memory', () => {
    const { kit, driver, run } = setUp();
    driver.negotiate(0);
    driver.queue(0, RINGS);
    driver.mmio(1, 22, 2, 1);
    for (const ring of [0, 1, 2]) driver.mmio(1, 36 + 8 * ring, 4, 0xffffffff);
    driver.mmio(1, 28, 2, 1);
    driver.status = 15;
    driver.notify(1);
    run();
    expect(driver.status).toBe(0x4f);
    const [queue] = driver.start(0, RINGS);
    queue.add([{ address: 0xfffff000, bytes: 0xffffffff, write: true }]);
    const before = kit.dma.ram.slice(0, RINGS);
    queue.notify();
    run();
    expect(queue.used()).toHaveLength(1);
    expect(kit.dma.ram.slice(0, RINGS)).toEqual(before);
  });

  it('reads and writes any register at any width without harm', () => {
    for (const by of ['legacy', 'modern'] as const) {
      const { kit, driver } = setUp(by);
      for (const value of [0, 0xff, 0x7fff, -1]) {
        for (let at = 0; at < 64; at++) {
          for (const size of [1, 2, 4]) {
            if (at < 32) driver.port(at, size, value);
            for (const structure of [1, 2, 3, 4]) driver.mmio(structure, at, size, value);
            driver.port(Math.min(at, 31), size);
            for (const structure of [1, 2, 3, 4]) driver.mmio(structure, at, size);
            kit.clock.advance(1000);
          }
        }
      }
      driver.status = 0;
      expect(driver.status).toBe(0);
    }
  });

  it('may write anything into rings and registers: nothing throws, and work ends', () => {
    const random = generator(1);
    for (let round = 0; round < 60; round++) {
      const by = round % 2 === 0 ? 'modern' : 'legacy';
      const { kit, driver, model, run } = setUp(by);
      const queues = driver.start(INDIRECT | (round % 3 === 0 ? EVENT_IDX : 0), RINGS, RINGS + 0x3000);
      for (let turn = 0; turn < 20; turn++) {
        const queue = queues[random(2)];
        const view = new DataView(kit.dma.ram.buffer);
        for (let i = 0; i < queue.size; i++) {
          const at = random(4) === 0 ? random(2 ** 32) : OUT + random(0x4000);
          const segment = {
            address: at,
            bytes: random(3) === 0 ? random(2 ** 32) : random(300),
            write: random(2) === 0,
          };
          queue.descriptor(i, segment, random(8), random(queue.size + 1), random(3) === 0 ? 0x12000 : queue.base);
        }
        view.setUint16(queue.driver + 2, random(3) === 0 ? random(0x10000) : turn, true);
        view.setUint16(queue.driver + 4 + 2 * random(queue.size), random(queue.size + 2), true);
        if (random(3) === 0) driver.mmio(1 + random(4), random(64), [1, 2, 4][random(3)], random(2 ** 32));
        if (random(3) === 0) driver.port(random(32), [1, 2, 4][random(3)], random(2 ** 32));
        queue.notify();
        const { served } = model;
        run();
        expect(model.served - served).toBeLessThanOrEqual(2 * queue.size + 4);
      }
      const [again] = driver.start(0, RINGS);
      again.add([{ address: IN, bytes: 1, write: true }]);
      again.notify();
      run();
      expect(again.used()).toHaveLength(1);
    }
  });
});

/** Whole numbers below `bound`, the same in every run. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}
