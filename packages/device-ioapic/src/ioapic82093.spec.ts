/** The I/O APIC by its datasheet (82093AA, order number 290566): registers (3.0, 3.2), edges, levels, masks, end of interrupt. */
import { deviceContract, FakeApicBus } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { IoApic82093, ioapic } from './index.js';

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const STATUS = 0x1000;

function setUp() {
  const bus = new FakeApicBus();
  const chip = new IoApic82093(bus);
  const read = (index: number) => {
    chip.mmioWrite(0, 4, index);
    return chip.mmioRead(0x10, 4) >>> 0;
  };
  const write = (index: number, value: number) => {
    chip.mmioWrite(0, 4, index);
    chip.mmioWrite(0x10, 4, value);
  };
  const entry = (pin: number, low: number, destination = 0) => {
    write(0x11 + 2 * pin, destination << 24);
    write(0x10 + 2 * pin, low);
  };
  const pulse = (pin: number) => {
    chip.setInput(pin, true);
    chip.setInput(pin, false);
  };
  return { bus, chip, read, write, entry, pulse, low: (pin: number) => read(0x10 + 2 * pin) };
}

describe('registers', () => {
  it('after reset: version 11h with 24 entries, all masked, ID 0; a BIOS gives it the ID of the tables', () => {
    const { chip, read } = setUp();
    expect(read(1)).toBe(0x00170011);
    expect([read(0), read(2)]).toEqual([0, 0]);
    for (let pin = 0; pin < 24; pin++) expect([read(0x10 + 2 * pin), read(0x11 + 2 * pin)]).toEqual([MASKED, 0]);
    chip.handOver();
    expect([read(0), read(2)]).toEqual([0x01000000, 0x01000000]);
  });

  it('what software can write: four bits of ID, an entry without its status bits, an eight-bit destination', () => {
    const { read, write } = setUp();
    write(0, 0xffffffff);
    expect(read(0)).toBe(0x0f000000);
    write(1, 0);
    expect(read(1)).toBe(0x00170011);
    write(0x3e, 0xffffffff);
    write(0x3f, 0xffffffff);
    expect([read(0x3e), read(0x3f)]).toEqual([0x1afff, 0xff000000]);
    write(0x40, 1);
    expect([read(0x40), read(0xff)]).toEqual([0, 0]);
  });

  it('IOWIN takes double words only; IOREGSEL has eight bits', () => {
    const { chip, read } = setUp();
    chip.mmioWrite(0, 4, 0xabcd00);
    expect(chip.mmioRead(0, 4)).toBe(0);
    chip.mmioWrite(0x10, 1, 0xff);
    chip.mmioWrite(0x13, 1, 0x0f);
    expect(read(0)).toBe(0);
    chip.mmioWrite(0, 1, 1);
    expect([chip.mmioRead(0x12, 1), chip.mmioRead(0x10, 2), chip.mmioRead(0x20, 4)]).toEqual([0x17, 0x11, 0]);
  });
});

