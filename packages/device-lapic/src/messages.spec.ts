/** What reaches the local APIC over the bus, what it sends, and the errors of both, by SDM Vol. 3A. */
import { describe, expect, it } from 'vitest';
import * as R from './registers.js';
import { P6, PENTIUM, PENTIUM4 } from './testing/models.js';
import { setUp } from './testing/set-up.js';

const ERROR = R.LVT + 0x50;
const SELF = 0x40000;
const ALL = 0x80000;
const OTHERS = 0xc0000;
const ASSERT = 0x4000;
const LOGICAL = 0x800;

describe('messages', () => {
  it.each([
    ['physical', 0, false, true],
    ['another ID', 3, false, false],
    ['broadcast on the serial bus', 0x0f, false, true],
    ['broadcast', 0xff, false, true],
    ['flat', 0x06, true, true],
    ['flat, others', 0x05, true, false],
  ])('destination: %s', (_name, destination, logical, accepted) => {
    const { chip, write } = setUp(P6, true);
    write(R.LDR, 0x02000000);
    expect(chip.accept(destination, logical, 0, 0x51, false)).toBe(accepted);
  });

  it.each([
    [0x36, true],
    [0x26, false],
    [0x35, false],
    [0xf2, true],
    [0xf4, false],
  ])('destination in the cluster model: %s', (destination, accepted) => {
    const { chip, write } = setUp(P6, true);
    write(R.DFR, 0);
    write(R.LDR, 0x32000000);
    expect(chip.accept(destination, true, 0, 0x51, false)).toBe(accepted);
    write(R.DFR, 0x70000000); // no model
    expect(chip.accept(destination, true, 0, 0x51, false)).toBe(false);
  });

  it('level-triggered: the end of interrupt is told to the I/O APIC, of an edge it is not', () => {
    const { chip, kit, write, bit } = setUp(P6, true);
    kit.apicBus.log.length = 0;
    chip.accept(0, false, 0, 0x51, true);
    expect(bit(R.TMR, 0x51)).toBe(1);
    chip.acknowledge();
    write(R.EOI, 0);
    chip.accept(0, false, 1, 0x51, false);
    expect(bit(R.TMR, 0x51)).toBe(0);
    chip.acknowledge();
    write(R.EOI, 0);
    expect(kit.apicBus.log).toEqual(['eoi 51']);
  });

  it('NMI, INIT and ExtINT are accepted also while software has it off; fixed ones are not', () => {
    const { chip, kit, pins } = setUp();
    expect([0, 1].map((mode) => chip.accept(0, false, mode, 0x51, false))).toEqual([false, false]);
    expect([2, 4, 5, 6, 7].map((mode) => chip.accept(0, false, mode, 0x51, false))).toEqual(Array(5).fill(true));
    expect([pins.nmis, kit.system.log]).toEqual([1, ['reset INIT by the local APIC']]);
    expect([pins.intr, chip.acknowledge(), pins.intr]).toEqual([true, pins.externalVector, false]);
  });

  it('tells the I/O APIC when it may accept what it did not', () => {
    const { kit, write } = setUp();
    for (const register of [R.SVR, R.LDR, R.DFR, R.ID]) {
      kit.apicBus.log.length = 0;
      write(register, 0x1ff);
      expect(kit.apicBus.log).toContain('receiver changed');
    }
  });
});

describe('the command register', () => {
  it.each([
    ['itself', SELF | 0x51, 0, true],
    ['all', ALL | 0x51, 0, true],
    ['others', OTHERS | 0x51, 0, false],
    ['its ID', 0x51, 0, true],
    ['its ID, lowest priority', 0x151, 0, true],
    ['flat', LOGICAL | 0x51, 0x02, true],
    ['nobody', 0x51, 3, false],
    ['itself, lowest priority: not valid', SELF | 0x151, 0, false],
  ])('to %s', (_name, low, destination, taken) => {
    const { write, send, bit } = setUp(P6, true);
    write(R.LDR, 0x02000000);
    send(low, destination);
    expect(bit(R.IRR, 0x51)).toBe(taken ? 1 : 0);
  });

  it('NMI to its ID; not by a shorthand', () => {
    const { pins, send } = setUp(P6, true);
    send(0x400);
    send(SELF | 0x400);
    send(ALL | 0x400);
    expect(pins.nmis).toBe(1);
  });

  it('INIT to its ID; a level de-assert only synchronizes arbitration IDs', () => {
    const { kit, write } = setUp(P6, true);
    write(R.ICR_LOW, 0x8500 | ALL);
    write(R.ICR_LOW, 0x8500);
    expect(kit.system.log).toEqual([]);
    write(R.ICR_LOW, 0x500 | ASSERT);
    expect(kit.system.log).toHaveLength(1);
  });
});

describe('"Error Handling"', () => {
  it('an illegal vector sent to itself, latched by a write before the read, with one interrupt until software looks', () => {
    const { chip, send, read, write } = setUp(P6, true);
    write(ERROR, 0xe1);
    send(SELF | 0x0f);
    send(SELF | 0x0e);
    expect(read(R.ESR)).toBe(0);
    expect(chip.acknowledge()).toBe(0xe1);
    write(R.EOI, 0);
    expect(chip.acknowledge()).toBe(0xff);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0x60);
    send(0x0f);
    expect(chip.acknowledge()).toBe(0xe1);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0x20);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0);
  });

  it.each([
    ['an illegal vector received', P6, 0x40],
    ['on a Pentium 4', PENTIUM4, 0x40],
    ['on a Pentium', PENTIUM, 0x40],
  ])('%s', (_name, model, expected) => {
    const { chip, read, write } = setUp(model, true);
    expect(chip.accept(0, false, 0, 3, false)).toBe(true);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(expected);
  });

  it('a message that nobody takes, and a register that is none, where the family reports it', () => {
    for (const [model, expected] of [
      [PENTIUM, 0x04],
      [P6, 0x84],
      [PENTIUM4, 0x80],
    ] as const) {
      const { send, read, write } = setUp(model, true);
      send(0x51, 7);
      read(0x3f0);
      write(0x010, 1);
      write(R.ESR, 0);
      expect(read(R.ESR)).toBe(expected);
    }
  });

  it('a Pentium reads what happened, once, without a write', () => {
    const { send, read } = setUp(PENTIUM, true);
    send(0x0f);
    expect([read(R.ESR), read(R.ESR)]).toEqual([0x20, 0]);
  });

  it('an error interrupt with an illegal vector of its own ends there', () => {
    const { send, read, write } = setUp(P6, true);
    write(ERROR, 0x01);
    send(0x0f);
    write(R.ESR, 0);
    expect(read(R.ESR)).toBe(0x60);
  });
});
