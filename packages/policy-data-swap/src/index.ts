/** Plugin: the `data-swap` monitor policy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { DataSwap } from './data-swap.js';

export { DataSwap };

export const plugin = definePlugin({
  name: '@ringfence/policy-data-swap',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'policy',
      name: 'data-swap',
      summary: "keeps an LDT in place and swaps the guest's bytes in for one stepped instruction",
      useClass: DataSwap,
    },
  ],
});
