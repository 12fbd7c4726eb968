/** The debug exit port at F4h, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { DebugExit } from './debug-exit.js';

export { DebugExit };

export const debugExit: DevicePart = {
  kind: 'device',
  name: 'debug-exit',
  summary: "Port F4h ends the run with a status of the guest's, as QEMU's isa-debug-exit",
  resources: { ports: { status: { base: 0xf4, count: 4, width: 4 } } },
  useClass: DebugExit,
};

export const plugin = definePlugin({ name: '@ringfence/device-debug-exit', sdk: SDK_VERSION, parts: [debugExit] });
