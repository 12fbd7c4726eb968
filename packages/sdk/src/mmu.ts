/**
 * The memory-management unit's contract: linear to physical, rights, accessed and dirty bits, and a TLB that keeps stale
 * entries until software invalidates them (SDM Vol. 3A, chapter 4 "Paging").
 * The processor's hot path looks into `tlb` itself (see the tag banks in layout.ts) and calls `translate` only on a miss.
 * The MMU raises no exception: it answers -1 and leaves the error code in `faultCode`; the processor delivers #PF.
 */
import type { MachineMemory } from './memory.js';
import type { PhysicalSpace } from './physical-space.js';

export const ACCESS_READ = 0;
export const ACCESS_WRITE = 1;
export const ACCESS_FETCH = 2;

export interface Mmu {
  /** The TLB words of this core's slot; see TLB_* in layout.ts. */
  readonly tlb: Int32Array;
  /** 1..4095: the low 12 bits of a valid tag. A flush moves it on. */
  generation: number;
  /** Page-fault error code of the last `translate` that answered -1. */
  faultCode: number;
  /**
   * Page-directory frames (physical addresses) of every CR3 value ever in force while paging was on; `stateHash` masks
   * the A and D bits of what is reachable from them.
   */
  readonly roots: Set<number>;

  /**
   * Translates one linear address for ACCESS_READ, ACCESS_WRITE or ACCESS_FETCH at user (1) or supervisor (0) privilege,
   * with every side effect the hardware has: A and D bits set, TLB entry filled, fast tags granted where allowed.
   * A cached entry with enough rights is used as it stands, stale or not. One that denies is dropped and the tables are
   * walked again before a fault is reported (SDM Vol. 3A, 4.10.4.3 "Optional Invalidation" permits both; this choice
   * makes spurious faults impossible and so determinism easy). Returns the physical address as an unsigned number, or
   * -1 with `faultCode` set.
   */
  translate(linear: number, access: number, user: number): number;

  /** Translates without any side effect and without the TLB: physical address, or -1 (with `faultCode` set). */
  probe(linear: number, access: number, user: number): number;

  /** Tells the MMU of the control registers; it flushes as SDM Vol. 3A, 4.10.4.1 "Operations that Invalidate TLBs" says. */
  writeCr0(value: number): void;
  writeCr3(value: number): void;
  writeCr4(value: number): void;
  /** Control registers at once with a full flush: reset and state loading. */
  load(cr0: number, cr3: number, cr4: number): void;

  invlpg(linear: number): void;
  flushAll(): void;
  /** Drops fast write tags of every entry that maps physical page `page`, keeping the (perhaps stale) translation. */
  dropWriteTags(page: number): void;
  /** Undefined unless someone watches. */
  observer: MmuObserver | undefined;
  /** Linear pages (page numbers) that never get fast tags: data breakpoints lie there. */
  setSlowPages(pages: readonly number[]): void;
}

/** Told of what software did to the MMU, after it happened. A monitor watches its guest's view this way. */
export interface MmuObserver {
  /** CR0, CR3 or CR4 was written (0, 3 or 4). */
  controlWritten(register: 0 | 3 | 4): void;
  invalidated(linear: number): void;
}

export interface MmuInit {
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
  readonly slot: number;
  /** 36-bit physical addressing and PSE, PGE as the processor model has them. */
  readonly features: { readonly pse: boolean; readonly pge: boolean };
}

/** Makes MMUs: the hardware's, and one for the monitor's guest view. Registered under the token of the same name. */
export interface MmuFactory {
  create(init: MmuInit): Mmu;
}
