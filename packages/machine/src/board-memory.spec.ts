/** What a board adds to memory for chips: windows that move, RAM beneath ROM, bus mastering. */
import {
  MachineMemory,
  PAGE_MMIO,
  PAGE_NONE,
  PAGE_RAM,
  PHYS_BASE,
  PhysicalSpace,
  type MmioHandler,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { BoardDma } from './dma.js';
import { mapGuestMemory } from './memory-map.js';
import { PortSpace } from './port-space.js';
import { BoardShadowRam } from './shadow-ram.js';

const MB = 1 << 20;

function setUp() {
  const memory = new MachineMemory(2 * MB);
  const space = new PhysicalSpace(memory);
  mapGuestMemory(space, memory.ramBytes);
  return { memory, space };
}

/** Registers that read as `tag` and the offset, and remember writes. */
function registers(tag: number): MmioHandler & { written: number[] } {
  const written: number[] = [];
  return {
    written,
    mmioRead: (offset) => tag + offset,
    mmioWrite: (offset, _size, value) => written.push(offset, value),
  };
}

describe('a memory window', () => {
  it('answers where it was placed last', () => {
    const { space } = setUp();
    const chip = registers(0x100);
    const window = space.addWindow(0x2000, chip);
    window.place(0xe0000000);
    expect(space.read(0xe0001004, 4)).toBe(0x1104);
    space.write(0xe0000008, 1, 7);
    expect(chip.written).toEqual([8, 7]);
    window.place(0xf0000000);
    expect(space.read(0xe0001004, 4)).toBe(-1);
    expect(space.kind[0xe0000]).toBe(PAGE_NONE);
    expect(space.read(0xf0000000, 2)).toBe(0x100);
    window.place(-1);
    expect(space.kind[0xf0000]).toBe(PAGE_NONE);
  });

  it('never hides RAM, ROM or a device at a fixed place', () => {
    const { space } = setUp();
    space.mapMmio(0xa0000, 0x20000, registers(0x5000));
    const chip = registers(0x100);
    const window = space.addWindow(4 * MB, chip);
    window.place(0);
    space.write(0x1000, 4, 1234);
    expect(space.read(0x1000, 4)).toBe(1234);
    expect(space.kind[1]).toBe(PAGE_RAM);
    expect(space.read(0xa0004, 4)).toBe(0x5004);
    expect(space.read(0xf0000, 1)).toBe(0xff);
    expect(space.read(2 * MB, 4)).toBe(0x100 + 2 * MB); // where it sticks out
    window.place(-1);
    expect(space.kind[1]).toBe(PAGE_RAM);
    expect(space.kind[0xa0]).toBe(PAGE_MMIO);
    expect(space.read(0xa0004, 4)).toBe(0x5004);
    expect(space.kind[0x200]).toBe(PAGE_NONE);
  });

  it('shares a page with another, and keeps off the page of the open bus', () => {
    const { space } = setUp();
    const first = space.addWindow(16, registers(0x100));
    const second = space.addWindow(16, registers(0x200));
    first.place(0xfec00000);
    second.place(0xfec00010);
    expect([space.read(0xfec00000, 4), space.read(0xfec00010, 4), space.read(0xfec00020, 4)]).toEqual([
      0x100, 0x200, -1,
    ]);
    first.place(-1);
    expect([space.read(0xfec00000, 4), space.read(0xfec00010, 4)]).toEqual([-1, 0x200]);
    space.addWindow(0x1000, registers(0x300)).place(0xfecff000);
    expect(space.read(0xfecff000, 4)).toBe(-1);
  });

  it('says that something moved, to whoever derived something from the map', () => {
    const { space } = setUp();
    let calls = 0;
    space.onChange(() => calls++);
    const before = space.mapEpoch;
    const window = space.addWindow(16, registers(0));
    window.place(0xfe000000);
    window.place(0xfe000000);
    expect([calls, space.mapEpoch - before]).toEqual([1, 1]);
  });
});

describe('a port window', () => {
  it('moves, and yields to ports that a chip has claimed', () => {
    const ports = new PortSpace();
    const log: string[] = [];
    const chip = (name: string) => ({
      portRead: (range: string, offset: number) => (log.push(`${name} ${range}+${offset}`), 0x11),
      portWrite: (range: string, offset: number, _size: number, value: number) =>
        void log.push(`${name} ${range}+${offset}=${value}`),
    });
    ports.claim('isa', 'fixed', 0xc004, 1, 1, chip('isa'));
    const window = ports.addWindow('pci', 'bar', 16, 4, chip('pci'));
    expect(ports.read(0xc000, 1)).toBe(0xff);
    window.place(0xc000);
    ports.read(0xc00c, 4);
    ports.read(0xc004, 1);
    window.place(0xd000);
    ports.write(0xd001, 1, 5);
    expect(ports.read(0xc00c, 4)).toBe(-1);
    window.place(-1);
    expect(ports.read(0xd001, 1)).toBe(0xff);
    expect(log).toEqual(['pci bar+12', 'isa fixed+0', 'pci bar+1=5']);
  });
});

describe('shadow RAM', () => {
  it('shows ROM, takes a copy beneath it, and shows that', () => {
    const { space, memory } = setUp();
    memory.writeBytes(0xf0000, Uint8Array.of(0xea, 1, 2, 3));
    const shadow = new BoardShadowRam(space);
    space.write(0xf0000, 1, 9);
    expect(space.read(0xf0000, 4)).toBe(0x030201ea);
    shadow.set(0xf0000, 0x10000, false, true); // read ROM, write RAM
    for (let i = 0; i < 4; i++) space.write(0xf0000 + i, 1, space.read(0xf0000 + i, 1) + 1);
    expect(space.read(0xf0000, 4)).toBe(0x030201ea);
    shadow.set(0xf0000, 0x10000, true, true);
    expect(space.read(0xf0000, 4)).toBe(0x040302eb);
    space.write(0xf0000, 1, 0x77);
    shadow.set(0xf0000, 0x10000, true, false);
    space.write(0xf0000, 1, 0x78);
    expect(space.read(0xf0000, 1)).toBe(0x77);
    shadow.set(0xf0000, 0x10000, false, false);
    expect(space.read(0xf0000, 4)).toBe(0x030201ea);
    expect(space.read(0xec000, 4)).toBe(-1); // other segments are as they were
  });

  it('saves what reads do not see', () => {
    const { space } = setUp();
    const shadow = new BoardShadowRam(space);
    shadow.set(0xc0000, 0x4000, true, true);
    space.write(0xc0010, 4, 0x1234);
    const saved = shadow.saveState();
    const other = setUp();
    const copy = new BoardShadowRam(other.space);
    other.memory.writeBytes(0xc0000, space.readBytes(0xc0000, 0x4000)); // as a machine loads memory first
    copy.loadState(saved);
    expect(copy.saveState()).toEqual(saved);
    expect(other.space.read(0xc0010, 4)).toBe(0x1234);
    copy.set(0xc0000, 0x4000, false, false);
    expect(other.space.read(0xc0010, 4)).toBe(-1);
    other.space.write(0xc0010, 4, 5);
    expect(other.space.read(0xc0010, 4)).toBe(-1);
  });

  it('leaves a watched page watched', () => {
    const { space } = setUp();
    const shadow = new BoardShadowRam(space);
    const seen: number[] = [];
    shadow.set(0xd0000, 0x4000, true, true);
    space.setWatch(0xd0000, true);
    space.onWatchedWrite = (address) => seen.push(address);
    shadow.set(0xd0000, 0x4000, true, false);
    shadow.set(0xd0000, 0x4000, true, true);
    space.write(0xd0004, 4, 1);
    expect(seen).toEqual([0xd0004]);
  });
});

describe('bus mastering', () => {
  it('stays within memory: open bus beyond RAM, across page ends, at the top of the space', () => {
    const { space, memory } = setUp();
    const dma = new BoardDma(space);
    dma.write(2 * MB - 2, Uint8Array.of(1, 2, 3, 4));
    expect([...memory.u8.slice(PHYS_BASE + 2 * MB - 2, PHYS_BASE + 2 * MB)]).toEqual([1, 2]);
    const read = new Uint8Array(4);
    dma.read(2 * MB - 2, read);
    expect([...read]).toEqual([1, 2, 0xff, 0xff]);
    dma.read(0xfffffffe, read);
    expect([...read]).toEqual([0xff, 0xff, 0xff, 0xff]);
    dma.write(0xfffffffe, read);
    dma.write(0xf0000, Uint8Array.of(1)); // ROM
    expect(space.read(0xf0000, 1)).toBe(0xff);
  });

  it('does not reach the registers of another device', () => {
    const { space } = setUp();
    const chip = registers(0);
    space.mapMmio(0xfe000000, 0x1000, chip);
    const dma = new BoardDma(space);
    dma.write(0xfe000000, Uint8Array.of(1, 2, 3, 4));
    expect(chip.written).toEqual([]);
  });

  it('tells decoded code and whoever watches, and has the executor step aside for a watched page', () => {
    const { space, memory } = setUp();
    const log: string[] = [];
    const dma = new BoardDma(space);
    dma.executor = { release: () => void log.push('release') };
    memory.addCodeListener({
      codePageAdded: () => {},
      codeWritten: (address, bytes) => (log.push(`code ${address.toString(16)}+${bytes}`), true),
    });
    memory.markCode(3);
    space.setWatch(0x4000, true);
    space.onWatchedWrite = (address, bytes) => log.push(`watch ${address.toString(16)}+${bytes}`);
    dma.write(0x3ff0, new Uint8Array(0x20));
    expect(log).toEqual(['code 3ff0+16', 'release', 'watch 4000+16']);
  });
});
