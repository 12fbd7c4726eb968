/** The IDE function: configuration space, ATA disks by PIO and DMA, the device contract. CD-ROM: atapi-cd.spec.ts. */
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { ide } from './index.js';
import { BMICOM, BMISTA, BMIDTP, makeIde, setUp, bytesOf } from './testing/ide-bench.js';

describe('PiixIde as a PCI function', () => {
  it('is an IDE controller with bus mastering at BAR 4, which sizing shows to have 16 ports', () => {
    const { kit } = setUp();
    expect(kit.pci.configRead('1.1', 0)).toBe(0x70108086);
    expect(kit.pci.configRead('1.1', 8) >>> 8).toBe(0x010180);
    kit.pci.configWrite('1.1', 0x20, -1);
    expect(kit.pci.configRead('1.1', 0x20) >>> 0).toBe(0xfffffff1);
    kit.pci.configWrite('1.1', 0x20, 0xc001);
    expect(kit.windows.list).toMatchObject([{ name: 'master', bytes: 16, base: 0xc000 }]);
    kit.pci.configWrite('1.1', 4, 0, 2);
    expect(kit.windows.list[0].base).toBe(-1);
  });

  it('gives its ports up when IDETIM or the command register says so', () => {
    const { kit, chip, status } = setUp();
    expect(status()).toBe(0x50);
    kit.pci.configWrite('1.1', 0x41, 0, 1);
    expect(status()).toBe(0xff);
    expect(chip.portRead('secondary-control', 0, 1)).toBe(0x00); // a CD-ROM drive before its first command
    kit.pci.configWrite('1.1', 4, 0, 2);
    expect(chip.portRead('secondary-control', 0, 1)).toBe(0xff);
  });
});

describe('ATA disk', () => {
  it('identifies itself', () => {
    const { command, status, settle, words, kit } = setUp();
    command(0xec);
    expect(status()).toBe(0xd0); // busy, for a while of virtual time
    settle();
    expect(kit.irqs.line('primary').level).toBe(true);
    expect(status()).toBe(0x58);
    expect(kit.irqs.line('primary').level).toBe(false);
    const id = words(256);
    expect(id[0]).toBe(0x0040);
    expect(id[60] | (id[61] << 16)).toBe(2048);
    expect(id[100] | (id[101] << 16)).toBe(2048);
    expect(id[83] & 0x0400).toBe(0x0400);
    const model = String.fromCharCode(...id.slice(27, 47).flatMap((word) => [word >>> 8, word & 0xff]));
    expect(model.trim()).toBe('RINGFENCE HARDDISK');
    expect(status()).toBe(0x50);
  });

  it('reads sectors by PIO, with an interrupt for each', () => {
    const { command, settle, words, sector, status, kit } = setUp();
    command(0x20, { 2: 2, 3: 5, 4: 0, 5: 0 });
    settle();
    expect(bytesOf(words(256))).toEqual(sector(5));
    expect(status() & 0x80).toBe(0x80);
    settle();
    expect(bytesOf(words(256))).toEqual(sector(6));
    expect(status()).toBe(0x50);
    expect(kit.irqs.line('primary').rises).toBe(2);
  });

  it('reads several sectors to an interrupt by READ MULTIPLE EXT, addressed with 48 bits', () => {
    const { command, settle, out, sector, chip, kit } = setUp();
    command(0xc6, { 2: 4 });
    out(2, 0); // high-order bytes first
    out(3, 0);
    command(0x29, { 2: 4, 3: 9, 4: 0, 5: 0 });
    settle();
    const rises = kit.irqs.line('primary').rises;
    const dwords = Array.from({ length: 512 }, () => chip.portRead('primary', 0, 4));
    expect(new Uint8Array(Int32Array.from(dwords).buffer)).toEqual(
      Uint8Array.from([9, 10, 11, 12].flatMap((lba) => [...sector(lba)])),
    );
    expect(kit.irqs.line('primary').rises).toBe(rises);
    chip.portWrite('primary-control', 0, 1, 0x80); // HOB
    expect(chip.portRead('primary', 3, 1)).toBe(0);
  });

  it('writes sectors by PIO', () => {
    const { command, settle, sector, chip, status } = setUp();
    command(0x30, { 2: 1, 3: 7, 4: 0, 5: 0 });
    expect(status()).toBe(0x58); // the first block is asked for at once
    for (let i = 0; i < 256; i++) chip.portWrite('primary', 0, 2, i * 3);
    settle();
    expect(status()).toBe(0x50);
    expect(sector(7)).toEqual(bytesOf(Array.from({ length: 256 }, (_, i) => (i * 3) & 0xffff)));
  });

  it('addresses by cylinder, head and sector', () => {
    const { command, settle, words, sector } = setUp();
    command(0x20, { 2: 1, 3: 2, 4: 1, 5: 0, 6: 0xa1 }); // cylinder 1, head 1, sector 2
    settle();
    expect(bytesOf(words(256))).toEqual(sector((16 + 1) * 63 + 1));
  });

  it.each([
    ['a read beyond the end', 0x20, { 2: 2, 3: 0xff, 4: 7, 5: 0 }, 0x10],
    ['a command it does not know', 0xa0, {}, 0x04],
    ['sector 0 of a track', 0x20, { 2: 1, 3: 0, 4: 0, 5: 0, 6: 0xa0 }, 0x10],
    ['a feature it does not know', 0xef, { 1: 0x77 }, 0x04],
    ['a transfer mode that no drive has', 0xef, { 1: 3, 2: 0x4f }, 0x04],
  ])('refuses %s', (_name, code, registers, error) => {
    const { command, settle, status, chip } = setUp();
    command(code, registers);
    settle();
    expect(status()).toBe(0x51);
    expect(chip.portRead('primary', 1, 1)).toBe(error);
  });

  it('tells of a host that cannot read or write', () => {
    const { command, settle, status, chip, kit } = setUp();
    kit.bay.disk.broken = true;
    command(0x20, { 2: 1, 3: 5, 4: 0, 5: 0 });
    settle();
    expect(status()).toBe(0x51);
    expect(chip.portRead('primary', 1, 1)).toBe(0x40);
    command(0x30, { 2: 1, 3: 5, 4: 0, 5: 0 });
    for (let i = 0; i < 256; i++) chip.portWrite('primary', 0, 2, 0);
    settle();
    expect(status()).toBe(0x71);
    command(0xe7);
    settle();
    expect(status()).toBe(0x71);
    kit.bay.disk.broken = false;
    command(0xe7);
    settle();
    expect(status()).toBe(0x50);
  });

  it('is reset by SRST and shows its signature', () => {
    const { command, settle, status, chip } = setUp();
    command(0x20, { 2: 1, 3: 5, 4: 6, 5: 7 });
    chip.portWrite('primary-control', 0, 1, 0x04);
    expect(status() & 0x80).toBe(0x80);
    chip.portWrite('primary-control', 0, 1, 0x00);
    settle();
    expect(status()).toBe(0x50);
    expect([1, 2, 3, 4, 5].map((r) => chip.portRead('primary', r, 1))).toEqual([1, 1, 1, 0, 0]);
  });

  it('keeps its interrupt to itself while nIEN is set', () => {
    const { command, settle, chip, kit } = setUp();
    chip.portWrite('primary-control', 0, 1, 0x02);
    command(0x20, { 2: 1, 3: 0, 4: 0, 5: 0 });
    settle();
    expect(kit.irqs.line('primary').level).toBe(false);
    chip.portWrite('primary-control', 0, 1, 0x00);
    expect(kit.irqs.line('primary').level).toBe(true);
  });

  it('answers for a missing drive 1 with a status of 0', () => {
    const { out, status } = setUp();
    out(6, 0xf0);
    expect(status()).toBe(0);
    out(6, 0xe0);
    expect(status()).toBe(0x50);
  });

  it('leaves a channel without drives to its pull-down', () => {
    const kit = makeDeviceKit();
    kit.bay.list = [];
    const chip = makeIde(kit);
    chip.reset();
    expect(chip.portRead('primary', 7, 1)).toBe(0x7f);
    expect(chip.portRead('primary', 0, 2)).toBe(0xffff);
  });
});

