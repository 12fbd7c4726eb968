/** What the monitor shows: text dot by dot, the three ways to serialize planes, split screens, panning, blinking, linear modes. */
import { describe, expect, it } from 'vitest';
import { B8000, CHAINED, PLANAR, setUp } from './testing/set-up.js';

/** A line of the picture, a character a dot: `.` is black, `#` anything else. */
function dots(screen: ReturnType<typeof setUp>['screen'], y: number, from: number, to: number): string {
  const { width, rgb } = screen.picture();
  return Array.from({ length: to - from }, (_, n) => {
    const at = (y * width + from + n) * 3;
    return rgb[at] + rgb[at + 1] + rgb[at + 2] === 0 ? '.' : '#';
  }).join('');
}

describe('text as pixels', () => {
  function withGlyph(code = 1) {
    const all = setUp();
    const { bytes } = all.screen.memory;
    for (let line = 0; line < 16; line++) bytes[(code * 32 + line) * 4 + 2] = line === 2 ? 0x81 : 0;
    all.write(B8000, 0x0700 | code, 2);
    all.crtc(0x0a, 0x20);
    return all;
  }

  it('is 720 by 400 dots of the font in plane 2', () => {
    const { screen } = withGlyph();
    expect(screen.picture()).toMatchObject({ width: 720, height: 400 });
    expect(dots(screen, 2, 0, 18)).toBe('#......#..........');
    expect(dots(screen, 3, 0, 18)).toBe('..................');
  });

  it('has eight dots where the sequencer says so', () => {
    const { screen, sequencer } = withGlyph();
    sequencer(1, 1);
    expect(screen.picture()).toMatchObject({ width: 640, height: 400 });
    expect(dots(screen, 2, 0, 16)).toBe('#......#........');
  });

  it('goes on into the ninth dot with line graphics only, and only when told', () => {
    const line = withGlyph(0xc4);
    expect(dots(line.screen, 2, 0, 9)).toBe('#......##');
    line.attribute(0x10, 0);
    expect(dots(line.screen, 2, 0, 9)).toBe('#......#.');
    expect(dots(withGlyph(0xe0).screen, 2, 0, 9)).toBe('#......#.');
  });

  it('chooses between two character maps by bit 3 of the attribute', () => {
    const { screen, sequencer, write } = withGlyph();
    screen.memory.bytes[(0x6000 + 32 + 2) * 4 + 2] = 0xff; // map 5
    sequencer(3, 0x24); // A: 5, B: 0
    write(B8000 + 2, 0x0f01, 2);
    expect(dots(screen, 2, 0, 18)).toBe('#......#.########.');
  });

  it('blinks: the cursor eight pictures long, characters sixteen', () => {
    const { screen, crtc, attribute, write, kit } = withGlyph();
    attribute(0x10, 0x0c);
    write(B8000, 0x8701, 2);
    crtc(0x0a, 14);
    crtc(0x0f, 1);
    const seen = () => [dots(screen, 2, 0, 9), dots(screen, 14, 9, 18), dots(screen, 13, 9, 18)];
    const states = Array.from({ length: 5 }, () => {
      const now = seen();
      kit.clock.advanceNs(8 * 14_268_500);
      return now.join(' ');
    });
    const [glyph, none, cursor, dark] = ['#......#.', '.........', '#########', '.........'];
    expect(states).toEqual([
      `${glyph} ${cursor} ${none}`,
      `${glyph} ${dark} ${none}`,
      `${none} ${cursor} ${none}`,
      `${none} ${dark} ${none}`,
      `${glyph} ${cursor} ${none}`,
    ]);
  });

  it('underlines where the CRT controller says', () => {
    const { screen, crtc, write } = withGlyph();
    write(B8000 + 2, 0x0120, 2);
    crtc(0x14, 12);
    expect(dots(screen, 12, 0, 18)).toBe('.........########.');
  });

  it('pans by dots: 8 is none where characters have nine', () => {
    const { screen, attribute } = withGlyph();
    attribute(0x13, 8);
    expect(dots(screen, 2, 0, 9)).toBe('#......#.');
    attribute(0x13, 2);
    expect(dots(screen, 2, 0, 9)).toBe('....#....');
  });

  it('scrolls smoothly by the preset row scan, and splits', () => {
    const { screen, crtc, write } = withGlyph();
    crtc(0x08, 2);
    expect(dots(screen, 0, 0, 8)).toBe('#......#');
    crtc(0x08, 0);
    // From the third row on; scan line 100 and below show the first again.
    write(B8000 + 320, 0x0701, 2);
    crtc(0x0d, 160);
    crtc(0x18, 99);
    crtc(0x11, 0x0e);
    crtc(0x07, 0x0f);
    crtc(0x09, 0x0f);
    expect([2, 99, 102].map((y) => dots(screen, y, 0, 8))).toEqual(['#......#', '........', '#......#']);
  });

  it.each<[string, (all: ReturnType<typeof setUp>) => void]>([
    ['the sequencer is told so', ({ sequencer }) => sequencer(1, 0x20)],
    ['the processor has the palette', ({ screen, out }) => screen.portRead('colorStatus', 0, 1) + Number(out(0, 0))],
    ['there is no sync', ({ crtc }) => crtc(0x17, 0x23)],
  ])('is dark when %s', (_name, darken) => {
    const all = withGlyph();
    darken(all);
    expect(new Set(all.screen.picture().rgb)).toEqual(new Set([0]));
    expect(all.screen.frame()).toMatchObject({ kind: 'text', cursor: undefined, palette: Array<number>(16).fill(0) });
  });
});

