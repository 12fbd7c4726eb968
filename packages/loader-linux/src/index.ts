/**
 * The Linux boot protocol as a plugin: bzImage kernels, and others that speak it, such as memtest86+.
 */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { LinuxLoader } from './linux-loader.js';

export { LinuxLoader } from './linux-loader.js';

export const plugin = definePlugin({
  name: '@ringfence/loader-linux',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'loader',
      name: 'linux',
      summary: 'Linux boot protocol 2.02 or later (bzImage, memtest86+): 32-bit entry, 16-bit entry with firmware',
      useClass: LinuxLoader,
      priority: 20,
    },
  ],
});
