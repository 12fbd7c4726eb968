/** fw_cfg as firmware sees it: the data port, the DMA interface, what the items say, and what a hostile guest may try. */
import { NO_FIRMWARE, type FirmwareInfo } from '@ringfence/sdk';
import { deviceContract, makeDeviceKit, type DeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { FwCfg, fwCfg } from './index.js';

const ACCESS = 0x1000;
const TARGET = 0x2000;

function make(firmware: Partial<FirmwareInfo> = {}, kit: DeviceKit = makeDeviceKit({ ramBytes: 32 << 20 })) {
  const chip = new FwCfg(kit.clock, kit.dma, kit.board, { ...NO_FIRMWARE, ...firmware });
  const view = new DataView(kit.dma.ram.buffer);
  const read = (key: number, bytes: number): Uint8Array => {
    chip.portWrite('selector', 0, 2, key);
    return Uint8Array.from({ length: bytes }, () => chip.portRead('selector', 1, 1));
  };
  /** Answers the control word as the device leaves it. */
  const dma = (control: number, length: number, address: number, high = 0): number => {
    view.setUint32(ACCESS, control);
    view.setUint32(ACCESS + 4, length);
    view.setUint32(ACCESS + 8, high);
    view.setUint32(ACCESS + 12, address);
    chip.portWrite('dma', 4, 4, swapped(ACCESS));
    expect(view.getUint32(ACCESS)).toBe(control >>> 0); // not before the next instruction
    kit.clock.advance(1);
    return view.getUint32(ACCESS);
  };
  /** The named files, read as firmware does. */
  const files = (): Map<string, Uint8Array> => {
    const count = new DataView(read(0x19, 4).buffer).getUint32(0);
    const directory = new DataView(read(0x19, 4 + 64 * count).buffer);
    const list = new Map<string, Uint8Array>();
    for (let at = 4; at < directory.byteLength; at += 64) {
      const name = Buffer.from(directory.buffer, at + 8, 56)
        .toString('latin1')
        .replace(/\0.*$/, '');
      list.set(name, read(directory.getUint16(at + 4), directory.getUint32(at)));
    }
    return list;
  };
  return { kit, chip, view, read, dma, files };
}

const swapped = (value: number): number => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]).readUInt32LE();
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1');

describe('the data port', () => {
  it('gives an item byte by byte, and zeros behind it', () => {
    const { read, chip } = make();
    expect(text(read(0, 4))).toBe('QEMU');
    expect([...read(0, 6)].slice(4)).toEqual([0, 0]);
    expect([...read(1, 4)]).toEqual([3, 0, 0, 0]);
    expect([...read(0x4321, 3)]).toEqual([0, 0, 0]);
    chip.portWrite('selector', 1, 1, 0x55); // items cannot be written
    expect(text(read(0, 4))).toBe('QEMU');
  });

  it('says what the machine has', () => {
    const { read } = make();
    expect(new DataView(read(3, 8).buffer).getBigUint64(0, true)).toBe(32n << 20n);
    expect([...read(5, 2)]).toEqual([1, 0]);
  });
});

