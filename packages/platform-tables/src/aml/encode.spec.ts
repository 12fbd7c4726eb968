/** The encoder's terms byte by byte, as ACPI 6.4, 20.2 "AML Grammar Definition" has them. */
import { describe, expect, it } from 'vitest';
import * as aml from './encode.js';
import * as resource from './resources.js';

const hex = (bytes: aml.Aml): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

describe('names', () => {
  it.each([
    ['\\', '5c 00'],
    ['_HID', '5f 48 49 44'],
    ['ISA', '49 53 41 5f'],
    ['\\_SB', '5c 5f 53 42 5f'],
    ['^^FOO', '5e 5e 46 4f 4f 5f'],
    ['A.B', '2e 41 5f 5f 5f 42 5f 5f 5f'],
    ['\\A.B.C', '5c 2f 03 41 5f 5f 5f 42 5f 5f 5f 43 5f 5f 5f'],
  ])('%s', (path, bytes) => expect(hex(aml.name(path))).toBe(bytes));

  it.each(['', '1ABC', 'ABCDE', 'abc', 'A B'])('refuses the segment "%s"', (text) =>
    expect(() => aml.nameSegment(text)).toThrow('cannot be a name'),
  );
});

describe('package lengths', () => {
  it.each([
    [0, '01'],
    [62, '3f'],
    [63, '41 04'],
    [0xffd, '4f ff'],
    [0xffe, '81 00 01'],
    [0xffffc, '8f ff ff'],
    [0xffffd, 'c1 00 00 01'],
  ])('of %d bytes of content', (content, bytes) => expect(hex(aml.packageLength(content))).toBe(bytes));

  it('count themselves, whatever their size', () => {
    for (const content of [0, 61, 62, 63, 64, 4092, 4093, 4094, 70_000, 2_000_000]) {
      const bytes = aml.packageLength(content);
      const extra = bytes[0] >>> 6;
      expect(bytes).toHaveLength(1 + extra);
      let value = bytes[0] & (extra === 0 ? 0x3f : 0x0f);
      for (let i = 0; i < extra; i++) value += bytes[1 + i] * 2 ** (4 + 8 * i);
      expect(value).toBe(content + bytes.length);
    }
  });
});

describe('data', () => {
  it.each([
    [0, '00'],
    [1, '01'],
    [2, '0a 02'],
    [0xff, '0a ff'],
    [0x100, '0b 00 01'],
    [0x10000, '0c 00 00 01 00'],
    [0xffffffff, '0c ff ff ff ff'],
  ])('the integer %d', (value, bytes) => expect(hex(aml.integer(value))).toBe(bytes));

  it('an EISA identity, compressed', () => expect(hex(aml.eisaId('PNP0A03'))).toBe('0c 41 d0 0a 03'));
  it.each(['PNP', 'pnp0a03', 'PNP0A0', 'ACPI0007'])('no EISA identity: %s', (id) =>
    expect(() => aml.eisaId(id)).toThrow('no EISA identity'),
  );
  it('a buffer', () => expect(hex(aml.buffer([1, 2]))).toBe('11 05 0a 02 01 02'));
  it('a package', () => expect(hex(aml.packageOf([0x01], [0x0a, 5]))).toBe('12 05 02 01 0a 05'));
});

describe('terms', () => {
  it.each([
    ['Name', aml.define('FOO', [0]), '08 46 4f 4f 5f 00'],
    ['Scope', aml.scope('\\_SB', [0xa3]), '10 07 5c 5f 53 42 5f a3'],
    ['Device', aml.device('DEV'), '5b 82 05 44 45 56 5f'],
    ['Processor', aml.processor('CPU0', 3), '5b 83 0b 43 50 55 30 03 00 00 00 00 00'],
    ['Method', aml.method('FOO', 1, aml.give(aml.ARG0)), '14 08 46 4f 4f 5f 09 a4 68'],
    ['OperationRegion', aml.operationRegion('PIRQ', 2, 0x60, 4), '5b 80 50 49 52 51 02 0a 60 0a 04'],
    ['Field', aml.byteFields('PIRQ', 'A', 'B'), '5b 81 10 50 49 52 51 01 41 5f 5f 5f 08 42 5f 5f 5f 08'],
    ['Store', aml.store(aml.ARG0, aml.LOCAL0), '70 68 60'],
    ['And', aml.and(aml.ARG0, [1]), '7b 68 01 00'],
    ['Or', aml.or(aml.ARG0, [1], aml.LOCAL0), '7d 68 01 60'],
    ['If, Else', [...aml.when(aml.ARG0, [0xa3]), ...aml.otherwise([0xa3])], 'a0 03 68 a3 a1 02 a3'],
    ['a call', aml.call('FOO', [1], [0]), '46 4f 4f 5f 01 00'],
    ['CreateDWordField', aml.dwordField(aml.ARG0, 5, 'IRQN'), '8a 68 0a 05 49 52 51 4e'],
  ])('%s', (_name, bytes, expected) => expect(hex(bytes)).toBe(expected));
});

describe('resource descriptors', () => {
  it.each([
    ['IRQ', resource.irq(1, 12), '22 02 10'],
    ['DMA', resource.dma(2), '2a 04 00'],
    ['I/O', resource.io(0x3f8, 8), '47 01 f8 03 f8 03 01 08'],
    ['memory', resource.memory(0xfed00000, 0x400), '86 09 00 01 00 00 d0 fe 00 04 00 00'],
    ['interrupts', resource.interrupts(5, 10), '89 0a 00 09 02 05 00 00 00 0a 00 00 00'],
    ['bus numbers', resource.busNumbers(0, 255), '88 0d 00 02 0c 00 00 00 00 00 ff 00 00 00 00 01'],
    ['a template', resource.template(resource.irq(1)), '11 08 0a 05 22 02 00 79 00'],
  ])('%s', (_name, bytes, expected) => expect(hex(bytes)).toBe(expected));

  it('lead to the interrupt number at its byte', () =>
    expect(resource.interrupts(0x99)[resource.INTERRUPT_NUMBER]).toBe(0x99));
});
