/** Plugin: the `tracked-lru` shadow-cache strategy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { TrackedLru, trackedLruOptions } from './tracked-lru.js';

export { TrackedLru };

export const plugin = definePlugin({
  name: '@ringfence/shadow-tracked-lru',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'shadow-cache',
      name: 'tracked-lru',
      summary: 'keeps a bounded number of shadow tables write-tracked, active or not; evicts the least recently used',
      useClass: TrackedLru,
      options: trackedLruOptions,
    },
  ],
});
