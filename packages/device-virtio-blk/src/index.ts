/** Virtio block devices, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { VirtioBlk } from './virtio-blk.js';

export { VirtioBlk };

export const virtioBlk: DevicePart = {
  kind: 'device',
  name: 'virtio-blk',
  summary: 'Virtio block devices over PCI: the drives of interface virtio',
  resources: {},
  useClass: VirtioBlk,
};

export const plugin = definePlugin({ name: '@ringfence/device-virtio-blk', sdk: SDK_VERSION, parts: [virtioBlk] });
