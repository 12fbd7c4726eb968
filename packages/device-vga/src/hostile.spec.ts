/** A guest that writes anything anywhere: the chip answers, draws a picture of a sane size, and its state makes a round trip. */
import { describe, expect, it } from 'vitest';
import { vga } from './index.js';
import { setUp } from './testing/set-up.js';

const PORTS = Object.entries(vga.resources.ports!).flatMap(([range, { count }]) =>
  Array.from({ length: count }, (_, offset) => [range, offset] as const),
);

describe.each([1, 2, 3, 4])('random writes, seed %i', (seed) => {
  it('never throw, and leave a picture', { timeout: 60_000 }, () => {
    const { screen, kit, window } = setUp();
    let state = seed;
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    /** Extremes as often as anything else. */
    const value = (): number => [0, 0xff, 0xffff, -1, 1 << next(32), next(2 ** 32) | 0][next(6)];
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 1500; i++) {
        const size = [1, 2, 4][next(3)];
        const [range, offset] = PORTS[next(PORTS.length)];
        if (next(3) === 0) {
          // An index that means something, and its register.
          screen.portWrite(range, offset & ~1, range === 'dispi' ? 2 : 1, next(25));
          screen.portWrite(range, offset | 1, range === 'dispi' ? 2 : 1, value() & 0xffff);
        } else screen.portWrite(range, offset, size, value());
        screen.portRead(range, offset, size);
        const at = next(0x20000 - 4);
        screen.mmioWrite(at, size, value());
        screen.mmioRead(at, size);
        window(0).mmioWrite(next((1 << 24) - 4), size, value());
        window(1).mmioWrite(next(0x1000 - 4), size, value());
        window(1).mmioRead(next(0x1000 - 4), size);
      }
      kit.clock.advance(12_345);
      const { width, height, rgb } = screen.picture();
      expect(rgb).toHaveLength(width * height * 3);
      expect(width).toBeLessThanOrEqual(4608);
      expect(height).toBeLessThanOrEqual(2048);
      const frame = screen.frame();
      if (frame.kind === 'text') expect(frame.characters).toHaveLength(frame.columns * frame.rows);
      screen.text();
    }
    const saved = screen.saveState();
    const other = setUp();
    other.screen.loadState(saved);
    expect(other.screen.portRead('common', 1, 1)).toBe(screen.portRead('common', 1, 1));
    expect(Object.keys(other.screen.saveState().data.memory as object)).toEqual(
      Object.keys(saved.data.memory as object),
    );
  });
});
