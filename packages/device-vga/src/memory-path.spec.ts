/** The way into the planes: windows, addressing, write modes, read modes, latches, and that the fast ways are none of their own. */
import { describe, expect, it } from 'vitest';
import { A0000, B8000, CHAINED, PLANAR, setUp } from './testing/set-up.js';

describe('windows', () => {
  it.each([
    [0x00, [0x00000, 0x1ffff]],
    [0x04, [0x00000, 0x0ffff]],
    [0x08, [0x10000, 0x17fff]],
    [0x0c, [0x18000, 0x1ffff]],
  ])('graphics register 6 = %i decodes %j', (select, [first, last]) => {
    const { screen, set, graphics, write, read } = setUp();
    set(PLANAR);
    graphics(6, select | 1);
    screen.memory.reset();
    for (const at of [0, 0xffff, 0x10000, 0x17fff, 0x18000, 0x1ffff]) {
      write(at, 0x5a);
      expect(read(at), at.toString(16)).toBe(at >= first && at <= last ? 0x5a : 0xff);
    }
    // An access that runs out of the window is none of its.
    expect([read(last, 4), read(last, 2)]).toEqual([-1, 0xffff]);
  });

  it('nothing is decoded while the RAM is disabled', () => {
    const { out, write, read } = setUp();
    write(B8000, 0x41);
    out(2, 0x65);
    expect(read(B8000)).toBe(0xff);
    write(B8000, 0x42);
    out(2, 0x67);
    expect(read(B8000)).toBe(0x41);
  });
});

describe('write modes', () => {
  function planar() {
    const all = setUp();
    all.set(PLANAR);
    all.screen.memory.words[5] = 0x44332211;
    all.read(A0000 + 5); // into the latches
    return all;
  }

  it('0: all planes of the map mask take the byte', () => {
    const { sequencer, write, planes } = planar();
    write(A0000 + 5, 0xa5);
    expect(planes(5)).toBe('a5a5a5a5');
    sequencer(2, 0b0101);
    write(A0000 + 5, 0x18);
    expect(planes(5)).toBe('a518a518');
  });

  it('0: set/reset replaces the byte in the planes where it is enabled', () => {
    const { graphics, write, planes } = planar();
    graphics(0, 0b0010);
    graphics(1, 0b0110);
    write(A0000 + 5, 0xa5);
    expect(planes(5)).toBe('a500ffa5');
  });

  it('0: the byte is rotated, then the bit mask takes the rest from the latches', () => {
    const { graphics, write, planes } = planar();
    graphics(3, 4);
    graphics(8, 0xf0);
    write(A0000 + 5, 0x0c);
    expect(planes(5)).toBe('c4c3c2c1');
    write(A0000 + 9, 0x0c);
    expect(planes(9)).toBe('c4c3c2c1');
  });

  it.each([
    [1, '44000000'],
    [2, 'ccffeedd'],
    [3, '88ffeedd'],
  ])('0: function %i with the latches', (func, expected) => {
    const { graphics, write, planes } = planar();
    graphics(3, func << 3);
    write(A0000 + 5, 0xcc);
    expect(planes(5)).toBe(expected);
  });

  it('1: the latches, whatever is written', () => {
    const { graphics, sequencer, write, planes } = planar();
    graphics(5, 1);
    graphics(8, 0);
    write(A0000 + 7, 0xff);
    expect(planes(7)).toBe('44332211');
    sequencer(2, 0b1000);
    write(A0000 + 9, 0xff);
    expect(planes(9)).toBe('44000000');
  });

  it('2: a colour, through the bit mask', () => {
    const { graphics, write, planes } = planar();
    graphics(5, 2);
    graphics(8, 0x0f);
    write(A0000 + 5, 0b1010);
    expect(planes(5)).toBe('4f302f10');
  });

  it('3: the set/reset colour where the rotated byte and the bit mask have ones', () => {
    const { graphics, write, planes } = planar();
    graphics(5, 3);
    graphics(0, 0b0011);
    graphics(3, 1);
    graphics(8, 0x0f);
    write(A0000 + 5, 0x1f); // rotated 8Fh, masked 0Fh
    expect(planes(5)).toBe('40302f1f');
  });

  it('takes wider accesses byte by byte, the low one first', () => {
    const { write, read, planes } = planar();
    write(A0000 + 0x10, 0x44332211, 4);
    expect([planes(0x10), planes(0x13)]).toEqual(['11111111', '44444444']);
    expect(read(A0000 + 0x11, 2)).toBe(0x3322);
    expect(read(A0000 + 0x10, 4)).toBe(0x44332211);
  });
});

