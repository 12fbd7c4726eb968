/** The floppy disk controller with its drives, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Fdc82077 } from './fdc82077.js';

export { Fdc82077 };

export const floppy: DevicePart = {
  kind: 'device',
  name: 'floppy',
  summary: 'Intel 82077AA floppy disk controller: diskettes of 160 KB to 2.88 MB over DMA channel 2',
  resources: {
    ports: { registers: { base: 0x3f0, count: 6 }, change: { base: 0x3f7, count: 1 } },
    irqs: { out: 6 },
  },
  firmware: [{ kind: 'pnp', id: 'PNP0700', name: 'FDC', dma: 2 }],
  useClass: Fdc82077,
};

export const plugin = definePlugin({ name: '@ringfence/device-floppy', sdk: SDK_VERSION, parts: [floppy] });
