/**
 * VGA (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem") for text: all register files read back what was
 * written, text memory at B8000h works in full, the screen can be had as text. Ports 3B4h-3B5h, 3BAh, 3C0h-3CFh,
 * 3D4h-3D5h, 3DAh; memory A0000h-BFFFFh; no IRQ. Retrace and blanking follow virtual time at 70 Hz.
 * Starts as a BIOS leaves it, in mode 3. Memory is stored plainly, byte by byte: there are no planes, latches, write modes
 * or pixels, so graphics modes can be set but not seen. Split screens and fonts are not shown either.
 */
import {
  type Clock,
  type Device,
  type MmioHandler,
  type PortDevice,
  type Screen,
  type StateRecord,
  type TextFrame,
  Tokens,
  checkedState,
  inject,
  injectable,
  scaleTicks,
  stateBytes,
  stateNumbers,
} from '@ringfence/sdk';
import * as R from './registers.js';

const COMPONENT = 'vga';
const VERSION = 1;

const MEMORY_BYTES = 0x20000;
/** What graphics register 6 bits 2-3 select: the decoded part of A0000h-BFFFFh. */
const WINDOWS = [
  { from: 0x00000, to: 0x20000 },
  { from: 0x00000, to: 0x10000 },
  { from: 0x10000, to: 0x18000 },
  { from: 0x18000, to: 0x20000 },
] as const;
const MONOCHROME_TEXT = WINDOWS[2];
const COLOR_TEXT = WINDOWS[3];

// Timing of mode 3: 100 characters by 449 lines, of which 80 by 400 are visible, 70 times a second.
const LINES_PER_SECOND = 31_469;
const CHARACTERS_PER_LINE = 100;
const VISIBLE_CHARACTERS = 80;
const LINES = 449;
const VISIBLE_LINES = 400;
const RETRACE_FIRST_LINE = 412;
const RETRACE_LAST_LINE = 413;
const STATUS_BLANKED = 0x01;
const STATUS_RETRACE = 0x08;

const FIELDS = [
  'misc',
  'feature',
  'enable', // port 3C3h
  'sequencerIndex',
  'graphicsIndex',
  'crtcIndex',
  'attributeIndex', // with the palette source bit
  'attributeData', // 1 when port 3C0h takes data next
  'pelMask',
  'dacReadIndex', // index of a byte: three a colour
  'dacWriteIndex',
  'dacReading',
] as const;

function powerOn(): Record<(typeof FIELDS)[number], number> {
  const zero = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Record<(typeof FIELDS)[number], number>;
  return { ...zero, misc: R.MODE_3.misc, enable: 1, attributeIndex: R.ATTRIBUTE_PALETTE_SOURCE, pelMask: 0xff };
}

/** Register files by name, with the length of each. */
const FILES = {
  sequencer: R.SEQUENCER_REGISTERS,
  crtc: R.CRTC_REGISTERS,
  graphics: R.GRAPHICS_REGISTERS,
  attribute: R.ATTRIBUTE_REGISTERS,
  dac: R.DAC_BYTES,
  memory: MEMORY_BYTES,
} as const;

@injectable()
export class VgaText implements Device, PortDevice, MmioHandler, Screen {
  private r = powerOn();
  private readonly sequencer = new Uint8Array(R.SEQUENCER_REGISTERS);
  private readonly crtc = new Uint8Array(R.CRTC_REGISTERS);
  private readonly graphics = new Uint8Array(R.GRAPHICS_REGISTERS);
  private readonly attribute = new Uint8Array(R.ATTRIBUTE_REGISTERS);
  private readonly dac = new Uint8Array(R.DAC_BYTES);
  private readonly memory = new Uint8Array(MEMORY_BYTES);
  private readonly view = new DataView(this.memory.buffer);

  constructor(@inject(Tokens.Clock) private readonly clock: Clock) {
    this.reset();
  }

  reset(): void {
    this.r = powerOn();
    this.sequencer.set(R.MODE_3.sequencer);
    this.crtc.set(R.MODE_3.crtc);
    this.graphics.set(R.MODE_3.graphics);
    this.attribute.set(R.MODE_3.attribute);
    this.dac.set(R.mode3Palette());
    this.memory.fill(0);
    for (let at = COLOR_TEXT.from; at < COLOR_TEXT.to; at += 2) this.view.setUint16(at, 0x0720, true);
  }

  text(): string {
    const screen = this.frame();
    if (screen === undefined) return '';
    const { columns, rows, characters } = screen;
    const row = (n: number): string =>
      characters
        .slice(n * columns, (n + 1) * columns)
        .join('')
        .trimEnd();
    return Array.from({ length: rows }, (_, n) => row(n)).join('\n');
  }

