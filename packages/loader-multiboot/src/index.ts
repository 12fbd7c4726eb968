/**
 * Multiboot 1 kernels as a plugin: ELF32 images, and any image with the header's address fields.
 */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { MultibootLoader } from './multiboot-loader.js';

export { MultibootLoader } from './multiboot-loader.js';

export const plugin = definePlugin({
  name: '@ringfence/loader-multiboot',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'loader',
      name: 'multiboot',
      summary: "multiboot 1 (ELF32, or the header's address fields)",
      useClass: MultibootLoader,
      priority: 10,
    },
  ],
});
