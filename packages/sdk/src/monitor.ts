/**
 * Contracts of the monitor's plugins: policies (what happens on one access to a virtualized structure), shadow-cache
 * strategies (what becomes of shadow page tables at a CR3 reload), sensitive-instruction strategies, and protections
 * (how the monitor opens its own pages). Each is a small class that drives services the monitor gives it; nobody
 * branches on a name.
 */
import type { GuestExecutor } from './executor.js';
import type { Assist, Processor } from './processor.js';

export interface MonitorOptions {
  readonly assist: Assist;
  /** Whether the guest's RDTSC executes on the hardware, which tells the same time, or exits each time. Default: native. */
  readonly rdtsc?: 'native' | 'trap';
}

/** Makes the monitor of a machine: an executor over hardware of its own. */
export interface MonitorFactory {
  create(): GuestExecutor;
}

// ---------------------------------------------------------------------------------------------------- policies

/** What kind of structure an access touches. */
export type StructureKind = 'page-table' | 'descriptor-table';

/** Where a virtualized structure stands (design, section 5). */
export type Placement = 'shadowed' | 'in-place';

/** One refused access of the running guest instruction to a protected page. */
export interface StructureAccess {
  /** Linear address that faulted (CR2). */
  readonly linear: number;
  /** Guest-physical address of the page it lies in. */
  readonly frame: number;
  readonly write: boolean;
  readonly kind: StructureKind;
  readonly placement: Placement;
}

/** A mapping as it was before a policy changed it. Opaque to the policy. */
export interface SavedMapping {
  readonly linear: number;
}

/** What the monitor offers to a policy, in the seed's own steps. */
export interface PolicyServices {
  /** Saves the current page mapping of the page of `linear`. */
  saveMapping(linear: number): SavedMapping;
  /** Maps the guest's data page there with the access the guest has by its own tables. No INVLPG implied. */
  mapGuestPage(access: StructureAccess): void;
  /** Puts a mapping back. No INVLPG implied. */
  restoreMapping(saved: SavedMapping): void;
  invlpg(linear: number): void;
  /** Single-steps the faulting instruction on the processor (TF); `MonitorPolicy.stepped` is called after it. */
  singleStep(): void;
  /** Saves the private bytes of the in-place structures in the page, and puts in the bytes the guest should see. */
  swapIn(frame: number): void;
  /** Puts the private bytes back, made anew from what the guest's bytes are now. */
  swapOut(frame: number): void;
  /** Brings every shadow of what changed in the pages mapped for this instruction up to date. */
  actOnChange(): void;
  /** Completes the faulting instruction on the monitor's emulator, shadows brought up to date. */
  emulate(): void;
}

export interface MonitorPolicy {
  readonly name: string;
  /** Where the monitor should put a structure that may share its page with other guest data (an LDT). */
  readonly placement: Placement;
  /** The running instruction touched a protected page. May be called again before `stepped` for another page of the same instruction. */
  access(access: StructureAccess, services: PolicyServices): void;
  /**
   * The single-stepped instruction completed, or is given up because it faults for a reason of the guest's own: undo
   * every change of mapping and bytes, and act on what the instruction did.
   */
  stepped(services: PolicyServices): void;
}

// ------------------------------------------------------------------------------------- shadow-cache strategies

/** A shadow page table or directory, as strategies see it. */
export interface ShadowTable {
  readonly id: number;
  /** Directory (root) or leaf table. */
  readonly root: boolean;
  /**
   * The guest frames it shadows, each once. None: it follows no guest table (paging off, split large pages). One, as a
   * rule; with PAE a directory follows up to four of the guest's, and a leaf up to two.
   */
  readonly guestFrames: readonly number[];
}

/** What the monitor's pager offers to a strategy. */
export interface ShadowCache {
  /** Every table kept, in no particular order. */
  tables(): Iterable<ShadowTable>;
  /** Throws a table away, unhooking it from every directory; the guest frame is no longer traced for it. */
  drop(table: ShadowTable): void;
  dropAll(): void;
  /** Compares a table with the guest's (all it shadows) and drops each entry that no longer agrees. Answers how many. */
  resync(table: ShadowTable): number;
  /** Write-protects the guest's tables it shadows (memory traces) or lifts that. New tables start traced. */
  setTraced(table: ShadowTable, on: boolean): void;
  /** Leaf tables hooked into a directory at the moment. */
  children(root: ShadowTable): Iterable<ShadowTable>;
}

export interface ShadowCacheStrategy {
  readonly name: string;
  /** Most tables, directories included, that may be kept. At least 8. */
  readonly capacity: number;
  /**
   * The guest reloads CR3. `from` is the directory in use until now, if it still exists; `to` the one kept for the new
   * value, if there is one (a hit unless this call drops it).
   */
  reload(cache: ShadowCache, from: ShadowTable | undefined, to: ShadowTable | undefined): void;
  /** A table was made or used by a reload or a fill. */
  used(table: ShadowTable): void;
  dropped(table: ShadowTable): void;
  /**
   * A write of the guest to a table that this one shadows trapped. True: better to give it up; it is dropped before the
   * guest runs on, unless it is the directory in use. Without this method tables go by reloads and eviction alone.
   */
  written?(table: ShadowTable): boolean;
  /** The table to evict when `capacity` is reached, among those for which `mayDrop` is true. */
  victim(cache: ShadowCache, mayDrop: (table: ShadowTable) => boolean): ShadowTable | undefined;
}

// -------------------------------------------------------------------------- sensitive instructions, protection

/** Which of CLI, STI, PUSHF, POPF, IRET the hardware carries out in ring 1. */
export type VirtualFlags = 'none' | 'inner' | 'all';

export interface SensitiveStrategy {
  readonly name: string;
  /** Sets the hardware up before the guest's first instruction. */
  prepare(hardware: Processor): void;
  /**
   * The hardware can run the flag instructions of the deprivileged kernel on EFLAGS.VIF: has it do so, but for returns to
   * ring 3 or with them, or has them all exit. The monitor decides before each entry. Absent: they exit.
   */
  readonly virtualFlags?: (hardware: Processor, which: VirtualFlags) => void;
}

/** What a protection works on. */
export interface ProtectionContext {
  readonly hardware: Processor;
  /** CR3 of the monitor's own directory, in which its pages are writable at the addresses of the window. */
  monitorCr3(): number;
  /** CR3 the guest runs under. */
  guestCr3(): number;
}

export interface ProtectionStrategy {
  readonly name: string;
  /** Makes the window writable for the monitor (CPL 0 code) until `close`. */
  open(context: ProtectionContext): void;
  close(context: ProtectionContext): void;
}
