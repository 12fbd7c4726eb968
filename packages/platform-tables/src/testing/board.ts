/** A board with everything on it, for the specs: the facts that the PC's chips announce, and an event timer. */
import type { PlacedFact } from '@ringfence/sdk';
import { describeBoard } from '../board-description.js';

const features = { fpu: true, cx8: true } as never;
export const TEST_MODEL = { family: 6, model: 8, stepping: 3, features };
export const TEST_RAM = 128 * 1024 * 1024;

const none = {};
export const TEST_FACTS: readonly PlacedFact[] = [
  { part: 'pci-host', resources: none, fact: { kind: 'pci-root' } },
  { part: 'pci-host', resources: none, fact: { kind: 'reset-port', port: 0xcf9, value: 6 } },
  {
    part: 'piix3',
    resources: none,
    fact: {
      kind: 'pirq-router',
      id: 0x70008086,
      device: 1,
      fn: 0,
      register: 0x60,
      choices: [5, 10, 11],
      routed: [10, 10, 11, 11],
    },
  },
  {
    part: 'piix4-pm',
    resources: none,
    fact: {
      kind: 'acpi-power',
      base: 0x600,
      bytes: 64,
      pm1Event: 0,
      pm1Control: 4,
      pmTimer: 8,
      gpe0: 12,
      gpe0Bytes: 4,
      sciIrq: 9,
      smiCommand: 0xb2,
      acpiEnable: 0xf1,
      acpiDisable: 0xf0,
      softOff: 0,
    },
  },
  {
    part: 'lapic',
    resources: none,
    fact: { kind: 'local-apic', address: 0xfee00000, id: 0, version: 0x14 },
  },
  {
    part: 'ioapic',
    resources: none,
    fact: { kind: 'io-apic', address: 0xfec00000, id: 1, version: 0x11, timerInput: 2 },
  },
  {
    part: 'hpet',
    resources: none,
    fact: { kind: 'hpet', address: 0xfed00000, blockId: 0x8086a201, minimumTick: 128 },
  },
  {
    part: 'uart16550',
    resources: { ports: { registers: { base: 0x3f8, count: 8 } }, irqs: { out: 4 } },
    fact: { kind: 'pnp', id: 'PNP0501', name: 'COM1' },
  },
  {
    part: 'i8042',
    resources: {
      ports: { data: { base: 0x60, count: 1 }, command: { base: 0x64, count: 1 } },
      irqs: { keyboard: 1, aux: 12 },
    },
    fact: { kind: 'pnp', id: 'PNP0303', name: 'KBD', irqs: ['keyboard'] },
  },
  {
    part: 'floppy',
    resources: { ports: { registers: { base: 0x3f0, count: 6 } }, irqs: { out: 6 } },
    fact: { kind: 'pnp', id: 'PNP0700', name: 'FDC', dma: 2 },
  },
];

export const TEST_BOARD = describeBoard(TEST_FACTS, TEST_RAM, TEST_MODEL);
