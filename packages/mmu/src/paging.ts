/**
 * IA-32 two-level paging and its TLB (SDM Vol. 3A, chapter 4 "Paging", above all 4.3 "32-bit Paging", 4.6 "Access
 * Rights", 4.7 "Page-Fault Exceptions", 4.8 "Accessed and Dirty Flags", 4.10 "Caching Translation Information").
 * It does not do PAE, PSE-36, PAT, SMEP or SMAP, and raises no exception: `faultCode` is what the core delivers.
 *
 * GOAL. A hit must cost the core one load and one compare; a miss some tens of nanoseconds; and the TLB must be as
 * treacherous as the real one: a translation lives until software invalidates it, whatever the tables say meanwhile.
 *
 * GLOSSARY
 *   entry       one of 2048 slots, direct mapped by linear page number. Its truth is META + PHYS:
 *   META        linear page | validity. Validity is the epoch of the fill, or ALWAYS for a global page, or 0 (empty).
 *   PHYS        physical page before the A20 gate | rights and facts in PTE bit positions (W, U, D, PS, G).
 *   fast tag    one of five words per entry, by kind of access: linear page | generation. The core reads these, and
 *               only these. A tag is a promise that the access may go straight to memory at ADDEND.
 *   epoch       moves on at a flush of non-global translations: all entries filled before are empty at once.
 *   generation  moves on when fast tags must vanish: at each flush, and when a page's kind or the A20 gate changes.
 *
 * INVARIANTS
 *   1. A live fast tag implies a valid entry of that linear page in the same slot, with the rights the bank stands for
 *      (write banks: with D set too), so a slot's tags are rewritten whenever its entry is.
 *   2. A live tag implies memory behind it: RAM (or ROM, or watched RAM, in the read banks). A live write tag implies
 *      a page that is exactly PAGE_RAM and holds no decoded code. A slow page has no tags.
 *   3. An entry may outlive its tags (they are granted again by the next `translate`), never the other way round.
 *   4. Rights in an entry are those of the tables at the time of the fill: directory AND table.
 *   5. Once a table entry has been used for a fill its A bit was set; D once a write was granted. Both are written
 *      through the physical space, so that watched and decoded pages notice, and before the entry is filled: what a
 *      watcher does (it may well flush) precedes the fill.
 *
 * WHAT INVALIDATES WHAT
 *   event                              entries                          tags
 *   MOV CR3                            all but global                   all
 *   CR0.PG or PE changes               all                              all
 *   CR0.WP changes                     none (rights are checked late)   none (the core uses another bank)
 *   CR4.PSE, PGE or PAE changes        all                              all
 *   INVLPG                             the page, global or not; every   the same
 *                                      4 KiB fragment of a 4 MiB page
 *   access denied by an entry, or      that entry (then a fresh walk)   the same
 *   write while its D is clear
 *   page kind or A20 changes           none                             all
 *   a page starts to hold code         none                             write tags of its entries
 *   data breakpoint set                none                             of the pages concerned (`setSlowPages`)
 *   generation or epoch wraps          (epoch) all but global           (generation) all banks are cleared
 */
import {
  ACCESS_WRITE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  PAGE_RAM,
  PAGE_ROM,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  PHYS_BASE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
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
  type Mmu,
  type MmuInit,
  type MmuObserver,
  type PhysicalSpace,
} from '@ringfence/sdk';

const PAGE = 0xfffff000 | 0;
const LARGE_PAGE = 0xffc00000 | 0;
/** Bits 13-21 of a directory entry that maps 4 MiB, without PSE-36 (SDM Vol. 3A, table 4-4). */
const PDE_LARGE_RESERVED = 0x003fe000;
/** Generations and epochs run 1..LAST and then start over. ALWAYS in META marks a global entry. */
const LAST = 4094;
const ALWAYS = 4095;
/** `writeSlot`: no entry has a write tag for the page; several may have. Else the entry's index + 1. */
const NO_SLOT = 0;
const MANY_SLOTS = -1;

export class PagingMmu implements Mmu {
  readonly tlb: Int32Array;
  generation = 1;
  faultCode = 0;
  readonly roots = new Set<number>();
  observer: MmuObserver | undefined = undefined;

  private readonly space: PhysicalSpace;
  /** The whole WebAssembly memory as words: page tables in RAM are read straight from it. */
  private readonly words: Int32Array;
  private readonly kind: Uint8Array;
  private readonly codePages: Uint8Array;
  private readonly hasPse: boolean;
  private readonly hasPge: boolean;

