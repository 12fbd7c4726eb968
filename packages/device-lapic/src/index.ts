/** The local APIC of a Pentium, P6 or Pentium 4, as a plugin. */
import { type DevicePart, SDK_VERSION, definePlugin, z } from '@ringfence/sdk';
import { LocalApicChip } from './local-apic.js';
import { APIC_VERSION } from './registers.js';

export { LocalApicChip };

export const lapic: DevicePart = {
  kind: 'device',
  name: 'lapic',
  summary: 'local APIC with its timer, at FEE00000h or where IA32_APIC_BASE says',
  resources: {},
  provides: ['local-apic'],
  cpuFeature: 'apic',
  options: z.strictObject({
    busHz: z
      .number()
      .int()
      .min(1_000_000)
      .default(100_000_000)
      .describe("Bus clock of the APIC timer, rounded so that a cycle is a whole number of the clock's ticks."),
  }),
  firmware: [{ kind: 'local-apic', address: 0xfee00000, id: 0, version: APIC_VERSION }],
  useClass: LocalApicChip,
};

export const plugin = definePlugin({ name: '@ringfence/device-lapic', sdk: SDK_VERSION, parts: [lapic] });
