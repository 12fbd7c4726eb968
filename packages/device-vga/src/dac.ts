/**
 * The video DAC (Inmos IMSG171; IBM PS/2 Hardware Interface Technical Reference, "Video Digital-to-Analog Converter"): 256
 * colours of three components, six bits wide, or eight when the DISPI interface asks for it. Ports 3C6h-3C9h. No "snow"
 * when it is written while the screen is drawn.
 */
import * as R from './registers.js';

export class Dac {
  readonly colors = new Uint8Array(R.DAC_BYTES);
  mask = 0xff;
  /** Of a byte: three a colour. */
  readIndex = 0;
  writeIndex = 0;
  /** 1 when the last index written was one to read from. */
  reading = 0;
  /** Components have eight bits. */
  wide = false;

  reset(): void {
    this.colors.fill(0);
    this.mask = 0xff;
    this.readIndex = this.writeIndex = this.reading = 0;
    this.wide = false;
  }

  /** The colours of text. */
  setMode3(): void {
    this.colors.set(R.mode3Palette());
    this.mask = 0xff;
  }

  load(
    colors: Uint8Array,
    r: { pelMask: number; dacReadIndex: number; dacWriteIndex: number; dacReading: number },
  ): void {
    this.colors.set(colors);
    this.mask = r.pelMask & 0xff;
    this.readIndex = (r.dacReadIndex >>> 0) % R.DAC_BYTES;
    this.writeIndex = (r.dacWriteIndex >>> 0) % R.DAC_BYTES;
    this.reading = r.dacReading & 1;
  }

  startReading(index: number): void {
    this.readIndex = index * 3;
    this.reading = 1;
  }

  startWriting(index: number): void {
    this.writeIndex = index * 3;
    this.reading = 0;
  }

  read(): number {
    const component = this.colors[this.readIndex];
    this.readIndex = (this.readIndex + 1) % R.DAC_BYTES;
    return component;
  }

  write(byte: number): void {
    this.colors[this.writeIndex] = this.wide ? byte : byte & 0x3f;
    this.writeIndex = (this.writeIndex + 1) % R.DAC_BYTES;
  }

  /** The colour of a pixel, 0xRRGGBB. */
  rgb(pixel: number): number {
    const at = (pixel & this.mask) * 3;
    const { colors } = this;
    return (this.full(colors[at]) << 16) | (this.full(colors[at + 1]) << 8) | this.full(colors[at + 2]);
  }

  /** A full component of six bits is a full one of eight. */
  private full(component: number): number {
    return this.wide ? component : ((component << 2) | (component >>> 4)) & 0xff;
  }
}
