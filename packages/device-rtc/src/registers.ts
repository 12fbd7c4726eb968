/** Registers of the MC146818A and the CMOS bytes that a PC's BIOS keeps behind them. */
import type { BoardInfo, BootSource, Drive, FirmwareInfo } from '@ringfence/sdk';

export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const DAY_OF_WEEK = 0x06;
export const DAY_OF_MONTH = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
/** Century, where the ACPI tables of most PCs put it. */
export const CENTURY = 0x32;

export const A_UIP = 0x80;
export const A_DIVIDER = 0x70;
export const A_DIVIDER_RUNNING = 0x20; // 32768 Hz crystal
export const A_RATE = 0x0f;

export const B_SET = 0x80;
export const B_PIE = 0x40;
export const B_AIE = 0x20;
export const B_UIE = 0x10;
export const B_SQWE = 0x08;
export const B_BINARY = 0x04;
export const B_24_HOURS = 0x02;

export const C_IRQF = 0x80;
export const C_PF = 0x40;
export const C_AF = 0x20;
export const C_UF = 0x10;

export const D_VALID_RAM_AND_TIME = 0x80;

export const CMOS_BYTES = 128;

/** Types of the diskette drives, the first in the high nibble. */
const DISKETTE_TYPES = 0x10;
const EQUIPMENT = 0x14;
const EQUIPMENT_FPU_AND_POINTER = 0x06;
const BASE_KILOBYTES = 0x15;
const EXTENDED_KILOBYTES = 0x17;
const EXTENDED_KILOBYTES_2 = 0x30;
const ABOVE_16M_IN_64K = 0x34;
const CHECKSUM = 0x2e;
/** Where SeaBIOS (src/hw/rtc.h, as Bochs' BIOS before it) keeps the order of boot sources: three nibbles, 3Dh's low one first. */
const BOOT_ORDER_3 = 0x38;
const DISK_TRANSLATION = 0x39;
const BOOT_ORDER_12 = 0x3d;
const NO_FLOPPY_CHECK = 0x01;
const BOOT_CODE: Readonly<Record<BootSource, number>> = { floppy: 1, disk: 2, cdrom: 3 };
/** Sectors that 1024 cylinders, 16 heads and 63 sectors can name; two bits a disk say how a larger one is called smaller. */
const UNTRANSLATED_SECTORS = 1024 * 16 * 63;
const TRANSLATION_LBA = 1;

/** CMOS memory as a BIOS leaves it: no drives, the board's memory size, shutdown byte (0Fh) 0; the clock not yet set. */
export function biosCmos(
  board: BoardInfo,
  firmware: FirmwareInfo,
  disks: readonly Drive[],
  diskettes: readonly Drive[],
): Uint8Array {
  const cmos = new Uint8Array(CMOS_BYTES);
  const word = (at: number, value: number) => {
    cmos[at] = value & 0xff;
    cmos[at + 1] = value >>> 8;
  };
  const extended = Math.min(0xffff, Math.max(0, Math.floor(board.ramBytes / 1024) - 1024));
  cmos[REGISTER_A] = A_DIVIDER_RUNNING | 0x06; // 1024 Hz
  cmos[REGISTER_B] = B_24_HOURS;
  cmos[EQUIPMENT] = EQUIPMENT_FPU_AND_POINTER | equipmentOf(diskettes.length);
  for (const { unit, storage } of diskettes) {
    if (unit < 2) cmos[DISKETTE_TYPES] |= driveTypeOf(storage.bytes) << (unit === 0 ? 4 : 0);
  }
  word(BASE_KILOBYTES, 640);
  word(EXTENDED_KILOBYTES, extended);
  word(EXTENDED_KILOBYTES_2, extended);
  word(ABOVE_16M_IN_64K, Math.min(0xffff, Math.max(0, Math.floor(board.ramBytes / 65536) - 256)));
  let sum = 0;
  for (let at = 0x10; at < CHECKSUM; at++) sum += cmos[at];
  cmos[CHECKSUM] = sum >>> 8; // this one is stored high byte first
  cmos[CHECKSUM + 1] = sum & 0xff;
  if (firmware.present) setUpFirmware(cmos, firmware, disks);
  return cmos;
}

/** Bit 0 says that there are diskette drives, bits 6 and 7 how many more than one. */
function equipmentOf(drives: number): number {
  return drives === 0 ? 0 : 1 | ((Math.min(drives, 2) - 1) << 6);
}

/** The drive that reads a diskette of this size: 360 KB, 1.2 MB, 720 KB, 1.44 MB or 2.88 MB. */
function driveTypeOf(bytes: number): number {
  const kilobytes = bytes / 1024;
  if (kilobytes <= 360) return 1;
  if (kilobytes <= 720) return 3;
  if (kilobytes <= 1200) return 2;
  return kilobytes <= 1680 ? 4 : 5;
}

/** What a BIOS's setup would have left for its next start. */
function setUpFirmware(cmos: Uint8Array, firmware: FirmwareInfo, disks: readonly Drive[]): void {
  const [first = 0, second = 0, third = 0] = firmware.boot.map((source) => BOOT_CODE[source]);
  cmos[BOOT_ORDER_12] = first | (second << 4);
  cmos[BOOT_ORDER_3] = (third << 4) | NO_FLOPPY_CHECK;
  for (const { media, unit, storage } of disks) {
    if (media !== 'disk' || storage.bytes / 512 <= UNTRANSLATED_SECTORS || unit > 3) continue;
    cmos[DISK_TRANSLATION] |= TRANSLATION_LBA << (2 * unit);
  }
}
