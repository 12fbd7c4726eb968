/** The PIIX3's ISA bridge, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { Piix3 } from './piix3.js';

export { Piix3 };

export const piix3: DevicePart = {
  kind: 'device',
  name: 'piix3',
  summary: 'Intel 82371SB PIIX3 ISA bridge: routing of PCI interrupts',
  resources: {},
  useClass: Piix3,
};

export const plugin = definePlugin({ name: '@ringfence/device-piix3', sdk: SDK_VERSION, parts: [piix3] });
