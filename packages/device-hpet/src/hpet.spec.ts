/** Counter, one-shot and periodic comparators, edge and level, legacy replacement; the device contract. */
import { deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Hpet, hpet } from './index.js';

const CONF = 0x10;
const STATUS = 0x20;
const COUNT = 0xf0;
const timer = (n: number): number => 0x100 + 0x20 * n;
const COMPARATOR = 8;

const ENABLE = 1;
const LEGACY = 2;
const LEVEL = 1 << 1;
const INTERRUPT = 1 << 2;
const PERIODIC = 1 << 3;
const VAL_SET = 1 << 6;
const ROUTE = (line: number): number => line << 9;

const make = (kit: DeviceKit) => new Hpet(kit.clock, kit.inputs);

function setUp(hz?: number) {
  const kit = makeDeviceKit({ hz });
  const block = make(kit);
  block.reset();
  const read = (at: number, size = 4): number => block.mmioRead(at, size) >>> 0;
  const write = (at: number, value: number, size = 4): void => block.mmioWrite(at, size, value);
  return { kit, block, read, write, line: (irq: number) => kit.inputs.input(irq) };
}

describe('the block', () => {
  it('says what it is', () => {
    const { read } = setUp();
    expect(read(0)).toBe(0x80868201);
    expect(read(4)).toBe(10_000_000); // femtoseconds: 100 MHz
    expect(read(timer(0))).toBe(1 << 4);
    expect(read(timer(2) + 4)).toBe(0x00f00000);
    expect(read(timer(3))).toBe(0);
    expect(hpet.firmware).toContainEqual(expect.objectContaining({ kind: 'hpet', blockId: read(0) }));
  });

  it('reads in parts and takes whole words only', () => {
    const { read, write } = setUp();
    expect([read(0, 1), read(2, 2), read(3, 1)]).toEqual([0x01, 0x8086, 0x80]);
    write(COUNT, 0x12, 1);
    write(COUNT + 1, 0x12, 4);
    expect(read(COUNT)).toBe(0);
    write(COUNT, 0x12345678);
    expect(read(COUNT)).toBe(0x12345678);
  });
});

describe('the main counter', () => {
  it.each([
    [100_000_000, 12345, 12345],
    [1_000_000, 7, 700],
    [3_000_000_000, 100, 3],
  ])('at %d ticks a second counts in %d ticks %d', (hz, ticks, counts) => {
    const { kit, read, write } = setUp(hz);
    kit.clock.advance(ticks);
    expect(read(COUNT)).toBe(0);
    write(CONF, ENABLE);
    kit.clock.advance(ticks);
    expect(read(COUNT)).toBe(counts);
    write(CONF, 0);
    kit.clock.advance(ticks);
    expect(read(COUNT)).toBe(counts);
  });

  it('loses no part of a count when its configuration is written again, and wraps', () => {
    const { kit, read, write } = setUp(300_000_000);
    write(CONF, ENABLE);
    for (let i = 0; i < 30; i++) {
      kit.clock.advance(1);
      write(CONF, ENABLE);
    }
    expect(read(COUNT)).toBe(10);
    write(COUNT, 0xffffffff);
    kit.clock.advance(3);
    expect(read(COUNT)).toBe(0);
  });
});

