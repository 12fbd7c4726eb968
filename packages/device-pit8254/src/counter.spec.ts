import { describe, expect, it } from 'vitest';
import { Counter8254 } from './counter.js';

const WORD = 0x30;

function counter(mode: number, count: number, { gate = 1, bcd = 0, at = 0 } = {}): Counter8254 {
  const made = new Counter8254(gate);
  made.writeControl(WORD | (mode << 1) | bcd, at);
  made.write(count & 0xff, at);
  made.write(count >>> 8, at);
  return made;
}

function word(c: Counter8254, now: number): number {
  return c.read(now) | (c.read(now) << 8);
}

/** OUT at each CLK from `from`, high as `-` and low as `_`, like the datasheet's waveforms. */
function wave(c: Counter8254, from: number, cycles: number): string {
  let text = '';
  for (let t = from; t < from + cycles; t++) text += c.out(t) ? '-' : '_';
  return text;
}

/** Edges as `nextEdge` announces them. */
function edges(c: Counter8254, from: number, until: number): number[] {
  const found: number[] = [];
  for (let t = c.nextEdge(from); t !== undefined && t < until; t = c.nextEdge(t)) found.push(t);
  return found;
}

describe('Counter8254', () => {
  it('mode 0: OUT rises N + 1 cycles after the count was written, and the count goes on below zero', () => {
    const c = counter(0, 4);
    expect(wave(c, 0, 8)).toBe('_____---');
    expect([0, 1, 2, 5, 6].map((t) => word(c, t))).toEqual([4, 4, 3, 0, 0xffff]);
    expect(edges(counter(0, 4), 0, 100)).toEqual([5]);
  });

  it('mode 0: the gate pauses, the first byte of a new count stops', () => {
    const c = counter(0, 10);
    c.setGate(false, 4);
    expect(word(c, 20)).toBe(7);
    expect(c.nextEdge(20)).toBeUndefined();
    c.setGate(true, 21);
    expect(edges(c, 21, 100)).toEqual([28]);
    c.write(3, 40);
    expect(c.out(40)).toBe(false);
    expect(c.nextEdge(40)).toBeUndefined();
    c.write(0, 41);
    expect(edges(c, 41, 100)).toEqual([45]);
  });

  it('mode 1: a one-shot of N cycles per trigger, retriggerable without a glitch', () => {
    const c = counter(1, 3, { gate: 0 });
    expect(wave(c, 0, 4)).toBe('----');
    c.setGate(true, 4);
    expect(wave(c, 4, 6)).toBe('-___--');
    c.setGate(false, 10);
    c.setGate(true, 11);
    c.setGate(false, 12);
    c.setGate(true, 13);
    expect(wave(c, 12, 7)).toBe('_____--');
  });

  it('mode 2: low for the last cycle of each period', () => {
    const c = counter(2, 4);
    expect(wave(c, 0, 13)).toBe('----_---_---_');
    expect(edges(counter(2, 4), 0, 13)).toEqual([4, 5, 8, 9, 12]);
    expect([1, 2, 3, 4, 5].map((t) => word(counter(2, 4), t))).toEqual([4, 3, 2, 1, 4]);
  });

  it('mode 2: a new count waits for the end of the period; the gate starts over', () => {
    const c = counter(2, 5);
    c.write(3, 2);
    c.write(0, 2);
    expect(wave(c, 2, 11)).toBe('---_--_--_-');
    c.setGate(false, 13);
    expect(c.out(13)).toBe(true);
    c.setGate(true, 20);
    expect(wave(c, 20, 5)).toBe('---_-');
  });

  it('mode 3: a square wave, a cycle longer high for an odd count', () => {
    expect(wave(counter(3, 4), 1, 8)).toBe('--__--__');
    expect(wave(counter(3, 5), 1, 10)).toBe('---__---__');
    expect([1, 2, 3, 4, 5].map((t) => word(counter(3, 4), t))).toEqual([4, 2, 4, 2, 4]);
    expect([1, 2, 3, 4, 5, 6].map((t) => word(counter(3, 5), t))).toEqual([4, 2, 0, 4, 2, 4]);
    expect(edges(counter(3, 5), 0, 12)).toEqual([4, 6, 9, 11]);
  });

  it('mode 3: a new count waits for the end of the half period', () => {
    const c = counter(3, 6);
    c.write(2, 2);
    c.write(0, 2);
    expect(wave(c, 1, 8)).toBe('---_-_-_');
  });

  it('mode 4: one strobe per count written', () => {
    expect(wave(counter(4, 3), 0, 8)).toBe('----_---');
    expect(edges(counter(4, 3), 0, 200_000)).toEqual([4, 5]);
  });

  it('mode 5: one strobe per trigger', () => {
    const c = counter(5, 3, { gate: 0 });
    expect(wave(c, 0, 6)).toBe('------');
    c.setGate(true, 6);
    expect(wave(c, 6, 6)).toBe('----_-');
  });

  it('modes 6 and 7 are 2 and 3, and a count of 0 is the largest', () => {
    expect(counter(6, 4).mode).toBe(2);
    expect(counter(7, 4).mode).toBe(3);
    expect(counter(0, 0).nextEdge(0)).toBe(0x10001);
    expect(counter(0, 0, { bcd: 1 }).nextEdge(0)).toBe(10001);
  });

  it('counts in BCD', () => {
    const c = counter(0, 0x1000, { bcd: 1 });
    expect(word(c, 2)).toBe(0x0999);
    expect(word(c, 1002)).toBe(0x9999);
  });

  it('latches the count until it is read, and its status with OUT, null count and the control word', () => {
    const c = counter(2, 1000);
    c.latchCount(11);
    c.latchCount(50);
    c.latchStatus(60);
    expect(c.read(70)).toBe(0x80 | 0x34);
    expect(word(c, 70)).toBe(990);
    expect(word(c, 71)).toBe(930);
    c.writeControl(0x34, 80);
    c.latchStatus(80);
    expect(c.read(80)).toBe(0xc0 | 0x34);
  });

  it('reads and writes single bytes when told so', () => {
    const c = new Counter8254(1);
    c.writeControl(0x20, 0); // mode 0, high byte
    c.write(0x12, 0);
    expect(c.read(1)).toBe(0x12);
    expect(c.nextEdge(0)).toBe(0x1201);
    c.writeControl(0x10, 0); // low byte
    c.write(0x34, 0);
    expect(c.read(1)).toBe(0x34);
  });

  it('announces exactly the edges that OUT has', () => {
    for (const mode of [0, 2, 3, 4]) {
      for (const count of [2, 3, 7, 8]) {
        const told = edges(counter(mode, count), 0, 60);
        const c = counter(mode, count);
        const seen: number[] = [];
        for (let t = 1; t < 60; t++) if (c.out(t) !== c.out(t - 1)) seen.push(t);
        expect(told, `mode ${mode}, count ${count}`).toEqual(seen);
      }
    }
  });
});
