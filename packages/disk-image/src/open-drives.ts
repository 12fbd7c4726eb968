/**
 * From the `drives` of a configuration to drives with their images open: finds the format, checks sizes, gives units.
 * Nothing is created and, short of `snapshot: off`, nothing can be written.
 */
import { RingfenceError, type BlockDevice, type Drive, type DriveConfig } from '@ringfence/sdk';
import { DirectDisk, Disc, OverlayDisk, type ImageReader } from './drives.js';
import { QCOW2_MAGIC, Qcow2Image } from './qcow2.js';
import { RawFile } from './raw-file.js';

const CD_SECTOR = 2048;
const LARGEST_DISKETTE = 2880 * 1024;
/** Where a drive goes that has no unit: on IDE disks from the first on, CD-ROM drives from the second cable on. */
const FROM_FIRST = [0, 1, 2, 3];
const ORDER = {
  ide: { disk: FROM_FIRST, cdrom: [2, 3, 0, 1] },
  virtio: { disk: FROM_FIRST, cdrom: FROM_FIRST },
  floppy: { disk: FROM_FIRST, cdrom: [] },
};

/** By interface and unit. Throws RF_DISK_* and RF_RESOURCE_CONFLICT. */
export function openDrives(configs: readonly DriveConfig[]): Drive[] {
  const kinds = Object.keys(ORDER) as Drive['interface'][];
  const placed = kinds.flatMap((kind) => placeDrives(kind, configs));
  return placed.map(([unit, config]) => ({
    media: config.media,
    interface: config.interface,
    unit,
    storage: open(config),
  }));
}

/** The drives of one interface with their units, in order. */
function placeDrives(kind: Drive['interface'], all: readonly DriveConfig[]): [number, DriveConfig][] {
  const configs = all.filter((config) => config.interface === kind);
  const units = new Map<number, DriveConfig>();
  const claim = (unit: number, config: DriveConfig): void => {
    const other = units.get(unit);
    if (other !== undefined) throw conflict(`${other.file} and ${config.file} both want ${kind} unit ${unit}`, unit);
    units.set(unit, config);
  };
  for (const config of configs) if (config.unit !== undefined) claim(config.unit, config);
  for (const config of configs) {
    if (config.unit !== undefined) continue;
    const free = ORDER[kind][config.media].find((unit) => !units.has(unit));
    if (free === undefined)
      throw conflict(
        `there is no place for ${config.file}: ${kind} has ${ORDER[kind][config.media].length} units for a ${config.media}`,
        config.file,
      );
    claim(free, config);
  }
  return [...units].sort(([a], [b]) => a - b);
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
  if (config.interface === 'floppy' && file.bytes > LARGEST_DISKETTE) {
    file.close();
    throw new RingfenceError('RF_DISK_FORMAT', {
      message: `the diskette image ${config.file} has ${file.bytes} bytes, more than any diskette`,
      value: config.file,
      fix: `give an image of up to ${LARGEST_DISKETTE} bytes, or leave interface: floppy out`,
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
