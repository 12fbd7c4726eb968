/** The local APIC by SDM Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)"; quotations name the section. */
import { P6, PENTIUM, PENTIUM4 } from './testing/models.js';
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { lapic } from './index.js';
import { makeApic, setUp } from './testing/set-up.js';
import * as R from './registers.js';

const LINT0 = R.LVT + 0x30;
const LINT1 = R.LVT + 0x40;
const ERROR = R.LVT + 0x50;
const THERMAL = R.LVT + 0x10;
const PERFORMANCE = R.LVT + 0x20;
const SELF = 0x40000;

describe('state after power-up', () => {
  it.each([
    ['Pentium', PENTIUM, 3],
    ['P6', P6, 4],
    ['Pentium 4', PENTIUM4, 5],
  ])('%s', (_name, model, last) => {
    const { read } = setUp(model);
    expect(read(R.VERSION)).toBe((last << 16) | 0x14);
    expect(read(R.ID)).toBe(0);
    expect(read(R.SVR)).toBe(0xff);
    expect([read(R.LDR), read(R.DFR) >>> 0]).toEqual([0, 0xffffffff]);
    for (const entry of [R.LVT, LINT0, LINT1, ERROR]) expect(read(entry)).toBe(0x10000);
    expect(read(PERFORMANCE)).toBe(last >= 4 ? 0x10000 : 0);
    expect(read(THERMAL)).toBe(last >= 5 ? 0x10000 : 0);
    for (const zero of [R.TPR, R.PPR, R.ICR_LOW, R.ICR_HIGH, R.INITIAL_COUNT, R.CURRENT_COUNT, R.DIVIDE]) {
      expect(read(zero)).toBe(0);
    }
    for (let set = R.ISR; set < R.ESR; set += 0x10) expect(read(set)).toBe(0);
  });

  it('a BIOS hands over in virtual wire mode: INTR of the 8259s and NMI pass through', () => {
    const { chip, pins, read } = setUp();
    chip.handOver();
    expect([read(R.SVR), read(LINT0), read(LINT1)]).toEqual([0x1ff, 0x700, 0x400]);
    chip.setLint(0, true);
    expect(pins.intr).toBe(true);
    expect(chip.acknowledge()).toBe(pins.externalVector);
    chip.setLint(0, false);
    expect(pins.intr).toBe(false);
    chip.setLint(1, true);
    chip.setLint(1, true);
    expect(pins.nmis).toBe(1);
  });
});

describe('what software can write', () => {
  it.each([
    ['ID', R.ID, P6, 0x0f000000],
    ['ID of a Pentium 4', R.ID, PENTIUM4, 0xff000000],
    ['TPR', R.TPR, P6, 0xff],
    ['LDR', R.LDR, P6, 0xff000000],
    ['DFR', R.DFR, P6, 0xffffffff],
    ['SVR', R.SVR, P6, 0x3ff],
    ['ICR low', R.ICR_LOW, P6, 0x000ccfff],
    ['ICR high', R.ICR_HIGH, P6, 0xff000000],
    ['timer', R.LVT, P6, 0x300ff],
    ['LINT0', LINT0, P6, 0x1a7ff],
    ['LINT1', LINT1, P6, 0x1a7ff],
    ['error', ERROR, P6, 0x100ff],
    ['performance', PERFORMANCE, P6, 0x107ff],
    ['thermal', THERMAL, PENTIUM4, 0x107ff],
    ['divide configuration', R.DIVIDE, P6, 0xb],
    ['version', R.VERSION, P6, 0x40014],
    ['PPR', R.PPR, P6, 0],
    ['ISR', R.ISR, P6, 0],
    ['current count', R.CURRENT_COUNT, P6, 0],
  ])('%s', (_name, register, model, expected) => {
    const { read, write } = setUp(model);
    write(R.SVR, 0x1ff);
    write(register, 0xffffffff);
    expect(read(register) >>> 0).toBe(expected >>> 0);
  });

  it('the spurious vector ends in 1111b before the Pentium 4', () => {
    for (const [model, expected] of [
      [PENTIUM, 0x12f],
      [P6, 0x12f],
      [PENTIUM4, 0x120],
    ] as const) {
      const { read, write } = setUp(model);
      write(R.SVR, 0x120);
      expect(read(R.SVR)).toBe(expected);
    }
  });

  it('only aligned double words count; parts of a register can be read', () => {
    const { chip, read, write } = setUp();
    write(R.SVR, 0x1ff);
    chip.mmioWrite(R.TPR, 1, 0x50);
    chip.mmioWrite(R.TPR + 4, 4, 0x50);
    expect(read(R.TPR)).toBe(0);
    expect([chip.mmioRead(R.VERSION + 2, 1), chip.mmioRead(R.VERSION, 2), chip.mmioRead(R.VERSION + 4, 4)]).toEqual([
      4, 0x14, 0,
    ]);
  });
});

