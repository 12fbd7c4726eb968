/**
 * Shadow paging: the tables the hardware really walks, made from the guest's on demand.
 *
 * Goal: the hardware's translation of every guest-linear address grants no more than the guest's own tables do, never
 *   maps a monitor frame to the guest beyond the read-only window, and never lets a traced frame be written.
 * The guest's tables may be two-level or PAE; the shadows are two-level always (slot-plan.ts, shadow-table.ts).
 * Glossary: a *fill* installs one entry after a page fault; a *trace* is the write protection of a guest frame that holds
 *   a page table (traces.ts); *hooking* puts a leaf table into a slot of a shadow directory.
 * Invariants:
 *   - an entry present in a traced table agrees with the guest's entry (`sameMeaning`), rights, frame and D bit included;
 *   - an entry is writable only if the guest's D bit is set and its frame is not traced; a hidden frame has no entry;
 *   - directory entries of shadows grant everything; a leaf entry holds the effective rights, so leaf tables are keyed
 *     by the rights they inherit and may be shared between directories;
 *   - free frames of the pool are all zero.
 * What invalidates what: a write through a trace drops the entries it changed and INVLPGs their addresses; unhooking a
 *   leaf or starting a trace flushes the hardware's TLB before the guest runs again; a change of CR0.PG, CR0.WP,
 *   CR4.PSE, CR4.PAE or the A20 gate drops everything.
 * What becomes of tables at a CR3 reload is the shadow-cache strategy's decision.
 */
import {
  CR0,
  CR0_PG,
  CR3,
  PAGE_RAM,
  PAGE_ROM,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_U,
  PTE_W,
  RingfenceError,
  type PhysicalSpace,
  type ShadowCache,
  type ShadowCacheStrategy,
} from '@ringfence/sdk';
import { GuestFrames } from './guest-frames.js';
import type { GuestWalk } from './guest-walk.js';
import { FRAME_SHADOWS, FRAME_STACK, POOL_FRAMES, STACK_PAGE, TOP_SLOT } from './layout.js';
import { planLeaf, rootKey } from './slot-plan.js';
import { Table, sameMeaning, type TableKind } from './shadow-table.js';
import { TRACE_HIDDEN, Traces } from './traces.js';
import type { Window } from './window.js';

/** What a page fault of the running guest turned out to be. */
export const FILLED = 0;
/** The guest's own tables refuse the access. */
export const GUEST_FAULT = 1;
/** The guest's tables lead to something that is not plain memory. */
export const DEVICE = 2;
/** The access touches a traced or hidden frame: the policy's business. */
export const STRUCTURE = 3;
export type FaultKind = typeof FILLED | typeof GUEST_FAULT | typeof DEVICE | typeof STRUCTURE;

const HOOK_BITS = PTE_P | PTE_W | PTE_U | PTE_A;

export class Pager implements ShadowCache {
  readonly traces: Traces;
  /** The directory the guest runs under; undefined until `activate`. */
  active: Table | undefined;
  rootSwitches = 0;
  hits = 0;
  misses = 0;
  fills = 0;
  evictions = 0;
  traceWrites = 0;
  /** Set when the hardware's TLB must be flushed before the guest runs again. */
  flushPending = true;
  /** Set when a present entry of the guest's directory may stand in the window's slot. */
  windowSuspect = true;
  private readonly byKey = new Map<number | string, Table>();
  private readonly all = new Set<Table>();
  private readonly free: number[] = [];
  /** Dropped directories that the hardware's CR3 still named: they keep frame and window until it has moved on. */
  private readonly lingering: Table[] = [];
  private pinned: Table | undefined;
  private readonly frames: GuestFrames;

  constructor(
    private readonly window: Window,
    private readonly walk: GuestWalk,
    private readonly state: Int32Array,
    private readonly space: PhysicalSpace,
    private readonly strategy: ShadowCacheStrategy,
    ramBytes: number,
  ) {
    this.traces = new Traces(space, ramBytes, (page, hidden) => {
      if (this.frames.revoke(this.all, page, hidden)) this.flushPending = true;
    });
    this.frames = new GuestFrames(this.traces, strategy, ramBytes);
    for (let frame = POOL_FRAMES - 1; frame >= FRAME_SHADOWS; frame--) this.free.push(frame);
  }

