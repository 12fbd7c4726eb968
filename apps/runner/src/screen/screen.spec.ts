/** The screen in the terminal and as a picture. */
import type { PixelFrame, ScreenFrame, TextFrame } from '@ringfence/sdk';
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { AnsiScreen } from './ansi-screen.js';
import { halfBlocks } from './half-blocks.js';
import { encodePng } from './screenshot.js';

const [BLACK, GREY] = [0, 7];
const PALETTE = Array.from({ length: 16 }, (_, n) => (n === GREY ? 0xaaaaaa : n === 4 ? 0xaa0000 : 0));

/** A screen of two rows. */
function frame(rows: readonly [string, string], more: Partial<TextFrame> = {}): TextFrame {
  const characters = [...rows[0], ...rows[1]];
  return {
    kind: 'text',
    columns: rows[0].length,
    rows: 2,
    characters,
    codes: Uint8Array.from(characters, (character) => character.charCodeAt(0)),
    foreground: new Uint8Array(characters.length).fill(GREY),
    background: new Uint8Array(characters.length).fill(BLACK),
    palette: PALETTE,
    ...more,
  };
}

const PIXELS: PixelFrame = { kind: 'pixels', width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6) };

describe('screenshot', () => {
  it('keeps pixels as they are', () => {
    const pixels = decode(encodePng(PIXELS));
    expect(pixels).toMatchObject({ width: 2, height: 1, channels: 3, depth: 8 });
    expect([...pixels.data]).toEqual([...PIXELS.rgb]);
  });

  it('is the same file for the same screen', () => {
    expect(encodePng(PIXELS)).toEqual(encodePng({ ...PIXELS, rgb: PIXELS.rgb.slice() }));
  });
});

describe('graphics on a terminal', () => {
  /** A picture of rows of grey, a digit a pixel. */
  const grey = (...rows: string[]): PixelFrame => ({
    kind: 'pixels',
    width: rows[0].length,
    height: rows.length,
    rgb: Uint8Array.from(rows.join(''), Number).reduce(
      (rgb, value, n) => rgb.fill(value, n * 3, n * 3 + 3),
      new Uint8Array(rows.length * rows[0].length * 3),
    ),
  });
  const cell = (above: number, below: number): string =>
    `\x1b[38;2;${above};${above};${above};48;2;${below};${below};${below}m▀`;

  it('has two pixels a character, and colours where they change', () => {
    expect(halfBlocks(grey('123', '423'), 80, 24)).toEqual([cell(1, 4) + cell(2, 2) + cell(3, 3)]);
    expect(halfBlocks(grey('11', '22'), 80, 24)).toEqual([`${cell(1, 2)}▀`]);
  });

  it('has black below an odd line, and never grows', () => {
    expect(halfBlocks(grey('5', '6', '7'), 80, 24)).toEqual([cell(5, 6), cell(7, 0)]);
  });

  it('is made smaller with its proportions, by averages', () => {
    expect(halfBlocks(grey('0044', '0044', '8888', '8888'), 2, 24)).toEqual([cell(0, 8) + cell(4, 8)]);
    expect(halfBlocks(grey('0044', '0044', '8888', '8888'), 80, 1)).toEqual([cell(0, 8) + cell(4, 8)]);
    expect(halfBlocks(grey('04', '80'), 1, 1)).toEqual([cell(3, 0)]);
    const large = { ...PIXELS, width: 1920, height: 1200, rgb: new Uint8Array(1920 * 1200 * 3).fill(9) };
    const rows = halfBlocks(large, 80, 24);
    expect(rows).toHaveLength(24);
    expect(rows[0]).toBe(cell(9, 9) + '▀'.repeat(75));
  });
});

describe('screen on a terminal', () => {
  function setUp(first: ScreenFrame | undefined) {
    const written: string[] = [];
    const shown = { frame: first };
    const screen = new AnsiScreen(
      () => shown.frame,
      (text) => written.push(text),
      () => ({ columns: 1, rows: 1 }),
    );
    const next = (): string => {
      written.length = 0;
      screen.draw();
      return written.join('');
    };
    return { screen, shown, written, next };
  }

  it('sends only rows that changed, and nothing when none did', () => {
    const { shown, next } = setUp(frame(['ab', 'cd']));
    const all = next();
    expect(all).toMatch(/\[1;1H.*ab.*\[2;1H.*cd/);
    expect(all.startsWith('\x1b[1;1H')).toBe(true);
    expect(next()).toBe('');
    shown.frame = frame(['ab', 'ce']);
    const update = next();
    expect(update).toContain('ce');
    expect(update).not.toContain('ab');
    shown.frame = frame(['ab', 'ce'], { cursor: { column: 1, row: 0 } });
    expect(next()).toBe('\x1b[1;2H\x1b[?25h');
  });

  it('sends colours where they change', () => {
    const { next } = setUp(frame(['abc', '   '], { foreground: Uint8Array.of(7, 7, 4, 7, 7, 7) }));
    expect(next()).toContain('\x1b[38;2;170;170;170;48;2;0;0;0mab\x1b[38;2;170;0;0;48;2;0;0;0mc\x1b[0m');
  });

  it('draws graphics as small as the terminal, and says when there is nothing', () => {
    const { shown, next } = setUp(PIXELS);
    expect(next()).toBe('\x1b[1;1H\x1b[38;2;3;4;5;48;2;0;0;0m▀\x1b[0m\x1b[K\x1b[?25l');
    shown.frame = undefined;
    expect(next()).toContain('no picture');
  });

  it('gives the terminal back, once', () => {
    const { screen, written } = setUp(frame(['ab', 'cd']));
    screen.start();
    screen.stop();
    screen.stop();
    const all = written.join('');
    expect(all.startsWith('\x1b[?1049h')).toBe(true);
    expect(all.endsWith('\x1b[?1049l')).toBe(true);
    expect(all.split('\x1b[?1049l')).toHaveLength(2);
    screen.redraw();
    expect(written.join('')).toBe(all);
  });

  it('draws everything again when the terminal has another size', () => {
    const { screen, written } = setUp(frame(['ab', 'cd']));
    screen.start();
    screen.draw();
    written.length = 0;
    screen.redraw();
    screen.stop();
    expect(written.join('')).toMatch(/ab.*cd/s);
  });
});