describe('a comparator', () => {
  it('raises its line once, and again when the counter has gone round', () => {
    const { kit, write, line } = setUp();
    write(timer(2), INTERRUPT | ROUTE(21));
    write(timer(2) + COMPARATOR, 1000);
    write(CONF, ENABLE);
    kit.clock.advance(999);
    expect(line(21).rises).toBe(0);
    kit.clock.advance(1);
    expect(line(21)).toMatchObject({ rises: 1, level: true }); // high until the next: an 8259 wants to see it at INTA
    kit.clock.advance(2 ** 32 - 1);
    expect(line(21).rises).toBe(1);
    kit.clock.advance(1);
    expect(line(21).rises).toBe(2);
  });

  it('matches at once when it is set to the present count', () => {
    const { kit, write, line } = setUp();
    write(CONF, ENABLE);
    kit.clock.advance(50);
    write(timer(2) + COMPARATOR, 50);
    write(timer(2), INTERRUPT | ROUTE(20));
    kit.clock.advance(0);
    expect(line(20).rises).toBe(1);
    kit.clock.advance(1000);
    expect(line(20).rises).toBe(1);
  });

  it('lowers its line when it is switched off, and for nothing that happens to others', () => {
    const { kit, write, line } = setUp();
    write(timer(2), INTERRUPT | ROUTE(21));
    write(timer(2) + COMPARATOR, 10);
    write(CONF, ENABLE);
    kit.clock.advance(10);
    write(timer(0), INTERRUPT | ROUTE(20));
    write(timer(2) + COMPARATOR, 5000);
    expect(line(21).level).toBe(true);
    write(timer(2), ROUTE(21));
    expect(line(21).level).toBe(false);
  });

  it('holds a level until its status is cleared', () => {
    const { kit, read, write, line } = setUp();
    write(timer(1), INTERRUPT | LEVEL | ROUTE(22));
    write(timer(1) + COMPARATOR, 10);
    write(CONF, ENABLE);
    kit.clock.advance(10);
    expect([read(STATUS), line(22).level]).toEqual([2, true]);
    write(STATUS, 5);
    expect(line(22).level).toBe(true);
    write(STATUS, 2);
    expect([read(STATUS), line(22).level]).toEqual([0, false]);
  });

  it('is periodic: VAL_SET sets the first match, the next write the period', () => {
    const { kit, read, write, line } = setUp();
    write(timer(0), INTERRUPT | PERIODIC | VAL_SET | ROUTE(20));
    write(timer(0) + COMPARATOR, 500);
    write(timer(0) + COMPARATOR, 200);
    expect(read(timer(0) + COMPARATOR)).toBe(500);
    write(CONF, ENABLE);
    kit.clock.advance(500);
    expect(line(20).rises).toBe(1);
    kit.clock.advance(1000);
    expect(line(20).rises).toBe(6);
    expect(read(timer(0) + COMPARATOR)).toBe(1700);
  });

  it('with a period shorter than a tick interrupts once a tick', () => {
    const { kit, write, line } = setUp(1_000_000);
    write(timer(0), INTERRUPT | PERIODIC | VAL_SET | ROUTE(20));
    write(timer(0) + COMPARATOR, 1);
    write(CONF, ENABLE);
    kit.clock.advance(20);
    expect(line(20).rises).toBe(20);
  });

  it.each([0, 1, 19, 24, 31])('goes nowhere by route %i', (route) => {
    const { kit, write } = setUp();
    write(timer(0), INTERRUPT | ROUTE(route));
    write(timer(0) + COMPARATOR, 10);
    write(CONF, ENABLE);
    kit.clock.advance(20);
    expect([...kit.inputs.lines.values()].map(({ rises }) => rises).every((rises) => rises === 0)).toBe(true);
  });
});

describe('legacy replacement', () => {
  it('takes the requests of 8254 and RTC over, and gives them back', () => {
    const { kit, write, line } = setUp();
    write(timer(0), INTERRUPT | ROUTE(20));
    write(timer(0) + COMPARATOR, 10);
    write(timer(1), INTERRUPT | ROUTE(20));
    write(timer(1) + COMPARATOR, 20);
    write(CONF, ENABLE | LEGACY);
    expect([line(0).isAlone, line(8).isAlone]).toEqual([true, true]);
    kit.clock.advance(20);
    expect([line(0).rises, line(8).rises, line(20).rises]).toEqual([1, 1, 0]);
    write(CONF, ENABLE);
    expect([line(0).isAlone, line(8).isAlone]).toEqual([false, false]);
  });

  it('is taken up again after a load', () => {
    const { kit, block, write } = setUp();
    write(timer(0), INTERRUPT | LEVEL);
    write(timer(0) + COMPARATOR, 10);
    write(CONF, ENABLE | LEGACY);
    kit.clock.advance(15);
    const other = setUp();
    other.kit.clock.jumpTo(15);
    other.block.loadState(block.saveState());
    expect(other.line(0)).toMatchObject({ isAlone: true, level: true });
    other.kit.clock.advance(5);
    expect(other.read(COUNT)).toBe(20);
  });
});

deviceContract('hpet', {
  make,
  resources: hpet.resources,
  exercise: (block, kit) => {
    block.mmioWrite(timer(0), 4, INTERRUPT | PERIODIC | VAL_SET | ROUTE(20));
    block.mmioWrite(timer(0) + COMPARATOR, 4, 1000);
    block.mmioWrite(CONF, 4, ENABLE);
    kit.clock.advance(1234);
  },
});
