/** Text as characters, the register files and their ports, the retrace in virtual time; the device contract. */
import type { TextFrame } from '@ringfence/sdk';
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Vga, vga } from './index.js';

const B8000 = 0x18000;

function setUp() {
  const kit = makeDeviceKit();
  const screen = new Vga(kit.clock);
  screen.handOver();
  const out = (offset: number, ...bytes: number[]) =>
    bytes.forEach((byte) => screen.portWrite('common', offset, 1, byte));
  const inb = (offset: number) => screen.portRead('common', offset, 1);
  const crtc = (index: number, value: number) => {
    screen.portWrite('color', 0, 1, index);
    screen.portWrite('color', 1, 1, value);
  };
  const readCrtc = (index: number) => {
    screen.portWrite('color', 0, 1, index);
    return screen.portRead('color', 1, 1);
  };
  const print = (cell: number, text: string) =>
    [...text].forEach((c, i) => screen.mmioWrite(B8000 + 2 * (cell + i), 2, 0x0700 | c.charCodeAt(0)));
  return { kit, screen, out, inb, crtc, readCrtc, print };
}

describe('Vga in text modes', () => {
  it('starts as a BIOS leaves it: an empty screen of 80 by 25', () => {
    const { screen, inb, readCrtc } = setUp();
    expect(screen.text()).toBe('\n'.repeat(24));
    expect(screen.mmioRead(B8000, 4)).toBe(0x07200720);
    expect(inb(0xc)).toBe(0x67);
    expect(readCrtc(1)).toBe(0x4f);
  });

  it('shows text memory in code page 437, from the start address on', () => {
    const { screen, crtc, print } = setUp();
    print(0, 'hello');
    print(80, 'world \xc9\xcd\xbb');
    expect(screen.text().split('\n').slice(0, 3)).toEqual(['hello', 'world ╔═╗', '']);
    crtc(0x0d, 80);
    expect(screen.text().split('\n')[0]).toBe('world ╔═╗');
    // The planes go on behind the 32 KiB that B8000h reaches: there is nothing.
    crtc(0x0c, 0x3f);
    crtc(0x0d, 0xb0); // 80 cells before the end of 16384
    expect(screen.text()).toBe('\n'.repeat(24));
  });

  it('shows fifty rows of eight lines, and nothing of a graphics mode', () => {
    const { screen, crtc, out } = setUp();
    crtc(0x09, 0x47);
    expect(screen.text().split('\n')).toHaveLength(50);
    out(0xe, 6);
    out(0xf, 0x05);
    expect(screen.text()).toBe('');
  });

  it('reads every register file back', () => {
    const { screen, out, inb } = setUp();
    out(0x4, 2);
    out(0x5, 0x0f);
    expect(inb(0x5)).toBe(0x0f);
    screen.portRead('colorStatus', 0, 1); // port 3C0h takes an index next
    out(0x0, 0x00, 0x2a, 0x31);
    out(0x0, 0x55); // data of 11h, with the palette back at the screen
    expect(inb(0x1)).toBe(0x55);
    out(0x0, 0x20, 0x01); // refused: the screen owns the palette
    out(0x0, 0x20);
    expect(inb(0x1)).toBe(0x2a);
    out(0x8, 5);
    out(0x9, 0x3f, 0xff, 0x10);
    out(0x7, 5);
    expect([inb(0x7), inb(0x9), inb(0x9), inb(0x9)]).toEqual([3, 0x3f, 0x3f, 0x10]);
    out(0x7, 20);
    expect([inb(0x9), inb(0x9), inb(0x9)]).toEqual([0x2a, 0x15, 0]); // brown
  });

  it('protects CRTC registers 0-7, but for the line compare bit', () => {
    const { crtc, readCrtc } = setUp();
    crtc(0x01, 0);
    crtc(0x07, 0x00);
    expect([readCrtc(0x01), readCrtc(0x07)]).toEqual([0x4f, 0x0f]);
    crtc(0x11, 0x0e);
    crtc(0x01, 0x27);
    expect(readCrtc(0x01)).toBe(0x27);
    expect(readCrtc(0x30)).toBe(0);
  });

  it('answers at 3Bxh instead of 3Dxh when set to monochrome', () => {
    const { screen, out } = setUp();
    expect(screen.portRead('monochrome', 1, 1)).toBe(0xff);
    out(0x2, 0x66);
    expect(screen.portRead('color', 1, 1)).toBe(0xff);
    screen.portWrite('monochrome', 0, 1, 1);
    expect(screen.portRead('monochrome', 1, 1)).toBe(0x4f);
  });

  it('gives a picture: colours through palette and DAC, the cursor, blinking or bright backgrounds', () => {
    const frame = () => screen.frame() as TextFrame;
    const { screen, out, inb, crtc, print } = setUp();
    print(0, 'ab');
    screen.mmioWrite(B8000, 2, 0x9e00 | 0xc9);
    crtc(0x0e, 0);
    crtc(0x0f, 81);
    const first = frame();
    expect(first).toMatchObject({ kind: 'text', columns: 80, rows: 25, cursor: { column: 1, row: 1 } });
    expect([first.codes[0], first.characters[0], first.foreground[0], first.background[0]]).toEqual([0xc9, '╔', 14, 1]);
    expect([first.palette[7], first.palette[6], first.palette[15]]).toEqual([0xaaaaaa, 0xaa5500, 0xffffff]);
    // Blinking off: the bit is brightness. The attribute controller takes indexes after a read of the status.
    screen.portRead('colorStatus', 0, 1);
    out(0, 0x30, 0x04);
    expect(frame().background[0]).toBe(9);
    // Another colour 7, in the DAC.
    out(8, 7);
    out(9, 63, 0, 1);
    expect(frame().palette[7]).toBe(0xff0004);
    // A mask takes colours away.
    out(6, 0);
    expect(new Set(frame().palette)).toEqual(new Set([0]));
    expect(inb(6)).toBe(0);
    crtc(0x0a, 0x20);
    expect(frame().cursor).toBeUndefined();
    out(0xe, 6);
    out(0xf, 5);
    expect(screen.frame()).toMatchObject({ kind: 'pixels', width: 640, height: 400 });
  });

  it('retraces 70 times a second of virtual time', () => {
    const { kit, screen } = setUp();
    let retraces = 0;
    let before = 0;
    for (let i = 0; i < 100_000; i++) {
      const now = screen.portRead('colorStatus', 0, 1) & 8;
      if (now !== 0 && before === 0) retraces++;
      before = now;
      kit.clock.advanceNs(10_000);
    }
    expect(retraces).toBe(70);
  });
});

deviceContract('vga', {
  make: (kit) => new Vga(kit.clock, kit.pci, kit.windows),
  resources: vga.resources,
  exercise: (screen, kit) => {
    screen.handOver();
    kit.pci.configWrite('2.0', 0x10, 0xe0000000);
    kit.pci.configWrite('2.0', 0x04, 2);
    kit.windows.list[0].handler?.mmioWrite(0x345678, 4, 0x12345678);
    screen.mmioWrite(B8000, 4, 0x07410742);
    screen.portWrite('common', 0, 1, 0x11);
    screen.portWrite('common', 7, 1, 0x11);
  },
});
