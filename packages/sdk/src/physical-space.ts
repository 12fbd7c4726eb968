/**
 * A physical address space as one core sees it: which 4 KiB pages are RAM, ROM, device registers or nothing at all.
 * The hardware's processor has one; the guest's view (the monitor's emulator, or the same object on a bare machine) has
 * another over the same memory, in which the monitor's frames do not exist and traced frames are watched.
 * Unclaimed addresses read all ones and swallow writes, as on a PC. It does not translate linear addresses.
 */
import { RingfenceError } from './errors.js';
import { PHYS_BASE } from './layout.js';
import { PAGE_SIZE, type MachineMemory } from './memory.js';
import type { DeviceObserver } from './observe.js';
import type { AddressWindow } from './pci.js';

export const PAGE_NONE = 0;
export const PAGE_RAM = 1;
export const PAGE_ROM = 2;
export const PAGE_MMIO = 4;
/**
 * A page that nothing may claim: where an address goes that no pin of the bus carries (PAE can form addresses of 36 bits,
 * the bus here decodes 32). PC chipsets keep this part of the I/O APICs' range empty; bit 20 is clear, so that the A20
 * gate leaves it where it is.
 */
export const OPEN_BUS_PAGE = 0xfecff000;
/** Added to PAGE_RAM: every write through this space is reported to `onWatchedWrite` after it happened. */
export const PAGE_WATCH = 8;

/** A device's registers or memory in physical space. Offsets are from the start of its range; size is 1, 2 or 4 bytes. */
export interface MmioHandler {
  /** Reads change nothing: who only looks may read too. */
  readonly isRom?: boolean;
  mmioRead(offset: number, size: number): number;
  mmioWrite(offset: number, size: number, value: number): void;
}

interface MmioRange {
  readonly base: number;
  readonly bytes: number;
  readonly handler: MmioHandler;
}

/** A range that moves; `base` below 0 is nowhere. */
interface MovingRange {
  base: number;
  readonly bytes: number;
  readonly handler: MmioHandler;
}

export class PhysicalSpace {
  /** PAGE_* of each of the 2^20 pages below 4 GiB. A page may take a fast TLB tag only when this is exactly PAGE_RAM. */
  readonly kind = new Uint8Array(1 << 20);
  /** ANDed into every translated physical address: -1, or ~(1 << 20) while the A20 gate is closed. */
  a20Mask = -1;
  /** Called after a write to a PAGE_WATCH page through this space. */
  onWatchedWrite: (address: number, bytes: number) => void = () => {};
  /** Told of every access to a device's memory; undefined unless someone looks on. */
  observer: Pick<DeviceObserver, 'mmioAccess'> | undefined = undefined;
  /** Counts changes of what stands where (not of watches): who derived something from page kinds compares it. */
  mapEpoch = 0;
  private readonly ranges: MmioRange[] = [];
  private readonly windows: MovingRange[] = [];
  private readonly kindListeners: (() => void)[] = [];

  constructor(readonly memory: MachineMemory) {}

  /** Registers a callback for changes of page kinds or the A20 gate: cached translations must be dropped. */
  onChange(listener: () => void): void {
    this.kindListeners.push(listener);
  }

  mapRam(base: number, bytes: number): void {
    this.setKind(base, bytes, PAGE_RAM);
  }

  /** ROM reads from the same frames as RAM and ignores writes. */
  mapRom(base: number, bytes: number): void {
    this.setKind(base, bytes, PAGE_ROM);
  }

  mapNothing(base: number, bytes: number): void {
    this.setKind(base, bytes, PAGE_NONE);
  }

  mapMmio(base: number, bytes: number, handler: MmioHandler): void {
    this.setKind(base, bytes, PAGE_MMIO);
    this.ranges.push({ base, bytes, handler });
  }

  /**
   * A range of device memory that software moves. It takes only pages where nothing else is: RAM, ROM and fixed ranges win.
   */
  addWindow(bytes: number, handler: MmioHandler): AddressWindow {
    const range: MovingRange = { base: -1, bytes, handler };
    this.windows.push(range);
    return {
      place: (base) => {
        if (base === range.base) return;
        const before = range.base;
        range.base = base;
        if (before >= 0) this.coverPages(before, bytes);
        if (base >= 0) this.coverPages(base, bytes);
        this.mapEpoch++;
        this.changed();
      },
    };
  }

  /** What RAM frames are to the processor: RAM, read-only, or (`handler`) registers of a device in front of them. */
  remap(base: number, bytes: number, kind: typeof PAGE_RAM | typeof PAGE_ROM | typeof PAGE_MMIO): void {
    const end = (base + bytes) / PAGE_SIZE;
    for (let page = base / PAGE_SIZE; page < end; page++) this.kind[page] = kind | (this.kind[page] & PAGE_WATCH);
    this.mapEpoch++;
    this.changed();
  }

  /** Registers what answers where `remap` has put PAGE_MMIO. */
  addHandler(base: number, bytes: number, handler: MmioHandler): void {
    this.ranges.push({ base, bytes, handler });
  }

