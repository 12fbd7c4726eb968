/** The debug console at port E9h, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { DebugConsole } from './debug-console.js';

export { DebugConsole };

export const debugcon: DevicePart = {
  kind: 'device',
  name: 'debugcon',
  summary: 'Debug console at port E9h, as in Bochs and QEMU, and at 402h, where SeaBIOS has its log',
  resources: { ports: { data: { base: 0xe9, count: 1 }, firmware: { base: 0x402, count: 1 } } },
  channel: 'debugcon',
  useClass: DebugConsole,
};

export const plugin = definePlugin({ name: '@ringfence/device-debugcon', sdk: SDK_VERSION, parts: [debugcon] });
