/**
 * From the `drives` of a configuration to drives with their images open: finds the format, checks sizes, gives units.
 * Nothing is created and, short of `snapshot: off`, nothing can be written.
 */
import { RingfenceError, type BlockDevice, type Drive, type DriveConfig } from '@ringfence/sdk';
import { DirectDisk, Disc, OverlayDisk, type ImageReader } from './drives.js';
import { QCOW2_MAGIC, Qcow2Image } from './qcow2.js';
import { RawFile } from './raw-file.js';

const IDE_UNITS = 4;
const CD_SECTOR = 2048;
/** Where a drive goes that has no unit: disks from the first on, CD-ROM drives from the second cable on. */
const ORDER = { disk: [0, 1, 2, 3], cdrom: [2, 3, 0, 1] };

/** Throws RF_DISK_* and RF_RESOURCE_CONFLICT. */
export function openDrives(configs: readonly DriveConfig[]): Drive[] {
  const units = new Map<number, DriveConfig>();
  const claim = (unit: number, config: DriveConfig): void => {
    const other = units.get(unit);
    if (other !== undefined) throw conflict(`${other.file} and ${config.file} both want IDE unit ${unit}`, unit);
    units.set(unit, config);
  };
  for (const config of configs) if (config.unit !== undefined) claim(config.unit, config);
  for (const config of configs) {
    if (config.unit !== undefined) continue;
    const free = ORDER[config.media].find((unit) => !units.has(unit));
    if (free === undefined)
      throw conflict(`there is no place for ${config.file}: IDE has ${IDE_UNITS} units`, config.file);
    claim(free, config);
  }
  return [...units]
    .sort(([a], [b]) => a - b)
    .map(([unit, config]) => ({ media: config.media, interface: config.interface, unit, storage: open(config) }));
}

function open(config: DriveConfig): BlockDevice {
  const direct = config.media === 'disk' && config.snapshot === 'off';
  const file = new RawFile(config.file, direct);
  const format = config.format ?? probe(file);
  if (format === 'qcow2' && direct) {
    file.close();
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `the qcow2 image ${config.file} cannot be written`,
      value: config.file,
      fix: 'leave snapshot on, or convert the image to raw',
    });
  }
  const image: ImageReader = format === 'qcow2' ? new Qcow2Image(file) : file;
  if (config.media === 'disk') return direct ? new DirectDisk(file) : new OverlayDisk(image);
  if (image.bytes < CD_SECTOR) {
    file.close();
    throw new RingfenceError('RF_DISK_FORMAT', {
      message: `the disc image ${config.file} has ${image.bytes} bytes, less than one sector of ${CD_SECTOR}`,
      value: config.file,
      fix: 'name an ISO 9660 image',
    });
  }
  return new Disc(image);
}

function probe(file: RawFile): 'raw' | 'qcow2' {
  const magic = new Uint8Array(4);
  return file.read(0, magic) && new DataView(magic.buffer).getUint32(0) === QCOW2_MAGIC ? 'qcow2' : 'raw';
}

function conflict(message: string, value: unknown): RingfenceError {
  return new RingfenceError('RF_RESOURCE_CONFLICT', {
    message,
    value,
    fix: 'give each drive a unit of its own, 0 to 3',
  });
}