  /** Turns reporting of writes to the page at `base` on or off; the page must be RAM. */
  setWatch(base: number, on: boolean): void {
    const page = base >>> 12;
    const next = on ? this.kind[page] | PAGE_WATCH : this.kind[page] & ~PAGE_WATCH;
    if (this.kind[page] === next) return;
    this.kind[page] = next;
    this.changed();
  }

  setA20(open: boolean): void {
    const mask = open ? -1 : ~(1 << 20);
    if (mask === this.a20Mask) return;
    this.a20Mask = mask;
    this.changed();
  }

  isRam(address: number): boolean {
    return (this.kind[address >>> 12] & PAGE_RAM) !== 0;
  }

  /** Reads 1, 2 or 4 bytes that lie in one page. The result is a signed 32-bit value, or 0..0xFFFF for less. */
  read(address: number, size: number): number {
    const kind = this.kind[address >>> 12];
    if ((kind & (PAGE_RAM | PAGE_ROM)) !== 0) {
      const at = PHYS_BASE + (address >>> 0);
      const view = this.memory.view;
      return size === 4 ? view.getInt32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
    }
    if ((kind & PAGE_MMIO) !== 0) {
      const range = this.rangeOf(address >>> 0);
      if (range !== undefined) {
        const value = range.handler.mmioRead((address >>> 0) - range.base, size);
        this.observer?.mmioAccess(false, address >>> 0, size, value);
        return size === 4 ? value | 0 : size === 2 ? value & 0xffff : value & 0xff;
      }
    }
    return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
  }

  /** Writes 1, 2 or 4 bytes that lie in one page. */
  write(address: number, size: number, value: number): void {
    const page = address >>> 12;
    const kind = this.kind[page];
    if ((kind & PAGE_RAM) !== 0) {
      const at = PHYS_BASE + (address >>> 0);
      const view = this.memory.view;
      if (size === 4) view.setInt32(at, value, true);
      else if (size === 2) view.setInt16(at, value, true);
      else view.setInt8(at, value);
      if (this.memory.codePages[page] !== 0) this.memory.codeWritten(address >>> 0, size);
      if ((kind & PAGE_WATCH) !== 0) this.onWatchedWrite(address >>> 0, size);
    } else if ((kind & PAGE_MMIO) !== 0) {
      const range = this.rangeOf(address >>> 0);
      this.observer?.mmioAccess(true, address >>> 0, size, value);
      range?.handler.mmioWrite((address >>> 0) - range.base, size, value);
    }
  }

  /** One byte of RAM or ROM, for who only looks; -1 for anything else. */
  peek(address: number): number {
    const kind = this.kind[address >>> 12];
    if ((kind & (PAGE_RAM | PAGE_ROM)) !== 0) return this.memory.u8[PHYS_BASE + (address >>> 0)];
    if ((kind & PAGE_MMIO) === 0) return -1;
    const range = this.rangeOf(address >>> 0);
    return range?.handler.isRom === true ? range.handler.mmioRead((address >>> 0) - range.base, 1) & 0xff : -1;
  }

  /** Copies bytes out; unclaimed addresses read 0xFF. For debuggers and reports, never on a guest's path. */
  readBytes(address: number, bytes: number): Uint8Array {
    const out = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) out[i] = this.isRam(address + i) ? this.read(address + i, 1) : 0xff;
    return out;
  }

  private rangeOf(address: number): MmioRange | undefined {
    for (let i = this.ranges.length - 1; i >= 0; i--) {
      const range = this.ranges[i];
      if (address >= range.base && address < range.base + range.bytes) return range;
    }
    for (const range of this.windows) {
      if (range.base >= 0 && address >= range.base && address < range.base + range.bytes) return range;
    }
    return undefined;
  }

  /** Decides anew for the pages of a window that came or went whether any window answers there. */
  private coverPages(base: number, bytes: number): void {
    const end = Math.ceil((base + bytes) / PAGE_SIZE);
    for (let page = Math.floor(base / PAGE_SIZE); page < end; page++) {
      const kind = this.kind[page];
      if ((kind !== PAGE_NONE && kind !== PAGE_MMIO) || page === OPEN_BUS_PAGE / PAGE_SIZE) continue;
      const from = page * PAGE_SIZE;
      const overlaps = (range: MovingRange): boolean =>
        range.base >= 0 && range.base < from + PAGE_SIZE && range.base + range.bytes > from;
      this.kind[page] = this.ranges.some(overlaps) || this.windows.some(overlaps) ? PAGE_MMIO : PAGE_NONE;
    }
  }

  private setKind(base: number, bytes: number, kind: number): void {
    const first = Math.floor(base / PAGE_SIZE);
    const end = Math.ceil((base + bytes) / PAGE_SIZE);
    if (kind !== PAGE_NONE && first <= OPEN_BUS_PAGE / PAGE_SIZE && OPEN_BUS_PAGE / PAGE_SIZE < end) {
      throw new RingfenceError('RF_INTERNAL', { message: 'the page of the open bus cannot be mapped', value: base });
    }
    this.kind.fill(kind, first, end);
    this.mapEpoch++;
    this.changed();
  }

  private changed(): void {
    for (const listener of this.kindListeners) listener();
  }
}
