/**
 * The attribute controller (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", "Attribute Controller
 * Registers"): one port for index and data in turn, sixteen palette registers, the colour number that goes to the DAC.
 * Ports 3C0h and 3C1h. It does not draw the overscan border, and the colour outputs cannot be read in input status 1.
 */
import { RegisterFile } from './register-file.js';
import * as R from './registers.js';

export class AttributeController extends RegisterFile {
  /** 1 when port 3C0h takes data next. */
  takesData = 0;

  constructor() {
    super(R.ATTRIBUTE_BITS);
  }

  override reset(values: readonly number[]): void {
    super.reset(values);
    this.index = R.ATTRIBUTE_PALETTE_SOURCE;
    this.takesData = 0;
  }

  /** The screen has the palette; else the processor has, and the screen shows nothing. */
  get screenHasPalette(): boolean {
    return (this.index & R.ATTRIBUTE_PALETTE_SOURCE) !== 0;
  }

  get mode(): number {
    return this.values[R.ATTRIBUTE_MODE];
  }

  /** Port 3C1h. */
  readData(): number {
    const register = this.index & R.ATTRIBUTE_INDEX;
    return register < this.values.length ? this.values[register] : 0;
  }

  /** Port 3C0h. */
  writePort(byte: number): void {
    if (this.takesData === 0) this.index = byte & (R.ATTRIBUTE_INDEX | R.ATTRIBUTE_PALETTE_SOURCE);
    else this.writeData(byte);
    this.takesData ^= 1;
  }

  /** The DAC's number of one of sixteen colours. */
  color(attribute: number): number {
    const { values } = this;
    const select = values[R.ATTRIBUTE_COLOR_SELECT];
    const entry = values[attribute & values[R.ATTRIBUTE_PLANE_ENABLE] & 0x0f];
    const low = (this.mode & R.ATTRIBUTE_P54_SELECT) !== 0 ? (entry & 0x0f) | ((select & 3) << 4) : entry;
    return low | ((select & 0x0c) << 4);
  }

  /** While the screen has the palette, writes to it are lost. */
  private writeData(byte: number): void {
    const register = this.index & R.ATTRIBUTE_INDEX;
    if (register >= this.values.length || (register < R.PALETTE_REGISTERS && this.screenHasPalette)) return;
    this.values[register] = byte & this.bits[register];
  }
}
