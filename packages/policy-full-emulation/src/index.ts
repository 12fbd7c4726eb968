/** Plugin: the `full-emulation` monitor policy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { FullEmulation } from './full-emulation.js';

export { FullEmulation };

export const plugin = definePlugin({
  name: '@ringfence/policy-full-emulation',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'policy',
      name: 'full-emulation',
      summary: "emulates the instruction against the guest's view: one exit",
      useClass: FullEmulation,
    },
  ],
});
