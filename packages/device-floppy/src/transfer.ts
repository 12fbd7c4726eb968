/**
 * One sector's turn in a command that moves data (82077AA datasheet, 5.1 "Data Transfer Commands"): finds the sector that the
 * command's bytes name, moves it over the DMA channel, and goes on to the next one or says how the command ends. The bytes of
 * the command are its only state: C, H and R in them count up as sectors go by, and are what the result phase answers.
 */
import type { DmaChannel } from '@ringfence/sdk';
import { SECTOR_BYTES, SECTOR_CODE, type Diskette } from './media.js';
import * as R from './registers.js';

/** Places of the command's bytes. */
export const COMMAND = 0;
export const HEAD_AND_DRIVE = 1;
export const C = 2;
export const H = 3;
export const RECORD = 4;
export const N = 5;
const EOT = 6;
const HEAD = 0x04;

/** How a command ends: status bits besides those of drive and head. All zero: well. */
export interface Ending {
  readonly st1: number;
  readonly st2: number;
}

const WELL: Ending = { st1: 0, st2: 0 };
const failed = (st1: number, st2 = 0): Ending => ({ st1, st2 });

export interface TransferContext {
  readonly bytes: Uint8Array;
  readonly diskette: Diskette | undefined;
  /** The cylinder under the heads. */
  readonly cylinder: number;
  /** The data rate in use. */
  readonly rate: number;
  readonly channel: DmaChannel;
}

const sector = new Uint8Array(SECTOR_BYTES);

/** Moves one sector. Undefined: the command goes on with the next. */
export function moveSector(context: TransferContext): Ending | undefined {
  const { bytes, diskette, cylinder, rate } = context;
  const command = bytes[COMMAND] & 0x1f;
  if (diskette === undefined || !diskette.geometry.rates.includes(rate)) return failed(R.ST1_MISSING_MARK);
  const writes = command === R.WRITE_DATA || command === R.WRITE_DELETED || command === R.FORMAT_TRACK;
  if (command === R.FORMAT_TRACK || (writes && diskette.storage.readOnly)) return failed(R.ST1_NOT_WRITABLE);
  if (bytes[C] !== cylinder) return failed(R.ST1_NO_DATA, R.ST2_WRONG_CYLINDER);
  const head = (bytes[HEAD_AND_DRIVE] & HEAD) >> 2;
  const at = diskette.offset(cylinder, head, bytes[RECORD]);
  if (bytes[N] !== SECTOR_CODE || bytes[H] !== head || at < 0) return failed(R.ST1_NO_DATA);
  const skipped = command === R.READ_DELETED && (bytes[COMMAND] & R.SK) !== 0;
  let last = false;
  if (!skipped) {
    const moved = writes ? write(context, diskette, at) : read(context, diskette, at, command === R.VERIFY);
    if (typeof moved === 'object') return moved;
    last = moved;
  }
  const atEnd = bytes[RECORD] === bytes[EOT];
  const goesOver = next(bytes, atEnd);
  // Every sector written here has the mark of ordinary data.
  if (command === R.READ_DELETED && !skipped) return failed(0, R.ST2_CONTROL_MARK);
  if (last) return WELL;
  if (!atEnd || goesOver) return undefined;
  return command === R.READ_TRACK || command === R.VERIFY ? WELL : failed(R.ST1_END_OF_CYLINDER);
}

/** Whether that was terminal count, or how it failed. */
function read({ channel }: TransferContext, diskette: Diskette, at: number, verify: boolean): boolean | Ending {
  if (!diskette.storage.read(at, sector)) return failed(R.ST1_DATA_ERROR, R.ST2_DATA_ERROR);
  if (verify) return false;
  const { bytes, terminalCount } = channel.toMemory(sector);
  return terminalCount || (bytes === SECTOR_BYTES ? false : failed(R.ST1_OVERRUN));
}

/** The rest of a sector that terminal count cuts off is filled with zeros. */
function write({ channel }: TransferContext, diskette: Diskette, at: number): boolean | Ending {
  const { bytes, terminalCount } = channel.fromMemory(sector);
  if (!terminalCount && bytes < SECTOR_BYTES) return failed(R.ST1_OVERRUN);
  sector.fill(0, bytes);
  return diskette.storage.write(at, sector) ? terminalCount : failed(R.ST1_DATA_ERROR, R.ST2_DATA_ERROR);
}

/** Counts on to the next sector. Answers whether a multi-track command goes over to the other side with that. */
function next(bytes: Uint8Array, atEnd: boolean): boolean {
  if (!atEnd) {
    bytes[RECORD]++;
    return false;
  }
  bytes[RECORD] = 1;
  if ((bytes[COMMAND] & R.MT) === 0) {
    bytes[C]++;
    return false;
  }
  const wasSecond = (bytes[HEAD_AND_DRIVE] & HEAD) !== 0;
  bytes[H] ^= 1;
  if (wasSecond) bytes[C]++;
  else bytes[HEAD_AND_DRIVE] |= HEAD;
  return !wasSecond;
}
