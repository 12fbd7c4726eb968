/**
 * Each table of the specs' board against what ACPICA's disassembler once made of exactly these bytes (goldens/*.dsl): a listing
 * for people, with the hash of the bytes it was made from. `node tools/acpi/disassemble.mjs` writes them again.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { acpiFiles, splitTables } from './acpi.js';
import { TEST_BOARD } from './testing/board.js';

const goldens = fileURLToPath(new URL('../goldens/', import.meta.url));
const tables = splitTables(acpiFiles(TEST_BOARD));

describe('the tables as disassembled', () => {
  it('are all recorded', () => {
    expect(tables.map(({ signature }) => `${signature}.dsl`).sort()).toEqual(readdirSync(goldens).sort());
  });

  it.each(tables)('$signature has the recorded bytes', ({ signature, bytes }) => {
    const [first] = readFileSync(`${goldens}${signature}.dsl`, 'utf8').split('\n', 1);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(first, 'after a change run tools/acpi/disassemble.mjs and look at the difference').toBe(
      `// sha256 ${sha256}`,
    );
  });

  it('say what the board is', () => {
    const dsdt = readFileSync(`${goldens}DSDT.dsl`, 'utf8');
    expect(dsdt).toContain('Name (_HID, EisaId ("PNP0A03") /* PCI Bus */)');
    expect(dsdt).toContain('Package (0x04) { 0x0003FFFF, Zero, \\_SB.LNKC, Zero }');
    expect(dsdt).toMatch(
      /Device \(FDC\)[\s\S]*0x03F0, 0x03F0, 0x01, 0x06[\s\S]*IRQNoFlags \(\) \{ 6 \}[\s\S]*DMA \(.*\) \{ 2 \}/,
    );
    const fadt = readFileSync(`${goldens}FACP.dsl`, 'utf8');
    expect(fadt).toMatch(/SCI Interrupt : 0009/);
    expect(fadt).toMatch(/PM Timer Block Address : 00000608/);
  });
});
