/** Plugin: the `rebuild` shadow-cache strategy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Rebuild, rebuildOptions } from './rebuild.js';

export { Rebuild };

export const plugin = definePlugin({
  name: '@ringfence/shadow-rebuild',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'shadow-cache',
      name: 'rebuild',
      summary: 'throws every shadow table away at a CR3 reload',
      useClass: Rebuild,
      options: rebuildOptions,
    },
  ],
});
