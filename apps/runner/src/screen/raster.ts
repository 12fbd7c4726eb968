/**
 * A picture of the guest's screen as pixels: graphics as they are, text drawn with a font of our own, since what a guest
 * loaded into the display's font memory is not told to us. No blinking; the cursor is an underline.
 */
import type { PixelFrame, ScreenFrame, TextFrame } from '@ringfence/sdk';
import { SPLEEN_8X16 } from './generated/spleen-8x16.js';

const WIDTH = 8;
const HEIGHT = 16;
/** The rows of a character cell that the cursor fills. */
const CURSOR_FROM = 14;

const font = Buffer.from(SPLEEN_8X16, 'base64');

export function rasterize(frame: ScreenFrame): PixelFrame {
  return frame.kind === 'pixels' ? frame : rasterizeText(frame);
}

function rasterizeText({ columns, rows, codes, foreground, background, palette, cursor }: TextFrame): PixelFrame {
  const width = columns * WIDTH;
  const height = rows * HEIGHT;
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(y / HEIGHT);
    const line = y % HEIGHT;
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column;
      const isCursor = line >= CURSOR_FROM && cursor?.row === row && cursor.column === column;
      const bits = isCursor ? 0xff : font[codes[cell] * HEIGHT + line];
      for (let mask = 0x80; mask !== 0; mask >>>= 1, at += 3) {
        const color = palette[(bits & mask) !== 0 ? foreground[cell] : background[cell]];
        rgb[at] = color >>> 16;
        rgb[at + 1] = (color >>> 8) & 0xff;
        rgb[at + 2] = color & 0xff;
      }
    }
  }
  return { kind: 'pixels', width, height, rgb };
}
