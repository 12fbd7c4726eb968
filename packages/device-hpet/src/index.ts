/** The event timer block, as a plugin: on the board only when the configuration names it. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Hpet } from './hpet.js';
import { GCAP_ID, HPET_BYTES } from './registers.js';

export { Hpet };

const BASE = 0xfed00000;

export const hpet: DevicePart = {
  kind: 'device',
  name: 'hpet',
  summary: 'High precision event timers: three comparators, legacy replacement, at FED00000h',
  resources: { mmio: { base: BASE, bytes: 0x1000 } },
  firmware: [{ kind: 'hpet', address: BASE, blockId: GCAP_ID, minimumTick: 128 }],
  onRequest: true,
  useClass: Hpet,
};

export const plugin = definePlugin({ name: '@ringfence/device-hpet', sdk: SDK_VERSION, parts: [hpet] });

export { HPET_BYTES };
