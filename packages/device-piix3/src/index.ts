/** The PIIX3's ISA bridge, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { HANDED_OVER, PIRQRC, Piix3 } from './piix3.js';

export { Piix3 };

export const piix3: DevicePart = {
  kind: 'device',
  name: 'piix3',
  summary: 'Intel 82371SB PIIX3 ISA bridge: routing of PCI interrupts',
  resources: {},
  firmware: [
    {
      kind: 'pirq-router',
      id: 0x70008086,
      device: 1,
      fn: 0,
      register: PIRQRC,
      choices: [5, 10, 11],
      routed: HANDED_OVER,
    },
  ],
  useClass: Piix3,
};

export const plugin = definePlugin({ name: '@ringfence/device-piix3', sdk: SDK_VERSION, parts: [piix3] });
