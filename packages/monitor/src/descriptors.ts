/**
 * Shadow descriptor tables: the GDT and LDT the hardware really uses.
 *
 * Goal: the hardware's entry for a selector is either absent or exactly the compression of the guest's present entry.
 * Life cycle: entries start absent, so the first load of a selector faults and is done by the emulator on the guest's
 *   own table (which sets the Accessed bit there as hardware would); then `hold` copies the entry over, on the way back
 *   to the guest. A write to the guest's table through its trace, LGDT, LLDT or a new translation of the table's pages makes entries absent again.
 * Placement: the GDT stands shadowed, in the window, in two versions (ADR 0023). The LDT stands shadowed as well, or in place when the policy asks for
 *   it: then the hardware's LDT is the guest's own memory, which holds our bytes while the guest runs and the guest's while
 *   the monitor does; its pages are hidden from the guest.
 * It never writes the guest's tables on the guest's behalf.
 */
import {
  AR_ACCESSED,
  AR_P,
  GDTR_BASE,
  GDTR_LIMIT,
  LDTR,
  PHYS_BASE,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_WORDS,
  AR_UNUSABLE,
  ACCESS_READ,
  type MachineMemory,
  type Mmu,
  type PhysicalSpace,
  type Placement,
} from '@ringfence/sdk';
import { FIRST_MONITOR_INDEX, FRAME_GDT, FRAME_LDT, FRAME_USER_GDT, MONITOR_LDT } from './layout.js';
import { compressDescriptor, unpackDescriptor, type SegmentContents } from './segments.js';
import type { Pager } from './pager.js';
import { TRACE_DESCRIPTORS, TRACE_HIDDEN, type Traces } from './traces.js';
import type { Window } from './window.js';

interface Held {
  /** The guest's two words when the entry was made. */
  readonly low: number;
  readonly high: number;
  readonly shadowLow: number;
  readonly shadowHigh: number;
  /** The same for the GDT of ring 3. */
  readonly userLow: number;
  readonly userHigh: number;
}

const NOT_HELD: Held = { low: 0, high: 0, shadowLow: 0, shadowHigh: 0, userLow: 0, userHigh: 0 };

/** One of the two tables. */
class TableView {
  base = 0;
  limit = -1;
  readonly held = new Map<number, Held>();
  /** Guest-physical frame of each page of the table that an entry was taken from, by linear page number. */
  readonly pages = new Map<number, number>();

  constructor(
    readonly local: boolean,
    readonly firstFrame: number,
  ) {}

  contains(index: number): boolean {
    return index * 8 + 7 <= this.limit;
  }
}

export class Descriptors {
  /** Moves on whenever an entry becomes absent: what was held may be held no more. */
  version = 0;
  private readonly gdt = new TableView(false, FRAME_GDT);
  private readonly ldt = new TableView(true, FRAME_LDT);
  private ldtLoaded = false;
  private hardwareLdtBase = 0;
  private hardwareLdtLimit = -1;
  /** Whether our bytes stand in the in-place LDT at the moment. */
  private privateIn = false;
  private readonly exposed = new Set<number>();
  /** The guest's bytes under ours, by byte offset in the machine's memory. */
  private readonly aside = new Map<number, number>();

  constructor(
    private readonly window: Window,
    private readonly memory: MachineMemory,
    private readonly guest: Int32Array,
    private readonly guestMmu: Mmu,
    private readonly space: PhysicalSpace,
    private readonly traces: Traces,
    private readonly placement: Placement,
  ) {}

  get inPlace(): boolean {
    return this.placement === 'in-place' && this.ldt.limit >= 0;
  }

  /** True when loading data segments from the in-place LDT needs its pages visible for a moment. */
  usesInPlace(selector: number): boolean {
    return this.inPlace && (selector & 4) !== 0;
  }

  // -------------------------------------------------------------------------------- the guest's registers

  /** GDTR or LDTR may have changed. */
  reload(): void {
    const g = this.guest;
    if (this.gdt.base !== g[GDTR_BASE] || this.gdt.limit !== g[GDTR_LIMIT]) {
      this.forget(this.gdt);
      this.gdt.base = g[GDTR_BASE];
      this.gdt.limit = g[GDTR_LIMIT];
    }
    const ldtr = SEG + LDTR * SEG_WORDS;
    const access = g[ldtr + SEG_ACCESS];
    const usable = (access & AR_UNUSABLE) === 0 && (access & AR_P) !== 0;
    const base = usable ? g[ldtr + SEG_BASE] : 0;
    const limit = usable ? Math.min(g[ldtr + SEG_LIMIT] >>> 0, 0xffff) : -1;
    if (this.ldt.base !== base || this.ldt.limit !== limit) {
      this.forget(this.ldt);
      this.ldt.base = base;
      this.ldt.limit = limit;
      this.ldtLoaded = false;
    }
  }

