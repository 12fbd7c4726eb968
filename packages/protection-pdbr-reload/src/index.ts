/** Plugin: the `pdbr-reload` protection. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PdbrReload } from './pdbr-reload.js';

export { PdbrReload };

export const plugin = definePlugin({
  name: '@ringfence/protection-pdbr-reload',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'protection',
      name: 'pdbr-reload',
      summary: "writes the window under the monitor's own page directory",
      useClass: PdbrReload,
    },
  ],
});
