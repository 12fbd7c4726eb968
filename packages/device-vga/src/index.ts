/** The VGA, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Vga } from './vga.js';

export { Vga };

export const vga: DevicePart = {
  kind: 'device',
  name: 'vga',
  summary: 'VGA with text and graphics modes, Bochs VBE linear framebuffer, on PCI where there is one',
  resources: {
    ports: {
      dispi: { base: 0x1ce, count: 4, width: 2 },
      monochrome: { base: 0x3b4, count: 2 },
      monochromeStatus: { base: 0x3ba, count: 1 },
      common: { base: 0x3c0, count: 16 },
      color: { base: 0x3d4, count: 2 },
      colorStatus: { base: 0x3da, count: 1 },
    },
    mmio: { base: 0xa0000, bytes: 0x20000 },
  },
  provides: ['screen'],
  useClass: Vga,
};

export const plugin = definePlugin({ name: '@ringfence/device-vga', sdk: SDK_VERSION, parts: [vga] });
