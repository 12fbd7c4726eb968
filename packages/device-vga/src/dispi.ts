/**
 * The "Bochs VBE" display interface (Bochs, "VBE Display API"; QEMU, docs/specs/standard-vga): linear modes of any size in
 * eleven registers of 16 bits, at ports 1CEh (index) and 1CFh (data), or in memory behind PCI base address 2. A mode takes
 * effect when ENABLE is written. While one is enabled, whatever the guest writes is brought to what fits into video memory.
 * The VGA's registers keep what they had; switching off shows that mode again. Not here: the 3D and DDC indices.
 */
import { VIDEO_MEMORY_BYTES } from './video-memory.js';

export const DISPI_REGISTERS = 11;
const [ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, VIDEO_MEMORY_64K] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
];

const ENABLED = 0x01;
const GETCAPS = 0x02;
const EIGHT_BIT_DAC = 0x20;
const LFB = 0x40;
const NOCLEARMEM = 0x80;

const ID_OLDEST = 0xb0c0;
const ID_NEWEST = 0xb0c5;
const MAX_XRES = 2560;
const MAX_YRES = 1600;
const MAX_BPP = 32;
const MAX_VIRT_WIDTH = 0x3ff8;
/** 15 bits a pixel take 16; anything that is no depth becomes 8. */
const STORAGE_BITS: Readonly<Record<number, number>> = { 4: 4, 8: 8, 15: 16, 16: 16, 24: 24, 32: 32 };

export class Dispi {
  index = 0;
  readonly values = new Uint16Array(DISPI_REGISTERS);

  /** `changed` is called when mode or bank changed; `clear` zeros the first bytes of video memory. */
  constructor(
    private readonly changed: () => void,
    private readonly clear: (bytes: number) => void,
  ) {}

  reset(): void {
    this.index = 0;
    this.values.fill(0);
    this.values[ID] = ID_NEWEST;
    this.values[VIDEO_MEMORY_64K] = VIDEO_MEMORY_BYTES >>> 16;
  }

  get enabled(): boolean {
    return (this.values[ENABLE] & ENABLED) !== 0;
  }

  /** Enabled, with a colour in each pixel's place rather than in planes. */
  get linear(): boolean {
    return this.enabled && this.bpp !== 4;
  }

  get eightBitDac(): boolean {
    return (this.values[ENABLE] & EIGHT_BIT_DAC) !== 0;
  }

  get width(): number {
    return this.values[XRES];
  }

  get height(): number {
    return this.values[YRES];
  }

  /** Bits a pixel: 4, 8, 15, 16, 24, 32. */
  get bpp(): number {
    return this.values[BPP];
  }

  /** In units of 64 KiB. */
  get bank(): number {
    return this.values[BANK];
  }

  get bytesPerLine(): number {
    return (this.values[VIRT_WIDTH] * this.storageBits) / 8;
  }

  get xOffset(): number {
    return this.values[X_OFFSET];
  }

  get yOffset(): number {
    return this.values[Y_OFFSET];
  }

  /** Whether saved values could have come about: a renderer relies on what `fit` holds. */
  static sound(values: ArrayLike<number>): boolean {
    const other = new Dispi(
      () => {},
      () => {},
    );
    other.values.set(values);
    other.fit();
    return other.values.every((value, n) => value === values[n]);
  }

  read(): number {
    const { index, values } = this;
    if ((values[ENABLE] & GETCAPS) !== 0) {
      if (index === XRES) return MAX_XRES;
      if (index === YRES) return MAX_YRES;
      if (index === BPP) return MAX_BPP;
    }
    return index < DISPI_REGISTERS ? values[index] : 0;
  }

  write(value: number): void {
    const { values } = this;
    switch (this.index) {
      case ID:
        if (value >= ID_OLDEST && value <= ID_NEWEST) values[ID] = value;
        return;
      case XRES:
      case YRES:
      case BPP:
      case VIRT_WIDTH:
      case X_OFFSET:
      case Y_OFFSET:
        values[this.index] = value;
        break;
      case BANK:
        values[BANK] = value % (VIDEO_MEMORY_BYTES >>> 16);
        break;
      case ENABLE:
        this.enable(value);
        break;
      default: // VIRT_HEIGHT and VIDEO_MEMORY_64K are read-only
        return;
    }
    this.fit();
    this.changed();
  }

  private enable(value: number): void {
    const { values } = this;
    const before = values[ENABLE];
    values[ENABLE] = value & (ENABLED | GETCAPS | EIGHT_BIT_DAC | LFB | NOCLEARMEM);
    if ((value & ENABLED) === 0) {
      values[BANK] = 0;
      return;
    }
    if ((before & ENABLED) !== 0) return;
    values[VIRT_WIDTH] = values[X_OFFSET] = values[Y_OFFSET] = 0;
    this.fit();
    if ((value & NOCLEARMEM) === 0) this.clear(values[YRES] * this.bytesPerLine);
  }

  /** Brings size, virtual size and offsets of an enabled mode into video memory. */
  private fit(): void {
    const { values } = this;
    if (!this.enabled) return;
    if (STORAGE_BITS[values[BPP]] === undefined) values[BPP] = 8;
    values[XRES] = Math.min(Math.max(values[XRES] & ~7, 8), MAX_XRES);
    values[VIRT_WIDTH] = Math.min(Math.max(values[VIRT_WIDTH] & ~7, values[XRES]), MAX_VIRT_WIDTH);
    const lines = Math.floor(VIDEO_MEMORY_BYTES / this.bytesPerLine);
    values[YRES] = Math.min(Math.max(values[YRES], 1), MAX_YRES, lines);
    values[VIRT_HEIGHT] = Math.min(lines, 0xffff);
    values[Y_OFFSET] = Math.min(values[Y_OFFSET], lines - values[YRES]);
    // Lines may begin anywhere in memory, as long as the last one ends in it.
    values[X_OFFSET] = Math.min(values[X_OFFSET], MAX_VIRT_WIDTH);
    const end = (values[Y_OFFSET] + values[YRES]) * this.bytesPerLine + (values[X_OFFSET] * this.storageBits) / 8;
    if (end > VIDEO_MEMORY_BYTES) values[X_OFFSET] = 0;
  }

  private get storageBits(): number {
    return STORAGE_BITS[this.values[BPP]] ?? 8;
  }
}
