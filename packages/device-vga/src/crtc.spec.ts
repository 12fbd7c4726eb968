/** Scan lines and addresses, and the beam in virtual time: whatever the registers say, a loop that waits for it ends. */
import { describe, expect, it } from 'vitest';
import { Crtc, STATUS_BLANKED, STATUS_RETRACE, characterClocks } from './crtc.js';
import { MODE_3 } from './registers.js';

function mode3(): Crtc {
  const crtc = new Crtc();
  crtc.reset(MODE_3.crtc);
  return crtc;
}

describe('addresses', () => {
  it.each([
    ['byte mode', 0xe3, 0x00, 0x1234, 0x1234],
    ['word mode', 0xa3, 0x00, 0x1234, 0x2468],
    ['word mode, bit 15 comes round', 0xa3, 0x00, 0x8001, 0x0003],
    ['word mode, bit 13 comes round', 0x83, 0x00, 0x2001, 0x4003],
    ['double word mode', 0xa3, 0x40, 0x1234, 0x48d0],
    ['the row scan in bit 13', 0xe2, 0x00, 0x0010, 0x2010],
    ['the row scan in bit 14', 0xe1, 0x00, 0x0010, 0x0010],
  ])('%s', (_name, mode, underline, counter, expected) => {
    const crtc = mode3();
    crtc.values[0x17] = mode;
    crtc.values[0x14] = underline;
    expect(crtc.offset(counter, 1)).toBe(expected);
    if (mode === 0xe1) expect(crtc.offset(counter, 2)).toBe(0x4010);
  });
});

describe('the beam', () => {
  it('blanks outside the 80 by 400 of mode 3, and retraces for two lines', () => {
    const crtc = mode3();
    const line = (n: number, character = 0): number => crtc.beam(n * 100 + character);
    expect([line(0), line(399, 79), line(0, 80), line(399, 99)]).toEqual([0, 0, STATUS_BLANKED, STATUS_BLANKED]);
    expect([line(400), line(411), line(412), line(413), line(414)]).toEqual([1, 1, 9, 9, 1]);
    expect([line(448, 99), line(449)]).toEqual([1, 0]);
    expect(crtc.frames(44_899)).toBe(0);
    expect(crtc.frames(44_900)).toBe(1);
  });

  it('is 31.5 kHz by 70 Hz from the clock of 28 MHz', () => {
    const second = characterClocks(100_000_000, 100_000_000, 28_322_000, 9);
    expect([Math.round(second / 100), Math.round(second / 44_900)]).toEqual([31_469, 70]);
  });

  it.each([0x00, 0xff, 0x7f, 0x80, 0x55])('comes and goes with all registers %i', (value) => {
    const crtc = new Crtc();
    crtc.values.fill(value);
    const seen = new Set<number>();
    const total = (value + 5) * 1026;
    for (let clock = 0; clock < total; clock++) seen.add(crtc.beam(clock) & STATUS_RETRACE);
    expect(seen).toEqual(new Set([0, STATUS_RETRACE]));
  });
});
