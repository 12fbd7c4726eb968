/**
 * The memory-management unit as a plugin: IA-32 paging in two levels (PSE, PGE) and with PAE, and the software TLB.
 * `tlb.ts` holds the essay on what invalidates what, `page-walk.ts` the tables, `paging.ts` the control registers.
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
      name: 'ia32',
      summary: 'IA-32 paging, two-level and PAE, with large and global pages, and a TLB that keeps stale entries',
      useClass: PagingMmuFactory,
    },
  ],
});
