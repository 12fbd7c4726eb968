/**
 * How the registers lie in the two interfaces: the legacy header in ports (VIRTIO 1.1, 4.1.4.8 "Legacy Interfaces: A Note
 * on PCI Device Layout") and the common configuration structure (4.1.4.3). Reads are served by the byte; a write counts
 * only with the width of its field (4.1.3.1 "PCI Device Layout"), 64-bit fields as two words. Without MSI-X the legacy
 * header ends at 14h, where the device's own configuration begins.
 */
import { VIRTIO_F_ANY_LAYOUT } from './model.js';
import type { VirtioRegisters } from './registers.js';
import { RING_DESCRIPTORS } from './split-queue.js';

export const LEGACY_ISR = 19;
export const LEGACY_CONFIG = 20;

const NO_VECTOR = 0xffff;
const COMMON_QUEUE_DESC = 32;

/** One byte of the legacy header; ISR is read elsewhere. */
export function legacyRead(registers: VirtioRegisters, offset: number): number {
  const { selected } = registers;
  if (offset < 4) return byte(registers.offered[0], offset);
  if (offset < 8) return byte(registers.driverFeatures(0), offset - 4);
  if (offset < 12) return byte(selected?.legacyPage ?? 0, offset - 8);
  if (offset < 14) return byte(selected?.maxSize ?? 0, offset - 12);
  if (offset < 16) return byte(registers.queueSelect, offset - 14);
  return offset === 18 ? registers.status : 0;
}

export function legacyWrite(registers: VirtioRegisters, offset: number, size: number, value: number): void {
  if (offset === 4 && size === 4) registers.setDriverFeatures(0, value);
  else if (offset === 8 && size === 4) registers.selected?.placeLegacy(value);
  else if (offset === 14 && size === 2) registers.queueSelect = value & 0xffff;
  else if (offset === 16 && size >= 2) registers.notify(value & 0xffff);
  else if (offset === 18 && size === 1) registers.setStatus(value & 0xff, true);
}

/** One byte of the common configuration structure. */
export function commonRead(registers: VirtioRegisters, offset: number): number {
  const { selected } = registers;
  if (offset < 4) return byte(registers.deviceFeatureSelect, offset);
  if (offset < 8) return byte(modernFeatures(registers, registers.deviceFeatureSelect), offset - 4);
  if (offset < 12) return byte(registers.driverFeatureSelect, offset - 8);
  if (offset < 16) return byte(registers.driverFeatures(registers.driverFeatureSelect), offset - 12);
  if (offset < 18) return byte(NO_VECTOR, offset - 16);
  if (offset < 20) return byte(registers.queues.length, offset - 18);
  if (offset === 20) return registers.status;
  if (offset === 21) return registers.generation;
  if (offset < 24) return byte(registers.queueSelect, offset - 22);
  if (offset < 26) return byte(selected?.size ?? 0, offset - 24);
  if (offset < 28) return byte(NO_VECTOR, offset - 26);
  if (offset < 30) return byte(Number(selected?.enabled ?? false), offset - 28);
  if (offset < 32) return byte(selected === undefined ? 0 : registers.queueSelect, offset - 30);
  const word = (offset - COMMON_QUEUE_DESC) >>> 2;
  return byte(selected?.addressWord(word >>> 1, (word & 1) !== 0) ?? 0, offset & 3);
}

export function commonWrite(registers: VirtioRegisters, offset: number, size: number, value: number): void {
  const { selected } = registers;
  if (size === 4) {
    if (offset === 0) registers.deviceFeatureSelect = value >>> 0;
    else if (offset === 8) registers.driverFeatureSelect = value >>> 0;
    else if (offset === 12) registers.setDriverFeatures(registers.driverFeatureSelect, value);
    else if (offset >= COMMON_QUEUE_DESC && offset % 4 === 0 && selected?.enabled === false) {
      const word = (offset - COMMON_QUEUE_DESC) >>> 2;
      if (word >>> 1 <= 2) selected.setAddressWord((word >>> 1) + RING_DESCRIPTORS, (word & 1) !== 0, value);
    }
  } else if (size === 2) {
    if (offset === 22) registers.queueSelect = value & 0xffff;
    else if (offset === 24 && selected?.enabled === false) {
      const wanted = value & 0xffff;
      if (wanted !== 0 && wanted <= selected.maxSize && (wanted & (wanted - 1)) === 0) selected.size = wanted;
    } else if (offset === 28 && selected !== undefined && (value & 0xffff) === 1) selected.enabled = true;
  } else if (offset === 20) registers.setStatus(value & 0xff, false);
}

/** ANY_LAYOUT is of the legacy interface alone (6.3). */
function modernFeatures(registers: VirtioRegisters, word: number): number {
  const offered = registers.offered[word] ?? 0;
  return word === 0 ? offered & ~(1 << VIRTIO_F_ANY_LAYOUT) : offered;
}

function byte(value: number, index: number): number {
  return (value >>> (8 * index)) & 0xff;
}