  private epoch = 1;
  private cr0 = 0;
  private cr3 = 0;
  private cr4 = 0;
  private paging = false;
  private writeProtect = false;
  private pse = false;
  private pge = false;
  private lastRoot = -1;

  private slowPages: readonly number[] = [];
  /** Per 4 MiB of linear space: whether fragments of a large page may be cached. */
  private readonly largeFills = new Uint8Array(1024);
  /** Per physical page: which slot has its write tag, so that `dropWriteTags` seldom has to search. */
  private readonly writeSlot: Int16Array;

  // what `walk` found
  private walkFlags = 0;
  private walkPage = 0;
  private pdeAddress = 0;
  private pde = 0;
  private pteAddress = 0;
  private pte = 0;

  constructor(init: MmuInit) {
    this.space = init.space;
    this.tlb = init.memory.tlbWords(init.slot);
    this.words = new Int32Array(init.memory.buffer);
    this.kind = init.space.kind;
    this.codePages = init.memory.codePages;
    this.hasPse = init.features.pse;
    this.hasPge = init.features.pge;
    this.writeSlot = new Int16Array(init.memory.codePages.length);
    this.tlb.fill(0);
    init.space.onChange(() => this.dropTags());
    init.memory.addCodeListener({ codePageAdded: (page) => this.dropWriteTags(page), codeWritten: () => false });
  }