describe('fixed interrupts', () => {
  it('the highest first; one in service holds back its class and below; the end of interrupt ends the highest', () => {
    const { chip, pins, send, read, write, bit } = setUp(P6, true);
    for (const vector of [0x51, 0x63, 0x64, 0x51]) send(SELF | vector);
    expect(pins.intr).toBe(true);
    expect(chip.acknowledge()).toBe(0x64);
    expect([bit(R.IRR, 0x64), bit(R.ISR, 0x64), bit(R.IRR, 0x63), bit(R.TMR, 0x64)]).toEqual([0, 1, 1, 0]);
    expect([pins.intr, read(R.PPR)]).toEqual([false, 0x60]);
    send(SELF | 0x71);
    expect([pins.intr, chip.acknowledge(), read(R.PPR)]).toEqual([true, 0x71, 0x70]);
    write(R.EOI, 0);
    expect([bit(R.ISR, 0x71), bit(R.ISR, 0x64), pins.intr]).toEqual([0, 1, false]);
    write(R.EOI, 0);
    expect([pins.intr, chip.acknowledge()]).toEqual([true, 0x63]);
    write(R.EOI, 0);
    expect(chip.acknowledge()).toBe(0x51);
    write(R.EOI, 0);
    write(R.EOI, 0);
    expect([pins.intr, read(R.PPR)]).toEqual([false, 0]);
  });

  it('"Task and Processor Priorities": TPR holds back its class and below', () => {
    const { pins, send, read, write } = setUp(P6, true);
    write(R.TPR, 0x5f);
    send(SELF | 0x5f);
    expect([pins.intr, read(R.PPR)]).toEqual([false, 0x5f]);
    write(R.TPR, 0x4f);
    expect([pins.intr, read(R.PPR)]).toEqual([true, 0x4f]);
  });

  it.each([
    [0x35, 0, 0, 0x35, 0x35],
    [0x35, 0x41, 0, 0x40, 0],
    [0x45, 0x41, 0, 0x45, 0x40],
    [0x45, 0x41, 0x62, 0x45, 0x60],
  ])('TPR %s, in service %s, requested %s: PPR %s, APR %s', (tpr, service, request, ppr, apr) => {
    const { chip, send, read, write } = setUp(P6, true);
    if (service !== 0) {
      send(SELF | service);
      chip.acknowledge();
    }
    write(R.TPR, tpr);
    if (request !== 0) send(SELF | request);
    // "Arbitration Priority": the manual's formula has a bitwise AND of the two classes.
    expect([read(R.PPR), read(R.APR)]).toEqual([ppr, apr]);
  });

  it('nothing to serve answers the spurious vector and leaves nothing in service', () => {
    const { chip, read, write } = setUp(P6, true);
    write(R.SVR, 0x1cf);
    expect([chip.acknowledge(), read(R.PPR)]).toEqual([0xcf, 0]);
  });

  it('an external request waits behind a vector of its own', () => {
    const { chip, pins, send } = setUp(P6, true);
    chip.setLint(0, true);
    send(SELF | 0x51);
    expect([chip.acknowledge(), chip.acknowledge()]).toEqual([0x51, pins.externalVector]);
  });
});

