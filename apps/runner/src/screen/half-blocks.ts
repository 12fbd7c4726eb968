/**
 * A picture for a terminal: two pixels a character, one above the other, as an upper half block in two colours. The picture is
 * made smaller to fit, with its proportions, each pixel the average of what it stands for; never larger.
 */
import type { PixelFrame } from '@ringfence/sdk';

const UPPER_HALF = '▀';
/** Points of the picture averaged for a pixel, at most, in each direction. */
const SAMPLES = 4;

/** Rows of the terminal, each complete in itself. */
export function halfBlocks(frame: PixelFrame, columns: number, rows: number): string[] {
  const scale = Math.min(1, columns / frame.width, (2 * rows) / frame.height);
  const width = Math.max(1, Math.floor(frame.width * scale));
  const height = Math.max(1, Math.floor(frame.height * scale));
  const color = averager(frame, width, height);
  return Array.from({ length: Math.ceil(height / 2) }, (_, row) => {
    let text = '';
    let colors = '';
    for (let x = 0; x < width; x++) {
      const lower = 2 * row + 1 < height ? color(x, 2 * row + 1) : '0;0;0';
      const now = `\x1b[38;2;${color(x, 2 * row)};48;2;${lower}m`;
      if (now !== colors) text += now;
      colors = now;
      text += UPPER_HALF;
    }
    return text;
  });
}

/** The colour of a pixel of the small picture, as a terminal is told it. */
function averager(frame: PixelFrame, width: number, height: number): (x: number, y: number) => string {
  const { rgb } = frame;
  return (x, y) => {
    const [left, right] = span(x, width, frame.width);
    const [top, bottom] = span(y, height, frame.height);
    const stepX = Math.max(1, Math.floor((right - left) / SAMPLES));
    const stepY = Math.max(1, Math.floor((bottom - top) / SAMPLES));
    let [red, green, blue, count] = [0, 0, 0, 0];
    for (let sy = top; sy < bottom; sy += stepY) {
      for (let sx = left; sx < right; sx += stepX, count++) {
        const at = (sy * frame.width + sx) * 3;
        red += rgb[at];
        green += rgb[at + 1];
        blue += rgb[at + 2];
      }
    }
    return `${Math.round(red / count)};${Math.round(green / count)};${Math.round(blue / count)}`;
  };
}

/** The points `from` to `to` (not included) that pixel `n` of `small` stands for. */
function span(n: number, small: number, large: number): [from: number, to: number] {
  const from = Math.floor((n * large) / small);
  return [from, Math.max(from + 1, Math.floor(((n + 1) * large) / small))];
}
