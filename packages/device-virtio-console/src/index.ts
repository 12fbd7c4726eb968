/** The virtio console, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { VirtioConsole } from './virtio-console.js';

export { VirtioConsole };

export const virtioConsole: DevicePart = {
  kind: 'device',
  name: 'virtio-console',
  summary: 'Virtio console over PCI, one port: /dev/hvc0 of Linux',
  resources: {},
  channel: 'virtio-console',
  onRequest: true,
  useClass: VirtioConsole,
};

export const plugin = definePlugin({
  name: '@ringfence/device-virtio-console',
  sdk: SDK_VERSION,
  parts: [virtioConsole],
});
