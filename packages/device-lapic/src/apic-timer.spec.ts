/** The APIC timer: SDM Vol. 3A, "APIC Timer". A tick is a bus clock unless a case says otherwise. */
import { makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import * as R from './registers.js';
import { P6 } from './testing/models.js';
import { makeApic, setUp } from './testing/set-up.js';

const PERIODIC = 0x20000;
const MASKED = 0x10000;
const BY_1 = 0xb;

function timer(vector = 0x72, divide = BY_1) {
  const all = setUp(P6, true);
  all.write(R.DIVIDE, divide);
  all.write(R.LVT, vector);
  return {
    ...all,
    current: () => all.read(R.CURRENT_COUNT),
    start: (count: number) => all.write(R.INITIAL_COUNT, count),
  };
}

describe('the APIC timer', () => {
  it('one-shot: counts down once, and interrupts at the tick of zero', () => {
    const { kit, pins, chip, current, start, read } = timer();
    start(1000);
    expect(current()).toBe(1000);
    kit.clock.advance(999);
    expect([current(), pins.intr]).toEqual([1, false]);
    kit.clock.advance(1);
    expect([current(), pins.intr, chip.acknowledge()]).toEqual([0, true, 0x72]);
    kit.clock.advance(100_000);
    expect([current(), read(R.INITIAL_COUNT), pins.intr]).toEqual([0, 1000, false]);
  });

  it('periodic: reloads, and interrupts at every zero', () => {
    const { kit, chip, write, current, start } = timer(0x72 | PERIODIC);
    start(1000);
    const seen: number[] = [];
    for (let n = 0; n < 3; n++) {
      kit.clock.advance(n === 0 ? 1000 : 999);
      seen.push(chip.acknowledge(), current());
      write(R.EOI, 0);
      kit.clock.advance(1);
      seen.push(current());
    }
    expect(seen).toEqual([0x72, 1000, 999, 0x72, 1000, 999, 0x72, 1000, 999]);
  });

  it.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
  ])('divide configuration %s: by %s', (code, divisor) => {
    const { kit, pins, current, start } = timer(0x72, code);
    start(10);
    kit.clock.advance(3 * divisor);
    expect(current()).toBe(7);
    kit.clock.advance(7 * divisor - 1);
    expect([current(), pins.intr]).toEqual([1, false]);
    kit.clock.advance(1);
    expect(pins.intr).toBe(true);
  });

  it('a count of zero stops it', () => {
    const { kit, pins, current, start } = timer(0x72 | PERIODIC);
    start(100);
    kit.clock.advance(50);
    start(0);
    kit.clock.advance(10_000);
    expect([current(), pins.intr, kit.clock.deadlines()]).toEqual([0, false, {}]);
  });

  it('masked it counts unheard, and asks for no deadline', () => {
    const { kit, pins, write, current, start } = timer(0x72 | PERIODIC | MASKED);
    start(100);
    expect(kit.clock.deadlines()).toEqual({});
    kit.clock.advance(250);
    expect([current(), pins.intr]).toEqual([50, false]);
    write(R.LVT, 0x72 | PERIODIC);
    expect([pins.intr, kit.clock.deadlines()]).toEqual([false, { lapic: 300 }]);
    kit.clock.advance(50);
    expect(pins.intr).toBe(true);
  });

  it('a one-shot that ran down unheard stays down when it is unmasked or made periodic', () => {
    const { kit, pins, write, current, start } = timer(0x72 | MASKED);
    start(100);
    kit.clock.advance(250);
    write(R.LVT, 0x72);
    write(R.LVT, 0x72 | PERIODIC);
    kit.clock.advance(1000);
    expect([current(), pins.intr]).toEqual([0, false]);
  });

  it('a new divider takes the count on from where it is', () => {
    const { kit, pins, write, current, start } = timer();
    start(100);
    kit.clock.advance(40);
    write(R.DIVIDE, 0x3);
    expect(current()).toBe(60);
    kit.clock.advance(16 * 59);
    expect([current(), pins.intr]).toEqual([1, false]);
    kit.clock.advance(16);
    expect(pins.intr).toBe(true);
  });

  it('an illegal vector is an error, not an interrupt', () => {
    const { kit, pins, write, read, start } = timer(0x05);
    start(10);
    kit.clock.advance(10);
    write(R.ESR, 0);
    expect([pins.intr, read(R.ESR)]).toEqual([false, 0x40]);
  });

  it('the bus clock is a whole number of ticks, at least one', () => {
    for (const [hz, busHz, ticks] of [
      [1_000_000_000, 100_000_000, 10],
      [250_000_000, 100_000_000, 3],
      [10_000_000, 100_000_000, 1],
    ]) {
      const kit = makeDeviceKit({ hz });
      const chip = makeApic(P6, kit, busHz);
      chip.handOver();
      for (const [register, value] of [
        [R.DIVIDE, BY_1],
        [R.LVT, 0x72],
        [R.INITIAL_COUNT, 0xffffffff],
      ]) {
        chip.mmioWrite(register, 4, value);
      }
      expect(kit.clock.deadlines()).toEqual({ lapic: 0xffffffff * ticks });
    }
  });
});
