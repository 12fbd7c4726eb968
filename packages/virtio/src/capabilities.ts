/**
 * Where the modern structures are, and the vendor capabilities that say so (VIRTIO 1.1, 4.1.4 "Virtio Structure PCI
 * Capabilities"): one page of BAR 1 for each of common configuration, ISR, device configuration and notifications.
 */
import type { PciRegister } from '@ringfence/sdk';

export const MEMORY_BAR = 1;
export const MEMORY_BAR_BYTES = 0x4000;
export const REGION_COMMON = 0x0000;
export const REGION_ISR = 0x1000;
export const REGION_DEVICE = 0x2000;
export const REGION_NOTIFY = 0x3000;
export const COMMON_BYTES = 56;
export const NOTIFY_MULTIPLIER = 4;

const CAP_ID_VENDOR = 0x09;
const CAP_POINTER = 0x34;
const VIRTIO_PCI_CAP_COMMON_CFG = 1;
const VIRTIO_PCI_CAP_NOTIFY_CFG = 2;
const VIRTIO_PCI_CAP_ISR_CFG = 3;
const VIRTIO_PCI_CAP_DEVICE_CFG = 4;
const VIRTIO_PCI_CAP_PCI_CFG = 5;

/** The capability of 4.1.4.7, last in the list, and its four bytes of data. */
export const CAP_PCI_CFG = 0x84;
export const PCI_CFG_DATA = CAP_PCI_CFG + 16;

/** Bytes of configuration space from 34h on. */
export function capabilities(queues: number, configBytes: number): PciRegister[] {
  const list: PciRegister[] = [[CAP_POINTER, 0x40, 0]];
  const put = (at: number, bytes: readonly number[], writable = 0): void =>
    bytes.forEach((value, i) => list.push([at + i, value, writable]));
  const structure = (
    at: number,
    next: number,
    type: number,
    offset: number,
    bytes: number,
    more: number[] = [],
  ): void =>
    put(at, [
      CAP_ID_VENDOR,
      next,
      16 + more.length,
      type,
      MEMORY_BAR,
      0,
      0,
      0,
      ...word(offset),
      ...word(bytes),
      ...more,
    ]);
  const afterIsr = configBytes === 0 ? 0x70 : 0x60;
  structure(0x40, 0x50, VIRTIO_PCI_CAP_COMMON_CFG, REGION_COMMON, COMMON_BYTES);
  structure(0x50, afterIsr, VIRTIO_PCI_CAP_ISR_CFG, REGION_ISR, 1);
  if (configBytes !== 0) structure(0x60, 0x70, VIRTIO_PCI_CAP_DEVICE_CFG, REGION_DEVICE, configBytes);
  const notify = word(NOTIFY_MULTIPLIER);
  structure(0x70, CAP_PCI_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG, REGION_NOTIFY, queues * NOTIFY_MULTIPLIER, notify);
  put(CAP_PCI_CFG, [CAP_ID_VENDOR, 0, 20, VIRTIO_PCI_CAP_PCI_CFG]);
  put(CAP_PCI_CFG + 4, [0], 0xff); // bar
  put(CAP_PCI_CFG + 8, [...word(0), ...word(0), ...word(0)], 0xff); // offset, length, data
  return list;
}

function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
