/** The PIIX4's power management function, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin } from '@ringfence/sdk';
import { ACPI_DISABLE, ACPI_ENABLE, PM_BASE, Piix4Pm } from './piix4-pm.js';
import { GPSTS, PMCNTRL, PMSTS, PMTMR, PM_BYTES, SUS_TYP_SOFF } from './registers.js';

export { Piix4Pm };

export const piix4Pm: DevicePart = {
  kind: 'device',
  name: 'piix4-pm',
  summary: 'Intel 82371AB PIIX4 power management: ACPI registers, PM timer, power button, soft off',
  resources: { ports: { apm: { base: 0xb2, count: 2 } }, irqs: { sci: 9 } },
  provides: ['power-button'],
  firmware: [
    {
      kind: 'acpi-power',
      base: PM_BASE,
      bytes: PM_BYTES,
      pm1Event: PMSTS,
      pm1Control: PMCNTRL,
      pmTimer: PMTMR,
      gpe0: GPSTS,
      gpe0Bytes: 4,
      sciIrq: 9,
      smiCommand: 0xb2,
      acpiEnable: ACPI_ENABLE,
      acpiDisable: ACPI_DISABLE,
      softOff: SUS_TYP_SOFF >>> 10,
    },
  ],
  useClass: Piix4Pm,
};

export const plugin = definePlugin({ name: '@ringfence/device-piix4-pm', sdk: SDK_VERSION, parts: [piix4Pm] });
