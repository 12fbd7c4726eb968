/**
 * The memory-management unit as a plugin: IA-32 two-level paging with PSE and PGE, and the software TLB.
 * `paging.ts` holds the algorithm and the essay on what invalidates what. PAE is not here yet.
 */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PagingMmuFactory } from './factory.js';

export { PagingMmuFactory } from './factory.js';
export { PagingMmu } from './paging.js';

export const plugin = definePlugin({
  name: '@ringfence/mmu',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'mmu',
      name: 'two-level',
      summary: 'IA-32 two-level paging with PSE and PGE, and a TLB that keeps stale entries',
      useClass: PagingMmuFactory,
    },
  ],
});
