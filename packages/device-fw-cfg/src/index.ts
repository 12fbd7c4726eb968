/** fw_cfg, by which firmware learns of the machine it starts, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { FwCfg } from './fw-cfg.js';

export { FwCfg };

export const fwCfg: DevicePart = {
  kind: 'device',
  name: 'fw-cfg',
  summary: 'fw_cfg: memory map, kernel, option ROMs and settings for firmware',
  resources: {
    ports: { selector: { base: 0x510, count: 2, width: 2 }, dma: { base: 0x514, count: 8, width: 4 } },
  },
  useClass: FwCfg,
};

export const plugin = definePlugin({ name: '@ringfence/device-fw-cfg', sdk: SDK_VERSION, parts: [fwCfg] });
