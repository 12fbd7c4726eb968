/** Intel 82093AA I/O APIC, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { BIOS_ID, IoApic82093, VERSION_NUMBER } from './ioapic82093.js';

export { IoApic82093 };

const BASE = 0xfec00000;

export const ioapic: DevicePart = {
  kind: 'device',
  name: 'ioapic',
  summary: 'Intel 82093AA I/O APIC with 24 inputs, at FEC00000h',
  resources: { mmio: { base: BASE, bytes: 0x1000 } },
  provides: ['io-apic'],
  cpuFeature: 'apic',
  firmware: [{ kind: 'io-apic', address: BASE, id: BIOS_ID, version: VERSION_NUMBER, timerInput: 2 }],
  useClass: IoApic82093,
};

export const plugin = definePlugin({ name: '@ringfence/device-ioapic', sdk: SDK_VERSION, parts: [ioapic] });
