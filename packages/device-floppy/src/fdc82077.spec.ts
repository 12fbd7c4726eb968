/** The controller as a BIOS and a driver use it, register by register, with a 1.44 MB diskette in the first drive. */
import { FakeBlockDevice, deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { Fdc82077, floppy } from './index.js';

const DOR = 2;
const MSR = 4;
const FIFO = 5;
const ON = 0x1c;
const READ = 0xe6;
const WRITE = 0xc5;
const SECTOR = 512;

function board(storage = new FakeBlockDevice(2880 * SECTOR), rate = 0) {
  const kit = makeDeviceKit();
  kit.bay.list = [{ media: 'disk', interface: 'floppy', unit: 0, storage }];
  const fdc = new Fdc82077(kit.clock, kit.irqs, kit.isaDma, kit.bay);
  fdc.reset();
  const out = (offset: number, value: number): void => fdc.portWrite('registers', offset, 1, value);
  const inp = (offset: number): number => fdc.portRead('registers', offset, 1);
  const line = kit.irqs.line('out');
  const wait = (): void => {
    for (let i = 0; i < 1000 && !line.level; i++) kit.clock.advanceNs(100_000);
    expect(line.level, 'interrupt').toBe(true);
  };
  const results = (): number[] => {
    const bytes: number[] = [];
    while ((inp(MSR) & 0xd0) === 0xd0) bytes.push(inp(FIFO));
    return bytes;
  };
  /** Sends a command, answers its results at once if it has any. */
  const command = (...bytes: number[]): number[] => {
    for (const byte of bytes) {
      expect(inp(MSR) & 0xc0).toBe(0x80);
      out(FIFO, byte);
    }
    return results();
  };
  const start = (): void => {
    out(DOR, 0);
    out(DOR, ON);
    fdc.portWrite('change', 0, 1, rate);
    wait();
    for (let i = 0; i < 4; i++) expect(command(8)).toEqual([0xc0 | i, 0]);
    command(3, 0xdf, 0x02);
  };
  const recalibrate = (): number[] => {
    command(7, 0);
    wait();
    return command(8);
  };
  const read = (c: number, h: number, r: number, eot: number, first = READ): number[] => {
    command(first, h << 2, c, h, r, 2, eot, 27, 255);
    wait();
    return results();
  };
  return { kit, fdc, out, inp, wait, command, results, start, recalibrate, read, line, storage };
}

describe('reset', () => {
  it('interrupts, and SENSE INTERRUPT then answers once for each drive', () => {
    const { start, command, line } = board();
    start();
    expect(line.level).toBe(false);
    expect(command(8), 'nothing more').toEqual([0x80]);
  });

  it('ends what was going on', () => {
    const { start, command, out, inp, wait, kit } = board();
    start();
    command(READ, 0, 0, 0, 1, 2, 18, 27, 255);
    expect(inp(MSR)).toBe(0x10);
    out(MSR, 0x80); // DSR: software reset
    wait();
    expect(inp(MSR)).toBe(0x80);
    expect(command(8)).toEqual([0xc0, 0]);
    expect(kit.isaDma.memory).toEqual([]);
  });

  it('does not interrupt with the DMA gate shut', () => {
    const { out, line, kit, inp } = board();
    out(DOR, 0);
    out(DOR, 0x04);
    kit.clock.advanceNs(1_000_000);
    expect([line.level, inp(MSR)]).toEqual([false, 0x80]);
    out(DOR, 0x0c);
    expect(line.level).toBe(true);
  });
});

describe('the heads', () => {
  it('recalibrate and seek, with the drive busy meanwhile', () => {
    const { start, recalibrate, command, inp, wait } = board();
    start();
    expect(recalibrate()).toEqual([0x20, 0]);
    command(15, 4, 40);
    expect(inp(MSR)).toBe(0x81);
    wait();
    expect(inp(MSR)).toBe(0x80);
    expect(command(8)).toEqual([0x24, 40]);
    expect(command(4, 0)).toEqual([0x28]);
    expect(recalibrate()).toEqual([0x20, 0]);
    expect(command(4, 0)).toEqual([0x38]);
  });

  it('clear the disk change line with the first step', () => {
    const { start, fdc, recalibrate, command, wait } = board();
    start();
    recalibrate();
    expect(fdc.portRead('change', 0, 1)).toBe(0x80);
    command(15, 0, 1);
    wait();
    expect(fdc.portRead('change', 0, 1)).toBe(0);
  });

  it('find no track 0 where there is no drive', () => {
    const { start, command, wait } = board();
    start();
    command(7, 1);
    wait();
    expect(command(8)).toEqual([0x71, 0]);
  });
});

describe('READ DATA', () => {
  it('moves sectors until terminal count', () => {
    const { start, recalibrate, read, kit, storage } = board();
    start();
    recalibrate();
    kit.isaDma.limit = 3 * SECTOR;
    expect(read(0, 1, 5, 18)).toEqual([0x04, 0, 0, 0, 1, 8, 2]);
    const at = (18 + 4) * SECTOR;
    expect(Uint8Array.from(kit.isaDma.memory)).toEqual(storage.content.slice(at, at + 3 * SECTOR));
  });

  it('goes over to the other side with MT', () => {
    const { start, recalibrate, read, kit, storage } = board();
    start();
    recalibrate();
    kit.isaDma.limit = 20 * SECTOR;
    expect(read(0, 0, 1, 18)).toEqual([0x04, 0, 0, 0, 1, 3, 2]);
    expect(Uint8Array.from(kit.isaDma.memory)).toEqual(storage.content.slice(0, 20 * SECTOR));
  });

  it('ends at the end of the track without terminal count', () => {
    const { start, recalibrate, read } = board();
    start();
    recalibrate();
    expect(read(0, 0, 17, 18, 0x46)).toEqual([0x40, 0x80, 0, 1, 0, 1, 2]);
  });

  it.each<[string, (b: ReturnType<typeof board>) => number[], number[]]>([
    ['of a sector that is not there', ({ read }) => read(0, 0, 19, 19), [0x40, 0x04, 0, 0, 0, 19, 2]],
    ['of another cylinder than the heads are on', ({ read }) => read(3, 0, 1, 18), [0x40, 0x04, 0x10, 3, 0, 1, 2]],
    [
      'of sectors of another size',
      ({ command, wait, results }) => (command(READ, 0, 0, 0, 1, 3, 18, 27, 255), wait(), results()),
      [0x40, 0x04, 0, 0, 0, 1, 3],
    ],
    [
      'at another data rate',
      ({ fdc, read }) => (fdc.portWrite('change', 0, 1, 2), read(0, 0, 1, 18)),
      [0x40, 0x01, 0, 0, 0, 1, 2],
    ],
    [
      'with its channel masked',
      ({ kit, read }) => ((kit.isaDma.limit = 0), read(0, 0, 1, 18)),
      [0x40, 0x10, 0, 0, 0, 1, 2],
    ],
    [
      'from a host that fails',
      ({ storage, read }) => ((storage.broken = true), read(0, 0, 1, 18)),
      [0x40, 0x20, 0x20, 0, 0, 1, 2],
    ],
  ])('fails %s', (_name, go, answer) => {
    const all = board();
    all.start();
    all.recalibrate();
    expect(go(all)).toEqual(answer);
    expect(all.line.level, 'no more interrupt once the result is read').toBe(false);
  });

  it('seeks by itself with implied seeks on', () => {
    const { start, recalibrate, command, read, kit } = board();
    start();
    recalibrate();
    command(0x13, 0, 0x57, 0);
    kit.isaDma.limit = SECTOR;
    expect(read(70, 0, 1, 18)).toEqual([0, 0, 0, 70, 0, 2, 2]);
  });
});

describe('WRITE DATA', () => {
  it('changes the sectors', () => {
    const { start, recalibrate, read, kit, storage } = board();
    start();
    recalibrate();
    kit.isaDma.memory.push(...new Array<number>(SECTOR).fill(0xa5));
    kit.isaDma.limit = SECTOR;
    expect(read(0, 0, 2, 18, WRITE)).toEqual([0, 0, 0, 0, 0, 3, 2]);
    expect(storage.content.subarray(SECTOR, 2 * SECTOR).every((byte) => byte === 0xa5)).toBe(true);
  });

  it('is refused by a protected diskette, as formatting is by any', () => {
    const { start, recalibrate, read, command, wait, results } = board(new FakeBlockDevice(2880 * SECTOR, true));
    start();
    recalibrate();
    expect(read(0, 0, 2, 18, WRITE)).toEqual([0x40, 0x02, 0, 0, 0, 2, 2]);
    expect(command(4, 0)).toEqual([0x78]);
    command(0x4d, 0, 2, 18, 27, 0xf6);
    wait();
    expect(results().slice(0, 2)).toEqual([0x40, 0x02]);
  });
});

describe('other commands', () => {
  it('READ ID answers with the heads', () => {
    const { start, recalibrate, command, wait, results } = board();
    start();
    recalibrate();
    command(0x4a, 4);
    wait();
    const [st0, st1, st2, c, h, r, n] = results();
    expect([st0, st1, st2, c, h, n]).toEqual([4, 0, 0, 0, 1, 2]);
    expect(r).toBeGreaterThan(0);
    expect(r).toBeLessThan(19);
  });

  it('tell what controller it is, what it was set to, and what it does not know', () => {
    const { start, command } = board();
    start();
    expect(command(0x10)).toEqual([0x90]);
    command(0x13, 0, 0x0a, 3);
    expect(command(0x94)).toEqual([0x10]);
    expect(command(0x0e)).toEqual([0, 0, 0, 0, 0xdf, 0x02, 0, 0x80, 0x0a, 3]);
    expect(command(0x18)).toEqual([0x80]);
    expect(command(0x8f)).toEqual([0x80]);
  });

  it('VERIFY reads without DMA', () => {
    const { start, recalibrate, read, kit } = board();
    start();
    recalibrate();
    expect(read(0, 0, 1, 18, 0xd6)).toEqual([0x04, 0, 0, 1, 0, 1, 2]);
    expect(kit.isaDma.memory).toEqual([]);
  });
});

describe('diskettes', () => {
  it.each([
    [360, 9, 2],
    [720, 9, 2],
    [1200, 15, 0],
    [1440, 18, 0],
    [2880, 36, 3],
  ])('of %i KB have %i sectors a track', (kilobytes, sectors, rate) => {
    const { start, recalibrate, read, kit } = board(new FakeBlockDevice(kilobytes * 1024), rate);
    start();
    recalibrate();
    kit.isaDma.limit = SECTOR;
    expect(read(0, 0, sectors, sectors, 0x46)[0]).toBe(0);
    kit.isaDma.limit = SECTOR;
    expect(read(0, 0, sectors + 1, sectors + 1, 0x46)[1]).toBe(0x04);
  });
});

deviceContract('floppy', {
  make: (kit) => {
    kit.bay.list = [{ media: 'disk', interface: 'floppy', unit: 0, storage: new FakeBlockDevice(2880 * SECTOR) }];
    return new Fdc82077(kit.clock, kit.irqs, kit.isaDma, kit.bay);
  },
  resources: floppy.resources,
  exercise: (fdc, kit) => {
    fdc.portWrite('registers', DOR, 1, ON);
    kit.clock.advanceNs(1_000_000);
    for (const byte of [15, 0, 60]) fdc.portWrite('registers', FIFO, 1, byte);
  },
});
