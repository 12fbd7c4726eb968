import { describe, expect, it } from 'vitest';
import { parseMatrix, spread } from './matrix.js';

const labels = (...layers: Parameters<typeof spread>): string[] => spread(...layers).map(({ label }) => label);

describe('parseMatrix', () => {
  it('reads axes and values', () => {
    expect(parseMatrix('policy=step-through+data-swap,shadow=rebuild')).toEqual({
      policy: ['step-through', 'data-swap'],
      shadow: ['rebuild'],
    });
  });

  it('reads options of a part', () => {
    expect(parseMatrix('shadow=tracked-lru:capacity=4:exact')).toEqual({
      shadow: [{ name: 'tracked-lru', capacity: 4, exact: true }],
    });
  });

  it.each(['', 'policy', 'policy=', 'polcy=a', 'policy=a+', 'policy=a,policy=b', '=a'])('refuses %j', (text) => {
    expect(() => parseMatrix(text)).toThrow(expect.objectContaining({ code: 'RF_BAD_USAGE' }));
  });

  it('names the nearest axis', () => {
    expect(() => parseMatrix('polcy=a')).toThrow(
      expect.objectContaining({ fix: expect.stringContaining('mean policy') as string }),
    );
  });
});

describe('spread', () => {
  it('gives bare and every combination', () => {
    const all = labels();
    expect(all[0]).toBe('bare');
    expect(all).toHaveLength(13);
    expect(all).toContain('full-emulation/tracked-lru/pdbr-reload');
  });

  it('lets a later layer replace an axis', () => {
    const suite = { policy: ['a', 'b'], shadow: ['s'], protection: ['p'] };
    expect(labels(suite, { policy: ['c'] })).toEqual(['bare', 'c/s/p']);
  });

  it('runs bare on every core, and names axes of several values', () => {
    const layer = { policy: ['a'], shadow: ['s'], protection: ['p'], core: ['interpreter', 'jit'] };
    expect(labels(layer)).toEqual(['bare', 'bare/jit', 'a/s/p/interpreter', 'a/s/p/jit']);
  });

  it('shows options in labels and drops repeated variants', () => {
    const layer = { policy: ['a', 'a'], shadow: [{ name: 's', capacity: 2 }], protection: ['p'] };
    expect(labels(layer)).toEqual(['bare', 'a/s,capacity=2/p']);
  });

  it('takes policy none as bare only', () => {
    expect(labels({ policy: ['none'] })).toEqual(['bare']);
  });
});
