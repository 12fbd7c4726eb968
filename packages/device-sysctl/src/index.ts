/** System control port A (92h), as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { SystemControlPort } from './system-control-port.js';

export { SystemControlPort };

export const sysctl: DevicePart = {
  kind: 'device',
  name: 'sysctl',
  summary: 'System control port A (92h): fast A20 gate and fast reset',
  resources: { ports: { control: { base: 0x92, count: 1 } } },
  useClass: SystemControlPort,
};

export const plugin = definePlugin({ name: '@ringfence/device-sysctl', sdk: SDK_VERSION, parts: [sysctl] });