  // ------------------------------------------------------------------------------------------ roots

  /** The guest loaded CR3 (with paging on): the strategy decides what is kept. */
  reload(): void {
    this.rootSwitches++;
    const from = this.active;
    const key = rootKey(this.state, this.walk);
    this.strategy.reload(this, from, this.byKey.get(key));
    this.active = undefined;
    this.pinned = undefined;
    const kept = this.byKey.get(key);
    if (kept === undefined) this.misses++;
    else this.hits++;
    this.flushPending = true;
    this.windowSuspect = true;
  }

  /** Paging mode changed: nothing that was derived under the old one may be used. */
  reset(): void {
    this.dropAll();
    this.flushPending = true;
    this.windowSuspect = true;
  }

  /** Makes sure that the guest's present address space has a shadow directory. */
  activate(): Table {
    if (this.active !== undefined) return this.active;
    const key = rootKey(this.state, this.walk);
    let root = this.byKey.get(key);
    if (root === undefined) {
      const paging = (this.state[CR0] & CR0_PG) !== 0;
      root = this.create(paging ? 'directory' : 'flat-directory', key, paging ? this.walk.directories() : []);
      root.set(this.window.slot, this.window.directoryEntry());
      if (this.window.slot !== TOP_SLOT) root.set(TOP_SLOT, this.window.topEntry());
    }
    this.strategy.used(root);
    this.active = root;
    this.flushPending = true;
    this.window.guestRoot = this.window.physical(root.frame);
    return root;
  }

  /** Frees directories dropped while the hardware's CR3 named them, once it names another. */
  reap(): void {
    for (let i = this.lingering.length - 1; i >= 0; i--) {
      const table = this.lingering[i];
      if (this.inUseByHardware(table)) continue;
      this.lingering.splice(i, 1);
      table.wipe();
      this.free.push(table.frame);
    }
  }

  /** Drops what the strategy gave up for being written; not in the middle of a fill or a step. */
  dropFlooded(): void {
    const { flooded } = this.frames;
    if (flooded.size === 0) return;
    for (const table of flooded) if (table !== this.active) this.drop(table);
    flooded.clear();
  }

  /** Puts the window into, or takes it out of, a slot of every shadow directory. */
  hookWindow(slot: number): void {
    for (const table of [...this.all, ...this.lingering]) {
      if (!table.root) continue;
      this.unhook(table, slot);
      table.set(slot, this.window.directoryEntry());
    }
  }

  unhookWindow(slot: number): void {
    for (const table of [...this.all, ...this.lingering]) if (table.root) table.set(slot, 0);
    this.flushPending = true;
  }

  // ------------------------------------------------------------------------------------------ faults

  /** Resolves a fault at `linear`; on FILLED the access can be retried, on STRUCTURE `walk` describes the page. */
  fault(linear: number, write: boolean, user: boolean): FaultKind {
    const { walk } = this;
    if (!walk.walk(linear) || !walk.permits(write, user)) return GUEST_FAULT;
    // Tables outside of RAM cannot be traced, so nothing may be derived from them.
    if (walk.paging && !(this.space.isRam(walk.pdeAddress) && this.space.isRam(walk.pteAddress))) return DEVICE;
    const kind = this.space.kind[walk.frame >>> 12];
    if ((kind & PAGE_RAM) === 0 && (write || kind !== PAGE_ROM)) return DEVICE;
    if (linear >>> 12 === STACK_PAGE >>> 12) return DEVICE;
    // Hooking the leaf in may start the trace of this very frame: a table that maps itself.
    this.leaf(linear);
    const trace = this.traces.at(walk.frame);
    if ((trace & (1 << TRACE_HIDDEN)) !== 0 || (write && trace !== 0)) return STRUCTURE;
    this.map(linear, write, user, trace === 0 && kind !== PAGE_ROM);
    this.fills++;
    return FILLED;
  }