  translate(linear: number, access: number, user: number): number {
    const index = (linear >>> 12) & TLB_MASK;
    const meta = this.tlb[TLB_META + index];
    if (((meta ^ linear) & PAGE) === 0) {
      const validity = meta & 0xfff;
      if (validity === this.epoch || validity === ALWAYS) {
        const phys = this.tlb[TLB_PHYS + index];
        if (this.permits(phys, access, user) && (access !== ACCESS_WRITE || (phys & PTE_D) !== 0)) {
          this.grant(index, linear, phys);
          return (((phys & PAGE) | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
        }
        this.dropEntry(index);
      }
    }
    if (!this.walk(linear, access, user)) return -1;
    if (this.paging) this.markUsed(access);
    const phys = this.walkPage | this.walkFlags;
    if ((phys & PTE_PS) !== 0) this.largeFills[linear >>> 22] = 1;
    this.tlb[TLB_META + index] = (linear & PAGE) | ((phys & PTE_G) !== 0 ? ALWAYS : this.epoch);
    this.tlb[TLB_PHYS + index] = phys;
    this.grant(index, linear, phys);
    return ((this.walkPage | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
  }

  probe(linear: number, access: number, user: number): number {
    if (!this.walk(linear, access, user)) return -1;
    return ((this.walkPage | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
  }

  writeCr0(value: number): void {
    const changed = this.cr0 ^ value;
    this.cr0 = value;
    this.writeProtect = (value & CR0_WP) !== 0;
    this.paging = (value & CR0_PG) !== 0;
    if ((changed & (CR0_PG | CR0_PE)) !== 0) {
      this.noteRoot();
      this.flushAll();
    }
    this.observer?.controlWritten(0);
  }

  writeCr3(value: number): void {
    this.cr3 = value;
    this.noteRoot();
    this.flushNonGlobal();
    this.observer?.controlWritten(3);
  }

  writeCr4(value: number): void {
    const changed = this.cr4 ^ value;
    this.setCr4(value);
    if ((changed & (CR4_PSE | CR4_PGE | CR4_PAE)) !== 0) this.flushAll();
    this.observer?.controlWritten(4);
  }

  load(cr0: number, cr3: number, cr4: number): void {
    this.cr0 = cr0;
    this.writeProtect = (cr0 & CR0_WP) !== 0;
    this.paging = (cr0 & CR0_PG) !== 0;
    this.cr3 = cr3;
    this.setCr4(cr4);
    this.noteRoot();
    this.flushAll();
  }

  invlpg(linear: number): void {
    this.invalidate(linear);
    this.observer?.invalidated(linear);
  }

  flushAll(): void {
    this.tlb.fill(0, TLB_META, TLB_META + TLB_ENTRIES);
    this.largeFills.fill(0);
    this.dropTags();
  }

  dropWriteTags(page: number): void {
    const slot = this.writeSlot[page];
    if (slot === NO_SLOT || slot === undefined) return;
    this.writeSlot[page] = NO_SLOT;
    if (slot !== MANY_SLOTS) {
      if (this.entryMaps(slot - 1, page)) this.clearWriteTags(slot - 1);
      return;
    }
    for (let i = 0; i < TLB_ENTRIES; i++) if (this.entryMaps(i, page)) this.clearWriteTags(i);
  }

  setSlowPages(pages: readonly number[]): void {
    this.slowPages = [...pages];
    for (const page of pages) this.clearTags(page & TLB_MASK);
  }

  // --- the walk ---

  /**
   * Reads the tables for one access, without side effects but `faultCode` and the `walk*` fields. False: it faults.
   * Order of checks: not present, reserved bits, rights (SDM Vol. 3A, 4.7 "Page-Fault Exceptions").
   */
  private walk(linear: number, access: number, user: number): boolean {
    if (!this.paging) {
      this.walkPage = linear & PAGE;
      this.walkFlags = PTE_W | PTE_U | PTE_D;
      return true;
    }
    this.pdeAddress = (this.cr3 & PAGE) | ((linear >>> 20) & 0xffc);
    const pde = this.readEntry(this.pdeAddress);
    this.pde = pde;
    if ((pde & PTE_P) === 0) return this.fault(0, access, user);
    let flags: number;
    if (this.pse && (pde & PTE_PS) !== 0) {
      this.pteAddress = -1;
      if ((pde & PDE_LARGE_RESERVED) !== 0) return this.fault(PF_PRESENT | PF_RESERVED, access, user);
      this.walkPage = (pde & LARGE_PAGE) | (linear & 0x003ff000);
      flags = pde & (PTE_W | PTE_U | PTE_D | PTE_G | PTE_PS);
    } else {
      this.pteAddress = (pde & PAGE) | ((linear >>> 10) & 0xffc);
      const pte = this.readEntry(this.pteAddress);
      this.pte = pte;
      if ((pte & PTE_P) === 0) return this.fault(0, access, user);
      this.walkPage = pte & PAGE;
      flags = (pte & pde & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
    }
    if (!this.pge) flags &= ~PTE_G;
    this.walkFlags = flags;
    return this.permits(flags, access, user) || this.fault(PF_PRESENT, access, user);
  }

  /** SDM Vol. 3A, 4.6.1 "Determination of Access Rights": with CR0.WP = 0 a supervisor writes anywhere. */
  private permits(flags: number, access: number, user: number): boolean {
    if (user !== 0 && (flags & PTE_U) === 0) return false;
    if (access !== ACCESS_WRITE || (flags & PTE_W) !== 0) return true;
    return user === 0 && !this.writeProtect;
  }

  private fault(code: number, access: number, user: number): false {
    this.faultCode = code | (access === ACCESS_WRITE ? PF_WRITE : 0) | (user !== 0 ? PF_USER : 0);
    return false;
  }

  /** Sets A in the entries just walked, and D in the leaf for a write. */
  private markUsed(access: number): void {
    const leafBits = access === ACCESS_WRITE ? PTE_A | PTE_D : PTE_A;
    if (this.pteAddress === -1) {
      if ((this.pde & leafBits) !== leafBits) this.writeEntry(this.pdeAddress, this.pde | leafBits);
    } else {
      // The fields may change under a watcher of the first write that itself translates: take them before.
      const { pteAddress, pte, walkPage } = this;
      const flags = this.walkFlags;
      if ((this.pde & PTE_A) === 0) this.writeEntry(this.pdeAddress, this.pde | PTE_A);
      if ((pte & leafBits) !== leafBits) this.writeEntry(pteAddress, pte | leafBits);
      this.walkPage = walkPage;
      this.walkFlags = flags;
    }
    if (access === ACCESS_WRITE) this.walkFlags |= PTE_D;
  }

  private readEntry(address: number): number {
    const physical = address & this.space.a20Mask;
    if ((this.kind[physical >>> 12] & (PAGE_RAM | PAGE_ROM)) !== 0) return this.words[(PHYS_BASE + physical) >>> 2];
    return this.space.read(physical, 4);
  }

  private writeEntry(address: number, value: number): void {
    const physical = address & this.space.a20Mask;
    const page = physical >>> 12;
    if (this.kind[page] === PAGE_RAM && this.codePages[page] === 0) this.words[(PHYS_BASE + physical) >>> 2] = value;
    else this.space.write(physical, 4, value);
  }

  // --- entries and tags ---

  /** Rewrites the fast tags of a slot from its entry: invariants 1 and 2. */
  private grant(index: number, linear: number, phys: number): void {
    const tlb = this.tlb;
    const linearPage = linear & PAGE;
    const physicalPage = phys & PAGE & this.space.a20Mask;
    const page = physicalPage >>> 12;
    const kind = this.kind[page];
    if ((kind & (PAGE_RAM | PAGE_ROM)) === 0 || (this.slowPages.length !== 0 && this.isSlow(linear >>> 12))) {
      this.clearTags(index);
      return;
    }
    const tag = linearPage | this.generation;
    const userTag = (phys & PTE_U) !== 0 ? tag : 0;
    tlb[TLB_ADDEND + index] = (PHYS_BASE + physicalPage - linearPage) | 0;
    tlb[TLB_READ_SUPERVISOR + index] = tag;
    tlb[TLB_READ_USER + index] = userTag;
    if ((phys & PTE_D) !== 0 && kind === PAGE_RAM && this.codePages[page] === 0) {
      const writable = (phys & PTE_W) !== 0;
      tlb[TLB_WRITE_UNPROTECTED + index] = tag;
      tlb[TLB_WRITE_SUPERVISOR + index] = writable ? tag : 0;
      tlb[TLB_WRITE_USER + index] = writable ? userTag : 0;
      const slot = this.writeSlot[page];
      if (slot !== index + 1) {
        this.writeSlot[page] =
          slot === NO_SLOT || (slot > 0 && !this.entryMaps(slot - 1, page)) ? index + 1 : MANY_SLOTS;
      }
    } else {
      this.clearWriteTags(index);
    }
  }

  /** Whether the slot's entry, valid or not, names physical page `page`. */
  private entryMaps(index: number, page: number): boolean {
    return (this.tlb[TLB_PHYS + index] & this.space.a20Mask) >>> 12 === page;
  }

  private isSlow(linearPage: number): boolean {
    for (const page of this.slowPages) if (page === linearPage) return true;
    return false;
  }

  private invalidate(linear: number): void {
    const region = linear >>> 22;
    const index = (linear >>> 12) & TLB_MASK;
    if (((this.tlb[TLB_META + index] ^ linear) & PAGE) === 0) this.dropEntry(index);
    if (this.largeFills[region] === 0) return;
    // One INVLPG drops a whole 4 MiB page, however many fragments of it the TLB holds (SDM Vol. 3A, 4.10.4.1).
    this.largeFills[region] = 0;
    const first = (region << 10) & TLB_MASK;
    for (let i = first; i < first + 1024; i++) {
      if (this.tlb[TLB_META + i] >>> 22 === region && (this.tlb[TLB_PHYS + i] & PTE_PS) !== 0) this.dropEntry(i);
    }
  }

  private dropEntry(index: number): void {
    this.tlb[TLB_META + index] = 0;
    this.clearTags(index);
  }

  private clearTags(index: number): void {
    this.tlb[TLB_READ_SUPERVISOR + index] = 0;
    this.tlb[TLB_READ_USER + index] = 0;
    this.clearWriteTags(index);
  }

  private clearWriteTags(index: number): void {
    this.tlb[TLB_WRITE_SUPERVISOR + index] = 0;
    this.tlb[TLB_WRITE_USER + index] = 0;
    this.tlb[TLB_WRITE_UNPROTECTED + index] = 0;
  }

  /** Makes every fast tag miss; translations stay. */
  private dropTags(): void {
    if (this.generation < LAST) {
      this.generation++;
      return;
    }
    this.generation = 1;
    this.tlb.fill(0, TLB_READ_SUPERVISOR, TLB_ADDEND);
    this.writeSlot.fill(NO_SLOT);
  }

  private flushNonGlobal(): void {
    if (this.epoch < LAST) this.epoch++;
    else {
      this.epoch = 1;
      for (let i = TLB_META; i < TLB_META + TLB_ENTRIES; i++) if ((this.tlb[i] & 0xfff) !== ALWAYS) this.tlb[i] = 0;
    }
    this.dropTags();
  }

  private setCr4(value: number): void {
    this.cr4 = value;
    this.pse = this.hasPse && (value & CR4_PSE) !== 0;
    this.pge = this.hasPge && (value & CR4_PGE) !== 0;
  }

  private noteRoot(): void {
    if (!this.paging || this.lastRoot === this.cr3) return;
    this.lastRoot = this.cr3;
    this.roots.add((this.cr3 & PAGE) >>> 0);
  }
}
