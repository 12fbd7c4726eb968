/** `rebuild` keeps nothing over a CR3 reload; and the contract of every strategy. */
import { FakeShadowCache, shadowCacheContract } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Rebuild } from './rebuild.js';

shadowCacheContract('rebuild', () => new Rebuild({}));

describe('Rebuild', () => {
  it('throws every table away at a reload', () => {
    const strategy = new Rebuild({});
    const cache = new FakeShadowCache(strategy);
    const root = cache.add();
    cache.add(root);
    strategy.reload(cache);
    expect([...cache.tables()]).toEqual([]);
  });

  it("refuses a capacity that cannot hold one instruction's tables", () => {
    expect(() => new Rebuild({ capacity: 7 })).toThrow();
  });
});