describe('local pins', () => {
  it('LINT0 fixed, by edge and by level with Remote IRR', () => {
    const { chip, pins, read, write } = setUp(P6, true);
    write(LINT0, 0x51);
    chip.setLint(0, true);
    expect(chip.acknowledge()).toBe(0x51);
    write(R.EOI, 0);
    expect(pins.intr).toBe(false);
    write(LINT0, 0x8052); // its level is high already
    expect(read(LINT0)).toBe(0xc052);
    expect(chip.acknowledge()).toBe(0x52);
    write(R.EOI, 0);
    expect(chip.acknowledge()).toBe(0x52);
    chip.setLint(0, false);
    write(R.EOI, 0);
    expect([pins.intr, read(LINT0)]).toEqual([false, 0x8052]);
  });

  it('masked they are not heard; software switched off masks them all, and keeps them so', () => {
    const { chip, pins, read, write } = setUp(P6, true);
    write(LINT1, 0x10400);
    chip.setLint(1, true);
    chip.setLint(1, false);
    expect(pins.nmis).toBe(0);
    write(LINT1, 0x400);
    write(R.SVR, 0xff);
    expect(read(LINT1)).toBe(0x10400);
    write(LINT1, 0x400);
    expect(read(LINT1)).toBe(0x10400);
  });

  it('LINT0 as NMI comes on its edge, LINT1 as ExtINT with its level', () => {
    const { chip, pins, write } = setUp(P6, true);
    write(LINT0, 0x400);
    expect(chip.routesNmi).toBe(true);
    chip.setLint(0, true);
    expect([pins.nmis, pins.intr]).toEqual([1, false]);
    write(LINT1, 0x700);
    chip.setLint(1, true);
    expect([pins.intr, chip.acknowledge()]).toEqual([true, pins.externalVector]);
  });
});

describe('IA32_APIC_BASE', () => {
  it('moves the registers; reserved bits are refused; the BSP flag stays', () => {
    const { chip, kit, read, write } = setUp(P6, true);
    expect([chip.baseLow >>> 0, chip.baseHigh, kit.windows.list[0].base]).toEqual([0xfee00900, 0, 0xfee00000]);
    for (const [low, high] of [
      [0xfee00d00, 0],
      [0xfee00a00, 0],
      [0xfee00901, 0],
      [0xfee00900, 0x10],
    ]) {
      expect(chip.writeBase(low | 0, high)).toBe(false);
    }
    write(R.TPR, 0x20);
    expect(chip.writeBase(0xf0100800 | 0, 0)).toBe(true);
    expect([chip.baseLow >>> 0, kit.windows.list[0].base, read(R.TPR)]).toEqual([0xf0100900, 0xf0100000, 0x20]);
    expect(chip.writeBase(0xfee00900 | 0, 1)).toBe(true); // beyond the board's 32 address lines
    expect([chip.baseHigh, kit.windows.list[0].base]).toEqual([1, -1]);
  });

  it('off, the pins are INTR and NMI; on again, it is as after power-up', () => {
    const { chip, kit, pins, read, send } = setUp(P6, true);
    send(SELF | 0x51);
    expect(chip.writeBase(0xfee00100 | 0, 0)).toBe(true);
    expect([chip.enabled, pins.intr, kit.windows.list[0].base]).toEqual([false, false, -1]);
    expect(chip.accept(0, false, 4, 0, false)).toBe(false);
    chip.setLint(0, true);
    expect([pins.intr, chip.acknowledge()]).toEqual([true, pins.externalVector]);
    chip.setLint(1, true);
    expect(pins.nmis).toBe(1);
    chip.writeBase(0xfee00900 | 0, 0);
    expect([chip.enabled, pins.intr, read(R.SVR), read(LINT0)]).toEqual([true, false, 0xff, 0x10000]);
  });
});

deviceContract('lapic', {
  make: (kit) => makeApic(P6, kit),
  resources: { ...lapic.resources, mmio: { base: 0xfee00000, bytes: 0x1000 } },
  exercise: (chip, kit) => {
    const write = (register: number, value: number) => chip.mmioWrite(register, 4, value);
    chip.handOver();
    write(R.LDR, 0x01000000);
    write(R.TPR, 0x20);
    write(R.ICR_LOW, SELF | 0x63);
    chip.acknowledge();
    chip.accept(0, false, 0, 0x51, true);
    write(R.LVT, 0x20072);
    write(R.INITIAL_COUNT, 12345);
    chip.setLint(0, true);
    kit.clock.advance(1000);
  },
});

it('goes on counting after a load, with an expiry that is due but was not called yet', () => {
  const { chip, kit, write } = setUp(P6, true);
  write(R.LVT, 0x72);
  write(R.DIVIDE, 0xb);
  write(R.INITIAL_COUNT, 100);
  kit.clock.jumpTo(100);
  const other = makeDeviceKit();
  other.clock.jumpTo(100);
  const loaded = makeApic(P6, other);
  loaded.loadState(chip.saveState());
  other.clock.advance(0);
  expect([other.pins.intr, loaded.acknowledge()]).toEqual([true, 0x72]);
});