  /** Installs the entry for the page last walked, with the rights the guest's tables give for this kind of access. */
  map(linear: number, write: boolean, user: boolean, mayWrite: boolean): void {
    const { walk } = this;
    walk.setAccessed(write);
    let entry = walk.frame | PTE_P | PTE_A | PTE_D | 0;
    if (write && !walk.writable) {
      // CR0.WP = 0: a supervisor writes a read-only page. Supervisor-only until the user next reads it.
      entry |= PTE_W;
    } else {
      if (walk.user) entry |= PTE_U;
      if (walk.writable && mayWrite && (write || walk.dirty())) entry |= PTE_W;
    }
    this.frames.mapped(walk.frame >>> 12, (entry & PTE_W) !== 0);
    const copy = walk.pte;
    const leaf = this.leaf(linear);
    // The directory's entry has been used too, and is the page's own when the page is large.
    if (walk.paging) this.activate().copies[walk.number] |= walk.large ? copy & (PTE_A | PTE_D) : PTE_A;
    const index = (linear >>> 12) & 0x3ff;
    leaf.copies[index] = copy;
    leaf.set(index, entry);
    this.strategy.used(leaf);
  }

  /** Maps a hidden page read-only for the monitor's own sake, or takes that away. */
  reveal(linear: number, frame: number, on: boolean): void {
    if (!this.walk.walk(linear) || this.walk.frame !== frame) return;
    this.leaf(linear).set((linear >>> 12) & 0x3ff, on ? frame | PTE_P | PTE_A | PTE_D : 0);
    this.window.close();
    this.window.hardware.invlpg(linear);
  }

  /** The leaf entry in force at `linear`, 0 when there is none, and the table it stands in. */
  entryAt(linear: number): { readonly table: Table | undefined; readonly entry: number } {
    const table = this.active?.children.get(linear >>> 22);
    return { table, entry: table === undefined ? 0 : table.entries[(linear >>> 12) & 0x3ff] };
  }

  // ------------------------------------------------------------------------------------------ guest writes

  /** The guest's write to this traced frame trapped, whether or not it will change a byte. */
  noteWrite(frame: number): void {
    this.traceWrites++;
    this.frames.noteWrite(frame);
  }

  /** Bytes of a traced guest page changed: drops what was derived from them. */
  tableWritten(address: number, bytes: number): void {
    const frame = (address & 0xfffff000) >>> 0;
    const tables = this.frames.tables(frame);
    if (tables === undefined) return;
    for (const table of [...tables]) {
      const { parts, entryBytes } = table;
      const first = Math.floor((address & 0xfff) / entryBytes);
      const last = Math.floor(((address & 0xfff) + bytes - 1) / entryBytes);
      for (let part = 0; part < parts.length; part++) {
        if (parts[part] !== frame) continue;
        const base = part * (4096 / entryBytes);
        for (let index = first; index <= last; index++) this.refresh(table, base + index);
      }
    }
  }

  resync(table: Table): number {
    let dropped = 0;
    if (table.root) {
      const count = table.entryBytes / 4;
      for (const slot of [...table.children.keys()]) {
        for (let i = 0; i < count; i++) if (this.refresh(table, slot * count + i)) dropped++;
      }
    } else {
      for (const index of [...table.used()]) if (this.refresh(table, index)) dropped++;
    }
    return dropped;
  }

  /** Drops what was made from the guest's entry `number` of `table` unless that still means the same. */
  private refresh(table: Table, number: number): boolean {
    const at = table.guestAddress(number);
    if (at < 0) return false;
    const now = this.space.read(at, 4);
    // Nothing is derived from an entry with a high half: it names what lies beyond the bus.
    const high = table.entryBytes === 8 ? this.space.read(at + 4, 4) : 0;
    const same = high === 0 && sameMeaning(table.copies[number], now);
    if (table.root) {
      const slot = table.entryBytes === 8 ? number >>> 1 : number;
      if (slot === this.window.slot && (now & PTE_P) !== 0) this.windowSuspect = true;
      if (same || !table.children.has(slot) || table.copies[number] === 0) return false;
      this.unhook(table, slot);
      return true;
    }
    if (same || table.entries[number] === 0 || this.isStackEntry(table, number)) return false;
    table.set(number, 0);
    this.invalidate(table, number);
    return true;
  }

