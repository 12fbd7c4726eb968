/** Folders of the host by 9P over virtio, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Virtio9p } from './virtio-9p.js';

export { Virtio9p };

export const virtio9p: DevicePart = {
  kind: 'device',
  name: 'virtio-9p',
  summary: 'Folders of the host over virtio, by 9P2000.L: the shares of the configuration',
  resources: {},
  useClass: Virtio9p,
};

export const plugin = definePlugin({ name: '@ringfence/device-virtio-9p', sdk: SDK_VERSION, parts: [virtio9p] });
