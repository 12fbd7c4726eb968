/**
 * The ACPI tables of a board as files that point at each other: the root pointer, the tables, and FACS by itself, because the
 * operating system writes to it and the others may lie in ROM (ACPI 6.4, 5.2.5 "Root System Description Pointer (RSDP)", 5.2.7
 * "RSDT", 5.2.8 "XSDT"). Nothing of it knows an address.
 */
import { AcpiFile, HEADER_BYTES, OEM_ID, TABLE_ALIGNMENT, TableBytes, table } from './acpi-table.js';
import type { BoardDescription } from './board-description.js';
import { PROCESSOR_ID, dsdt } from './dsdt.js';
import { FADT_DSDT, FADT_FIRMWARE_CTRL, FADT_X_DSDT, facs, fadt } from './fadt.js';
import { hpetTable, madt } from './madt.js';
import { type TableFile, writeChecksum } from './table-files.js';

export const RSDP_FILE = 'etc/acpi/rsdp';
export const TABLES_FILE = 'etc/acpi/tables';
export const FACS_FILE = 'etc/acpi/facs';

const RSDP_BYTES = 36;
/** What software of ACPI 1.0 knows of it, with a checksum of its own. */
const RSDP_OLD_BYTES = 20;
const RSDP_REVISION = 2;
const KEYBOARD_IDS: readonly string[] = ['PNP0303', 'PNP0F13'];

/** None for a board without ACPI's registers. */
export function acpiFiles(board: BoardDescription): TableFile[] {
  const { power, resetPort, localApic, ioApic, hpet, devices } = board;
  if (power === undefined) return [];
  const file = new AcpiFile();
  const dsdtAt = file.add(dsdt(board));
  const keyboardController = devices.some(({ fact }) => KEYBOARD_IDS.includes(fact.id));
  const fixed = fadt({ power, resetPort, keyboardController }).u32(FADT_DSDT, dsdtAt).u32(FADT_X_DSDT, dsdtAt);
  const tables = [
    file.add(fixed, [
      { at: FADT_FIRMWARE_CTRL, bytes: 4, into: FACS_FILE },
      { at: FADT_DSDT, bytes: 4, into: TABLES_FILE },
      { at: FADT_X_DSDT, bytes: 8, into: TABLES_FILE },
    ]),
  ];
  if (localApic !== undefined) {
    tables.push(file.add(madt({ localApic, ioApic, processor: PROCESSOR_ID, levelIrqs: levelIrqs(board) })));
  }
  if (hpet !== undefined) tables.push(file.add(hpetTable(hpet)));
  const rsdt = addRoot(file, 'RSDT', 4, tables);
  const xsdt = addRoot(file, 'XSDT', 8, tables);
  const { bytes, pointers, checksums } = file;
  const common = { alignment: TABLE_ALIGNMENT, lowSegment: false };
  return [
    rootPointer(rsdt, xsdt),
    { name: TABLES_FILE, ...common, bytes, pointers, checksums },
    { name: FACS_FILE, ...common, bytes: facs().bytes, pointers: [], checksums: [] },
  ];
}

/** Requests that are PCI's or SCI's: level-triggered and active high where they reach the I/O APIC. */
function levelIrqs({ power, router }: BoardDescription): number[] {
  const irqs = new Set([...(power === undefined ? [] : [power.sciIrq]), ...(router?.choices ?? [])]);
  return [...irqs].sort((a, b) => a - b);
}

function addRoot(file: AcpiFile, signature: string, width: 4 | 8, tables: readonly number[]): number {
  const root = table(signature, 1, HEADER_BYTES + width * tables.length);
  const places = tables.map((at, i) => {
    root.u32(HEADER_BYTES + i * width, at);
    return { at: HEADER_BYTES + i * width, bytes: width, into: TABLES_FILE };
  });
  return file.add(root, places);
}

function rootPointer(rsdt: number, xsdt: number): TableFile {
  const { bytes } = new TableBytes(RSDP_BYTES)
    .text(0, 'RSD PTR ')
    .text(9, OEM_ID)
    .u8(15, RSDP_REVISION)
    .u32(16, rsdt)
    .u32(20, RSDP_BYTES)
    .u32(24, xsdt);
  return {
    name: RSDP_FILE,
    alignment: 16,
    lowSegment: true,
    bytes,
    pointers: [
      { at: 16, bytes: 4, into: TABLES_FILE },
      { at: 24, bytes: 8, into: TABLES_FILE },
    ],
    checksums: [
      { at: 8, start: 0, bytes: RSDP_OLD_BYTES },
      { at: 32, start: 0, bytes: RSDP_BYTES },
    ],
  };
}

/** Each table of the tables' file by itself, with its checksum and pointers that count from the file's start. */
export function splitTables(files: readonly TableFile[]): { readonly signature: string; readonly bytes: Uint8Array }[] {
  const found = files.find(({ name }) => name === TABLES_FILE);
  return (found?.checksums ?? []).map((sum) => {
    const bytes = found!.bytes.slice(sum.start, sum.start + sum.bytes);
    writeChecksum(bytes, { at: sum.at - sum.start, start: 0, bytes: sum.bytes });
    return { signature: String.fromCharCode(...bytes.subarray(0, 4)), bytes };
  });
}
