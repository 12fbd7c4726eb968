/**
 * An encoder for ACPI Machine Language: each function returns the bytes of one term of the grammar (ACPI 6.4, 20.2 "AML Grammar
 * Definition"), made of the bytes of its parts, so that a definition block reads like ASL. Only the terms that the tables here
 * need; names are checked, operands are taken as they come. The golden test holds the result against a disassembler.
 */
import { RingfenceError } from '@ringfence/sdk';

export type Aml = readonly number[];

// 20.2.5.4 "Expression Opcodes", 20.2.6 "Miscellaneous Objects"
export const ARG0: Aml = [0x68];
export const LOCAL0: Aml = [0x60];
/** A result that goes nowhere. */
export const NOWHERE: Aml = [0x00];

const EXT = 0x5b;

/** `\_SB.PCI0`, `^FOO`, `_HID`: short segments are filled up with underscores. */
export function name(path: string): Aml {
  const match = /^(\\|\^*)(.*)$/.exec(path)!;
  const prefix = [...match[1]].map((c) => c.charCodeAt(0));
  const segments = match[2] === '' ? [] : match[2].split('.');
  const body = segments.flatMap((segment) => [...nameSegment(segment)]);
  if (segments.length === 0) return [...prefix, 0x00];
  if (segments.length === 1) return [...prefix, ...body];
  return segments.length === 2 ? [...prefix, 0x2e, ...body] : [...prefix, 0x2f, segments.length, ...body];
}

export function nameSegment(text: string): Aml {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(text)) {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `"${text}" cannot be a name in the ACPI namespace`,
      value: text,
      fix: 'use one to four of A-Z, 0-9 and _, no digit first',
    });
  }
  return [...text.padEnd(4, '_')].map((c) => c.charCodeAt(0));
}

/** 20.2.4 "Package Length Encoding": what follows it, in front of which it stands, and itself. */
export function packageLength(contentBytes: number): Aml {
  if (contentBytes + 1 <= 0x3f) return [contentBytes + 1];
  for (let extra = 1; ; extra++) {
    const length = contentBytes + 1 + extra;
    if (length >= 1 << (4 + 8 * extra)) continue;
    const rest = Array.from({ length: extra }, (_, i) => (length >>> (4 + 8 * i)) & 0xff);
    return [(extra << 6) | (length & 0x0f), ...rest];
  }
}

function packaged(opcode: Aml, ...content: Aml[]): Aml {
  const body = content.flat();
  return [...opcode, ...packageLength(body.length), ...body];
}

/** In the fewest bytes. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return [value];
  if (value <= 0xff) return [0x0a, value];
  return value <= 0xffff ? [0x0b, ...word(value)] : [0x0c, ...dword(value)];
}

export function word(value: number): Aml {
  return [value & 0xff, (value >>> 8) & 0xff];
}

export function dword(value: number): Aml {
  return [...word(value), ...word(value >>> 16)];
}

/** Compressed EISA identity (ACPI 6.4, 19.6.37 "EISAID"): `PNP0A03`. */
export function eisaId(id: string): Aml {
  if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(id)) {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `"${id}" is no EISA identity`,
      value: id,
      fix: 'three capital letters and four hexadecimal digits, e.g. PNP0501',
    });
  }
  const [a, b, c] = [...id].map((letter) => letter.charCodeAt(0) - 0x40);
  const product = Number.parseInt(id.slice(3), 16);
  const vendor = (a << 10) | (b << 5) | c;
  return [0x0c, vendor >>> 8, vendor & 0xff, product >>> 8, product & 0xff];
}

export function buffer(bytes: Aml): Aml {
  return packaged([0x11], integer(bytes.length), bytes);
}

/** Of at most 255 elements. */
export function packageOf(...elements: Aml[]): Aml {
  return packaged([0x12], [elements.length], ...elements);
}

export function define(path: string, object: Aml): Aml {
  return [0x08, ...name(path), ...object];
}

export function scope(path: string, ...terms: Aml[]): Aml {
  return packaged([0x10], name(path), ...terms);
}

export function device(path: string, ...terms: Aml[]): Aml {
  return packaged([EXT, 0x82], name(path), ...terms);
}

/** Without a processor block. */
export function processor(path: string, id: number): Aml {
  return packaged([EXT, 0x83], name(path), [id], dword(0), [0]);
}

/** Serialized: what a method names while it runs exists once. */
export function method(path: string, argumentCount: number, ...terms: Aml[]): Aml {
  return packaged([0x14], name(path), [argumentCount | 0x08], ...terms);
}

export const REGION_PCI_CONFIG = 2;

export function operationRegion(path: string, space: number, offset: number, bytes: number): Aml {
  return [EXT, 0x80, ...name(path), space, ...integer(offset), ...integer(bytes)];
}

/** One byte each, one after the other, accessed as bytes. */
export function byteFields(region: string, ...names: string[]): Aml {
  const BYTE_ACCESS = 1;
  return packaged(
    [EXT, 0x81],
    name(region),
    [BYTE_ACCESS],
    ...names.map((field) => [...nameSegment(field), ...[8]] as Aml),
  );
}

export function store(value: Aml, target: Aml): Aml {
  return [0x70, ...value, ...target];
}

export function and(a: Aml, b: Aml, target: Aml = NOWHERE): Aml {
  return [0x7b, ...a, ...b, ...target];
}

export function or(a: Aml, b: Aml, target: Aml = NOWHERE): Aml {
  return [0x7d, ...a, ...b, ...target];
}

/** Not zero. */
export function when(condition: Aml, ...terms: Aml[]): Aml {
  return packaged([0xa0], condition, ...terms);
}

export function otherwise(...terms: Aml[]): Aml {
  return packaged([0xa1], ...terms);
}

export function give(value: Aml): Aml {
  return [0xa4, ...value];
}

export function call(path: string, ...operands: Aml[]): Aml {
  return [...name(path), ...operands.flat()];
}

/** Names four bytes of a buffer. */
export function dwordField(source: Aml, offset: number, field: string): Aml {
  return [0x8a, ...source, ...integer(offset), ...name(field)];
}
