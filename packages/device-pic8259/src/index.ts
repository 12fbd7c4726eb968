/** Two Intel 8259A interrupt controllers and the edge/level registers, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Pic8259 } from './pic8259.js';

export { Pic8259 };

export const pic8259: DevicePart = {
  kind: 'device',
  name: 'pic8259',
  summary: 'Intel 8259A interrupt controllers, master and slave, with ELCR',
  resources: {
    ports: {
      master: { base: 0x20, count: 2 },
      slave: { base: 0xa0, count: 2 },
      elcr: { base: 0x4d0, count: 2 },
    },
  },
  provides: ['interrupt-controller'],
  firmware: [{ kind: 'pnp', id: 'PNP0000', name: 'PIC' }],
  useClass: Pic8259,
};

export const plugin = definePlugin({ name: '@ringfence/device-pic8259', sdk: SDK_VERSION, parts: [pic8259] });