describe('bus master', () => {
  function master(table: readonly (readonly [address: number, bytes: number, last: boolean])[]) {
    const machine = setUp();
    const { kit, chip } = machine;
    kit.pci.configWrite('1.1', 4, 5, 2);
    const view = new DataView(kit.dma.ram.buffer);
    table.forEach(([address, bytes, last], i) => {
      view.setUint32(0x1000 + i * 8, address, true);
      view.setUint32(0x1004 + i * 8, (bytes & 0xffff) | (last ? 0x80000000 : 0), true);
    });
    chip.portWrite('master', BMIDTP, 4, 0x1000);
    const bmStatus = () => chip.portRead('master', BMISTA, 1);
    const start = (direction: number) => chip.portWrite('master', BMICOM, 1, direction | 1);
    return { ...machine, bmStatus, start, ram: kit.dma.ram };
  }

  it('reads through scattered regions', () => {
    const { command, settle, sector, ram, start, bmStatus, status, kit } = master([
      [0x2000, 100, false],
      [0x3000, 924, true],
    ]);
    command(0xc8, { 2: 2, 3: 3, 4: 0, 5: 0 });
    start(8);
    expect(bmStatus()).toBe(1);
    settle();
    expect(bmStatus()).toBe(4);
    expect(status()).toBe(0x50);
    expect(kit.irqs.line('primary').rises).toBe(1);
    const expected = [...sector(3), ...sector(4)];
    expect([...ram.slice(0x2000, 0x2064), ...ram.slice(0x3000, 0x339c)]).toEqual(expected);
    expect(ram[0x339c]).toBe(0);
  });

  it('writes, and waits for whoever comes later', () => {
    const { command, settle, sector, ram, start, bmStatus } = master([[0x2000, 512, true]]);
    ram.fill(0xa5, 0x2000, 0x2200);
    command(0xca, { 2: 1, 3: 3, 4: 0, 5: 0 });
    settle();
    expect(bmStatus()).toBe(0);
    start(0);
    settle();
    expect(bmStatus()).toBe(4);
    expect(sector(3)).toEqual(new Uint8Array(512).fill(0xa5));
  });

  it('leaves the drive waiting at the end of a short table, until it is reset', () => {
    const { command, settle, start, bmStatus, status, chip } = master([[0x2000, 256, true]]);
    command(0xc8, { 2: 1, 3: 3, 4: 0, 5: 0 });
    start(8);
    settle();
    expect(bmStatus()).toBe(0);
    expect(status()).toBe(0x58);
    chip.portWrite('primary-control', 0, 1, 4);
    chip.portWrite('primary-control', 0, 1, 0);
    settle();
    expect(status()).toBe(0x50);
  });

  it('fills a short table to its last byte, and continues at the sector that was cut', () => {
    const { command, settle, start, bmStatus, sector, status, ram, chip } = master([
      [0x2000, 512, false],
      [0x3000, 300, true],
    ]);
    command(0xc8, { 2: 3, 3: 3, 4: 0, 5: 0 });
    start(8);
    settle();
    expect([bmStatus(), status()]).toEqual([0, 0x58]);
    expect(ram.slice(0x2000, 0x2200)).toEqual(sector(3));
    expect(ram.slice(0x3000, 0x312c)).toEqual(sector(4).slice(0, 300));
    expect(ram.slice(0x312c, 0x3200)).toEqual(new Uint8Array(212));
    chip.portWrite('master', BMICOM, 1, 0);
    new DataView(ram.buffer).setUint32(0x1004, 0x80000400, true);
    start(8);
    settle();
    expect([bmStatus(), status()]).toEqual([4, 0x50]);
    expect([...ram.slice(0x2000, 0x2400)]).toEqual([...sector(4), ...sector(5)]);
  });

  it('writes the whole sectors that a short table has, and nothing of the next', () => {
    const { command, settle, start, bmStatus, sector, ram } = master([[0x2000, 1000, true]]);
    const untouched = sector(4);
    ram.fill(0xa5, 0x2000, 0x2400);
    command(0xca, { 2: 3, 3: 3, 4: 0, 5: 0 });
    start(0);
    settle();
    expect(bmStatus()).toBe(0);
    expect(sector(3)).toEqual(new Uint8Array(512).fill(0xa5));
    expect(sector(4)).toEqual(untouched);
  });

  it('stays active behind a table that is too long', () => {
    const { command, settle, start, bmStatus } = master([[0x2000, 0, true]]);
    command(0xc8, { 2: 1, 3: 3, 4: 0, 5: 0 });
    start(8);
    settle();
    expect(bmStatus()).toBe(5);
  });

  it('reports an error of the host, and of a wrong direction', () => {
    const { command, settle, start, bmStatus, chip, status, kit } = master([[0x2000, 512, true]]);
    kit.bay.disk.broken = true;
    command(0xc8, { 2: 1, 3: 3, 4: 0, 5: 0 });
    start(8);
    settle();
    expect(bmStatus()).toBe(6);
    expect(status()).toBe(0x51);
    chip.portWrite('master', BMICOM, 1, 0);
    chip.portWrite('master', BMISTA, 1, 6);
    expect(bmStatus()).toBe(0);
    command(0xc8, { 2: 1, 3: 3, 4: 0, 5: 0 });
    start(0);
    settle();
    expect(bmStatus()).toBe(2);
  });

  it('moves nothing while PCI bus mastering is off', () => {
    const { command, settle, start, kit, ram } = master([[0x2000, 512, true]]);
    kit.pci.configWrite('1.1', 4, 1, 2);
    command(0xc8, { 2: 1, 3: 3, 4: 0, 5: 0 });
    start(8);
    settle();
    expect(ram.slice(0x2000, 0x2200).every((byte) => byte === 0)).toBe(true);
  });
});

deviceContract('ide', {
  make: makeIde,
  resources: ide.resources,
  exercise: (chip, kit) => {
    kit.pci.configWrite('1.1', 0x20, 0xc001);
    chip.portWrite('primary', 6, 1, 0xe0);
    chip.portWrite('primary', 2, 1, 3);
    chip.portWrite('primary', 7, 1, 0x20);
    kit.clock.advance(100_000);
    chip.portRead('primary', 0, 2);
    chip.portWrite('secondary', 7, 1, 0xa1);
  },
});

deviceContract('ide with a transfer on its way', {
  make: makeIde,
  resources: ide.resources,
  exercise: (chip, kit) => {
    kit.clock.advance(1);
    chip.portWrite('primary', 2, 1, 0);
    chip.portWrite('primary', 6, 1, 0xe0);
    chip.portWrite('primary', 7, 1, 0xc8); // READ DMA, 256 sectors: longer than the suite waits
  },
});
