/**
 * Graphics modes, pixel by pixel (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", "Graphics Modes"). The
 * three ways in which the shift registers of the VGA serialize the planes: a bit of each plane (2 and 16 colours), pairs of
 * bits (the CGA's 4 colours), bytes (256 colours, chained or not); and the linear modes of the DISPI interface.
 */
import type { DisplayUnits, LineSink } from './picture.js';
import * as R from './registers.js';

/** The dots (or pixels of two dots) of each scan line as the DAC's numbers. */
export function planarLines(units: DisplayUnits, sink: LineSink): void {
  const { crtc, attributes, graphics, memory } = units;
  const mode = graphics.values[R.GRAPHICS_MODE];
  const wide = (attributes.mode & R.ATTRIBUTE_WIDE_PEL) !== 0;
  const perClock = wide ? 4 : 8;
  const colors = Uint8Array.from({ length: 16 }, (_, n) => attributes.color(n));
  const nibbles = new Uint8Array(8);
  const line = new Uint8Array((crtc.columns + 1) * perClock);
  const serialize =
    (mode & R.MODE_SHIFT_256) !== 0 ? byBytes : (mode & R.MODE_SHIFT_INTERLEAVE) !== 0 ? byPairs : byPlanes;
  crtc.eachLine((y, counter, rowScan, below) => {
    for (let column = 0, at = 0; column <= crtc.columns; column++, at += perClock) {
      serialize(memory.words[crtc.offset((counter + column) & 0xffff, rowScan)], nibbles);
      for (let pixel = 0; pixel < perClock; pixel++) {
        line[at + pixel] = wide ? (nibbles[2 * pixel] << 4) | nibbles[2 * pixel + 1] : colors[nibbles[pixel]];
      }
    }
    const panning = units.panning(below) & 7;
    sink(y, line, wide ? panning >>> 1 : panning);
  });
}

/** Pixel n is bit 7-n of each plane. */
function byPlanes(word: number, out: Uint8Array): void {
  for (let n = 0; n < 8; n++) {
    const bits = word >>> (7 - n);
    out[n] = (bits & 1) | ((bits >>> 7) & 2) | ((bits >>> 14) & 4) | ((bits >>> 21) & 8);
  }
}

/** Four pixels of planes 0 (low bits) and 2 (high bits), then four of planes 1 and 3. */
function byPairs(word: number, out: Uint8Array): void {
  for (let n = 0; n < 8; n++) {
    const bits = word >>> (n < 4 ? 6 - 2 * n : 22 - 2 * n);
    out[n] = (bits & 3) | ((bits >>> 14) & 0x0c);
  }
}

/** A byte of each plane in turn, its high half first. */
function byBytes(word: number, out: Uint8Array): void {
  for (let n = 0; n < 8; n++) out[n] = (word >>> ((n >>> 1) * 8 + ((n & 1) !== 0 ? 0 : 4))) & 15;
}

/** Fills `rgb` with a mode of the DISPI interface. */
export function dispiPixels({ dispi, dac, memory, attributes }: DisplayUnits, rgb: Uint8Array): void {
  const { width, height, bpp, bytesPerLine, xOffset, yOffset } = dispi;
  const { bytes, halves, words } = memory;
  const colors = Int32Array.from({ length: 256 }, (_, n) => dac.rgb(bpp === 4 ? attributes.color(n & 15) : n));
  const nibbles = new Uint8Array(8);
  for (let y = 0, at = 0; y < height; y++) {
    const start = (y + yOffset) * bytesPerLine;
    for (let x = xOffset; x < xOffset + width; x++, at += 3) {
      let color: number;
      if (bpp === 32) color = words[(start >>> 2) + x];
      else if (bpp === 24) {
        const from = start + x * 3;
        color = bytes[from] | (bytes[from + 1] << 8) | (bytes[from + 2] << 16);
      } else if (bpp === 16) {
        const pixel = halves[(start >>> 1) + x];
        color = (five(pixel >>> 11) << 16) | (six(pixel >>> 5) << 8) | five(pixel);
      } else if (bpp === 15) {
        const pixel = halves[(start >>> 1) + x];
        color = (five(pixel >>> 10) << 16) | (five(pixel >>> 5) << 8) | five(pixel);
      } else if (bpp === 8) color = colors[bytes[start + x]];
      else {
        byPlanes(words[(start >>> 2) + (x >>> 3)], nibbles);
        color = colors[nibbles[x & 7]];
      }
      rgb[at] = color >>> 16;
      rgb[at + 1] = color >>> 8;
      rgb[at + 2] = color;
    }
  }
}

/** A full component of five or six bits is a full one of eight. */
function five(bits: number): number {
  return ((bits & 31) << 3) | ((bits & 31) >>> 2);
}

function six(bits: number): number {
  return ((bits & 63) << 2) | ((bits & 63) >>> 4);
}
