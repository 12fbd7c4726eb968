/** Fixed ACPI registers, timer, SCI, APM ports, soft off and the idle SMBus; the device contract. */
import { deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Piix4Pm, piix4Pm } from './index.js';

const make = (kit: DeviceKit) => new Piix4Pm(kit.pci, kit.windows, kit.clock, kit.irqs, kit.system);

function setUp(hz?: number) {
  const kit = makeDeviceKit({ hz });
  const chip = make(kit);
  chip.reset();
  const read = (at: number, size = 2): number => chip.portRead('pm', at, size);
  const write = (at: number, value: number, size = 2): void => chip.portWrite('pm', at, size, value);
  const apm = (value: number): void => chip.portWrite('apm', 0, 1, value);
  return { kit, chip, read, write, apm, sci: kit.irqs.line('sci') };
}

const PMSTS = 0x00;
const PMEN = 0x02;
const PMCNTRL = 0x04;
const PMTMR = 0x08;

describe('configuration space', () => {
  it('is function 3 of the south bridge', () => {
    const { kit } = setUp();
    expect(kit.pci.configRead('1.3', 0)).toBe(0x71138086);
    expect(kit.pci.configRead('1.3', 8)).toBe(0x06800003);
    expect(kit.pci.configRead('1.3', 0x40)).toBe(1);
    expect(kit.pci.configRead('1.3', 0x58) >>> 0).toBe(0x02000000); // APMC_EN: system management mode is taken care of
  });

  it('moves the registers to PMBA when PMIOSE says so', () => {
    const { kit } = setUp();
    const [pm, smbus] = kit.windows.list;
    kit.pci.configWrite('1.3', 0x40, 0xffffffff);
    expect(kit.pci.configRead('1.3', 0x40)).toBe(0xffc1);
    kit.pci.configWrite('1.3', 0x40, 0x4000);
    expect(pm.base).toBe(-1);
    kit.pci.configWrite('1.3', 0x80, 1, 1);
    expect(pm.base).toBe(0x4000);
    kit.pci.configWrite('1.3', 0x40, 0);
    expect(pm.base).toBe(-1);
    kit.pci.configWrite('1.3', 0x90, 0x701);
    kit.pci.configWrite('1.3', 0xd2, 0x09, 1);
    expect(smbus.base).toBe(0x700);
    kit.pci.configWrite('1.3', 0xd2, 0x08, 1);
    expect(smbus.base).toBe(-1);
  });

  it('is handed over with its registers at 600h, as its part announces', () => {
    const { kit, chip } = setUp();
    chip.handOver();
    const [fact] = piix4Pm.firmware!;
    expect(fact).toMatchObject({ kind: 'acpi-power', base: 0x600, bytes: 64 });
    expect(kit.windows.list[0]).toMatchObject({ base: 0x600, bytes: 64 });
    expect(kit.pci.configRead('1.3', 0x3c, 1)).toBe(9);
  });
});

describe('the timer', () => {
  it.each([
    [1_000_000, 1_000_000, 3_579_545],
    [100_000_000, 100_000_000, 3_579_545],
    [100_000_000, 100, 3],
    [3_579_545, 17, 17],
    [10_000_000_000, 10_000_000_000 * 4 - 1, 4 * 3_579_545 - 1],
    [9_999_999_999, 9_999_999_998, 3_579_544],
  ])('at %d ticks a second shows after %d ticks a count of %d', (hz, ticks, count) => {
    const { kit, read } = setUp(hz);
    kit.clock.advance(ticks);
    expect(read(PMTMR, 4)).toBe(count);
  });

  it('has 24 bits, cannot be written, and reads in pieces', () => {
    const { kit, read, write } = setUp(3_579_545);
    kit.clock.advance(0x1_23_45_67);
    write(PMTMR, 0, 4);
    expect(read(PMTMR, 4)).toBe(0x234567);
    expect([read(PMTMR, 1), read(PMTMR + 1, 1), read(PMTMR + 2, 1), read(PMTMR + 3, 1)]).toEqual([0x67, 0x45, 0x23, 0]);
  });

  it('sets TMROF_STS whenever bit 23 changes, and interrupts when enabled', () => {
    const { kit, read, write, apm, sci } = setUp(3_579_545);
    kit.clock.advance(0x7fffff);
    expect(read(PMSTS)).toBe(0);
    kit.clock.advance(1);
    expect(read(PMSTS)).toBe(1);
    write(PMSTS, 1);
    expect(read(PMSTS)).toBe(0);
    expect(kit.clock.deadlines()).toEqual({});

    apm(0xf1);
    write(PMEN, 1);
    expect(kit.clock.deadlines()).toEqual({ 'pm-timer': 0x1000000 });
    kit.clock.advance(0x7fffff);
    expect(sci.level).toBe(false);
    kit.clock.advance(1);
    expect(sci.level).toBe(true);
    write(PMSTS, 1);
    expect(sci.level).toBe(false);
    expect(kit.clock.deadlines()).toEqual({ 'pm-timer': 0x1800000 });
    write(PMEN, 0);
    expect(kit.clock.deadlines()).toEqual({});
  });

  it('has an overflow that came before it was enabled interrupt at once', () => {
    const { kit, write, apm, sci } = setUp(3_579_545);
    kit.clock.advance(0x800000);
    apm(0xf1);
    write(PMEN, 1);
    expect(sci.level).toBe(true);
  });
});