describe('planes as pixels', () => {
  /** 16 pixels a line are enough: no other register matters. */
  function graphics(mode: Parameters<ReturnType<typeof setUp>['set']>[0]) {
    const all = setUp();
    all.screen.memory.reset();
    all.set(mode);
    for (let color = 0; color < 16; color++) all.attribute(color, color);
    for (let color = 0; color < 256; color++) {
      all.out(8, color);
      all.out(9, color & 63, color >> 6, 0);
    }
    all.crtc(0x11, 0);
    all.crtc(0x17, 0xe3);
    all.crtc(0x09, 0x40);
    return all;
  }
  /** Numbers of the colours in a line, as the DAC was set. */
  const colors = (screen: ReturnType<typeof setUp>['screen'], y: number, count: number) => {
    const { width, rgb } = screen.picture();
    return Array.from({ length: count }, (_, x) => {
      const at = (y * width + x) * 3;
      return (rgb[at] >>> 2) | ((rgb[at + 1] >>> 2) << 6);
    });
  };

  it('16 colours: a bit of each plane', () => {
    const { screen, attribute } = graphics(PLANAR);
    screen.memory.words[0] = 0x0f_33_55_80 | 0;
    // By plane: 0 = 80h, 1 = 55h, 2 = 33h, 3 = 0Fh.
    expect(colors(screen, 0, 8)).toEqual([1, 2, 4, 6, 8, 10, 12, 14]);
    attribute(0x12, 0x0b); // without plane 2
    expect(colors(screen, 0, 8)).toEqual([1, 2, 0, 2, 8, 10, 8, 10]);
    attribute(0x14, 0x06); // bits 6-7 of every colour number; bits 4-5 only when the mode says so
    expect(colors(screen, 0, 2)).toEqual([0x41, 0x42]);
    attribute(0x10, 0x81);
    expect(colors(screen, 0, 2)).toEqual([0x61, 0x62]);
  });

  it('4 colours: pairs of bits, even bytes before odd ones, the second bank on odd lines', () => {
    const { screen, crtc, write } = graphics({
      sequencer: [3, 1, 3, 0, 2],
      graphics: [0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff],
    });
    crtc(0x17, 0xa2);
    crtc(0x09, 0x41);
    crtc(0x13, 20);
    write(B8000, 0x1b_e4 >> 0, 2);
    write(B8000 + 0x2000, 0xff);
    write(B8000 + 80, 0x55);
    expect(colors(screen, 0, 9)).toEqual([3, 2, 1, 0, 0, 1, 2, 3, 0]);
    expect(colors(screen, 1, 5)).toEqual([3, 3, 3, 3, 0]);
    expect(colors(screen, 2, 5)).toEqual([1, 1, 1, 1, 0]);
  });

  it('256 colours, chained: a byte a pixel of two dots, on two lines', () => {
    const { screen, attribute, crtc, write } = graphics(CHAINED);
    attribute(0x10, 0x41);
    crtc(0x14, 0x40);
    crtc(0x09, 0x41);
    write(0, 0xfe_80_01_00 | 0, 4);
    write(320, 0x77);
    expect(screen.picture()).toMatchObject({ width: 640, height: 400 });
    for (const y of [0, 1]) expect(colors(screen, y, 9)).toEqual([0, 0, 1, 1, 0x80, 0x80, 0xfe, 0xfe, 0]);
    expect(colors(screen, 2, 3)).toEqual([0x77, 0x77, 0]);
    attribute(0x13, 2); // one pixel
    expect(colors(screen, 0, 3)).toEqual([1, 1, 0x80]);
  });

  it('a split screen starts again at 0, and need not be panned', () => {
    const { screen, attribute, crtc } = graphics(PLANAR);
    screen.memory.words[0] = 0x000000f0;
    screen.memory.words[800] = 0x0000ff00;
    crtc(0x0c, 800 >> 8);
    crtc(0x0d, 800 & 0xff);
    crtc(0x07, 0x0f);
    crtc(0x09, 0x00);
    crtc(0x18, 9);
    attribute(0x13, 4);
    expect(colors(screen, 0, 6)).toEqual([2, 2, 2, 2, 0, 0]);
    expect([9, 10, 11].map((y) => colors(screen, y, 4)[0])).toEqual([0, 0, 0]);
    attribute(0x10, 0x21);
    expect([9, 10, 11].map((y) => colors(screen, y, 4))).toEqual([
      [0, 0, 0, 0],
      [1, 1, 1, 1],
      [0, 0, 0, 0],
    ]);
  });

  it('half the dot clock makes pixels of two dots, double scan lines of two', () => {
    const { screen, sequencer, crtc } = graphics(PLANAR);
    sequencer(1, 9);
    crtc(0x01, 39);
    crtc(0x09, 0xc0);
    crtc(0x13, 20);
    screen.memory.words[0] = 0x80;
    screen.memory.words[40] = 0x8000;
    expect(screen.picture()).toMatchObject({ width: 640, height: 400 });
    expect([0, 1, 2, 3].map((y) => colors(screen, y, 3))).toEqual([
      [1, 1, 0],
      [1, 1, 0],
      [2, 2, 0],
      [2, 2, 0],
    ]);
  });
});

