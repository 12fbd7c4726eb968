import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Pic8259, pic8259 } from './index.js';

const NONSPECIFIC_EOI = 0x20;

function setUp(icw4 = 0x01) {
  const kit = makeDeviceKit();
  const pic = new Pic8259(kit.intr);
  const out = (range: string, offset: number, value: number) => pic.portWrite(range, offset, 1, value);
  const inb = (range: string, offset: number) => pic.portRead(range, offset, 1);
  for (const [chip, base, icw3] of [
    ['master', 0x20, 4],
    ['slave', 0x28, 2],
  ] as const) {
    out(chip, 0, 0x11);
    out(chip, 1, base);
    out(chip, 1, icw3);
    out(chip, 1, icw4);
  }
  return { kit, pic, out, inb };
}

function pulse(pic: Pic8259, irq: number): void {
  pic.setIrq(irq, false);
  pic.setIrq(irq, true);
}

describe('Pic8259', () => {
  it('starts as a BIOS leaves it: vectors 08h and 70h, everything masked', () => {
    const kit = makeDeviceKit();
    const pic = new Pic8259(kit.intr);
    pulse(pic, 1);
    expect(kit.intr.level).toBe(false);
    expect(pic.portRead('master', 1, 1)).toBe(0xfb);
    pic.portWrite('master', 1, 1, 0xf9);
    expect(kit.intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x09);
  });

  it('serves by priority and holds lower levels off until the end of interrupt', () => {
    const { kit, pic, out } = setUp();
    pulse(pic, 4);
    pulse(pic, 3);
    expect(pic.acknowledge()).toBe(0x23);
    expect(kit.intr.level).toBe(false);
    pulse(pic, 1);
    expect(pic.acknowledge()).toBe(0x21);
    out('master', 0, NONSPECIFIC_EOI);
    expect(kit.intr.level).toBe(false);
    out('master', 0, NONSPECIFIC_EOI);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it('takes a specific end of interrupt', () => {
    const { pic, out, inb } = setUp();
    pulse(pic, 3);
    pic.acknowledge();
    pulse(pic, 1);
    pic.acknowledge();
    out('master', 0, 0x63);
    out('master', 0, 0x0b);
    expect(inb('master', 0)).toBe(0x02);
  });

  it('asks once for an edge, for as long as it is high for a level', () => {
    const { kit, pic, out } = setUp();
    out('elcr', 1, 0x08); // IRQ 11 is level triggered
    for (const irq of [5, 11]) {
      pulse(pic, irq);
      pic.acknowledge();
      if (irq > 7) out('slave', 0, NONSPECIFIC_EOI);
      out('master', 0, NONSPECIFIC_EOI);
      expect(kit.intr.level).toBe(irq === 11);
    }
    pic.setIrq(11, false);
    expect(kit.intr.level).toBe(false);
  });

  it("lets only the chipset's choice of inputs be level triggered", () => {
    const { out, inb } = setUp();
    out('elcr', 0, 0xff);
    out('elcr', 1, 0xff);
    expect([inb('elcr', 0), inb('elcr', 1)]).toEqual([0xf8, 0xde]);
  });

  it("cascades: the slave's vector, both in service", () => {
    const { pic, out, inb } = setUp();
    pulse(pic, 12);
    expect(pic.acknowledge()).toBe(0x2c);
    for (const [chip, expected] of [
      ['master', 0x04],
      ['slave', 0x10],
    ] as const) {
      out(chip, 0, 0x0b);
      expect(inb(chip, 0)).toBe(expected);
    }
  });

  it('delivers a second request of the slave after the ends of interrupt, in either order', () => {
    for (const order of [
      ['slave', 'master'],
      ['master', 'slave'],
    ]) {
      const { pic, out, kit } = setUp();
      pulse(pic, 12);
      pulse(pic, 8);
      expect(pic.acknowledge()).toBe(0x28);
      for (const chip of order) out(chip, 0, NONSPECIFIC_EOI);
      expect(kit.intr.level).toBe(true);
      expect(pic.acknowledge()).toBe(0x2c);
    }
  });

  it('answers IR7 when the request has gone, with nothing in service', () => {
    const { pic, out, inb, kit } = setUp();
    pulse(pic, 3);
    pic.setIrq(3, false);
    expect(kit.intr.level).toBe(false);
    expect(pic.acknowledge()).toBe(0x27);
    out('master', 0, 0x0b);
    expect(inb('master', 0)).toBe(0);
  });

  it('rotates: a served level becomes the lowest', () => {
    const { pic, out } = setUp();
    pulse(pic, 3);
    pic.acknowledge();
    out('master', 0, 0xa0); // rotate on non-specific EOI
    pulse(pic, 3);
    pulse(pic, 4);
    expect(pic.acknowledge()).toBe(0x24);
    out('master', 0, NONSPECIFIC_EOI);
    out('master', 0, 0xc5); // set priority: IR5 lowest, IR6 highest
    pulse(pic, 6);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('ends by itself in automatic EOI mode, rotating if told to', () => {
    const { pic, out, inb } = setUp(0x03);
    out('master', 0, 0x80);
    pulse(pic, 0);
    expect(pic.acknowledge()).toBe(0x20);
    out('master', 0, 0x0b);
    expect(inb('master', 0)).toBe(0);
    pulse(pic, 0);
    pulse(pic, 1);
    expect(pic.acknowledge()).toBe(0x21);
    expect(pic.acknowledge()).toBe(0x20);
  });

  it('lets lower levels in under special mask mode', () => {
    const { pic, out, kit } = setUp();
    pulse(pic, 1);
    pic.acknowledge();
    pulse(pic, 6);
    expect(kit.intr.level).toBe(false);
    out('master', 1, 0x02);
    out('master', 0, 0x68);
    expect(pic.acknowledge()).toBe(0x26);
    out('master', 0, NONSPECIFIC_EOI); // ends IR6; the masked IR1 stays
    out('master', 0, 0x0b);
    expect(pic.portRead('master', 0, 1)).toBe(0x02);
  });

  it('lets a higher request of a slave in service through in special fully nested mode only', () => {
    for (const [icw4, through] of [
      [0x01, false],
      [0x11, true],
    ] as const) {
      const { pic, kit } = setUp(icw4);
      pulse(pic, 12);
      pic.acknowledge();
      pulse(pic, 8);
      expect(kit.intr.level).toBe(through);
      pulse(pic, 5);
      expect(kit.intr.level).toBe(through);
    }
  });

  it('is polled: the read acknowledges', () => {
    const { pic, out, inb, kit } = setUp();
    out('master', 0, 0x0c);
    expect(inb('master', 0)).toBe(0);
    pulse(pic, 5);
    out('master', 0, 0x0c);
    expect(inb('master', 0)).toBe(0x85);
    expect(kit.intr.level).toBe(false);
    expect(inb('master', 0)).toBe(0);
    out('master', 0, 0x0b);
    expect(inb('master', 0)).toBe(0x20);
  });

  it('forgets pending edges at ICW1: a high input must fall and rise again', () => {
    const { pic, out, kit } = setUp();
    pulse(pic, 4);
    out('master', 0, 0x11);
    out('master', 1, 0x20);
    out('master', 1, 0x04);
    out('master', 1, 0x01);
    expect(kit.intr.level).toBe(false);
    pulse(pic, 4);
    expect(pic.acknowledge()).toBe(0x24);
  });

  it('skips ICW3 in single mode and ICW4 when ICW1 does not ask for it', () => {
    const { out, inb } = setUp();
    out('master', 0, 0x12);
    out('master', 1, 0x20);
    out('master', 1, 0xa5);
    expect(inb('master', 1)).toBe(0xa5);
  });
});

deviceContract('pic8259', {
  make: (kit) => new Pic8259(kit.intr),
  resources: pic8259.resources,
  exercise: (pic) => {
    pic.portWrite('master', 1, 1, 0);
    pic.portWrite('slave', 1, 1, 0);
    pulse(pic, 1);
    pic.acknowledge();
    pulse(pic, 0);
    pulse(pic, 12);
    pic.portWrite('slave', 0, 1, 0x11);
  },
});
