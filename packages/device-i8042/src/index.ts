/** Intel 8042 keyboard controller with its keyboard and mouse, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { I8042 } from './i8042.js';

export { I8042 };

export const i8042: DevicePart = {
  kind: 'device',
  name: 'i8042',
  summary: 'Intel 8042 keyboard controller with an AT keyboard and a PS/2 mouse',
  resources: {
    ports: { data: { base: 0x60, count: 1 }, command: { base: 0x64, count: 1 } },
    irqs: { keyboard: 1, aux: 12 },
  },
  firmware: [
    { kind: 'pnp', id: 'PNP0303', name: 'KBD', irqs: ['keyboard'] },
    { kind: 'pnp', id: 'PNP0F13', name: 'MOU', ports: [], irqs: ['aux'] },
  ],
  useClass: I8042,
};

export const plugin = definePlugin({ name: '@ringfence/device-i8042', sdk: SDK_VERSION, parts: [i8042] });
