/**
 * The multiple APIC description table (ACPI 6.4, 5.2.12 "Multiple APIC Description Table (MADT)"): one processor, one I/O APIC,
 * how ISA requests reach it where that is not one to one, and NMI at LINT1. And the event timer's table (IA-PC HPET 1.0a, 3.2.4).
 */
import type { HpetFact, IoApicFact, LocalApicFact } from '@ringfence/sdk';
import type { TableBytes } from './acpi-table.js';
import { table, tableAround } from './acpi-table.js';

const PCAT_COMPAT = 1;
const LOCAL_APIC = 0;
const IO_APIC = 1;
const SOURCE_OVERRIDE = 2;
const LOCAL_NMI = 4;
const ENABLED = 1;
const ISA_BUS = 0;
const CONFORMS = 0;
const HIGH_LEVEL = 0x0d;
const ALL_PROCESSORS = 0xff;

export interface MadtInit {
  readonly localApic: LocalApicFact;
  readonly ioApic?: IoApicFact;
  /** The processor's identity in the DSDT. */
  readonly processor: number;
  /** ISA requests that are level-triggered, active high: SCI and PCI's. */
  readonly levelIrqs: readonly number[];
}

export function madt({ localApic, ioApic, processor, levelIrqs }: MadtInit): TableBytes {
  const structures: number[][] = [[LOCAL_APIC, 8, processor, localApic.id, ...u32(ENABLED)]];
  if (ioApic !== undefined) {
    structures.push([IO_APIC, 12, ioApic.id, 0, ...u32(ioApic.address), ...u32(0)]);
    const override = (irq: number, input: number, flags: number): number[] => [
      ...[SOURCE_OVERRIDE, 10, ISA_BUS, irq],
      ...u32(input),
      ...[flags, 0],
    ];
    if (ioApic.timerInput !== 0) structures.push(override(0, ioApic.timerInput, CONFORMS));
    for (const irq of levelIrqs) structures.push(override(irq, irq, HIGH_LEVEL));
  }
  structures.push([LOCAL_NMI, 6, ALL_PROCESSORS, CONFORMS, 0, 1]);
  return tableAround('APIC', 1, [...u32(localApic.address), ...u32(PCAT_COMPAT), ...structures.flat()]);
}

export function hpetTable({ address, blockId, minimumTick }: HpetFact): TableBytes {
  const SYSTEM_MEMORY = 0;
  return table('HPET', 1, 56).u32(36, blockId).u8(40, SYSTEM_MEMORY, 64).u32(44, address).u16(53, minimumTick);
}

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}
