/**
 * Resource descriptors (ACPI 6.4, 6.4 "Resource Data Types for ACPI"): what `_CRS` and `_PRS` return. Small descriptors for the
 * ISA side, address space descriptors for a bridge's windows.
 */
import { type Aml, buffer, dword, word } from './encode.js';

/** 6.4.2.1 without flags: edge-triggered, active high. */
export function irq(...lines: number[]): Aml {
  return [0x22, ...word(lines.reduce((mask, line) => mask | (1 << line), 0))];
}

/** 6.4.2.2: compatibility timing, not a bus master, 8-bit. */
export function dma(channel: number): Aml {
  return [0x2a, 1 << channel, 0x00];
}

/** 6.4.2.5: 16-bit decode, at a fixed place. */
export function io(base: number, bytes: number): Aml {
  return [0x47, 0x01, ...word(base), ...word(base), 0x01, bytes];
}

/** 6.4.3.4: 32-bit memory at a fixed place, writable. */
export function memory(base: number, bytes: number): Aml {
  return [0x86, ...word(9), 0x01, ...dword(base), ...dword(bytes)];
}

/** 6.4.3.6: level, active high, shared, consumed; one of `lines`. The numbers start at byte 5. */
export function interrupts(...lines: number[]): Aml {
  return [0x89, ...word(2 + 4 * lines.length), 0x09, lines.length, ...lines.flatMap((line) => [...dword(line)])];
}
export const INTERRUPT_NUMBER = 5;

// 6.4.3.5 "Address Space Resource Descriptors": both ends fixed, positive decode, produced.
const FIXED = 0x0c;

export function busNumbers(first: number, last: number): Aml {
  return [0x88, ...word(13), 2, FIXED, 0, ...[0, first, last, 0, last - first + 1].flatMap((n) => [...word(n)])];
}

export function ioWindow(first: number, last: number): Aml {
  const ENTIRE_RANGE = 3;
  return [
    0x88,
    ...word(13),
    1,
    FIXED,
    ENTIRE_RANGE,
    ...[0, first, last, 0, last - first + 1].flatMap((n) => [...word(n)]),
  ];
}

export function memoryWindow(first: number, last: number): Aml {
  const WRITABLE = 1;
  return [
    0x87,
    ...word(23),
    0,
    FIXED,
    WRITABLE,
    ...[0, first, last, 0, last - first + 1].flatMap((n) => [...dword(n)]),
  ];
}

/** End tag with a checksum of zero: "treat as right". */
export function template(...descriptors: Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0x00]);
}
