/** The virtio entropy device, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { VirtioRng, rngOptions } from './virtio-rng.js';

export { VirtioRng };

export const virtioRng: DevicePart = {
  kind: 'device',
  name: 'virtio-rng',
  summary: 'Virtio entropy device over PCI, its bytes from a seed: option seed',
  resources: {},
  options: rngOptions,
  onRequest: true,
  useClass: VirtioRng,
};

export const plugin = definePlugin({ name: '@ringfence/device-virtio-rng', sdk: SDK_VERSION, parts: [virtioRng] });
