/** The ISA DMA controllers of a PC, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PcDma } from './pc-dma.js';

export { PcDma };

export const dma8237: DevicePart = {
  kind: 'device',
  name: 'dma8237',
  summary: 'Two Intel 8237A DMA controllers with page registers: channels 0-3 for bytes, 5-7 for words',
  resources: {
    ports: {
      bytes: { base: 0x00, count: 16 },
      pages: { base: 0x80, count: 16 },
      words: { base: 0xc0, count: 32 },
    },
  },
  provides: ['isa-dma'],
  firmware: [{ kind: 'pnp', id: 'PNP0200', name: 'DMAC', dma: 4 }],
  useClass: PcDma,
};

export const plugin = definePlugin({ name: '@ringfence/device-dma8237', sdk: SDK_VERSION, parts: [dma8237] });
