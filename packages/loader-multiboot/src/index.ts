/**
 * Kernels in ELF32 files and their like as a plugin: multiboot 1, multiboot 2, and plain ELF.
 */
import { SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { ElfLoader } from './elf-loader.js';
import { MultibootLoader } from './multiboot-loader.js';
import { Multiboot2Loader } from './multiboot2-loader.js';

export { ElfLoader } from './elf-loader.js';
export { MultibootLoader } from './multiboot-loader.js';
export { Multiboot2Loader } from './multiboot2-loader.js';

export const plugin = definePlugin({
  name: '@ringfence/loader-multiboot',
  sdk: SDK_VERSION,
  parts: [
    {
      kind: 'loader',
      name: 'multiboot2',
      summary: 'multiboot 2 (ELF32, or the address tag)',
      useClass: Multiboot2Loader,
      priority: 15,
    },
    {
      kind: 'loader',
      name: 'multiboot',
      summary: "multiboot 1 (ELF32, or the header's address fields)",
      useClass: MultibootLoader,
      priority: 10,
    },
    {
      kind: 'loader',
      name: 'elf',
      summary: 'ELF32 file without a boot protocol; only by name',
      useClass: ElfLoader,
      priority: -2,
    },
  ],
});
