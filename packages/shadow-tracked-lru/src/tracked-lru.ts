/**
 * Shadow-cache strategy `tracked-lru`, the seed's own proposal: "keep tabs on any memory regions which we had cached page
 * tables for, whether active or not" and, when a new table is wanted, "just dump one that is the least used".
 *
 * Goal: a CR3 reload with a value seen before finds its shadow tables ready.
 * Invariant: every kept table's guest frame is write-protected (traced), active or not; a write through a trace drops
 * the entries it changed, so a kept table never grants more than the guest's tables do now.
 * Life cycle: made by a fault or reload (used), refreshed at each later use, evicted least recently used first, never the
 * directory in use and never the table being filled.
 * When a page table was destroyed for good nobody says; what is written FLOOD times and not used once meanwhile is taken for
 * that and given up. A table that lives on all the same (a fork protects it, an exit clears it) is made anew when it is used,
 * for fewer exits than the writes would have cost. Up to FLOOD exits a frame are paid for the knowledge.
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

/** Writes in a row without a use. A page of data is 1024 of them, a kernel that maps a single page two. */
const FLOOD = 16;

interface Kept {
  readonly table: ShadowTable;
  writes: number;
}

@injectable()
export class TrackedLru implements ShadowCacheStrategy {
  readonly name = 'tracked-lru';
  readonly capacity: number;
  /** In order of last use, oldest first: a Map keeps insertion order. */
  private readonly order = new Map<number, Kept>();

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
    const kept = this.order.get(table.id) ?? { table, writes: 0 };
    kept.writes = 0;
    this.order.delete(table.id);
    this.order.set(table.id, kept);
  }

  written(table: ShadowTable): boolean {
    const kept = this.order.get(table.id);
    return kept !== undefined && ++kept.writes > FLOOD;
  }

  dropped(table: ShadowTable): void {
    this.order.delete(table.id);
  }

  victim(_cache: ShadowCache, mayDrop: (table: ShadowTable) => boolean): ShadowTable | undefined {
    for (const { table } of this.order.values()) if (mayDrop(table)) return table;
    return undefined;
  }
}
