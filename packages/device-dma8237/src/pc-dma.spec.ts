/** The channels by what the 8237A's datasheet and the AT's wiring say of each register, with memory that is a plain array. */
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { PcDma, dma8237 } from './index.js';

const SINGLE_WRITE = 0x44;
const SINGLE_READ = 0x48;

function board() {
  const kit = makeDeviceKit();
  const dma = new PcDma(kit.dma);
  dma.reset();
  dma.handOver();
  const out = (port: number, value: number): void =>
    port < 0x80
      ? dma.portWrite('bytes', port, 1, value)
      : port < 0xc0
        ? dma.portWrite('pages', port - 0x80, 1, value)
        : dma.portWrite('words', port - 0xc0, 1, value);
  const inp = (port: number): number =>
    port < 0x80 ? dma.portRead('bytes', port, 1) : dma.portRead('words', port - 0xc0, 1);
  /** Channel 2 as a floppy driver programs it. */
  const program = (mode: number, address: number, count: number): void => {
    out(0x0a, 6);
    out(0x0c, 0);
    out(0x0b, mode | 2);
    out(0x04, address & 0xff);
    out(0x04, (address >> 8) & 0xff);
    out(0x81, address >> 16);
    out(0x05, (count - 1) & 0xff);
    out(0x05, (count - 1) >> 8);
    out(0x0a, 2);
  };
  return { kit, dma, out, inp, program, ram: kit.dma.ram };
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i + 1);

describe('a channel', () => {
  it('moves bytes to where address and page say, and tells terminal count with the last', () => {
    const { dma, program, ram, inp } = board();
    program(SINGLE_WRITE, 0x11ff0, 8);
    const channel = dma.channel(2);
    expect(channel.toMemory(bytes(5))).toEqual({ bytes: 5, terminalCount: false });
    expect(channel.toMemory(bytes(5))).toEqual({ bytes: 3, terminalCount: true });
    expect([...ram.subarray(0x11ff0, 0x11ff9)]).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 0]);
    expect(inp(8)).toBe(0x04);
    expect(inp(8), 'reading the status clears it').toBe(0);
    expect(channel.toMemory(bytes(1)), 'masked by terminal count').toEqual({ bytes: 0, terminalCount: false });
  });

  it('reads memory for the chip', () => {
    const { dma, program, ram } = board();
    ram.set([9, 8, 7], 0x1234);
    program(SINGLE_READ, 0x1234, 3);
    const into = new Uint8Array(3);
    expect(dma.channel(2).fromMemory(into)).toEqual({ bytes: 3, terminalCount: true });
    expect([...into]).toEqual([9, 8, 7]);
  });

  it('wraps inside its 64 KiB', () => {
    const { dma, program, ram } = board();
    program(SINGLE_WRITE, 0x1fffe, 4);
    dma.channel(2).toMemory(bytes(4));
    expect([ram[0x1fffe], ram[0x1ffff], ram[0x10000], ram[0x10001]]).toEqual([1, 2, 3, 4]);
  });

  it('counts down when it is told to', () => {
    const { dma, program, ram } = board();
    program(SINGLE_WRITE | 0x20, 0x2003, 4);
    dma.channel(2).toMemory(bytes(4));
    expect([...ram.subarray(0x2000, 0x2004)]).toEqual([4, 3, 2, 1]);
  });

  it('starts over by itself in auto-initialise mode', () => {
    const { dma, program, ram } = board();
    program(SINGLE_WRITE | 0x10, 0x3000, 4);
    const channel = dma.channel(2);
    expect(channel.toMemory(bytes(4)).terminalCount).toBe(true);
    expect(channel.toMemory(Uint8Array.of(0xaa))).toEqual({ bytes: 1, terminalCount: false });
    expect(ram[0x3000]).toBe(0xaa);
  });

  it('verifies without touching memory, and counts', () => {
    const { dma, program, ram } = board();
    program(0x40, 0x3000, 4);
    expect(dma.channel(2).toMemory(bytes(4))).toEqual({ bytes: 4, terminalCount: true });
    expect(ram[0x3000]).toBe(0);
  });

  it.each<[string, (b: ReturnType<typeof board>) => void]>([
    ['it is masked', ({ out }) => out(0x0a, 6)],
    ['all are masked', ({ out }) => out(0x0f, 0x0f)],
    ['the chip is disabled', ({ out }) => out(0x08, 4)],
    ['the chip is cleared', ({ out }) => out(0x0d, 0)],
    ['it is programmed for the other direction', ({ out }) => out(0x0b, SINGLE_READ | 2)],
    ['the cascade is masked', ({ out }) => out(0xd4, 4)],
    ['the cascade is not programmed', ({ out }) => out(0xd6, 0x40)],
  ])('moves nothing while %s', (_why, undo) => {
    const all = board();
    all.program(SINGLE_WRITE, 0x3000, 4);
    undo(all);
    expect(all.dma.channel(2).toMemory(bytes(4))).toEqual({ bytes: 0, terminalCount: false });
    expect(all.ram[0x3000]).toBe(0);
  });
});

describe('registers', () => {
  it('give current address and count in halves, low half first after clearing the flip-flop', () => {
    const { dma, program, out, inp } = board();
    program(SINGLE_WRITE, 0x1234, 0x300);
    dma.channel(2).toMemory(bytes(0x10));
    out(0x0c, 0);
    expect([inp(4), inp(4), inp(5), inp(5)]).toEqual([0x44, 0x12, 0xef, 0x02]);
  });

  it('show software requests and masks', () => {
    const { out, inp } = board();
    out(0x09, 5);
    expect(inp(8)).toBe(0x20);
    out(0x0e, 0);
    expect(inp(15)).toBe(0xf0);
    out(0x0a, 7);
    expect(inp(15)).toBe(0xf8);
  });
});

describe('the second chip', () => {
  it('moves words: addresses count in words, bit 0 of the page is not used', () => {
    const { dma, out, ram } = board();
    out(0xd8, 0);
    out(0xd6, SINGLE_WRITE | 1);
    for (const half of [0x00, 0x10]) out(0xc4, half);
    for (const half of [1, 0]) out(0xc6, half);
    out(0x8b, 0x01);
    out(0xd4, 1);
    expect(dma.channel(5).toMemory(bytes(6))).toEqual({ bytes: 4, terminalCount: true });
    expect([...ram.subarray(0x2000, 0x2006)]).toEqual([1, 2, 3, 4, 0, 0]);
  });
});

deviceContract('dma8237', {
  make: (kit) => new PcDma(kit.dma),
  resources: dma8237.resources,
  exercise: (dma) => {
    dma.portWrite('bytes', 4, 1, 0x12);
    dma.portWrite('bytes', 11, 1, 0x46);
    dma.portWrite('pages', 1, 1, 3);
  },
});