describe('events', () => {
  it('hands the registers to ACPI and back by APMC', () => {
    const { chip, read, apm } = setUp();
    expect(read(PMCNTRL)).toBe(0);
    apm(0xf1);
    expect(read(PMCNTRL)).toBe(1);
    apm(0x12); // some other command
    expect(read(PMCNTRL)).toBe(1);
    apm(0xf0);
    expect(read(PMCNTRL)).toBe(0);
    chip.portWrite('apm', 1, 1, 0x5a);
    expect([chip.portRead('apm', 0, 1), chip.portRead('apm', 1, 1)]).toEqual([0xf0, 0x5a]);
  });

  it('has the power button ask for attention until the status is cleared', () => {
    const { chip, read, write, apm, sci } = setUp();
    chip.pressPowerButton();
    expect(read(PMSTS)).toBe(0x100);
    expect(sci.level).toBe(false);
    write(PMEN, 0x100);
    expect(sci.level).toBe(false);
    apm(0xf1);
    expect(sci.level).toBe(true);
    write(PMSTS, 0xfeff);
    expect(sci.level).toBe(true);
    write(PMSTS + 1, 0x01, 1);
    expect(read(PMSTS)).toBe(0);
    expect(sci.level).toBe(false);
  });

  it('enables nothing that does not exist', () => {
    const { read, write } = setUp();
    write(PMEN, 0xffff);
    expect(read(PMEN)).toBe(0x0521);
  });
});

describe('suspend', () => {
  it('is soft off for SUS_TYP 0, and nothing for the others', () => {
    const { kit, read, write } = setUp();
    for (let type = 1; type < 8; type++) write(PMCNTRL, 0x2001 | (type << 10));
    expect(kit.system.log).toEqual([]);
    write(PMCNTRL, 0x0001);
    write(PMCNTRL, 0x1401);
    expect(read(PMCNTRL)).toBe(0x1401);
    write(PMCNTRL, 0x2001);
    expect(kit.system.log).toEqual(['power-off']);
    expect(read(PMCNTRL)).toBe(0x0001); // SUS_EN reads as zero
  });

  it('takes a 32-bit write', () => {
    const { kit, write } = setUp();
    write(PMCNTRL, 0x2000, 4);
    expect(kit.system.log).toEqual(['power-off']);
  });
});

describe('the SMBus', () => {
  it('answers every transaction with "no device there"', () => {
    const { chip } = setUp();
    const smbus = (chip as unknown as { smbus: { portRead: typeof chip.portRead; portWrite: typeof chip.portWrite } })
      .smbus;
    expect(smbus.portRead('smbus', 0, 1)).toBe(0);
    smbus.portWrite('smbus', 4, 1, 0xa1);
    expect(smbus.portRead('smbus', 4, 1)).toBe(0xa1);
    smbus.portWrite('smbus', 2, 1, 0x48); // START, byte data
    expect(smbus.portRead('smbus', 0, 1)).toBe(0x04);
    smbus.portWrite('smbus', 0, 1, 0xff);
    expect(smbus.portRead('smbus', 0, 1)).toBe(0);
  });
});

deviceContract('piix4-pm', {
  make,
  resources: piix4Pm.resources,
  exercise: (chip, kit) => {
    chip.handOver();
    chip.portWrite('apm', 0, 1, 0xf1);
    chip.portWrite('pm', PMEN, 2, 0x0101);
    kit.clock.advance(400_000_000);
    chip.pressPowerButton();
  },
});