  private invalidate(leaf: Table, index: number): void {
    for (const { directory, slot } of leaf.parents.values()) {
      if (directory === this.active) this.window.hardware.invlpg((slot << 22) | (index << 12));
    }
  }

  // ------------------------------------------------------------------------------------------ the cache

  tables(): Iterable<Table> {
    return this.all;
  }

  *children(root: Table): Iterable<Table> {
    yield* root.children.values();
  }

  drop(table: Table): void {
    if (!this.all.delete(table)) return;
    if (table.root) {
      for (const slot of [...table.children.keys()]) this.unhook(table, slot);
      if (table === this.active) this.active = undefined;
    } else {
      for (const { directory, slot } of [...table.parents.values()]) this.unhook(directory, slot);
    }
    this.byKey.delete(table.key);
    this.setTraced(table, false);
    if (table.root && this.inUseByHardware(table)) {
      this.lingering.push(table);
    } else {
      table.wipe();
      this.free.push(table.frame);
    }
    this.strategy.dropped(table);
    this.flushPending = true;
  }

  dropAll(): void {
    for (const table of [...this.all]) this.drop(table);
  }

  setTraced(table: Table, on: boolean): void {
    this.frames.setTraced(table, on);
  }

  // ------------------------------------------------------------------------------------------ tables

  /** The leaf that serves `linear` in the active directory, hooked in if it was not. Expects the page just walked. */
  private leaf(linear: number): Table {
    const root = this.activate();
    const slot = linear >>> 22;
    const { walk } = this;
    const hooked = root.children.get(slot);
    if (hooked !== undefined) {
      if (!walk.paging || root.copies[walk.number] !== 0) return hooked;
      // PAE: the other half of the slot was hooked while there was nothing in this one.
      this.unhook(root, slot);
    }
    const top = slot === TOP_SLOT;
    const { entries, parts, key } = planLeaf(slot, walk);
    this.pinned = root;
    const leaf =
      key === undefined
        ? this.create('range', -1 - (root.id * 1024 + slot), parts)
        : (this.byKey.get(key) ?? this.create('table', key, parts));
    this.pinned = undefined;
    if (top) leaf.set(TOP_SLOT, this.window.physical(FRAME_STACK) | PTE_P | PTE_W | PTE_A | PTE_D);
    root.children.set(slot, leaf);
    root.copies.set(entries, slot * entries.length);
    leaf.parents.set(root.id * 1024 + slot, { directory: root, slot });
    root.set(slot, this.window.physical(leaf.frame) | HOOK_BITS);
    if (top) this.flushPending = true;
    return leaf;
  }

  private unhook(directory: Table, slot: number): void {
    const leaf = directory.children.get(slot);
    if (leaf === undefined) return;
    directory.children.delete(slot);
    leaf.parents.delete(directory.id * 1024 + slot);
    directory.set(slot, slot === TOP_SLOT ? this.window.topEntry() : 0);
    this.flushPending = true;
    if (leaf.kind === 'range') this.drop(leaf);
  }

  private create(kind: TableKind, key: number | string, parts: readonly number[]): Table {
    while (this.all.size >= this.strategy.capacity || this.free.length === 0) {
      const victim = this.strategy.victim(this, (table) => table !== this.active && table !== this.pinned);
      if (victim === undefined || !this.all.has(victim as Table)) {
        throw new RingfenceError('RF_MONITOR_POOL_EXHAUSTED', {
          message: `shadow-cache strategy ${this.strategy.name} gives no table up`,
          value: this.all.size,
          fix: 'raise its capacity',
        });
      }
      this.evictions++;
      this.drop(victim as Table);
    }
    const table = new Table(kind, key, parts, this.walk.pae ? 8 : 4, this.free.pop()!, this.window);
    this.all.add(table);
    this.byKey.set(key, table);
    this.strategy.used(table);
    this.setTraced(table, true);
    return table;
  }

  private inUseByHardware(table: Table): boolean {
    return (this.window.hardware.state[CR3] & 0xfffff000) >>> 0 === this.window.physical(table.frame);
  }

  private isStackEntry(table: Table, index: number): boolean {
    return index === TOP_SLOT && table.entries[index] >>> 12 === this.window.physical(FRAME_STACK) / 4096;
  }
}