describe('edges', () => {
  it('are sent once each, to the entry’s destination', () => {
    const { bus, chip, entry, pulse } = setUp();
    entry(4, 0x0931, 5); // lowest priority, logical
    pulse(4);
    chip.setInput(4, true);
    chip.setInput(4, true);
    expect(bus.log).toEqual(['logical 5 mode 1 vector 31 edge', 'logical 5 mode 1 vector 31 edge']);
    chip.setInput(24, true); // no such input
    expect(bus.log).toHaveLength(2);
  });

  it('that come while the entry is masked are lost', () => {
    const { bus, chip, entry, pulse, low } = setUp();
    entry(4, MASKED | 0x31);
    pulse(4);
    chip.setInput(4, true);
    entry(4, 0x31);
    expect([bus.log, low(4) & STATUS]).toEqual([[], 0]);
  });

  it('that nobody accepts wait, to be seen in the delivery status, until a receiver changes', () => {
    const { bus, chip, entry, pulse, low } = setUp();
    entry(4, 0x31);
    bus.accepts = false;
    pulse(4);
    expect(low(4) & STATUS).toBe(STATUS);
    bus.log.length = 0;
    bus.accepts = true;
    chip.retry();
    chip.retry();
    expect([bus.log, low(4) & STATUS]).toEqual([['physical 0 mode 0 vector 31 edge'], 0]);
  });

  it('also of level-triggered entries with a mode that knows none; reserved modes send nothing', () => {
    const { bus, entry, pulse, low } = setUp();
    for (const mode of [2, 3, 4, 5, 6, 7]) {
      entry(mode, LEVEL | (mode << 8));
      pulse(mode);
      expect(low(mode) & (REMOTE_IRR | STATUS)).toBe(0);
    }
    expect(bus.log.map((line) => line.split(' ')[3])).toEqual(['2', '4', '5', '7']);
    expect(bus.log.every((line) => line.endsWith('edge'))).toBe(true);
  });
});

describe('levels', () => {
  it('set Remote IRR; the end of interrupt clears it and sends again what still asks', () => {
    const { bus, chip, entry, low } = setUp();
    entry(10, LEVEL | 0x52);
    chip.setInput(10, true);
    expect([bus.log.length, low(10) & REMOTE_IRR]).toEqual([1, REMOTE_IRR]);
    chip.endOfInterrupt(0x53); // another's
    expect(bus.log).toHaveLength(1);
    chip.endOfInterrupt(0x52);
    expect(bus.log).toEqual(Array(2).fill('physical 0 mode 0 vector 52 level'));
    chip.setInput(10, false);
    expect(low(10) & REMOTE_IRR).toBe(REMOTE_IRR);
    chip.endOfInterrupt(0x52);
    expect([bus.log.length, low(10) & REMOTE_IRR]).toEqual([2, 0]);
  });

  it('count when the mask goes', () => {
    const { bus, chip, entry } = setUp();
    entry(10, LEVEL | MASKED | 0x52);
    chip.setInput(10, true);
    expect(bus.log).toEqual([]);
    entry(10, LEVEL | 0x52);
    expect(bus.log).toHaveLength(1);
  });

  it('that nobody accepts leave Remote IRR clear', () => {
    const { bus, chip, entry, low } = setUp();
    entry(10, LEVEL | 0x52);
    bus.accepts = false;
    chip.setInput(10, true);
    expect(low(10) & REMOTE_IRR).toBe(0);
    bus.accepts = true;
    chip.retry();
    expect(low(10) & REMOTE_IRR).toBe(REMOTE_IRR);
  });

  it('an entry made edge triggered forgets Remote IRR', () => {
    const { chip, entry, low } = setUp();
    entry(10, LEVEL | 0x52);
    chip.setInput(10, true);
    entry(10, LEVEL | MASKED | 0x52);
    expect(low(10) & REMOTE_IRR).toBe(REMOTE_IRR);
    entry(10, MASKED | 0x52);
    entry(10, LEVEL | MASKED | 0x52);
    expect(low(10) & REMOTE_IRR).toBe(0);
  });
});

it('says whether an entry may make an NMI', () => {
  const { chip, entry } = setUp();
  entry(2, MASKED | 0x400);
  expect(chip.routesNmi).toBe(false);
  entry(2, 0x400);
  expect(chip.routesNmi).toBe(true);
});

deviceContract('ioapic', {
  make: () => new IoApic82093(new FakeApicBus()),
  resources: ioapic.resources,
  exercise: (chip) => {
    chip.handOver();
    for (const [index, value] of [
      [0x15, 0x01000000],
      [0x14, 0x42],
      [0x24, LEVEL | 0x53],
    ]) {
      chip.mmioWrite(0, 4, index);
      chip.mmioWrite(0x10, 4, value);
    }
    chip.setInput(10, true);
    chip.setInput(2, true);
  },
});
