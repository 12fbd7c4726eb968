import { ticksForCount } from '@ringfence/sdk';
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Pit8254, pit8254 } from './index.js';
import { PIT_HZ } from './pit8254.js';

function setUp(hz?: number) {
  const kit = makeDeviceKit({ hz });
  const pit = new Pit8254(kit.clock, kit.irqs);
  const out = (offset: number, value: number) => pit.portWrite('timer', offset, 1, value);
  const program = (n: number, mode: number, count: number) => {
    out(3, (n << 6) | 0x30 | (mode << 1));
    out(n, count & 0xff);
    out(n, count >>> 8);
  };
  return { kit, pit, out, program, irq: kit.irqs.line('out') };
}

describe('Pit8254', () => {
  it('interrupts 18.2 times a second at power-on', () => {
    const { kit, irq } = setUp();
    kit.clock.advance(kit.clock.hz * 10);
    expect(irq.rises).toBe(1 + 182); // high from the start
  });

  it('raises IRQ 0 at exactly the tick of the edge, without drift', () => {
    const { kit, program, irq } = setUp();
    program(0, 2, 11932); // 100 Hz
    const rises = irq.rises;
    kit.clock.advanceTo(ticksForCount(1 + 11932, kit.clock.hz, PIT_HZ) - 1);
    expect(irq.level).toBe(false);
    kit.clock.advance(1);
    expect(irq.level).toBe(true);
    kit.clock.advanceTo(ticksForCount(1 + 11932 * 1000, kit.clock.hz, PIT_HZ));
    expect(irq.rises - rises).toBe(1000);
  });

  it('loses no edge when a tick is longer than a cycle', () => {
    const { kit, program, irq } = setUp(1_000_000);
    program(0, 2, 1000);
    const rises = irq.rises;
    kit.clock.advance(1_000_000);
    expect(irq.rises - rises).toBe(1193);
  });

  it('arms no timer when counter 0 cannot interrupt again', () => {
    const { kit, program, irq } = setUp();
    program(0, 0, 100);
    expect(irq.level).toBe(false);
    kit.clock.advance(1_000_000);
    expect(irq.level).toBe(true);
    expect(kit.clock.deadlines()).toEqual({});
  });

  it('times with counter 2 through port 61h, as calibration loops do', () => {
    const { kit, pit, program } = setUp();
    pit.portWrite('control', 0, 1, 0x01);
    program(2, 0, 1193);
    expect(pit.portRead('control', 0, 1) & 0x23).toBe(0x01);
    kit.clock.advanceNs(999_000);
    expect(pit.portRead('control', 0, 1) & 0x20).toBe(0);
    kit.clock.advanceNs(3_000);
    expect(pit.portRead('control', 0, 1) & 0x20).toBe(0x20);
  });

  it('toggles refresh every 15 microseconds', () => {
    const { kit, pit } = setUp();
    const seen = new Set<number>();
    for (let i = 0; i < 4; i++) {
      seen.add(pit.portRead('control', 0, 1) & 0x10);
      kit.clock.advanceNs(15_086);
    }
    expect([...seen]).toHaveLength(2);
  });

  it('latches several counters by one read-back command', () => {
    const { kit, pit, out, program } = setUp();
    program(0, 2, 5000);
    kit.clock.advance(100_000);
    out(3, 0xc2); // count and status of counter 0
    kit.clock.advance(100_000);
    expect(pit.portRead('timer', 0, 1)).toBe(0xb4);
    expect(pit.portRead('timer', 0, 1) | (pit.portRead('timer', 0, 1) << 8)).toBe(5000 - (1193 - 1));
  });
});

deviceContract('pit8254', {
  make: (kit) => new Pit8254(kit.clock, kit.irqs),
  resources: pit8254.resources,
  exercise: (pit, kit) => {
    pit.portWrite('timer', 3, 1, 0x34);
    pit.portWrite('timer', 0, 1, 0xe8);
    pit.portWrite('timer', 0, 1, 0x03);
    kit.clock.advance(500_000);
    pit.portWrite('timer', 0, 1, 0x11); // half a count
    pit.portWrite('control', 0, 1, 1);
    pit.portWrite('timer', 3, 1, 0xd2);
  },
});
