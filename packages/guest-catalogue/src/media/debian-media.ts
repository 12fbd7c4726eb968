/**
 * The drives of the guests `debian-disk` and `debian-cd`: the kernel and file system of `debian-busybox` behind the boot
 * loader that such a drive would have, GRUB on a disk with one FAT partition, isolinux on a CD-ROM.
 */
import { writeFat16 } from './fat16.js';
import { grubImages } from './grub.js';
import { writeIso } from './iso9660.js';
import { readTar } from './tar.js';

const SECTOR = 512;
/** The partition begins where partitioning tools begin the first, which leaves GRUB's core image its place. */
const PARTITION_START = 2048;
const PARTITION_SECTORS = 61440;
const PARTITION_TABLE = 446;
const FAT16_LBA = 0x0e;

const GRUB_MODULES = [
  'biosdisk',
  'part_msdos',
  'fat',
  'normal',
  'linux',
  'echo',
  'reboot',
  'halt',
  'minicmd',
  'ls',
  'cat',
];
const GRUB_PREFIX = '(hd0,msdos1)/boot/grub';
const COMMAND_LINE = 'console=ttyS0';

export const GRUB_CONFIG = `# The boot menu of the guest debian-disk (made by Ringfence).
set timeout=0
menuentry 'Debian' {
  echo 'GRUB: loading the kernel'
  linux /VMLINUZ ${COMMAND_LINE}
  initrd /INITRD.IMG
}
`;

export const ISOLINUX_CONFIG = `# The boot menu of the guest debian-cd (made by Ringfence).
DEFAULT debian
PROMPT 0
SAY isolinux: loading the kernel
LABEL debian
  KERNEL /VMLINUZ
  INITRD /INITRD.IMG
  APPEND ${COMMAND_LINE}
`;

/** `grub` is the archive in Debian's package grub-pc-bin. */
export function grubDisk(grub: Uint8Array, kernel: Uint8Array, initrd: Uint8Array): Uint8Array {
  const disk = new Uint8Array((PARTITION_START + PARTITION_SECTORS) * SECTOR);
  const { boot, core } = grubImages(readTar(grub), GRUB_MODULES, GRUB_PREFIX);
  disk.set(boot);
  // Where a disk has its partitions, the boot sector has code for floppies.
  disk.fill(0, PARTITION_TABLE - 6, PARTITION_TABLE + 64);
  disk.set(core, SECTOR);
  const entry = new DataView(disk.buffer, PARTITION_TABLE, 16);
  entry.setUint8(0, 0x80); // active
  entry.setUint8(4, FAT16_LBA);
  // Cylinders, heads and sectors say "beyond what they can": the numbers that count follow.
  for (const at of [1, 5]) [0xfe, 0xff, 0xff].forEach((value, i) => entry.setUint8(at + i, value));
  entry.setUint32(8, PARTITION_START, true);
  entry.setUint32(12, PARTITION_SECTORS, true);
  new DataView(disk.buffer).setUint16(510, 0xaa55, true);
  const volume = writeFat16(PARTITION_SECTORS, PARTITION_START, [
    { path: 'BOOT/GRUB/GRUB.CFG', bytes: Buffer.from(GRUB_CONFIG) },
    { path: 'VMLINUZ', bytes: kernel },
    { path: 'INITRD.IMG', bytes: initrd },
  ]);
  disk.set(volume, PARTITION_START * SECTOR);
  return disk;
}

export function isolinuxDisc(
  isolinux: Uint8Array,
  ldlinux: Uint8Array,
  kernel: Uint8Array,
  initrd: Uint8Array,
): Uint8Array {
  return writeIso(
    'RINGFENCE',
    [
      { path: 'ISOLINUX/ISOLINUX.BIN', bytes: isolinux },
      { path: 'ISOLINUX/LDLINUX.C32', bytes: ldlinux },
      { path: 'ISOLINUX/ISOLINUX.CFG', bytes: Buffer.from(ISOLINUX_CONFIG) },
      { path: 'VMLINUZ', bytes: kernel },
      { path: 'INITRD.IMG', bytes: initrd },
    ],
    { path: 'ISOLINUX/ISOLINUX.BIN', sectors: 4, infoTable: true },
  );
}