  /** The guest's translation of the tables' pages may have changed: what was taken from elsewhere goes. */
  revalidate(): void {
    for (const table of [this.gdt, this.ldt]) {
      for (const [page, frame] of table.pages) {
        if (this.translate(page << 12) === frame) continue;
        this.forget(table);
        break;
      }
    }
  }

  /** The window has moved, or become exposed or not: limits were cut for what was. */
  windowMoved(): void {
    for (const table of [this.gdt, this.ldt]) for (const index of [...table.held.keys()]) this.release(table, index);
    this.ldtLoaded = false;
  }

  /** Bytes of a traced frame changed: entries taken from them become absent. */
  written(address: number, bytes: number): void {
    for (const table of [this.gdt, this.ldt]) {
      for (const [page, frame] of table.pages) {
        if (frame !== (address & 0xfffff000) >>> 0) continue;
        const linear = (page << 12) | (address & 0xfff);
        const from = (linear - table.base) | 0;
        for (let index = Math.max(0, from >> 3); index <= (from + bytes - 1) >> 3; index++) this.release(table, index);
      }
    }
  }

  // -------------------------------------------------------------------------------- holding entries

  /**
   * Makes the hardware's entry for `selector` the compression of the guest's, and tells whether a load of it gives exactly
   * `contents` compressed; false when the hardware cannot have it.
   */
  hold(selector: number, contents: SegmentContents): boolean {
    const held = this.entry(selector);
    if (held === undefined) return false;
    const now = unpackDescriptor(held.low, held.high);
    return (
      now.base === contents.base &&
      now.limit === contents.limit &&
      ((now.access ^ contents.access) & ~AR_ACCESSED) === 0
    );
  }

  /** What a segment register holds after the hardware loaded `selector` from its present entry, for the guest. */
  guestContents(selector: number): SegmentContents | undefined {
    const held = this.table(selector).held.get((selector & 0xffff) >>> 3);
    return held === undefined ? undefined : unpackDescriptor(held.low, held.high);
  }

  /** The same as the hardware's own contents. */
  hardwareContents(selector: number): SegmentContents | undefined {
    const held = this.table(selector).held.get((selector & 0xffff) >>> 3);
    return held === undefined ? undefined : unpackDescriptor(held.shadowLow, held.shadowHigh);
  }

  private entry(selector: number): Held | undefined {
    const table = this.table(selector);
    const index = (selector & 0xffff) >>> 3;
    const known = table.held.get(index);
    if (known !== undefined) return known;
    if (!table.contains(index) || (!table.local && (index === 0 || index >= FIRST_MONITOR_INDEX))) return undefined;
    const linear = (table.base + index * 8) | 0;
    const low = this.readGuest(linear);
    const high = this.readGuest((linear + 4) | 0);
    if (low === undefined || high === undefined) return undefined;
    const shadow = compressDescriptor(low, high, this.window.base, this.window.exposed);
    if (shadow === undefined) return undefined;
    // In place, all of it goes out of the guest's sight before the hardware's LDTR may point there.
    const whole = table.local && this.inPlace;
    if (
      whole
        ? !this.tracePages(table, table.base, table.base + table.limit)
        : !this.tracePages(table, linear, linear + 7)
    ) {
      return undefined;
    }
    // Of an LDT there is one, for all rings.
    const user = table.local ? shadow : compressDescriptor(low, high, this.window.base, this.window.exposed, true)!;
    const held: Held = {
      low,
      high,
      shadowLow: shadow[0],
      shadowHigh: shadow[1],
      userLow: user[0],
      userHigh: user[1],
    };
    table.held.set(index, held);
    this.store(table, index, held);
    return held;
  }

  private release(table: TableView, index: number): void {
    if (!table.held.delete(index)) return;
    this.version++;
    this.store(table, index, NOT_HELD);
  }

  private forget(table: TableView): void {
    for (const index of [...table.held.keys()]) this.release(table, index);
    for (const frame of table.pages.values()) {
      this.traces.stop(frame, TRACE_DESCRIPTORS);
      if (table.local && this.placement === 'in-place') this.traces.stop(frame, TRACE_HIDDEN);
    }
    table.pages.clear();
    this.version++;
  }

