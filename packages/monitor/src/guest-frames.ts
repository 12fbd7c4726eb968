/**
 * The shadows by guest frame: which traced tables are made from one, whether any leaf entry may map one, and which tables
 * the strategy gives up because the guest keeps writing theirs.
 * It takes entries away when a frame must not be reached or written any more, but neither installs entries nor drops
 * tables, and it flushes no TLB: that is the pager's business. What a trace is for is traces.ts.
 */
import { PTE_P, PTE_W, type ShadowCacheStrategy } from '@ringfence/sdk';
import type { Table } from './shadow-table.js';
import { TRACE_PAGE_TABLE, type Traces } from './traces.js';

/** Some entry may map the page; some entry may map it writable. */
const MAPPED = 1;
const MAPPED_WRITABLE = 2;

export class GuestFrames {
  /** Tables that the strategy gives up for being written too often. */
  readonly flooded = new Set<Table>();
  private readonly byFrame = new Map<number, Table[]>();
  /** By guest page. */
  private readonly mappings: Uint8Array;

  constructor(
    private readonly traces: Traces,
    private readonly strategy: ShadowCacheStrategy,
    ramBytes: number,
  ) {
    this.mappings = new Uint8Array(ramBytes / 4096);
  }

  /** The traced tables made from the guest's at `frame`. */
  tables(frame: number): readonly Table[] | undefined {
    return this.byFrame.get(frame);
  }

  setTraced(table: Table, on: boolean): void {
    if (table.traced === on) return;
    table.traced = on;
    for (const frame of table.guestFrames) {
      const sharers = this.byFrame.get(frame) ?? [];
      if (on) {
        sharers.push(table);
        this.byFrame.set(frame, sharers);
        this.traces.start(frame, TRACE_PAGE_TABLE);
      } else {
        sharers.splice(sharers.indexOf(table), 1);
        if (sharers.length === 0) this.byFrame.delete(frame);
        this.traces.stop(frame, TRACE_PAGE_TABLE);
      }
    }
  }

  /** The guest's write to this traced frame trapped. */
  noteWrite(frame: number): void {
    const tables = this.byFrame.get(frame);
    if (tables === undefined || this.strategy.written === undefined) return;
    for (const table of tables) if (this.strategy.written(table)) this.flooded.add(table);
  }

  /** A leaf entry for this guest page is about to be installed. */
  mapped(page: number, writable: boolean): void {
    if (page < this.mappings.length) this.mappings[page] |= writable ? MAPPED | MAPPED_WRITABLE : MAPPED;
  }

  /**
   * Takes away write access (or all access) to a guest page wherever one of `tables` grants it. True when the hardware's
   * TLB may still have it.
   */
  revoke(tables: Iterable<Table>, page: number, hidden: boolean): boolean {
    if ((this.mappings[page] & (hidden ? MAPPED : MAPPED_WRITABLE)) === 0) return false;
    for (const table of tables) {
      if (table.root) continue;
      for (const index of table.used()) {
        const entry = table.entries[index];
        if (entry >>> 12 !== page || (entry & PTE_P) === 0) continue;
        if (hidden) table.set(index, 0);
        else if ((entry & PTE_W) !== 0) table.set(index, entry & ~PTE_W);
      }
    }
    this.mappings[page] = hidden ? 0 : MAPPED;
    return true;
  }
}
