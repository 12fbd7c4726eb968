/**
 * The PCI interrupt routing table `$PIR` (Microsoft, "PCI IRQ Routing Table Specification" 1.0; PCI BIOS Specification 2.1,
 * 4.2.7): which PIRQ each pin of each slot is wired to, and which chip routes them, for kernels that use the 8259s without
 * ACPI. A link value is the PIRQ's register in the router.
 */
import { pirqOf, type BoardDescription } from './board-description.js';
import { TableBytes } from './acpi-table.js';
import { writeChecksum } from './table-files.js';

const HEADER_BYTES = 32;
const SLOT_BYTES = 16;
const SLOTS = 31;
const PINS = 4;
const VERSION = 0x0100;

export function pirTable({ router, pciRoot }: BoardDescription): Uint8Array {
  if (router === undefined || !pciRoot) return new Uint8Array(0);
  const length = HEADER_BYTES + SLOTS * SLOT_BYTES;
  const made = new TableBytes(length)
    .text(0, '$PIR')
    .u16(4, VERSION)
    .u16(6, length)
    .u8(8, 0, (router.device << 3) | router.fn)
    .u32(12, router.id);
  const possible = router.choices.reduce((mask, irq) => mask | (1 << irq), 0);
  for (let slot = 1; slot <= SLOTS; slot++) {
    const at = HEADER_BYTES + (slot - 1) * SLOT_BYTES;
    made.u8(at, 0, slot << 3);
    for (let pin = 0; pin < PINS; pin++) {
      made.u8(at + 2 + pin * 3, router.register + pirqOf(slot, pin)).u16(at + 3 + pin * 3, possible);
    }
  }
  writeChecksum(made.bytes, { at: 31, start: 0, bytes: length });
  return made.bytes;
}
