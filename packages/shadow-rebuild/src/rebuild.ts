/**
 * Shadow-cache strategy `rebuild`: at every CR3 reload all shadow tables are thrown away and page faults rebuild what
 * the guest touches. Nothing has to be watched while it is not in use; every switch costs its working set in faults.
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

export const rebuildOptions = z.strictObject({
  capacity: z.number().int().min(8).max(900).default(512).describe('Most shadow tables kept at once.'),
});

@injectable()
export class Rebuild implements ShadowCacheStrategy {
  readonly name = 'rebuild';
  readonly capacity: number;

  constructor(@inject(Tokens.Options) options: Readonly<Record<string, unknown>>) {
    this.capacity = rebuildOptions.parse(options).capacity;
  }

  reload(cache: ShadowCache): void {
    cache.dropAll();
  }

  used(): void {}

  dropped(): void {}

  /** Within one address space any table will do: the faults that follow say what was needed. */
  victim(cache: ShadowCache, mayDrop: (table: ShadowTable) => boolean): ShadowTable | undefined {
    for (const table of cache.tables()) if (mayDrop(table)) return table;
    return undefined;
  }
}
