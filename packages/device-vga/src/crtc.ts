/**
 * The CRT controller (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", "CRT Controller Registers"): what
 * part of memory is on which scan line, and where the beam is. The beam is an exact function of virtual time and of the
 * registers as they stand: nothing drifts, and a loop that waits for a retrace ends whatever the registers say.
 * Not here: count-by-two and count-by-four clocks, cursor and display skew, light pen, the retrace interrupt.
 */
import { scaleTicks } from '@ringfence/sdk';
import { RegisterFile } from './register-file.js';
import * as R from './registers.js';

export const STATUS_BLANKED = 0x01;
export const STATUS_RETRACE = 0x08;
/** Added to horizontal and vertical total: the registers hold less. */
const HORIZONTAL_TOTAL_BIAS = 5;
const VERTICAL_TOTAL_BIAS = 2;

export class Crtc extends RegisterFile {
  constructor() {
    super(Array<number>(R.CRTC_REGISTERS).fill(0xff));
  }

  override write(byte: number): void {
    const { index, values } = this;
    const isProtected = index <= R.CRTC_OVERFLOW && (values[R.CRTC_VERTICAL_RETRACE_END] & R.CRTC_PROTECT) !== 0;
    if (!isProtected) super.write(byte);
    else if (index === R.CRTC_OVERFLOW) {
      const kept = values[index] & ~R.CRTC_OVERFLOW_LINE_COMPARE;
      values[index] = kept | (byte & R.CRTC_OVERFLOW_LINE_COMPARE);
    }
  }

  /** Character clocks of a line that are displayed. */
  get columns(): number {
    return this.values[R.CRTC_HORIZONTAL_DISPLAY_END] + 1;
  }

  /** Scan lines that are displayed. */
  get lines(): number {
    return (this.vertical(R.CRTC_VERTICAL_DISPLAY_END, 1, 6) + 1) * this.linesPerCount;
  }

  get start(): number {
    return (this.values[R.CRTC_START_HIGH] << 8) | this.values[R.CRTC_START_LOW];
  }

  get cursor(): number {
    return (this.values[R.CRTC_CURSOR_HIGH] << 8) | this.values[R.CRTC_CURSOR_LOW];
  }

  get hasCursor(): boolean {
    return (this.values[R.CRTC_CURSOR_START] & R.CRTC_CURSOR_OFF) === 0;
  }

  /** How much the address counter grows from one row of characters (or pixels) to the next. */
  get pitch(): number {
    return this.values[R.CRTC_OFFSET] * 2;
  }

  /** The last row scan of a row: a row has one scan line more. */
  get maximumRowScan(): number {
    return this.values[R.CRTC_MAXIMUM_SCAN_LINE] & 0x1f;
  }

  /** The last scan line before the address counter starts again from 0. */
  get splitAfter(): number {
    const { values } = this;
    const high =
      ((values[R.CRTC_OVERFLOW] & R.CRTC_OVERFLOW_LINE_COMPARE) << 4) |
      ((values[R.CRTC_MAXIMUM_SCAN_LINE] & 0x40) << 3);
    return ((values[R.CRTC_LINE_COMPARE] | high) + 1) * this.linesPerCount - 1;
  }

  /** The offset in each plane that the address counter's value means on a row scan: byte, word or double word mode. */
  offset(counter: number, rowScan: number): number {
    const mode = this.values[R.CRTC_MODE_CONTROL];
    let offset = counter;
    if ((this.values[R.CRTC_UNDERLINE] & R.CRTC_DOUBLE_WORD) !== 0) offset = (counter << 2) | ((counter >>> 14) & 3);
    else if ((mode & R.MODE_CONTROL_BYTE) === 0) {
      offset = (counter << 1) | ((counter >>> ((mode & R.MODE_CONTROL_WRAP_15) !== 0 ? 15 : 13)) & 1);
    }
    if ((mode & R.MODE_CONTROL_A13) === 0) offset = (offset & ~0x2000) | ((rowScan & 1) << 13);
    if ((mode & R.MODE_CONTROL_A14) === 0) offset = (offset & ~0x4000) | ((rowScan & 2) << 13);
    return offset & 0xffff;
  }

  /**
   * Calls `line` for each scan line: its number, the address counter at its start, its row scan, and whether it lies below
   * a split. Not for hot paths.
   */
  eachLine(line: (y: number, counter: number, rowScan: number, below: boolean) => void): void {
    const { lines, maximumRowScan, splitAfter, pitch } = this;
    const doubled = (this.values[R.CRTC_MAXIMUM_SCAN_LINE] & R.CRTC_DOUBLE_SCAN) !== 0;
    const preset = this.values[R.CRTC_PRESET_ROW_SCAN];
    let counter = this.start + ((preset >>> 5) & 3);
    let rowScan = preset & 0x1f;
    let again = doubled;
    let below = false;
    for (let y = 0; y < lines; y++) {
      line(y, counter, rowScan, below);
      if (y === splitAfter) {
        [counter, rowScan, again, below] = [0, 0, doubled, true];
      } else if (again) again = false;
      else {
        again = doubled;
        if (rowScan === maximumRowScan) {
          rowScan = 0;
          counter = (counter + pitch) & 0xffff;
        } else rowScan = (rowScan + 1) & 0x1f;
      }
    }
  }

  /** Where the beam is, as input status 1 says it. `clocks` counts character clocks since power-on. */
  beam(clocks: number): number {
    const total = this.horizontalTotal;
    const lines = this.verticalTotal;
    const line = Math.floor(clocks / total) % lines;
    // A retrace that would never come is at the frame's last line, and one that would never end not on its first.
    const start = Math.max(1, Math.min(this.vertical(R.CRTC_VERTICAL_RETRACE_START, 2, 7), lines - 1));
    const length = (this.values[R.CRTC_VERTICAL_RETRACE_END] - start) & 0x0f || 16;
    const retrace = line >= start && line < start + length;
    const shown = line <= this.vertical(R.CRTC_VERTICAL_DISPLAY_END, 1, 6) && clocks % total < this.columns;
    return (shown && !retrace ? 0 : STATUS_BLANKED) | (retrace ? STATUS_RETRACE : 0);
  }

  /** Pictures since power-on: what blinks derives from it. */
  frames(clocks: number): number {
    return Math.floor(clocks / (this.horizontalTotal * this.verticalTotal));
  }

  private get horizontalTotal(): number {
    return this.values[R.CRTC_HORIZONTAL_TOTAL] + HORIZONTAL_TOTAL_BIAS;
  }

  private get verticalTotal(): number {
    return this.vertical(R.CRTC_VERTICAL_TOTAL, 0, 5) + VERTICAL_TOTAL_BIAS;
  }

  private get linesPerCount(): number {
    return (this.values[R.CRTC_MODE_CONTROL] & R.MODE_CONTROL_VERTICAL_BY_2) !== 0 ? 2 : 1;
  }

  /** A vertical register with its bits 8 and 9, which stand in the overflow register. */
  private vertical(register: number, bit8: number, bit9: number): number {
    const overflow = this.values[R.CRTC_OVERFLOW];
    return this.values[register] | (((overflow >>> bit8) & 1) << 8) | (((overflow >>> bit9) & 1) << 9);
  }
}

/** Character clocks of `dots` dots at a dot clock of `dotHz` until tick `now`. */
export function characterClocks(now: number, hz: number, dotHz: number, dots: number): number {
  return scaleTicks(now, hz, Math.floor(dotHz / dots));
}
