/** The ISA bridge: configuration space and PIRQ routing; the device contract. */
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Piix3, piix3 } from './index.js';

function setUp() {
  const kit = makeDeviceKit();
  const chip = new Piix3(kit.pci, kit.windows, kit.inputs);
  chip.reset();
  return { kit, chip, route: (pirq: number, value: number) => kit.pci.configWrite('1.0', 0x60 + pirq, value, 1) };
}

describe('Piix3', () => {
  it('is an ISA bridge that has further functions', () => {
    const { kit } = setUp();
    expect(kit.pci.configRead('1.0', 0)).toBe(0x70008086);
    expect(kit.pci.configRead('1.0', 8) >>> 8).toBe(0x060100);
    expect(kit.pci.configRead('1.0', 0x0e, 1)).toBe(0x80);
  });

  it('routes a PIRQ where PIRQRC says, and nowhere after reset', () => {
    const { kit, chip, route } = setUp();
    expect(kit.pci.configRead('1.0', 0x60) >>> 0).toBe(0x80808080);
    chip.setPirq(2, true);
    expect(kit.inputs.high()).toEqual([]);
    route(2, 11);
    expect(kit.inputs.high()).toEqual([11]);
    route(2, 10);
    expect(kit.inputs.high()).toEqual([10]);
    chip.setPirq(2, false);
    expect(kit.inputs.high()).toEqual([]);
  });

  it('ORs what shares a request', () => {
    const { kit, chip, route } = setUp();
    route(0, 5);
    route(3, 5);
    chip.setPirq(0, true);
    chip.setPirq(3, true);
    chip.setPirq(0, false);
    expect(kit.inputs.high()).toEqual([5]);
    chip.setPirq(3, false);
    expect(kit.inputs.high()).toEqual([]);
  });

  it.each([0, 1, 2, 8, 13])('takes IRQ %i for no routing', (irq) => {
    const { kit, chip, route } = setUp();
    route(1, irq);
    chip.setPirq(1, true);
    expect(kit.inputs.high()).toEqual([]);
  });

  it('is handed over with the routing that its part announces', () => {
    const { kit, chip } = setUp();
    chip.handOver();
    expect(kit.pci.configRead('1.0', 0x60)).toBe(0x0b0b0a0a);
    const [fact] = piix3.firmware!;
    expect(fact).toMatchObject({ kind: 'pirq-router', id: kit.pci.configRead('1.0', 0), routed: [10, 10, 11, 11] });
  });

  it('drives its lines again after a load', () => {
    const { chip, route } = setUp();
    route(1, 9);
    chip.setPirq(1, true);
    const other = setUp();
    other.chip.loadState(chip.saveState());
    expect(other.kit.inputs.high()).toEqual([9]);
    other.chip.setPirq(1, false);
    expect(other.kit.inputs.high()).toEqual([]);
  });
});

deviceContract('piix3', {
  make: (kit) => new Piix3(kit.pci, kit.windows, kit.inputs),
  resources: piix3.resources,
  exercise: (chip, kit) => {
    kit.pci.configWrite('1.0', 0x60, 0x0a0b8005);
    chip.setPirq(0, true);
  },
});
