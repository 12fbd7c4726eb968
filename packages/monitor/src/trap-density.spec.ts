import { beforeEach, describe, expect, it } from 'vitest';
import { TrapDensity } from './trap-density.js';

describe('TrapDensity', () => {
  let density: TrapDensity;
  let retired: number;
  beforeEach(() => {
    density = new TrapDensity();
    retired = 0;
  });
  /** Exits of code that retires `between` instructions before each. */
  function exits(count: number, between: number): void {
    for (let i = 0; i < count; i++) density.trapped((retired += between));
  }
  function stretch(): number {
    const length = density.stretch();
    density.stretched((retired += length));
    return length;
  }

  it('waits for a number of exits, not for the first few', () => {
    exits(12, 3);
    expect(density.high).toBe(false);
    exits(8, 3);
    expect(density.high).toBe(true);
  });

  it('leaves code that traps rarely to the hardware', () => {
    exits(10_000, 401);
    expect(density.high).toBe(false);
    for (let i = 0; i < 1000; i++) {
      exits(10, 5);
      exits(1, 5000);
      expect(density.high).toBe(false);
    }
  });

  it('counts the average: bursts of exits with little between them are dense', () => {
    for (let i = 0; i < 20 && !density.high; i++) {
      exits(10, 5);
      exits(1, 600);
    }
    expect(density.high).toBe(true);
  });

  it('tries the hardware after each stretch, and takes longer and longer ones', () => {
    exits(20, 3);
    const lengths = [];
    for (let i = 0; i < 12; i++) {
      lengths.push(stretch());
      expect(density.high).toBe(false);
      exits(3, 3);
      expect(density.high).toBe(true);
    }
    expect(lengths.slice(0, 4)).toEqual([64, 128, 256, 512]);
    expect(lengths.at(-1)).toBe(16384);
  });

  it('begins anew once the code has become quiet', () => {
    exits(20, 3);
    for (let i = 0; i < 6; i++) {
      stretch();
      exits(3, 3);
    }
    exits(1, 100_000);
    expect(density.high).toBe(false);
    exits(20, 3);
    expect(stretch()).toBe(64);
  });

  it('takes a count that went back for what it is: another guest', () => {
    exits(5, 1000);
    retired = 0;
    exits(1, 10);
    exits(100, 1000);
    expect(density.high).toBe(false);
  });
});