describe('linear modes as pixels', () => {
  it.each([
    [32, [0x12, 0x34, 0x56, 0xff], '563412'],
    [24, [0x12, 0x34, 0x56], '563412'],
    [16, [0x1f, 0xf8], 'ff00ff'],
    [16, [0x00, 0x04], '008200'],
    [15, [0xe0, 0x03], '00ff00'],
    [15, [0x00, 0x40], '840000'],
    [8, [0x04], 'aa0000'],
  ])('%i bits: %j is %s', (bits, bytes, expected) => {
    const { screen, linear, window, pixel } = setUp();
    linear(320, 200, bits);
    const step = bytes.length;
    bytes.forEach((byte, n) => window(0).mmioWrite((320 * 3 + 7) * step + n, 1, byte));
    expect(screen.picture()).toMatchObject({ width: 320, height: 200 });
    expect([pixel(7, 3), pixel(8, 3)]).toEqual([expected, '000000']);
  });

  it('4 bits: planes through the palette', () => {
    const { linear, sequencer, write, pixel } = setUp();
    linear(640, 480, 4);
    sequencer(2, 0x0f);
    write(80, 0x80);
    expect([pixel(0, 1), pixel(1, 1)]).toEqual(['ffffff', '000000']);
  });

  it('eight bits a component when asked for', () => {
    const { linear, out, window, pixel } = setUp();
    linear(320, 200, 8, 0x20);
    out(8, 1);
    out(9, 0xff, 0x81, 0x43);
    window(0).mmioWrite(0, 1, 1);
    expect(pixel(0, 0)).toBe('ff8143');
  });

  it('show the part of a larger picture that the offsets say', () => {
    const { linear, dispi, window, pixel } = setUp();
    linear(320, 200, 32);
    dispi(6, 640);
    dispi(8, 10);
    dispi(9, 300);
    window(0).mmioWrite((300 * 640 + 10) * 4, 4, 0x010203);
    expect(pixel(0, 0)).toBe('010203');
  });
});