  frame(): TextFrame | undefined {
    if ((this.graphics[R.GRAPHICS_MISCELLANEOUS] & R.GRAPHICS_MODE_BIT) !== 0) return undefined;
    const { crtc, memory } = this;
    const columns = crtc[R.CRTC_HORIZONTAL_DISPLAY_END] + 1;
    const overflow = crtc[R.CRTC_OVERFLOW];
    const lines = (crtc[R.CRTC_VERTICAL_DISPLAY_END] | ((overflow & 2) << 7) | ((overflow & 0x40) << 3)) + 1;
    const rows = Math.floor(lines / ((crtc[R.CRTC_MAXIMUM_SCAN_LINE] & 0x1f) + 1));
    const start = (crtc[R.CRTC_START_HIGH] << 8) | crtc[R.CRTC_START_LOW];
    const cursorCell = (crtc[R.CRTC_CURSOR_HIGH] << 8) | crtc[R.CRTC_CURSOR_LOW];
    const hasCursor = (crtc[R.CRTC_CURSOR_START] & R.CRTC_CURSOR_OFF) === 0;
    const blinks = (this.attribute[R.ATTRIBUTE_MODE] & R.ATTRIBUTE_BLINK) !== 0;
    const window = this.window() === MONOCHROME_TEXT ? MONOCHROME_TEXT : COLOR_TEXT;
    const [codes, foreground, background] = [0, 1, 2].map(() => new Uint8Array(columns * rows));
    const characters: string[] = [];
    let cursor: TextFrame['cursor'];
    for (let row = 0, n = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, n++) {
        const cell = start + row * crtc[R.CRTC_OFFSET] * 2 + column;
        const byte = window.from + ((cell * 2) % (window.to - window.from));
        const attribute = memory[byte + 1];
        codes[n] = memory[byte];
        characters.push(R.CODE_PAGE_437[memory[byte]]);
        foreground[n] = attribute & 15;
        // Blinking characters are shown in their bright phase.
        background[n] = (attribute >>> 4) & (blinks ? 7 : 15);
        if (hasCursor && cell === cursorCell) cursor = { column, row };
      }
    }
    return { kind: 'text', columns, rows, codes, characters, foreground, background, palette: this.palette(), cursor };
  }

  /** The sixteen colours of text through the palette registers and the DAC. */
  private palette(): number[] {
    const select = this.attribute[R.ATTRIBUTE_COLOR_SELECT];
    const p54 = (this.attribute[R.ATTRIBUTE_MODE] & R.ATTRIBUTE_P54_SELECT) !== 0;
    // Six bits a component in the DAC; a full 63 is a full 255.
    const wide = (component: number): number => (component << 2) | (component >>> 4);
    return Array.from({ length: R.PALETTE_REGISTERS }, (_, n) => {
      const low = p54 ? (this.attribute[n] & 0x0f) | ((select & 3) << 4) : this.attribute[n] & 0x3f;
      const entry = ((low | ((select & 0x0c) << 4)) & this.r.pelMask) * 3;
      return (wide(this.dac[entry]) << 16) | (wide(this.dac[entry + 1]) << 8) | wide(this.dac[entry + 2]);
    });
  }

  mmioRead(offset: number, size: number): number {
    const { from, to } = this.window();
    if (offset < from || offset + size > to) return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
    if (size === 4) return this.view.getInt32(offset, true);
    return size === 2 ? this.view.getUint16(offset, true) : this.memory[offset];
  }

  mmioWrite(offset: number, size: number, value: number): void {
    const { from, to } = this.window();
    if (offset < from || offset + size > to) return;
    if (size === 4) this.view.setInt32(offset, value, true);
    else if (size === 2) this.view.setInt16(offset, value, true);
    else this.memory[offset] = value;
  }

  portRead(range: string, offset: number, _size: number): number {
    if (range === 'common') return this.readCommon(offset);
    if (!this.answers(range)) return 0xff;
    if (range.endsWith('Status')) return this.inputStatus1();
    return offset === 0 ? this.r.crtcIndex : at(this.crtc, this.r.crtcIndex);
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (range === 'common') this.writeCommon(offset, byte);
    else if (!this.answers(range)) return;
    else if (range.endsWith('Status')) this.r.feature = byte;
    else if (offset === 0) this.r.crtcIndex = byte & 0x3f;
    else this.writeCrtc(byte);
  }

  saveState(): StateRecord {
    const files = Object.keys(FILES).map((name) => [name, this.file(name as keyof typeof FILES).slice()]);
    const data = { ...this.r, ...(Object.fromEntries(files) as Record<keyof typeof FILES, Uint8Array>) };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const registers = stateNumbers(data, FIELDS);
    const names = Object.keys(FILES) as (keyof typeof FILES)[];
    const files = names.map((name) => stateBytes(data, name, FILES[name]));
    this.r = registers;
    names.forEach((name, n) => this.file(name).set(files[n]));
  }

  private file(name: keyof typeof FILES): Uint8Array {
    return this[name];
  }

  private window(): (typeof WINDOWS)[number] {
    return WINDOWS[(this.graphics[R.GRAPHICS_MISCELLANEOUS] >>> 2) & 3];
  }

  /** The CRTC stands at 3Dxh or 3Bxh, as the miscellaneous output register says. */
  private answers(range: string): boolean {
    return range.startsWith('color') === ((this.r.misc & R.MISC_COLOR) !== 0);
  }

  /** Where the beam is; the read also makes port 3C0h take an index next. */
  private inputStatus1(): number {
    this.r.attributeData = 0;
    const characters = scaleTicks(this.clock.now(), this.clock.hz, LINES_PER_SECOND * CHARACTERS_PER_LINE);
    const line = Math.floor(characters / CHARACTERS_PER_LINE) % LINES;
    const visible = line < VISIBLE_LINES && characters % CHARACTERS_PER_LINE < VISIBLE_CHARACTERS;
    const retrace = line >= RETRACE_FIRST_LINE && line <= RETRACE_LAST_LINE;
    return (visible ? 0 : STATUS_BLANKED) | (retrace ? STATUS_RETRACE : 0);
  }

  /** Ports 3C0h-3CFh. */
  private readCommon(offset: number): number {
    const { r } = this;
    switch (offset) {
      case 0x0:
        return r.attributeIndex;
      case 0x1:
        return at(this.attribute, r.attributeIndex & R.ATTRIBUTE_INDEX);
      case 0x2:
        return 0x10; // input status 0: the switch sense of a colour monitor
      case 0x3:
        return r.enable;
      case 0x4:
        return r.sequencerIndex;
      case 0x5:
        return at(this.sequencer, r.sequencerIndex);
      case 0x6:
        return r.pelMask;
      case 0x7:
        return r.dacReading !== 0 ? 3 : 0;
      case 0x8:
        return Math.floor(r.dacWriteIndex / 3);
      case 0x9: {
        const component = this.dac[r.dacReadIndex];
        r.dacReadIndex = (r.dacReadIndex + 1) % R.DAC_BYTES;
        return component;
      }
      case 0xa:
        return r.feature;
      case 0xc:
        return r.misc;
      case 0xe:
        return r.graphicsIndex;
      case 0xf:
        return at(this.graphics, r.graphicsIndex);
      default:
        return 0xff;
    }
  }

  private writeCommon(offset: number, byte: number): void {
    const { r } = this;
    switch (offset) {
      case 0x0:
        if (r.attributeData === 0) r.attributeIndex = byte & (R.ATTRIBUTE_INDEX | R.ATTRIBUTE_PALETTE_SOURCE);
        else this.writeAttribute(byte);
        r.attributeData ^= 1;
        break;
      case 0x2:
        r.misc = byte;
        break;
      case 0x3:
        r.enable = byte & 1;
        break;
      case 0x4:
        r.sequencerIndex = byte & 7;
        break;
      case 0x5:
        put(this.sequencer, r.sequencerIndex, byte);
        break;
      case 0x6:
        r.pelMask = byte;
        break;
      case 0x7:
        r.dacReadIndex = byte * 3;
        r.dacReading = 1;
        break;
      case 0x8:
        r.dacWriteIndex = byte * 3;
        r.dacReading = 0;
        break;
      case 0x9:
        this.dac[r.dacWriteIndex] = byte & 0x3f;
        r.dacWriteIndex = (r.dacWriteIndex + 1) % R.DAC_BYTES;
        break;
      case 0xe:
        r.graphicsIndex = byte & 0x0f;
        break;
      case 0xf:
        put(this.graphics, r.graphicsIndex, byte);
        break;
      default: // read-only or nothing there
    }
  }

  /** While the palette source bit is set the screen owns the palette registers: writes to them are lost. */
  private writeAttribute(byte: number): void {
    const index = this.r.attributeIndex & R.ATTRIBUTE_INDEX;
    const displayOwns = (this.r.attributeIndex & R.ATTRIBUTE_PALETTE_SOURCE) !== 0;
    if (index >= R.PALETTE_REGISTERS) put(this.attribute, index, byte);
    else if (!displayOwns) this.attribute[index] = byte & 0x3f;
  }

  private writeCrtc(byte: number): void {
    const index = this.r.crtcIndex;
    const isProtected = index <= R.CRTC_OVERFLOW && (this.crtc[R.CRTC_VERTICAL_RETRACE_END] & R.CRTC_PROTECT) !== 0;
    if (!isProtected) put(this.crtc, index, byte);
    else if (index === R.CRTC_OVERFLOW) {
      const kept = this.crtc[index] & ~R.CRTC_OVERFLOW_LINE_COMPARE;
      this.crtc[index] = kept | (byte & R.CRTC_OVERFLOW_LINE_COMPARE);
    }
  }
}

/** Registers that do not exist read 0 and swallow writes. */
function at(file: Uint8Array, index: number): number {
  return index < file.length ? file[index] : 0;
}

function put(file: Uint8Array, index: number, byte: number): void {
  if (index < file.length) file[index] = byte;
}
