/**
 * An MMU for specs of a processor: linear addresses are physical ones, no tables are walked, and single pages can be
 * made to fault. It fills the TLB's tag banks as layout.ts describes, so a core's fast paths are exercised as with the
 * real one. It knows CR0.WP and the A20 gate; it does not know paging, and page rights hold whatever CR0.PG says.
 */
import {
  ACCESS_WRITE,
  CR0_WP,
  PAGE_RAM,
  PF_PRESENT,
  PF_USER,
  PF_WRITE,
  PHYS_BASE,
  TLB_ADDEND,
  TLB_ENTRIES,
  TLB_MASK,
  TLB_META,
  TLB_PHYS,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
  type CodeListener,
  type MachineMemory,
  type Mmu,
  type MmuObserver,
  type PhysicalSpace,
} from '@ringfence/sdk';

export interface PageRights {
  /** Default true. */
  readonly present?: boolean;
  /** Default true. */
  readonly write?: boolean;
  /** Default true. */
  readonly user?: boolean;
}

const WRITE_BANKS = [TLB_WRITE_SUPERVISOR, TLB_WRITE_USER, TLB_WRITE_UNPROTECTED];

export class FlatMmu implements Mmu, CodeListener {
  readonly tlb: Int32Array;
  generation = 1;
  faultCode = 0;
  readonly roots = new Set<number>();
  observer: MmuObserver | undefined;
  private readonly rights = new Map<number, PageRights>();
  private slowPages = new Set<number>();
  private writeProtect = false;

  constructor(
    private readonly memory: MachineMemory,
    private readonly space: PhysicalSpace,
    slot = 0,
  ) {
    this.tlb = memory.tlbWords(slot);
    memory.addCodeListener(this);
    space.onChange(() => this.flushAll());
  }

  /** Sets the rights of the page that holds `linear`, as if its page-table entry said so, and invalidates it. */
  setPage(linear: number, rights: PageRights): void {
    this.rights.set(linear >>> 12, rights);
    this.dropEntry(linear);
  }

  /** The page that holds `linear` is not present. */
  unmap(linear: number): void {
    this.setPage(linear, { present: false });
  }

  /** The page that holds `linear` is read-only (to a supervisor, only while CR0.WP is set). */
  setReadOnly(linear: number): void {
    this.setPage(linear, { write: false });
  }

  translate(linear: number, access: number, user: number): number {
    const physical = this.probe(linear, access, user);
    if (physical >= 0) this.fill(linear, physical, access);
    return physical;
  }

  probe(linear: number, access: number, user: number): number {
    const { present = true, write = true, user: userMay = true } = this.rights.get(linear >>> 12) ?? {};
    const code = (access === ACCESS_WRITE ? PF_WRITE : 0) | (user !== 0 ? PF_USER : 0);
    const allowed = (user === 0 || userMay) && (access !== ACCESS_WRITE || write || (user === 0 && !this.writeProtect));
    if (!present || !allowed) {
      this.faultCode = code | (present ? PF_PRESENT : 0);
      return -1;
    }
    return (linear & this.space.a20Mask) >>> 0;
  }

  writeCr0(value: number): boolean {
    this.writeProtect = (value & CR0_WP) !== 0;
    this.observer?.controlWritten(0);
    return true;
  }

  writeCr3(_value: number): boolean {
    this.flushAll();
    this.observer?.controlWritten(3);
    return true;
  }

  writeCr4(_value: number): boolean {
    this.flushAll();
    this.observer?.controlWritten(4);
    return true;
  }

  load(cr0: number, _cr3: number, _cr4: number): void {
    this.writeProtect = (cr0 & CR0_WP) !== 0;
    this.flushAll();
  }

  invlpg(linear: number): void {
    this.dropEntry(linear);
    this.observer?.invalidated(linear);
  }

  flushAll(): void {
    this.generation = this.generation === 4095 ? 1 : this.generation + 1;
    if (this.generation === 1) this.tlb.fill(0);
  }

  dropWriteTags(page: number): void {
    for (let index = 0; index < TLB_ENTRIES; index++) {
      if (this.tlb[TLB_PHYS + index] >>> 12 !== page) continue;
      for (const bank of WRITE_BANKS) this.tlb[bank + index] = 0;
    }
  }

  setSlowPages(pages: readonly number[]): void {
    this.slowPages = new Set(pages);
    this.flushAll();
  }

  codePageAdded(page: number): void {
    this.dropWriteTags(page);
  }

  codeWritten(): boolean {
    return false; // holds no decoded code
  }

  private fill(linear: number, physical: number, access: number): void {
    const { tlb, memory } = this;
    const page = physical >>> 12;
    const index = (linear >>> 12) & TLB_MASK;
    const tag = (linear & ~0xfff) | this.generation;
    const known = ((tlb[TLB_META + index] ^ linear) & ~0xfff) === 0 && tlb[TLB_READ_SUPERVISOR + index] === tag;
    if (!known) this.dropAllTags(index);
    if (this.space.kind[page] !== PAGE_RAM || this.slowPages.has(linear >>> 12)) return;
    const { write = true, user = true } = this.rights.get(linear >>> 12) ?? {};
    tlb[TLB_META + index] = linear & ~0xfff;
    tlb[TLB_PHYS + index] = physical & ~0xfff;
    tlb[TLB_ADDEND + index] = PHYS_BASE + physical - linear;
    tlb[TLB_READ_SUPERVISOR + index] = tag;
    if (user) tlb[TLB_READ_USER + index] = tag;
    if (access !== ACCESS_WRITE || memory.codePages[page] !== 0) return;
    tlb[TLB_WRITE_UNPROTECTED + index] = tag;
    if (write) tlb[TLB_WRITE_SUPERVISOR + index] = tag;
    if (write && user) tlb[TLB_WRITE_USER + index] = tag;
  }

  private dropEntry(linear: number): void {
    const index = (linear >>> 12) & TLB_MASK;
    if (((this.tlb[TLB_META + index] ^ linear) & ~0xfff) === 0) this.dropAllTags(index);
  }

  private dropAllTags(index: number): void {
    this.tlb[TLB_READ_SUPERVISOR + index] = 0;
    this.tlb[TLB_READ_USER + index] = 0;
    for (const bank of WRITE_BANKS) this.tlb[bank + index] = 0;
  }
}