describe('the DMA interface', () => {
  it('is there', () => {
    const { chip } = make();
    expect(swapped(chip.portRead('dma', 0, 4))).toBe(0x51454d55);
    expect(swapped(chip.portRead('dma', 4, 4))).toBe(0x20434647);
    expect(chip.portRead('dma', 5, 1)).toBe(0x43);
  });

  it('selects, skips and reads', () => {
    const { kit, dma } = make();
    expect(dma(0x0000_000a, 4, TARGET)).toBe(0);
    expect(text(kit.dma.ram.subarray(TARGET, TARGET + 4))).toBe('QEMU');
    expect(dma(0x0000_000c, 2, 0)).toBe(0);
    expect(dma(0x02, 2, TARGET)).toBe(0);
    expect(text(kit.dma.ram.subarray(TARGET, TARGET + 4))).toBe('MUMU');
  });

  it('fills with zeros behind the end of an item, and never beyond 4 GiB', () => {
    const { kit, dma } = make();
    kit.dma.ram.fill(0xee, TARGET, TARGET + 16);
    expect(dma(0x0000_000a, 10, TARGET)).toBe(0);
    expect(text(kit.dma.ram.subarray(TARGET, TARGET + 11))).toBe(`QEMU${'\0'.repeat(6)}\xee`);
    expect(dma(0x0000_000a, 0xffffffff, 0xfffffffc)).toBe(0);
    expect(dma(0x0000_000a, 4, TARGET, 1)).toBe(0);
    expect(kit.dma.ram[TARGET + 10]).toBe(0xee);
  });

  it('refuses to write, and an address beyond 4 GiB reaches nothing', () => {
    const { kit, chip, dma } = make();
    expect(dma(0x0000_0018, 4, TARGET)).toBe(1);
    const before = kit.dma.ram.slice();
    chip.portWrite('dma', 0, 4, swapped(1));
    chip.portWrite('dma', 4, 4, swapped(ACCESS));
    kit.clock.advance(1);
    expect(kit.dma.ram).toEqual(before);
  });

  it('takes its time for a long transfer, which another one ends', () => {
    const { kit, chip, view, dma } = make();
    const long = (0x4321 << 16) | 0x0a;
    kit.dma.ram.fill(0xee, TARGET);
    expect(dma(long, 0x280000, TARGET)).toBe(long);
    expect(kit.dma.ram[TARGET + 5]).toBe(0);
    const moved = make({}, kit);
    moved.chip.loadState(chip.saveState());
    chip.reset();
    kit.clock.advance(1998);
    expect(view.getUint32(ACCESS)).toBe(long);
    kit.clock.advance(1);
    expect(view.getUint32(ACCESS)).toBe(0);
    moved.dma(long, 0xffffffff, TARGET);
    expect(moved.dma(0x0a, 4, TARGET)).toBe(0);
    expect(text(kit.dma.ram.subarray(TARGET, TARGET + 4))).toBe('QEMU');
    view.setUint32(ACCESS, 7);
    kit.clock.advance(1e7);
    expect(view.getUint32(ACCESS)).toBe(7);
  });

  it('keeps a transfer in waiting with its state', () => {
    const first = make();
    first.view.setUint32(ACCESS, 0x0a);
    first.view.setUint32(ACCESS + 4, 4);
    first.view.setUint32(ACCESS + 12, TARGET);
    first.chip.portWrite('dma', 4, 4, swapped(ACCESS));
    const saved = first.chip.saveState();
    const second = make({}, first.kit);
    second.chip.loadState(saved);
    first.chip.reset();
    first.kit.clock.advance(1);
    expect(text(first.kit.dma.ram.subarray(TARGET, TARGET + 4))).toBe('QEMU');
  });
});

describe('the files', () => {
  it('are in the order of their names, with the memory map among them', () => {
    const { files } = make({ present: true, files: () => [{ name: 'etc/acpi/rsdp', bytes: new Uint8Array(20) }] });
    const list = files();
    expect([...list.keys()]).toEqual(['etc/acpi/rsdp', 'etc/boot-fail-wait', 'etc/e820']);
    const map = Buffer.from(list.get('etc/e820')!);
    expect([map.readBigUInt64LE(0), map.readBigUInt64LE(8), map.readUInt32LE(16)]).toEqual([0n, 32n << 20n, 1]);
  });

  it('carry what was configured', () => {
    const vgaBios = Uint8Array.from([0x55, 0xaa, 1]);
    const { files, read } = make({ present: true, menuMilliseconds: 2500, serialConsole: true, vgaBios });
    const list = files();
    expect([...list.get('etc/boot-menu-wait')!]).toEqual([0xc4, 0x09, 0, 0]);
    expect([...list.get('etc/sercon-port')!]).toEqual([0xf8, 0x03]);
    expect([...list.values()]).toContainEqual(vgaBios);
    expect([...read(0x0e, 2)]).toEqual([1, 0]);
  });

  it('bring a kernel, and a ROM that comes before every drive', () => {
    const part = (address: number, bytes: number[]) => ({ address, bytes: Uint8Array.from(bytes) });
    const { files, read } = make({
      present: true,
      kernel: {
        setup: part(0x10000, [1]),
        payload: part(0x100000, [2, 3]),
        commandLine: part(0x20000, [4]),
        initrd: undefined,
      },
    });
    const long = (key: number): number => new DataView(read(key, 4).buffer).getUint32(0, true);
    expect([0x16, 0x17, 0x07, 0x08, 0x13, 0x14, 0x0b].map(long)).toEqual([0x10000, 1, 0x100000, 2, 0x20000, 1, 0]);
    expect([...read(0x11, 2)]).toEqual([2, 3]);
    expect(text(files().get('bootorder'))).toBe('/rom@genroms/linuxboot.bin\n\0');
    const rom = files().get('genroms/linuxboot.bin')!;
    expect([rom[0], rom[1], rom[2] * 512]).toEqual([0x55, 0xaa, rom.length]);
    expect(rom.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
  });
});

deviceContract('fw-cfg', {
  make: (kit) => new FwCfg(kit.clock, kit.dma, kit.board, kit.firmware),
  resources: fwCfg.resources,
});