  private store(table: TableView, index: number, { shadowLow, shadowHigh, userLow, userHigh }: Held): void {
    if (table.local && this.inPlace) return;
    const { window } = this;
    window.write(table.firstFrame, index * 8, shadowLow);
    window.write(table.firstFrame, index * 8 + 4, shadowHigh);
    if (table.local) return;
    window.write(FRAME_USER_GDT, index * 8, userLow);
    window.write(FRAME_USER_GDT, index * 8 + 4, userHigh);
  }

  private tracePages(table: TableView, from: number, to: number): boolean {
    for (let page = from >>> 12; page <= to >>> 12; page++) {
      if (table.pages.has(page)) continue;
      const frame = this.translate(page << 12);
      if (frame < 0 || !this.space.isRam(frame)) return false;
      table.pages.set(page, frame);
      this.traces.start(frame, TRACE_DESCRIPTORS);
      if (table.local && this.placement === 'in-place') this.traces.start(frame, TRACE_HIDDEN);
    }
    return true;
  }

  // -------------------------------------------------------------------------------- the hardware's LDTR

  /**
   * Before the guest runs: the hardware's LDT is the guest's present one, or none at all until something is held of it
   * (LDTR after reset describes 64 KiB from address 0 that nobody means as an LDT).
   */
  loadLdt(): void {
    const { window, ldt } = this;
    const limit = ldt.held.size === 0 ? -1 : ldt.limit;
    const base = this.inPlace ? ldt.base : window.ldtBase();
    if (this.ldtLoaded && this.hardwareLdtBase === base && this.hardwareLdtLimit === limit) return;
    if (limit >= 0) {
      window.writeGdt(MONITOR_LDT, (base << 16) | limit);
      window.writeGdt(MONITOR_LDT + 4, ((base >>> 16) & 0xff) | 0x8200 | (base & 0xff000000));
    }
    window.hardware.lldt(limit < 0 ? 0 : MONITOR_LDT);
    this.ldtLoaded = true;
    this.hardwareLdtBase = base;
    this.hardwareLdtLimit = limit;
  }

  // -------------------------------------------------------------------------------- in place

  /** The policy wants the guest's own bytes to stay in the page for the next instruction. */
  swapIn(frame: number): void {
    this.exposed.add(frame);
  }

  swapOut(frame: number): void {
    this.exposed.delete(frame);
  }

  /** On the way to the guest: our bytes into the in-place LDT, but for pages a policy exposes. */
  enterPrivate(): void {
    if (!this.inPlace || this.privateIn) return;
    this.privateIn = true;
    // Entries that are not held need no bytes of ours: nothing can load them while their page is hidden.
    for (const [index, held] of this.ldt.held) this.swapWords(index, held.shadowLow, held.shadowHigh);
  }

  /** On the way from the guest: the guest's bytes back. */
  leavePrivate(): void {
    if (!this.privateIn) return;
    this.privateIn = false;
    for (const [at, value] of this.aside) this.memory.u8[at] = value;
    this.aside.clear();
  }

  private swapWords(index: number, low: number, high: number): void {
    for (let byte = 0; byte < 8; byte++) {
      const linear = (this.ldt.base + index * 8 + byte) | 0;
      const frame = this.ldt.pages.get(linear >>> 12);
      if (frame === undefined || this.exposed.has(frame)) continue;
      const at = PHYS_BASE + frame + (linear & 0xfff);
      this.aside.set(at, this.memory.u8[at]);
      this.memory.u8[at] = (byte < 4 ? low : high) >>> ((byte & 3) * 8);
    }
  }

  /** Maps the pages of the in-place LDT, read-only, for the hardware's own descriptor reads; or hides them again. */
  reveal(on: boolean, pager: Pager): void {
    for (const [page, frame] of this.ldt.pages) pager.reveal(page << 12, frame, on);
  }

  // -------------------------------------------------------------------------------- helpers

  private table(selector: number): TableView {
    return (selector & 4) !== 0 ? this.ldt : this.gdt;
  }

  /** Guest-physical frame of a linear page by the guest's tables, or -1. */
  private translate(linear: number): number {
    const at = this.guestMmu.probe(linear, ACCESS_READ, 0);
    return at < 0 ? -1 : Math.floor(at / 4096) * 4096;
  }

  /** A word of guest memory as the guest's supervisor sees it, without side effects. */
  private readGuest(linear: number): number | undefined {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      const at = this.guestMmu.probe((linear + byte) | 0, ACCESS_READ, 0);
      if (at < 0 || !this.space.isRam(at)) return undefined;
      value |= this.memory.u8[PHYS_BASE + at] << (byte * 8);
    }
    return value;
  }
}
