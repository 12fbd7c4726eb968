/** Plugin: the `assist` sensitive-instruction strategy. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { SensitiveAssist } from './assist.js';

export { SensitiveAssist };

export const plugin = definePlugin({
  name: '@ringfence/sensitive-assist',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'sensitive',
      name: 'assist',
      summary: 'lets the processor trap the sensitive instructions (needs assist: trap or vif)',
      useClass: SensitiveAssist,
      assists: ['trap', 'vif'],
    },
  ],
});
