/**
 * Shadow-cache strategy `tracked-lru`, the seed's own proposal: "keep tabs on any memory regions which we had cached page
 * tables for, whether active or not" and, when a new table is wanted, "just dump one that is the least used".
 *
 * Goal: a CR3 reload with a value seen before finds its shadow tables ready.
 * Invariant: every kept table's guest frame is write-protected (traced), active or not; a write through a trace drops
 * the entries it changed, so a kept table never grants more than the guest's tables do now.
 * Life cycle: made by a fault or reload (used), refreshed at each later use, evicted least recently used first, never the
 * directory in use and never the table being filled.
 * It cannot know when a page table was destroyed for good: frames reused as data go on costing exits until evicted.
 */
import {
  Tokens,
  inject,
  injectable,
  z,
  type ShadowCache,
  type ShadowCacheStrategy,
  type ShadowTable,
} from '@ringfence/sdk';

export const trackedLruOptions = z.strictObject({
  capacity: z.number().int().min(8).max(900).default(256).describe('Most shadow tables kept, directories included.'),
});

@injectable()
export class TrackedLru implements ShadowCacheStrategy {
  readonly name = 'tracked-lru';
  readonly capacity: number;
  /** In order of last use, oldest first: a Map keeps insertion order. */
  private readonly order = new Map<number, ShadowTable>();

  constructor(@inject(Tokens.Options) options: Readonly<Record<string, unknown>>) {
    this.capacity = trackedLruOptions.parse(options).capacity;
  }

  reload(cache: ShadowCache, _from: ShadowTable | undefined, to: ShadowTable | undefined): void {
    if (to === undefined) return;
    this.used(to);
    // What hangs below the directory comes into use with it.
    for (const child of cache.children(to)) this.used(child);
  }

  used(table: ShadowTable): void {
    this.order.delete(table.id);
    this.order.set(table.id, table);
  }

  dropped(table: ShadowTable): void {
    this.order.delete(table.id);
  }

  victim(_cache: ShadowCache, mayDrop: (table: ShadowTable) => boolean): ShadowTable | undefined {
    for (const table of this.order.values()) if (mayDrop(table)) return table;
    return undefined;
  }
}
