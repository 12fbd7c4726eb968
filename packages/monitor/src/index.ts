/** Plugin: the monitor itself, as the part `monitor`; policies and strategies are plugins of their own. */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { MonitorAssembly } from './assemble.js';
import { MONITOR_BYTES } from './layout.js';

export { MonitorAssembly };

export const plugin = definePlugin({
  name: '@ringfence/monitor',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'monitor',
      name: 'monitor',
      summary: 'runs the guest kernel in ring 1 under shadow page and descriptor tables',
      useClass: MonitorAssembly,
      memoryBytes: MONITOR_BYTES,
    },
  ],
});
