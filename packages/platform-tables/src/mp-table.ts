/**
 * The tables of the Intel MultiProcessor Specification 1.4 (242016), chapter 4 "MP Configuration Table": a floating pointer and
 * the configuration of one processor, a PCI and an ISA bus, an I/O APIC and who is wired to which of its inputs. For kernels
 * that know no ACPI. Says what the MADT says. No extended entries, no default configuration.
 */
import { processorSignature, pirqOf, type BoardDescription } from './board-description.js';
import { TableBytes } from './acpi-table.js';
import { writeChecksum } from './table-files.js';

export const POINTER_BYTES = 16;
const HEADER_BYTES = 44;
const SPECIFICATION = 4; // revision 1.4

const PROCESSOR = 0;
const BUS = 1;
const IO_APIC = 2;
const IO_INTERRUPT = 3;
const LOCAL_INTERRUPT = 4;

const ENABLED = 1;
const BOOT_PROCESSOR = 2;
const PCI_BUS = 0;
const ISA_BUS = 1;
const INT = 0;
const NMI = 1;
const EXTINT = 3;
const CONFORMS = 0;
/** Active high, level. */
const HIGH_LEVEL = 0x0d;
const ALL_LOCAL_APICS = 0xff;
const FEATURE_FPU = 1 << 0;
const FEATURE_CX8 = 1 << 8;
const FEATURE_APIC = 1 << 9;
const CASCADE = 2;
const ISA_REQUESTS = 16;
const SLOTS = 32;
const PINS = 4;

/** Pointer and table in one piece that begins at `address`; nothing for a board without APICs. */
export function mpTable(board: BoardDescription, address: number): Uint8Array {
  const { localApic, ioApic, model, pciRoot, router } = board;
  if (localApic === undefined || ioApic === undefined) return new Uint8Array(0);
  const { fpu, cx8 } = model.features;
  const features = FEATURE_APIC | (fpu ? FEATURE_FPU : 0) | (cx8 ? FEATURE_CX8 : 0);
  const entries: number[][] = [
    [
      ...[PROCESSOR, localApic.id, localApic.version, ENABLED | BOOT_PROCESSOR],
      ...u32(processorSignature(model)),
      ...u32(features),
      ...u32(0),
      ...u32(0),
    ],
  ];
  if (pciRoot) entries.push([BUS, PCI_BUS, ...text('PCI   ')]);
  entries.push([BUS, ISA_BUS, ...text('ISA   ')]);
  entries.push([IO_APIC, ioApic.id, ioApic.version, ENABLED, ...u32(ioApic.address)]);

  const interrupt = (flags: number, bus: number, source: number, input: number): number[] => [
    ...[IO_INTERRUPT, INT, flags, 0, bus, source, ioApic.id, input],
  ];
  const routed = router?.routed ?? [];
  if (pciRoot && routed.length === PINS) {
    // Slot 0 is the host bridge, which has no pins.
    for (let slot = 1; slot < SLOTS; slot++) {
      for (let pin = 0; pin < PINS; pin++) {
        entries.push(interrupt(HIGH_LEVEL, PCI_BUS, (slot << 2) | pin, routed[pirqOf(slot, pin)]));
      }
    }
  }
  for (let irq = 0; irq < ISA_REQUESTS; irq++) {
    // The 8259s' cascade is no request, and what PCI is routed to is not ISA's.
    if (irq === CASCADE || routed.includes(irq)) continue;
    entries.push(interrupt(CONFORMS, ISA_BUS, irq, irq === 0 ? ioApic.timerInput : irq));
  }
  entries.push([LOCAL_INTERRUPT, EXTINT, CONFORMS, 0, ISA_BUS, 0, ALL_LOCAL_APICS, 0]);
  entries.push([LOCAL_INTERRUPT, NMI, CONFORMS, 0, ISA_BUS, 0, ALL_LOCAL_APICS, 1]);

  const body = entries.flat();
  const length = HEADER_BYTES + body.length;
  const made = new TableBytes(POINTER_BYTES + length);
  const header = POINTER_BYTES;
  made
    .text(0, '_MP_')
    .u32(4, address + header)
    .u8(8, 1, SPECIFICATION) // in paragraphs of 16 bytes; no IMCR: virtual wire mode
    .text(header, 'PCMP')
    .u16(header + 4, length)
    .u8(header + 6, SPECIFICATION)
    .text(header + 8, 'RINGFENC')
    .text(header + 16, 'PC          ')
    .u16(header + 34, entries.length)
    .u32(header + 36, localApic.address);
  made.bytes.set(body, header + HEADER_BYTES);
  writeChecksum(made.bytes, { at: 10, start: 0, bytes: POINTER_BYTES });
  writeChecksum(made.bytes, { at: header + 7, start: header, bytes: length });
  return made.bytes;
}

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

function text(value: string): number[] {
  return [...value].map((c) => c.charCodeAt(0));
}
