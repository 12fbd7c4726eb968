import { ACCESS_WRITE, CR0_WP } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { FakeBus, FakeClock, FlatMmu, makeMemory, mmuContract } from './index.js';

mmuContract('FlatMmu', ({ memory, space }) => new FlatMmu(memory, space));

describe('FlatMmu', () => {
  it('faults with the error code the rights call for', () => {
    const { memory, space } = makeMemory();
    const mmu = new FlatMmu(memory, space);
    mmu.unmap(0x3000);
    expect(mmu.translate(0x3004, ACCESS_WRITE, 1)).toBe(-1);
    expect(mmu.faultCode).toBe(6);
    mmu.setReadOnly(0x4000);
    expect(mmu.translate(0x4000, ACCESS_WRITE, 1)).toBe(-1);
    expect(mmu.faultCode).toBe(7);
    expect(mmu.translate(0x4000, ACCESS_WRITE, 0)).toBe(0x4000);
    mmu.writeCr0(CR0_WP);
    expect(mmu.translate(0x4000, ACCESS_WRITE, 0)).toBe(-1);
    expect(mmu.faultCode).toBe(3);
  });
});

describe('FakeClock', () => {
  it('runs timers in order, each at its own time, also ones armed on the way', () => {
    const clock = new FakeClock(1000);
    const seen: string[] = [];
    const a = clock.createTimer('a', () => {
      seen.push(`a@${clock.now()}`);
      if (clock.now() < 30) a.arm(clock.now() + 10);
    });
    clock.createTimer('b', () => seen.push(`b@${clock.now()}`)).arm(15);
    a.arm(10);
    expect(clock.deadlines()).toEqual({ a: 10, b: 15 });
    clock.advanceTo(100);
    expect(seen).toEqual(['a@10', 'b@15', 'a@20', 'a@30']);
    expect(clock.now()).toBe(100);
  });
});

describe('FakeBus', () => {
  it('plays scripts, floats high and keeps a log', () => {
    const bus = new FakeBus().script(0x60, [1, 2]);
    bus.vectors.push(0x30);
    expect([bus.ioRead(0x60, 1), bus.ioRead(0x60, 1), bus.ioRead(0x60, 1), bus.ioRead(0x61, 4)]).toEqual([1, 2, 2, -1]);
    bus.ioWrite(0x80, 2, -1);
    expect([bus.acknowledge(), bus.acknowledge()]).toEqual([0x30, 0x27]);
    expect(bus.log).toEqual(['in 60/1 = 1', 'in 60/1 = 2', 'in 60/1 = 2', 'in 61/4 = ffffffff', 'out 80/2 = ffff']);
  });
});
