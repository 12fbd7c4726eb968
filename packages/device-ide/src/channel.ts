/**
 * One IDE channel: command and control block registers of two drives on a cable, which both hear every write and of which
 * the selected one answers (ATA/ATAPI-6 chapter 7 "Interface register definitions"; 9.16 for a drive that is alone).
 * Holds the selection, nIEN and SRST; a channel without drives reads 7Fh, by the pull-down of DD7.
 */
import { stateFields, stateNumbers, type IrqLine, type StateRecord } from '@ringfence/sdk';
import type { IdeDrive } from './drive.js';

const CONTROL_NIEN = 0x02;
const CONTROL_SRST = 0x04;
const CONTROL_HOB = 0x80;
const DEVICE_DEV = 0x10;
const DEVICE_DIAGNOSTIC = 0x90;
const NOBODY = 0x7f;

export class IdeChannel {
  control = 0;
  private selected = 0;
  /** The level of the interrupt line as last driven. */
  private level = false;

  constructor(
    private readonly line: IrqLine,
    readonly drives: readonly [IdeDrive | undefined, IdeDrive | undefined],
    /** The line rose: the bus master notes it. */
    private readonly onInterrupt: () => void,
  ) {}

  reset(): void {
    this.control = 0;
    this.selected = 0;
    for (const drive of this.drives) drive?.hardReset();
    this.level = false;
    this.line.set(false);
  }

  get drive(): IdeDrive | undefined {
    return this.drives[this.selected];
  }

  /** Register 0 is data, 7 status. */
  read(register: number, size: number): number {
    const { drive } = this;
    if (register === 0) return drive === undefined ? (size === 1 ? NOBODY : 0xffff) : drive.readData(size);
    if (drive === undefined && this.drives[0] === undefined) return NOBODY;
    // Drive 0 answers for a missing drive 1, whose status is 0.
    if (register === 7) return drive?.readStatus() ?? 0;
    const from = drive ?? this.drives[0]!;
    const hob = (this.control & CONTROL_HOB) !== 0;
    switch (register) {
      case 1:
        return drive === undefined ? 0 : from.error;
      case 2:
        return hob ? from.countHigh : from.count;
      case 3:
        return hob ? from.lba0High : from.lba0;
      case 4:
        return hob ? from.lba1High : from.lba1;
      case 5:
        return hob ? from.lba2High : from.lba2;
      default:
        return 0xa0 | (from.device & 0x4f) | (this.selected << 4);
    }
  }

  /** The alternate status leaves the interrupt alone. */
  readAlternate(): number {
    if (this.drive === undefined && this.drives[0] === undefined) return NOBODY;
    return this.drive?.status ?? 0;
  }

  write(register: number, size: number, value: number): void {
    if (register === 0) {
      this.drive?.writeData(size, value);
      return;
    }
    this.control &= ~CONTROL_HOB;
    if (register === 7) {
      this.writeCommand(value);
      return;
    }
    if (register === 6) this.select(value);
    for (const drive of this.drives) if (drive !== undefined) writeRegister(drive, register, value);
  }

  writeControl(value: number): void {
    const before = this.control;
    this.control = value & (CONTROL_HOB | CONTROL_SRST | CONTROL_NIEN);
    const rises = (value & ~before & CONTROL_SRST) !== 0;
    const falls = (before & ~value & CONTROL_SRST) !== 0;
    for (const drive of this.drives) {
      if (rises) drive?.softReset();
      else if (falls) drive?.softResetDone();
    }
    if (rises) this.select(0);
    this.update();
  }

  /** INTRQ of a drive changed, or who is heard. */
  update(): void {
    const level = (this.drive?.intrq ?? 0) !== 0 && (this.control & CONTROL_NIEN) === 0;
    if (level === this.level) return;
    this.level = level;
    if (level) this.onInterrupt();
    this.line.set(level);
  }

  private select(value: number): void {
    this.selected = (value & DEVICE_DEV) >>> 4;
    for (const drive of this.drives) if (drive !== undefined) drive.device = value;
    this.update();
  }

  private writeCommand(command: number): void {
    if ((this.control & CONTROL_SRST) !== 0) return;
    if (command !== DEVICE_DIAGNOSTIC) {
      this.drive?.writeCommand(command);
      return;
    }
    for (const drive of this.drives) drive?.diagnose();
    this.select(0);
  }

  save(): StateRecord['data'] {
    const { control, selected, level } = this;
    const drives: Record<string, StateRecord['data']> = {};
    this.drives.forEach((drive, i) => {
      if (drive !== undefined) drives[`drive${i}`] = drive.save();
    });
    return { control, selected, level: level ? 1 : 0, ...drives };
  }

  /** Throws RF_BAD_STATE and changes nothing. */
  check(data: StateRecord['data']): void {
    stateNumbers(data, ['control', 'selected', 'level']);
    this.drives.forEach((drive, i) => drive?.check(stateFields(data, `drive${i}`)));
  }

  /** Preconditions: `check` has passed. */
  load(data: StateRecord['data']): void {
    const { control, selected, level } = stateNumbers(data, ['control', 'selected', 'level']);
    this.control = control;
    this.selected = selected & 1;
    this.drives.forEach((drive, i) => drive?.load(stateFields(data, `drive${i}`)));
    this.level = level !== 0;
    this.line.set(this.level);
  }
}

/** Each register has a high-order byte behind it, which keeps what was written before. */
function writeRegister(drive: IdeDrive, register: number, value: number): void {
  switch (register) {
    case 1:
      drive.features = value;
      break;
    case 2:
      drive.countHigh = drive.count;
      drive.count = value;
      break;
    case 3:
      drive.lba0High = drive.lba0;
      drive.lba0 = value;
      break;
    case 4:
      drive.lba1High = drive.lba1;
      drive.lba1 = value;
      break;
    case 5:
      drive.lba2High = drive.lba2;
      drive.lba2 = value;
      break;
    default:
      break;
  }
}
