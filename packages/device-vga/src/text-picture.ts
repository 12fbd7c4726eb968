/**
 * Text modes (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", "Alphanumeric Modes"): as characters and
 * colours for a terminal (`textFrame`), and dot by dot from the guest's own font in plane 2 (`textLines`): two character
 * maps, eight or nine dots, cursor, underline, blinking. The terminal's picture knows whole rows only: split screens,
 * panning and smooth scrolling show in the dots alone.
 */
import type { TextFrame } from '@ringfence/sdk';
import type { DisplayUnits, LineSink } from './picture.js';
import * as R from './registers.js';

/** Bytes of plane 2 for each character, and where the eight character maps begin. */
const GLYPH_BYTES = 32;
const MAP_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000] as const;
/** Characters whose eighth dot goes on into the ninth. */
const LINE_GRAPHICS_FIRST = 0xc0;
const LINE_GRAPHICS_LAST = 0xdf;
const UNDERLINED = 0x01;

export function textFrame(units: DisplayUnits, blank: boolean): TextFrame {
  const { crtc, attributes, dac, memory } = units;
  const { columns, cursor, pitch, start } = crtc;
  const rows = Math.floor(crtc.lines / (crtc.maximumRowScan + 1));
  const blinks = (attributes.mode & R.ATTRIBUTE_BLINK) !== 0;
  const [codes, foreground, background] = [0, 1, 2].map(() => new Uint8Array(columns * rows));
  const characters: string[] = [];
  let cursorCell: TextFrame['cursor'];
  for (let row = 0, n = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, n++) {
      const cell = (start + row * pitch + column) & 0xffff;
      const word = memory.words[crtc.offset(cell, 0)];
      const attribute = (word >>> 8) & 0xff;
      codes[n] = word;
      characters.push(R.CODE_PAGE_437[word & 0xff]);
      foreground[n] = attribute & 15;
      // Blinking characters are shown in their bright phase.
      background[n] = (attribute >>> 4) & (blinks ? 7 : 15);
      if (crtc.hasCursor && !blank && cell === cursor) cursorCell = { column, row };
    }
  }
  const palette = Array.from({ length: 16 }, (_, n) => (blank ? 0 : dac.rgb(attributes.color(n))));
  return { kind: 'text', columns, rows, codes, characters, foreground, background, palette, cursor: cursorCell };
}

/** The dots of each scan line as the DAC's numbers. `phase` is the state of what blinks. */
export function textLines(units: DisplayUnits, phase: { cursor: boolean; text: boolean }, sink: LineSink): void {
  const { crtc, attributes, sequencer, memory } = units;
  const dots = units.dotsPerCharacter;
  const { columns, cursor } = crtc;
  const registers = crtc.values;
  const blinks = (attributes.mode & R.ATTRIBUTE_BLINK) !== 0;
  const lineGraphics = (attributes.mode & R.ATTRIBUTE_LINE_GRAPHICS) !== 0;
  const select = sequencer.values[R.SEQUENCER_CHARACTER_MAP];
  const mapA = MAP_OFFSETS[((select >>> 2) & 3) | ((select >>> 3) & 4)];
  const mapB = MAP_OFFSETS[(select & 3) | ((select >>> 2) & 4)];
  const cursorFrom = registers[R.CRTC_CURSOR_START] & 0x1f;
  const cursorTo = registers[R.CRTC_CURSOR_END] & 0x1f;
  const underline = registers[R.CRTC_UNDERLINE] & 0x1f;
  const colors = Uint8Array.from({ length: 16 }, (_, n) => attributes.color(n));
  // One character more than is shown, for panning.
  const line = new Uint8Array((columns + 1) * dots);

  crtc.eachLine((y, counter, rowScan, below) => {
    for (let column = 0, at = 0; column <= columns; column++, at += dots) {
      const cell = (counter + column) & 0xffff;
      const word = memory.words[crtc.offset(cell, rowScan)];
      const code = word & 0xff;
      const attribute = (word >>> 8) & 0xff;
      let glyph = memory.bytes[(((attribute & 8) !== 0 ? mapA : mapB) + code * GLYPH_BYTES + rowScan) * 4 + 2];
      const isCursor =
        cell === cursor && crtc.hasCursor && phase.cursor && rowScan >= cursorFrom && rowScan <= cursorTo;
      if (isCursor || (rowScan === underline && (attribute & 7) === UNDERLINED)) glyph = 0xff;
      else if (blinks && (attribute & 0x80) !== 0 && !phase.text) glyph = 0;
      const front = colors[attribute & 15];
      const back = colors[(attribute >>> 4) & (blinks ? 7 : 15)];
      for (let dot = 0; dot < 8; dot++) line[at + dot] = ((glyph << dot) & 0x80) !== 0 ? front : back;
      if (dots === 9) {
        const goesOn = lineGraphics && code >= LINE_GRAPHICS_FIRST && code <= LINE_GRAPHICS_LAST;
        line[at + 8] = isCursor || (goesOn && (glyph & 1) !== 0) ? front : back;
      }
    }
    const panning = units.panning(below);
    // Nine dots: 8 is no shift, 0 to 7 are one to eight dots.
    sink(y, line, dots === 9 ? (panning >= 8 ? 0 : panning + 1) : panning & 7);
  });
}
