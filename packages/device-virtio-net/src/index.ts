/** The virtio network card, as a plugin. It stands on a board whose configuration has a network, or asks for it by name. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { VirtioNet } from './virtio-net.js';

export { VirtioNet };

export const virtioNet: DevicePart = {
  kind: 'device',
  name: 'virtio-net',
  summary: 'Virtio network card over PCI, at 0:3.0',
  resources: {},
  onRequest: true,
  useClass: VirtioNet,
};

export const plugin = definePlugin({ name: '@ringfence/device-virtio-net', sdk: SDK_VERSION, parts: [virtioNet] });