describe('read modes', () => {
  it('0: the plane of the read map select', () => {
    const { set, graphics, read, screen } = setUp();
    set(PLANAR);
    screen.memory.words[3] = 0x44332211;
    const all = [0, 1, 2, 3].map((plane) => graphics(4, plane) ?? read(A0000 + 3));
    expect(all).toEqual([0x11, 0x22, 0x33, 0x44]);
  });

  it('1: ones where the colour of the cared-for planes compares', () => {
    const { set, graphics, read, screen } = setUp();
    set(PLANAR);
    // Pixels, left to right: 0 1 2 3 4 5 14 15.
    const colors = [0, 1, 2, 3, 4, 5, 14, 15];
    screen.memory.words[0] = [0, 1, 2, 3].reduce(
      (word, plane) => word | (colors.reduce((byte, color) => (byte << 1) | ((color >>> plane) & 1), 0) << (8 * plane)),
      0,
    );
    graphics(5, 8);
    graphics(2, 5);
    expect(read(A0000)).toBe(0b00000100);
    graphics(7, 0b0001); // odd colours
    expect(read(A0000)).toBe(0b01010101);
    graphics(7, 0);
    expect(read(A0000)).toBe(0xff);
  });
});

describe('addressing', () => {
  it('odd/even: characters in plane 0, attributes in plane 1', () => {
    const { write, read, planes } = setUp();
    write(B8000 + 6, 0x1f41, 2);
    expect(planes(6).slice(4)).toBe('1f41');
    expect([read(B8000 + 7), read(B8000 + 6, 2), read(B8000 + 5, 2)]).toEqual([0x1f, 0x1f41, 0x4107]);
  });

  it('chain-4: the low two bits are the plane', () => {
    const { set, write, read, planes } = setUp();
    set(CHAINED);
    write(A0000 + 0x100, 0x44332211, 4);
    write(A0000 + 0x105, 0xaa);
    expect([planes(0x100), planes(0x104).slice(4, 6)]).toEqual(['44332211', 'aa']);
    expect(read(A0000 + 0x103, 4) & 0xffff).toBe(((read(A0000 + 0x104) << 8) | 0x44) & 0xffff);
  });

  it('fonts go into plane 2 in order once odd/even is off', () => {
    const { sequencer, graphics, write, planes, read } = setUp();
    sequencer(2, 4);
    sequencer(4, 6);
    graphics(4, 2);
    graphics(5, 0);
    graphics(6, 4);
    write(A0000 + 0x21, 0x3c);
    expect(planes(0x21).slice(2, 4)).toBe('3c');
    expect(read(A0000 + 0x21)).toBe(0x3c);
  });

  it.each([
    ['text', { sequencer: [3, 0, 3, 0, 2], graphics: [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff] }, B8000],
    ['chain-4', CHAINED, A0000],
  ])('the fast way of %s stores and reads as the data path does', (_name, mode, base) => {
    const [fast, slow] = [setUp(), setUp()];
    fast.set(mode);
    slow.set(mode);
    slow.graphics(1, 0x0f); // set/reset in all planes ...
    slow.graphics(8, 0xff);
    let seed = 1;
    const next = (below: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    for (let i = 0; i < 3000; i++) {
      const size = [1, 2, 4][next(3)];
      const at = base + next(0x8000 - 4);
      const value = next(0x7fffffff);
      fast.write(at, value, size);
      for (let n = 0; n < size; n++) {
        // ... chooses each bit of a byte by two writes: ones through the mask, then zeros.
        const byte = (value >>> (8 * n)) & 0xff;
        slow.graphics(0, 0x0f);
        slow.graphics(8, byte);
        slow.read(at + n);
        slow.write(at + n, 0);
        slow.graphics(0, 0);
        slow.graphics(8, ~byte & 0xff);
        slow.read(at + n);
        slow.write(at + n, 0);
      }
      const where = base + next(0x8000 - 4);
      expect(fast.read(where, size)).toBe(slow.read(where, size));
      expect(fast.screen.saveState().data.latch).toBe(slow.screen.saveState().data.latch);
    }
    expect(fast.screen.memory.save()).toEqual(slow.screen.memory.save());
  });
});
