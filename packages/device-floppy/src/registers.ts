/** Registers, commands and result bits of the 82077AA by the datasheet's names (Intel 290166, chapters 2, 5 and 6). */

/** Offsets from 3F0h. */
export const SRA = 0;
export const SRB = 1;
export const DOR = 2;
export const TDR = 3;
/** Reads; writes are to the DSR. */
export const MSR = 4;
export const FIFO = 5;

export const DOR_SELECT = 0x03;
export const DOR_RESET_N = 0x04;
export const DOR_DMAGATE = 0x08;

export const DSR_RATE = 0x03;
export const DSR_SW_RESET = 0x80;

export const MSR_CMD_BUSY = 0x10;
export const MSR_NON_DMA = 0x20;
export const MSR_DIO = 0x40;
export const MSR_RQM = 0x80;

export const DIR_DSKCHG = 0x80;

export const ST0_ABNORMAL = 0x40;
export const ST0_INVALID = 0x80;
export const ST0_READY_CHANGED = 0xc0;
export const ST0_SEEK_END = 0x20;
export const ST0_EQUIPMENT_CHECK = 0x10;

export const ST1_MISSING_MARK = 0x01;
export const ST1_NOT_WRITABLE = 0x02;
export const ST1_NO_DATA = 0x04;
export const ST1_OVERRUN = 0x10;
export const ST1_DATA_ERROR = 0x20;
export const ST1_END_OF_CYLINDER = 0x80;

export const ST2_WRONG_CYLINDER = 0x10;
export const ST2_DATA_ERROR = 0x20;
export const ST2_CONTROL_MARK = 0x40;

export const ST3_TRACK_0 = 0x10;
export const ST3_FIXED = 0x28;
export const ST3_WRITE_PROTECTED = 0x40;

export const MT = 0x80;
export const SK = 0x20;

export const READ_TRACK = 0x02;
export const SPECIFY = 0x03;
export const SENSE_DRIVE_STATUS = 0x04;
export const WRITE_DATA = 0x05;
export const READ_DATA = 0x06;
export const RECALIBRATE = 0x07;
export const SENSE_INTERRUPT = 0x08;
export const WRITE_DELETED = 0x09;
export const READ_ID = 0x0a;
export const READ_DELETED = 0x0c;
export const FORMAT_TRACK = 0x0d;
export const DUMPREG = 0x0e;
export const SEEK = 0x0f;
export const VERSION = 0x10;
export const PERPENDICULAR = 0x12;
export const CONFIGURE = 0x13;
export const LOCK = 0x14;
export const VERIFY = 0x16;

export const CONFIGURE_EIS = 0x40;
/** What VERSION answers: an enhanced controller. */
export const VERSION_ENHANCED = 0x90;

/** Bytes of each command after the first, by its low five bits. What is not here is invalid. */
export const PARAMETERS: Readonly<Record<number, number>> = {
  [READ_TRACK]: 8,
  [SPECIFY]: 2,
  [SENSE_DRIVE_STATUS]: 1,
  [WRITE_DATA]: 8,
  [READ_DATA]: 8,
  [RECALIBRATE]: 1,
  [SENSE_INTERRUPT]: 0,
  [WRITE_DELETED]: 8,
  [READ_ID]: 1,
  [READ_DELETED]: 8,
  [FORMAT_TRACK]: 5,
  [DUMPREG]: 0,
  [SEEK]: 2,
  [VERSION]: 0,
  [PERPENDICULAR]: 1,
  [CONFIGURE]: 3,
  [LOCK]: 0,
  [VERIFY]: 8,
};
