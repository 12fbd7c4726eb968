/** Intel 8254 interval timer and the speaker gate, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Pit8254 } from './pit8254.js';

export { Pit8254 };

export const pit8254: DevicePart = {
  kind: 'device',
  name: 'pit8254',
  summary: 'Intel 8254 interval timer, with speaker gate and refresh toggle at port 61h',
  resources: {
    ports: { timer: { base: 0x40, count: 4 }, control: { base: 0x61, count: 1 } },
    irqs: { out: 0 },
  },
  firmware: [
    { kind: 'pnp', id: 'PNP0100', name: 'TMR', ports: ['timer'] },
    { kind: 'pnp', id: 'PNP0800', name: 'SPKR', ports: ['control'], irqs: [] },
  ],
  useClass: Pit8254,
};

export const plugin = definePlugin({ name: '@ringfence/device-pit8254', sdk: SDK_VERSION, parts: [pit8254] });
