import { describe, expect, it } from 'vitest';
import { Scheduler } from './scheduler.js';

function rig() {
  const at = { retired: 0 };
  const log: string[] = [];
  const scheduler = new Scheduler(1000, () => at.retired);
  const timer = (name: string, then?: () => void) =>
    scheduler.createTimer(name, () => (log.push(`${name}@${scheduler.now()}`), then?.()));
  return { at, log, scheduler, timer };
}

describe('the scheduler', () => {
  it('fires in order of deadline, then of creation, once', () => {
    const { at, log, scheduler, timer } = rig();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => timer(name));
    c.arm(5);
    b.arm(7);
    a.arm(7);
    expect(scheduler.next).toBe(5);
    at.retired = 4;
    scheduler.fireDue();
    expect(log).toEqual([]);
    at.retired = 7;
    scheduler.fireDue();
    scheduler.fireDue();
    expect(log).toEqual(['c@7', 'a@7', 'b@7']);
    expect([a.deadline, scheduler.next]).toEqual([undefined, Infinity]);
  });

  it('lets a callback arm itself again, even into the past, but not for ever', () => {
    const { at, log, scheduler, timer } = rig();
    let next = 3;
    const periodic = timer('p', () => next < 9 && periodic.arm((next += 3)));
    periodic.arm(next);
    at.retired = 9;
    scheduler.fireDue();
    expect(log).toHaveLength(3);
    const mad = timer('mad', () => mad.arm(0));
    mad.arm(0);
    expect(() => scheduler.fireDue()).toThrow(/"mad" arms itself/);
  });

  it('tells when the earliest deadline moves nearer, and only then', () => {
    const { scheduler, timer } = rig();
    let told = 0;
    scheduler.onEarlier = () => told++;
    const [a, b] = ['a', 'b'].map((name) => timer(name));
    a.arm(10);
    b.arm(20);
    b.arm(15);
    expect(told).toBe(1);
    b.arm(9);
    expect(told).toBe(2);
    b.disarm();
    expect([told, scheduler.next]).toEqual([2, 10]);
  });

  it('counts sleep as time', () => {
    const { at, scheduler } = rig();
    at.retired = 5;
    scheduler.idleTicks = 100;
    expect(scheduler.now()).toBe(105);
  });
});
