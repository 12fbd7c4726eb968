/** The x87 error logic of a PC/AT board (port F0h, IRQ 13), as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PcFloatErrorLogic } from './float-error-logic.js';

export { PcFloatErrorLogic };

export const ferr: DevicePart = {
  kind: 'device',
  name: 'ferr',
  summary: 'x87 errors without CR0.NE: FERR# to IRQ 13, port F0h to IGNNE#',
  provides: ['float-error'],
  resources: { ports: { clear: { base: 0xf0, count: 1 } }, irqs: { out: 13 } },
  firmware: [{ kind: 'pnp', id: 'PNP0C04', name: 'FPU' }],
  useClass: PcFloatErrorLogic,
};

export const plugin = definePlugin({ name: '@ringfence/device-ferr', sdk: SDK_VERSION, parts: [ferr] });
