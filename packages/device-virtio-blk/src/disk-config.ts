/**
 * The configuration structure of a block device and what it offers (VIRTIO 1.1, 5.2.3 "Feature bits", 5.2.4 "Device
 * configuration layout"). Sizes bound what one request may ask of the host.
 */
import type { BlockDevice } from '@ringfence/sdk';

export const SECTOR = 512;
export const CONFIG_BYTES = 60;

/** Segments of data in a request, and bytes in a segment. */
export const SEG_MAX = 126;
export const SIZE_MAX = 0x10000;
export const MAX_REQUEST_BYTES = SEG_MAX * SIZE_MAX;
/** Sectors of one discard or write-zeroes request, which has one segment. */
export const MAX_ZERO_SECTORS = 0x4000;

export const VIRTIO_BLK_F_SIZE_MAX = 1;
export const VIRTIO_BLK_F_SEG_MAX = 2;
export const VIRTIO_BLK_F_GEOMETRY = 4;
export const VIRTIO_BLK_F_RO = 5;
export const VIRTIO_BLK_F_BLK_SIZE = 6;
export const VIRTIO_BLK_F_FLUSH = 9;
export const VIRTIO_BLK_F_TOPOLOGY = 10;
export const VIRTIO_BLK_F_DISCARD = 13;
export const VIRTIO_BLK_F_WRITE_ZEROES = 14;

export function offeredFeatures(storage: BlockDevice): number {
  const always = [
    VIRTIO_BLK_F_SIZE_MAX,
    VIRTIO_BLK_F_SEG_MAX,
    VIRTIO_BLK_F_GEOMETRY,
    VIRTIO_BLK_F_BLK_SIZE,
    VIRTIO_BLK_F_FLUSH,
    VIRTIO_BLK_F_TOPOLOGY,
  ];
  const writing = storage.readOnly ? [VIRTIO_BLK_F_RO] : [VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES];
  return [...always, ...writing].reduce((bits, bit) => bits | (1 << bit), 0);
}

export function diskConfig(storage: BlockDevice): Uint8Array {
  const bytes = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(bytes.buffer);
  const sectors = storage.bytes / SECTOR;
  const [heads, perTrack] = [16, 63];
  view.setUint32(0, sectors % 2 ** 32, true);
  view.setUint32(4, Math.floor(sectors / 2 ** 32), true);
  view.setUint32(8, SIZE_MAX, true);
  view.setUint32(12, SEG_MAX, true);
  view.setUint16(16, Math.min(0xffff, Math.floor(sectors / (heads * perTrack))), true);
  view.setUint8(18, heads);
  view.setUint8(19, perTrack);
  view.setUint32(20, SECTOR, true);
  // Topology: storage behind an overlay is kept in pieces of eight sectors.
  view.setUint8(24, 3);
  view.setUint16(26, 8, true);
  view.setUint16(34, 1, true); // queues
  view.setUint32(36, MAX_ZERO_SECTORS, true);
  view.setUint32(40, 1, true);
  view.setUint32(44, 1, true);
  view.setUint32(48, MAX_ZERO_SECTORS, true);
  view.setUint32(52, 1, true);
  view.setUint8(56, 0); // write zeroes does not unmap
  return bytes;
}
