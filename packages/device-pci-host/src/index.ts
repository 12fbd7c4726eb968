/** PCI host bridge with configuration mechanism #1, shadow RAM and the reset control register, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PciHostBridge } from './pci-host-bridge.js';

export { PciHostBridge };

export const pciHost: DevicePart = {
  kind: 'device',
  name: 'pci-host',
  summary: 'Intel 440FX host bridge: PCI configuration mechanism #1, shadow RAM, reset control at CF9h',
  resources: {
    ports: {
      address: { base: 0xcf8, count: 4, width: 4 },
      data: { base: 0xcfc, count: 4, width: 4 },
    },
  },
  provides: ['pci-bus'],
  firmware: [{ kind: 'pci-root' }, { kind: 'reset-port', port: 0xcf9, value: 0x06 }],
  useClass: PciHostBridge,
};

export const plugin = definePlugin({ name: '@ringfence/device-pci-host', sdk: SDK_VERSION, parts: [pciHost] });
