/** A VGA on fakes, handed over as a BIOS would, and short words for what software does to it. */
import type { MmioHandler } from '@ringfence/sdk';
import { makeDeviceKit } from '@ringfence/testkit';
import { Vga } from '../index.js';

export const A0000 = 0;
export const B8000 = 0x18000;
const ENABLE = 4;

/** Mode 12h as far as it matters here: planes, 640 by 480. */
export const PLANAR = { sequencer: [3, 1, 0x0f, 0, 6], graphics: [0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff] } as const;
/** Mode 13h, chained. */
export const CHAINED = { sequencer: [3, 1, 0x0f, 0, 0x0e], graphics: [0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff] } as const;

export function setUp(firmware?: { readonly vgaBios: Uint8Array }) {
  const kit = makeDeviceKit();
  const screen = new Vga(kit.clock, kit.pci, kit.windows, { ...kit.firmware, ...firmware });
  screen.handOver();
  const out = (offset: number, ...bytes: number[]) =>
    bytes.forEach((byte) => screen.portWrite('common', offset, 1, byte));
  const indexed = (port: number) => (index: number, value: number) => out(port, index) ?? out(port + 1, value);
  const [sequencer, graphics] = [indexed(4), indexed(0xe)];
  const crtc = (index: number, value: number) => {
    screen.portWrite('color', 0, 1, index);
    screen.portWrite('color', 1, 1, value);
  };
  const attribute = (index: number, value: number) => {
    screen.portRead('colorStatus', 0, 1);
    out(0, index, value);
    screen.portRead('colorStatus', 0, 1);
    out(0, 0x20);
  };
  const dispi = (index: number, value: number) => {
    screen.portWrite('dispi', 0, 2, index);
    screen.portWrite('dispi', 1, 2, value);
  };
  const dispiRead = (index: number) => {
    screen.portWrite('dispi', 0, 2, index);
    return screen.portRead('dispi', 1, 2);
  };
  const set = (mode: { readonly sequencer: readonly number[]; readonly graphics: readonly number[] }) => {
    mode.sequencer.forEach((value, n) => sequencer(n, value));
    mode.graphics.forEach((value, n) => graphics(n, value));
  };
  /** The four planes at an offset, plane 0 last. */
  const planes = (offset: number) => (screen.memory.words[offset] >>> 0).toString(16).padStart(8, '0');
  const write = (at: number, value: number, size = 1) => screen.mmioWrite(at, size, value);
  const read = (at: number, size = 1) => screen.mmioRead(at, size);
  /** Sets a linear mode. */
  const linear = (width: number, height: number, bits: number, more = 0) => {
    dispi(ENABLE, 0);
    [width, height, bits].forEach((value, n) => dispi(n + 1, value));
    dispi(ENABLE, 0x41 | more);
  };
  /** Who answers behind a PCI base address: 0 video memory, 1 registers, 2 the ROM. */
  const window = (n: number): MmioHandler => kit.windows.list[n].handler!;
  /** The picture's pixel as RRGGBB. */
  const pixel = (x: number, y: number) => {
    const { width, rgb } = screen.picture();
    return Buffer.from(rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)).toString('hex');
  };
  const io = { out, sequencer, graphics, crtc, attribute, dispi, dispiRead, set, linear };
  return { kit, screen, ...io, planes, write, read, window, pixel };
}
