/** The CD-ROM drive: packets by PIO and by DMA, sense data, media. */
import { describe, expect, it } from 'vitest';
import { BMICOM, BMISTA, BMIDTP, setUp } from './testing/ide-bench.js';

describe('ATAPI CD-ROM', () => {
  function drive() {
    const machine = setUp();
    const { kit, chip, settle } = machine;
    const io = (register: number) => chip.portRead('secondary', register, 1);
    const out = (register: number, value: number) => chip.portWrite('secondary', register, 1, value);
    /** The packet's data, piece by piece, and its final status. */
    const packet = (
      bytes: readonly number[],
      limit = 0xfffe,
      dma = 0,
    ): { data: number[]; status: number; pieces: number } => {
      out(6, 0xa0);
      out(1, dma);
      out(4, limit & 0xff);
      out(5, limit >>> 8);
      out(7, 0xa0);
      expect(io(7)).toBe(0x58);
      expect(io(2) & 3).toBe(1);
      const padded = [...bytes, ...new Array<number>(12 - bytes.length).fill(0)];
      for (let i = 0; i < 12; i += 2) chip.portWrite('secondary', 0, 2, padded[i] | (padded[i + 1] << 8));
      const data: number[] = [];
      let pieces = 0;
      for (settle(); (io(7) & 8) !== 0 && dma === 0; settle()) {
        expect(io(2) & 3).toBe(2);
        const count = io(4) | (io(5) << 8);
        for (let i = 0; i < count; i += 2) {
          const word = chip.portRead('secondary', 0, 2);
          data.push(word & 0xff);
          if (i + 1 < count) data.push(word >>> 8);
        }
        pieces++;
      }
      return { data, status: io(7), pieces };
    };
    const ready = () => packet([0]); // takes the unit attention
    return { ...machine, io, out, packet, ready, disc: kit.bay.disc.content };
  }

  it('shows the signature of a packet device and refuses IDENTIFY DEVICE', () => {
    const { io, out, settle, chip } = drive();
    expect([io(4), io(5)]).toEqual([0x14, 0xeb]);
    out(7, 0xec);
    settle();
    expect(io(7)).toBe(0x51);
    expect([io(4), io(5)]).toEqual([0x14, 0xeb]);
    out(7, 0xa1);
    settle();
    expect(chip.portRead('secondary', 0, 2)).toBe(0x85c0);
  });

  it('tells of its reset once, by sense key', () => {
    const { packet, io } = drive();
    expect(packet([0]).status).toBe(0x51);
    expect(io(1) >>> 4).toBe(6);
    const sense = packet([3, 0, 0, 0, 18]).data;
    expect([sense[2], sense[12]]).toEqual([6, 0x29]);
    expect(packet([0]).status).toBe(0x50);
  });

  it('says what it is and how much it holds', () => {
    const { packet, ready } = drive();
    ready();
    const inquiry = packet([0x12, 0, 0, 0, 36]).data;
    expect(inquiry[0]).toBe(5);
    expect(String.fromCharCode(...inquiry.slice(16, 22))).toBe('CD-ROM');
    expect(packet([0x25]).data).toEqual([0, 0, 0, 63, 0, 0, 8, 0]);
    expect(packet([0x43, 0, 0, 0, 0, 0, 0, 0, 20]).data.slice(0, 4)).toEqual([0, 18, 1, 1]);
    expect(packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12]).data).toEqual([0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 2, 64]);
    expect(packet([0x46, 0, 0, 0, 0, 0, 0, 0, 8]).data[7]).toBe(8);
    expect(packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64]).data[8]).toBe(0x2a);
  });

  it('reads in pieces of the byte count limit', () => {
    const { packet, ready, disc } = drive();
    ready();
    const { data, pieces, status } = packet([0x28, 0, 0, 0, 0, 3, 0, 0, 2], 1000);
    expect(data).toEqual([...disc.slice(3 * 2048, 5 * 2048)]);
    expect(pieces).toBe(5);
    expect(status).toBe(0x50);
  });

  it('reads by DMA', () => {
    const { packet, ready, disc, kit, chip } = drive();
    ready();
    kit.pci.configWrite('1.1', 4, 5, 2);
    const view = new DataView(kit.dma.ram.buffer);
    view.setUint32(0x1000, 0x4000, true);
    view.setUint32(0x1004, 0x80001000, true);
    chip.portWrite('master', 8 + BMIDTP, 4, 0x1000);
    chip.portWrite('master', 8 + BMICOM, 1, 9);
    expect(packet([0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 2], 0, 1).status).toBe(0x50);
    expect(chip.portRead('master', 8 + BMISTA, 1)).toBe(4);
    expect(kit.dma.ram.slice(0x4000, 0x5000)).toEqual(disc.slice(2048, 3 * 2048));
  });

  it.each([
    ['a sector beyond the disc', [0x28, 0, 0, 0, 0, 63, 0, 0, 2], 5, 0x21],
    ['a packet it does not know', [0x99], 5, 0x20],
    ['a mode page it does not have', [0x5a, 0, 0x0d, 0, 0, 0, 0, 0, 64], 5, 0x24],
  ])('refuses %s', (_name, bytes, key, asc) => {
    const { packet, ready, io } = drive();
    ready();
    expect(packet(bytes).status).toBe(0x51);
    expect(io(1)).toBe((key << 4) | 4);
    expect(packet([3, 0, 0, 0, 18]).data[12]).toBe(asc);
  });

  it('ejects the disc unless it is locked', () => {
    const { packet, ready } = drive();
    ready();
    packet([0x1e, 0, 0, 0, 1]);
    expect(packet([0x1b, 0, 0, 0, 2]).status).toBe(0x51);
    packet([0x1e, 0, 0, 0, 0]);
    expect(packet([0x1b, 0, 0, 0, 2]).status).toBe(0x50);
    expect(packet([0]).status).toBe(0x51);
    expect(packet([3, 0, 0, 0, 18]).data[12]).toBe(0x3a);
    packet([0x1b, 0, 0, 0, 3]);
    expect(packet([0]).status).toBe(0x50);
  });

  it('tells of an unreadable disc', () => {
    const { packet, ready, kit } = drive();
    ready();
    kit.bay.disc.broken = true;
    expect(packet([0x28, 0, 0, 0, 0, 3, 0, 0, 1]).status).toBe(0x51);
    expect(packet([3, 0, 0, 0, 18]).data[2]).toBe(3);
  });
});
