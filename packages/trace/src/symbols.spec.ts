/** Symbol files: ELF tables and System.map. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SymbolTable } from './symbols.js';

const map = SymbolTable.parse(
  Buffer.from('00100000 T start\n00100010 t helper\n00200000 D data\n00100040 T last\n'),
  'System.map',
);
const bad = expect.objectContaining({ code: 'RF_BAD_SYMBOLS' }) as unknown;

describe('a System.map', () => {
  it('names addresses by the symbol before them', () => {
    expect([0x100000, 0x10000f, 0x100010, 0x100041].map((at) => map.nameOf(at))).toEqual([
      '<start>',
      '<start+f>',
      '<helper>',
      '<last+1>',
    ]);
    expect([0xfffff, 0x10000000].map((at) => map.nameOf(at))).toEqual([undefined, undefined]);
  });

  it('gives addresses of names', () => {
    expect([map.addressOf('helper'), map.addressOf('helper+0x10'), map.addressOf('last+2')]).toEqual([
      0x100010, 0x100020, 0x100042,
    ]);
    expect(map.addressOf('data')).toBeUndefined();
  });
});

/** A 32-bit ELF file with one FUNC symbol `main` at 0x1000, 16 bytes long. */
function elf(): Buffer {
  const file = Buffer.alloc(52 + 3 * 40 + 32 + 6);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const [sections, symbols, strings] = [52, 172, 204];
  file.writeUInt32LE(sections, 32);
  file.writeUInt16LE(40, 46);
  file.writeUInt16LE(3, 48);
  const section = (n: number, type: number, offset: number, size: number, link: number): void => {
    [type, 0, 0, offset, size, link].forEach((v, i) => file.writeUInt32LE(v, sections + n * 40 + 4 + i * 4));
  };
  section(1, 2, symbols, 32, 2);
  section(2, 3, strings, 6, 0);
  [1, 0x1000, 16].forEach((value, i) => file.writeUInt32LE(value, symbols + 16 + i * 4));
  file[symbols + 16 + 12] = 2;
  file.writeUInt16LE(1, symbols + 16 + 14);
  file.write('\0main\0', strings, 'latin1');
  return file;
}

describe('an ELF file', () => {
  it('names code within the size of its symbols', () => {
    const table = SymbolTable.parse(elf(), 'k.elf');
    expect([0x1000, 0x100f, 0x1010].map((at) => table.nameOf(at))).toEqual(['<main>', '<main+f>', undefined]);
    expect(table.addressOf('main+4')).toBe(0x1004);
  });

  it('is refused when stripped, cut off, or of another kind', () => {
    expect(() => SymbolTable.parse(elf().subarray(0, 180), 'k')).toThrow(bad);
    expect(() => SymbolTable.parse(elf().fill(0, 48, 50), 'k')).toThrow(bad);
    expect(() => SymbolTable.parse(elf().fill(2, 4, 5), 'k')).toThrow(bad);
    expect(() => SymbolTable.parse(Buffer.from('hello'), 'k')).toThrow(bad);
    const stripped = readFileSync(fileURLToPath(new URL('../../../guests/images/hello.elf', import.meta.url)));
    expect(() => SymbolTable.parse(stripped, 'hello.elf')).toThrow(bad);
  });
});
