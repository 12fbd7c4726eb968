/** National Semiconductor PC16550D serial port, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Uart16550 } from './uart16550.js';

export { Uart16550 };

export const uart16550: DevicePart = {
  kind: 'device',
  name: 'uart16550',
  summary: 'National PC16550D serial port (COM1)',
  resources: { ports: { registers: { base: 0x3f8, count: 8 } }, irqs: { out: 4 } },
  channel: 'serial',
  firmware: [{ kind: 'pnp', id: 'PNP0501', name: 'COM1' }],
  useClass: Uart16550,
};

export const plugin = definePlugin({ name: '@ringfence/device-uart16550', sdk: SDK_VERSION, parts: [uart16550] });
