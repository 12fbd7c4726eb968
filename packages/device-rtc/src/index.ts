/** Motorola MC146818A real-time clock and CMOS memory, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Mc146818 } from './mc146818.js';

export { Mc146818 };

export const rtc: DevicePart = {
  kind: 'device',
  name: 'rtc',
  summary: 'Motorola MC146818A real-time clock and CMOS memory',
  resources: { ports: { cmos: { base: 0x70, count: 2 } }, irqs: { out: 8 } },
  firmware: [{ kind: 'pnp', id: 'PNP0B00', name: 'RTC' }],
  useClass: Mc146818,
};

export const plugin = definePlugin({ name: '@ringfence/device-rtc', sdk: SDK_VERSION, parts: [rtc] });
