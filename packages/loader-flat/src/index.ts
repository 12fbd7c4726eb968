/**
 * Raw code at an address, as a plugin. Used only when named (`loader: { name: flat, address: 0x7c00, mode: real }`),
 * because a file without a header cannot be recognised.
 */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { FlatLoader, flatOptions } from './flat-loader.js';

export { FlatLoader } from './flat-loader.js';

export const plugin = definePlugin({
  name: '@ringfence/loader-flat',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'loader',
      name: 'flat',
      summary: 'raw code at an address (options: address, entry, mode: protected | real)',
      useClass: FlatLoader,
      options: flatOptions,
      priority: -1,
    },
  ],
});
