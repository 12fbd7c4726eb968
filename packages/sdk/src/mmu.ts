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

/** Bit of an entry of `Mmu.roots`: the directory has the 8-byte entries of PAE paging. */
export const ROOT_PAE = 1;

export interface Mmu {
  /** The TLB words of this core's slot; see TLB_* in layout.ts. */
  readonly tlb: Int32Array;
  /** 1..4095: the low 12 bits of a valid tag. A flush moves it on. */
  generation: number;
  /** Page-fault error code of the last `translate` or `probe` that answered -1. */
  readonly faultCode: number;
  /**
   * Every page directory ever in force while paging was on; `stateHash` masks the A and D bits of what is reachable from
   * them. A physical address; ROOT_PAE is set in it for a directory of 8-byte entries.
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

  /**
   * Tells the MMU of the control registers; it flushes as SDM Vol. 3A, 4.10.4.1 "Operations that Invalidate TLBs" says,
   * and loads the PDPTEs into the state words as 4.4.1 "PDPTE Registers" says. False: one of them has a reserved bit set;
   * nothing has changed, and the core raises #GP(0).
   */
  writeCr0(value: number): boolean;
  writeCr3(value: number): boolean;
  writeCr4(value: number): boolean;
  /** Control registers at once with a full flush: reset and state loading. The PDPTEs are taken as the state words have them. */
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
  /** What the processor model has. */
  readonly features: { readonly pse: boolean; readonly pge: boolean; readonly pae: boolean };
}

/** Makes MMUs: the hardware's, and one for the monitor's guest view. Registered under the token of the same name. */
export interface MmuFactory {
  create(init: MmuInit): Mmu;
}
