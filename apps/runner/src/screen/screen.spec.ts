/** The screen in the terminal and as a picture. */
import type { ScreenFrame, TextFrame } from '@ringfence/sdk';
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { AnsiScreen } from './ansi-screen.js';
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

describe('screenshot', () => {
  /** The picture as text, a character a pixel. */
  const picture = (of: ScreenFrame): string[] => {
    const { width, height, data } = decode(encodePng(of));
    const pixel = (n: number): string => ({ 0: '.', 0xaa: '#' })[data[n * 3 + 1]] ?? '?';
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => pixel(y * width + x)).join(''),
    );
  };

  it('draws characters with the font, and the cursor', () => {
    const pixels = picture(frame(['H\xdb', '  '], { cursor: { column: 1, row: 1 } }));
    expect(pixels).toHaveLength(32);
    // An H: two posts and a bar; a full block beside it.
    const letter = pixels.slice(0, 16).map((row) => row.slice(0, 8));
    expect(letter.filter((row) => row === '##...##.').length).toBeGreaterThan(5);
    expect(letter.filter((row) => row === '#######.')).toHaveLength(1);
    expect(new Set(pixels.slice(0, 16).map((row) => row.slice(8)))).toEqual(new Set(['########']));
    expect(pixels.slice(30)).toEqual(['........########', '........########']);
    expect(new Set(pixels.slice(16, 30))).toEqual(new Set(['................']));
  });

  it('keeps colours and pixels as they are', () => {
    const red = decode(encodePng(frame(['\xdb', ' '], { foreground: Uint8Array.of(4, 4) })));
    expect([...red.data.slice(0, 3)]).toEqual([0xaa, 0, 0]);
    const rgb = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const pixels = decode(encodePng({ kind: 'pixels', width: 2, height: 1, rgb }));
    expect(pixels).toMatchObject({ width: 2, height: 1 });
    expect([...pixels.data]).toEqual([...rgb]);
  });

  it('is the same file for the same screen', () => {
    expect(encodePng(frame(['ab', 'cd']))).toEqual(encodePng(frame(['ab', 'cd'])));
  });
});

describe('screen on a terminal', () => {
  function setUp(first: ScreenFrame | undefined) {
    const written: string[] = [];
    const shown = { frame: first };
    const screen = new AnsiScreen(
      () => shown.frame,
      (text) => written.push(text),
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

  it('says so when there is no text to show', () => {
    expect(setUp(undefined).next()).toContain('graphics');
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
