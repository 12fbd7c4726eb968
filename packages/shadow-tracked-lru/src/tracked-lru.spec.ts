/** `tracked-lru` keeps everything and gives up what was used longest ago; and the contract of every strategy. */
import { FakeShadowCache, shadowCacheContract } from '@ringfence/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { TrackedLru } from './tracked-lru.js';

shadowCacheContract('tracked-lru', () => new TrackedLru({}));

describe('TrackedLru', () => {
  let strategy: TrackedLru;
  let cache: FakeShadowCache;
  beforeEach(() => {
    strategy = new TrackedLru({ capacity: 8 });
    cache = new FakeShadowCache(strategy);
  });

  const victim = () => strategy.victim(cache, () => true);

  it('keeps every table over a reload', () => {
    const from = cache.add();
    const to = cache.add();
    strategy.reload(cache, from, to);
    expect([...cache.tables()]).toEqual([from, to]);
  });

  it('gives up the table used longest ago', () => {
    const first = cache.add();
    const second = cache.add();
    expect(victim()).toBe(first);
    strategy.used(first);
    expect(victim()).toBe(second);
  });

  it('counts a reload as a use of the directory and of everything below it', () => {
    const root = cache.add();
    const leaf = cache.add(root);
    const other = cache.add();
    strategy.reload(cache, other, root);
    expect(victim()).toBe(other);
    cache.drop(other);
    expect(victim()).toBe(root);
    strategy.used(root);
    expect(victim()).toBe(leaf);
  });

  it('gives up a table that is written and written and never used', () => {
    const table = cache.add();
    const other = cache.add();
    const writes = (count: number) => Array.from({ length: count }, () => strategy.written(table));
    expect(writes(16)).not.toContain(true);
    expect(strategy.written(other)).toBe(false);
    expect(writes(1)).toEqual([true]);
    strategy.used(table);
    expect(writes(16)).not.toContain(true);
    cache.drop(table);
    expect(writes(40)).not.toContain(true);
  });

  it('refuses options it does not know', () => {
    expect(() => new TrackedLru({ capacty: 9 })).toThrow();
  });
});
