/**
 * A VGA with a linear framebuffer: the registers and memory of IBM's (PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem"), the "Bochs VBE" registers (dispi.ts), and the PCI function of QEMU's standard VGA (vga-pci.ts) where there is a
 * PCI bus. Ports 3B4h-3B5h, 3BAh, 3C0h-3CFh, 3D4h-3D5h, 3DAh and 1CEh-1D1h; memory A0000h-BFFFFh; no IRQ.
 * This file decodes ports and owns the units; each unit's own file says what it leaves out. Of the whole chip there is no
 * retrace interrupt, no feature connector, no monitor with DDC or EDID, and the subsystem enable (3C3h) only reads back.
 */
import {
  type AddressWindows,
  type Clock,
  type Device,
  type FirmwareInfo,
  type MmioHandler,
  type PciBus,
  type PixelFrame,
  type PortDevice,
  RingfenceError,
  type Screen,
  type ScreenFrame,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  isPciRom,
  stateBytes,
  stateNumbers,
} from '@ringfence/sdk';
import { AttributeController } from './attribute-controller.js';
import { Crtc, characterClocks } from './crtc.js';
import { Dac } from './dac.js';
import { DISPI_REGISTERS, Dispi } from './dispi.js';
import { loadFont } from './font.js';
import { MemoryPath } from './memory-path.js';
import { type DisplayUnits, drawPicture, isText } from './picture.js';
import { RegisterFile } from './register-file.js';
import * as R from './registers.js';
import { textFrame } from './text-picture.js';
import { VgaPci } from './vga-pci.js';
import { VideoMemory } from './video-memory.js';

const COMPONENT = 'vga';
const VERSION = 2;

/** Miscellaneous output bits 2-3 choose the dot clock; no other crystal is fitted. */
const DOT_CLOCKS = [25_175_000, 28_322_000, 25_175_000, 25_175_000] as const;
/** Input status 0: the switch sense of a colour monitor. */
const STATUS_0 = 0x10;
const BLANK_CELL = 0x0720;
const TEXT_CELLS = 0x4000;

const FIELDS = [
  'misc',
  'feature',
  'enable', // port 3C3h
  'sequencerIndex',
  'graphicsIndex',
  'crtcIndex',
  'attributeIndex', // with the palette source bit
  'attributeData', // 1 when port 3C0h takes data next
  'dispiIndex',
  'pelMask',
  'dacReadIndex', // index of a byte: three a colour
  'dacWriteIndex',
  'dacReading',
  'latch',
] as const;

