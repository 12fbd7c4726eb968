/** IDE of the PIIX3 with its drives, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { PiixIde } from './piix-ide.js';

export { PiixIde };

export const ide: DevicePart = {
  kind: 'device',
  name: 'ide',
  summary: 'Intel 82371SB PIIX3 IDE: two channels with bus mastering, ATA disks, ATAPI CD-ROM drives',
  resources: {
    ports: {
      primary: { base: 0x1f0, count: 8, width: 4 },
      'primary-control': { base: 0x3f6, count: 1 },
      secondary: { base: 0x170, count: 8, width: 4 },
      'secondary-control': { base: 0x376, count: 1 },
    },
    irqs: { primary: 14, secondary: 15 },
  },
  useClass: PiixIde,
};

export const plugin = definePlugin({ name: '@ringfence/device-ide', sdk: SDK_VERSION, parts: [ide] });