@injectable()
export class Vga implements Device, PortDevice, MmioHandler, Screen, DisplayUnits {
  readonly memory = new VideoMemory();
  readonly sequencer = new RegisterFile(R.SEQUENCER_BITS);
  readonly graphics = new RegisterFile(R.GRAPHICS_BITS);
  readonly crtc = new Crtc();
  readonly attributes = new AttributeController();
  readonly dac = new Dac();
  readonly dispi = new Dispi(
    () => this.configure(),
    (bytes) => this.memory.zero(0, bytes),
  );
  private readonly path = new MemoryPath(this.memory);
  private readonly pci: VgaPci | undefined;
  private misc = 0;
  private feature = 0;
  private enable = 0;

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.PciBus, { isOptional: true }) bus?: PciBus,
    @inject(Tokens.AddressWindows, { isOptional: true }) windows?: AddressWindows,
    @inject(Tokens.FirmwareInfo, { isOptional: true }) firmware?: FirmwareInfo,
  ) {
    if (bus !== undefined && windows !== undefined) {
      const bios = firmware?.vgaBios;
      const rom = bios !== undefined && isPciRom(bios) ? bios : undefined;
      this.pci = new VgaPci(bus, windows, this.memory, this.dispi, this, rom);
    }
    this.reset();
  }

  reset(): void {
    this.misc = this.feature = 0;
    this.enable = 1;
    this.sequencer.reset(R.SEQUENCER_BITS.map(() => 0));
    this.graphics.reset(R.GRAPHICS_BITS.map(() => 0));
    this.crtc.reset(Array<number>(R.CRTC_REGISTERS).fill(0));
    this.attributes.reset(R.ATTRIBUTE_BITS.map(() => 0));
    this.dac.reset();
    this.dispi.reset();
    this.memory.reset();
    this.path.latch = 0;
    this.pci?.config.reset();
    this.configure();
  }

  /** Mode 3 with a font and an empty screen. */
  handOver(): void {
    this.misc = R.MODE_3.misc;
    this.sequencer.reset(R.MODE_3.sequencer);
    this.graphics.reset(R.MODE_3.graphics);
    this.crtc.reset(R.MODE_3.crtc);
    this.attributes.reset(R.MODE_3.attribute);
    this.dac.setMode3();
    loadFont(this.memory);
    for (let cell = 0; cell < TEXT_CELLS; cell++) this.memory.halves[cell * 4] = BLANK_CELL;
    this.memory.touched.fill(1, 0, (TEXT_CELLS * 8) >>> 16);
    this.configure();
  }

  // --- the screen ----------------------------------------------------------------------------------------

  text(): string {
    if (!isText(this)) return '';
    const { columns, rows, characters } = textFrame(this, false);
    const row = (n: number): string =>
      characters
        .slice(n * columns, (n + 1) * columns)
        .join('')
        .trimEnd();
    return Array.from({ length: rows }, (_, n) => row(n)).join('\n');
  }

  frame(): ScreenFrame {
    return isText(this) ? textFrame(this, this.blank) : this.picture();
  }

  picture(): PixelFrame {
    return drawPicture(this, this.crtc.frames(this.characterClocks()), this.blank);
  }

  get dotsPerCharacter(): number {
    return (this.sequencer.values[R.SEQUENCER_CLOCKING] & R.CLOCKING_EIGHT_DOTS) !== 0 ? 8 : 9;
  }

  panning(below: boolean): number {
    const exempt = below && (this.attributes.mode & R.ATTRIBUTE_PAN_UPPER_ONLY) !== 0;
    // Not shifted is 8 where a character has nine dots.
    if (exempt) return isText(this) && this.dotsPerCharacter === 9 ? 8 : 0;
    return this.attributes.values[R.ATTRIBUTE_PANNING];
  }

  /** Nothing is shown: the processor has the palette, the sequencer or the CRT controller is told to be dark. */
  private get blank(): boolean {
    return (
      !this.attributes.screenHasPalette ||
      (this.sequencer.values[R.SEQUENCER_CLOCKING] & R.CLOCKING_SCREEN_OFF) !== 0 ||
      (!this.dispi.enabled && (this.crtc.values[R.CRTC_MODE_CONTROL] & R.MODE_CONTROL_SYNC) === 0)
    );
  }

  private characterClocks(): number {
    const halves = (this.sequencer.values[R.SEQUENCER_CLOCKING] & R.CLOCKING_HALF_DOT_CLOCK) !== 0 ? 2 : 1;
    const dots = this.dotsPerCharacter * halves;
    return characterClocks(this.clock.now(), this.clock.hz, DOT_CLOCKS[(this.misc >>> 2) & 3], dots);
  }

  // --- the processor's side ------------------------------------------------------------------------------

  mmioRead(offset: number, size: number): number {
    return this.path.mmioRead(offset, size);
  }

  mmioWrite(offset: number, size: number, value: number): void {
    this.path.mmioWrite(offset, size, value);
  }

  portRead(range: string, offset: number, size: number): number {
    if (range === 'common') return this.readCommon(offset);
    if (range === 'dispi') {
      const value = offset === 0 ? this.dispi.index : this.dispi.read();
      return size === 1 ? value & 0xff : value;
    }
    if (!this.answers(range)) return 0xff;
    if (!range.endsWith('Status')) return offset === 0 ? this.crtc.index : this.crtc.read();
    this.attributes.takesData = 0;
    return this.crtc.beam(this.characterClocks());
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (range === 'common') this.writeCommon(offset, byte);
    else if (range === 'dispi') {
      if (offset === 0) this.dispi.index = value & 0xffff;
      else this.dispi.write(value & 0xffff);
    } else if (!this.answers(range)) return;
    else if (range.endsWith('Status')) this.feature = byte;
    else if (offset === 0) this.crtc.index = byte & 0x3f;
    else this.crtc.write(byte);
  }

  // --- state ---------------------------------------------------------------------------------------------

  saveState(): StateRecord {
    const { misc, feature, enable, dac, dispi, attributes } = this;
    const numbers: Record<(typeof FIELDS)[number], number> = {
      ...{ misc, feature, enable },
      sequencerIndex: this.sequencer.index,
      graphicsIndex: this.graphics.index,
      crtcIndex: this.crtc.index,
      attributeIndex: attributes.index,
      attributeData: attributes.takesData,
      dispiIndex: dispi.index,
      pelMask: dac.mask,
      dacReadIndex: dac.readIndex,
      dacWriteIndex: dac.writeIndex,
      dacReading: dac.reading,
      latch: this.path.latch,
    };
    const data = {
      ...numbers,
      sequencer: this.sequencer.values.slice(),
      graphics: this.graphics.values.slice(),
      crtc: this.crtc.values.slice(),
      attribute: attributes.values.slice(),
      dac: dac.colors.slice(),
      dispi: new Uint8Array(dispi.values.slice().buffer),
      memory: this.memory.save(),
      ...(this.pci === undefined ? {} : { pci: this.pci.config.bytes.slice() }),
    };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const r = stateNumbers(data, FIELDS);
    const sequencer = stateBytes(data, 'sequencer', this.sequencer.values.length);
    const graphics = stateBytes(data, 'graphics', this.graphics.values.length);
    const crtc = stateBytes(data, 'crtc', R.CRTC_REGISTERS);
    const attribute = stateBytes(data, 'attribute', this.attributes.values.length);
    const colors = stateBytes(data, 'dac', R.DAC_BYTES);
    const dispi = new Uint16Array(stateBytes(data, 'dispi', DISPI_REGISTERS * 2).slice().buffer);
    if (!Dispi.sound(dispi)) {
      throw new RingfenceError('RF_BAD_STATE', {
        message: 'no display mode has these DISPI registers',
        value: [...dispi],
      });
    }
    const memory = VideoMemory.checked(data, 'memory');
    const config = this.pci === undefined ? undefined : stateBytes(data, 'pci', this.pci.config.bytes.length);

    this.misc = r.misc & 0xff;
    this.feature = r.feature & 0xff;
    this.enable = r.enable & 1;
    this.sequencer.load(r.sequencerIndex, sequencer);
    this.graphics.load(r.graphicsIndex, graphics);
    this.crtc.load(r.crtcIndex, crtc);
    this.attributes.load(r.attributeIndex, attribute);
    this.attributes.takesData = r.attributeData & 1;
    this.dac.load(colors, r);
    this.dispi.index = r.dispiIndex & 0xffff;
    this.dispi.values.set(dispi);
    this.memory.load(memory);
    this.path.latch = r.latch | 0;
    if (config !== undefined) this.pci?.config.load(config);
    this.configure();
  }

  private configure(): void {
    this.dac.wide = this.dispi.eightBitDac;
    this.path.configure(this.sequencer, this.graphics, this.misc, this.dispi);
  }

  /** The CRTC stands at 3Dxh or 3Bxh, as the miscellaneous output register says. */
  private answers(range: string): boolean {
    return range.startsWith('color') === ((this.misc & R.MISC_COLOR) !== 0);
  }

  /** Ports 3C0h-3CFh. */
  private readCommon(offset: number): number {
    switch (offset) {
      case 0x0:
        return this.attributes.index;
      case 0x1:
        return this.attributes.readData();
      case 0x2:
        return STATUS_0;
      case 0x3:
        return this.enable;
      case 0x4:
        return this.sequencer.index;
      case 0x5:
        return this.sequencer.read();
      case 0x6:
        return this.dac.mask;
      case 0x7:
        return this.dac.reading !== 0 ? 3 : 0;
      case 0x8:
        return Math.floor(this.dac.writeIndex / 3);
      case 0x9:
        return this.dac.read();
      case 0xa:
        return this.feature;
      case 0xc:
        return this.misc;
      case 0xe:
        return this.graphics.index;
      case 0xf:
        return this.graphics.read();
      default:
        return 0xff;
    }
  }

  private writeCommon(offset: number, byte: number): void {
    switch (offset) {
      case 0x0:
        this.attributes.writePort(byte);
        break;
      case 0x2:
        this.misc = byte;
        this.configure();
        break;
      case 0x3:
        this.enable = byte & 1;
        break;
      case 0x4:
        this.sequencer.index = byte & 7;
        break;
      case 0x5:
        this.sequencer.write(byte);
        this.configure();
        break;
      case 0x6:
        this.dac.mask = byte;
        break;
      case 0x7:
        this.dac.startReading(byte);
        break;
      case 0x8:
        this.dac.startWriting(byte);
        break;
      case 0x9:
        this.dac.write(byte);
        break;
      case 0xe:
        this.graphics.index = byte & 0x0f;
        break;
      case 0xf:
        this.graphics.write(byte);
        this.configure();
        break;
      default: // read-only or nothing there
    }
  }
}
