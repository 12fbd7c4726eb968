/**
 * The software TLB: entries, and the fast tags that the processor's accessors look into themselves. It translates nothing
 * and checks no rights; `paging.ts` fills it from what `page-walk.ts` finds.
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
 *   PDPTEs loaded by a change of       none                             none
 *   CR0.CD or NW
 *   CR0.PG or PE changes               all                              all
 *   CR0.WP changes                     none (rights are checked late)   none (the core uses another bank)
 *   CR4.PSE, PGE or PAE changes        all                              all
 *   INVLPG                             the page, global or not; every   the same
 *                                      4 KiB fragment of a 2 or 4 MiB page
 *   access denied by an entry, or      that entry (then a fresh walk)   the same
 *   write while its D is clear
 *   page kind or A20 changes           none                             all
 *   a page starts to hold code         none                             write tags of its entries
 *   data breakpoint set                none                             of the pages concerned (`setSlowPages`)
 *   generation or epoch wraps          (epoch) all but global           (generation) all banks are cleared
 */
import {
  PAGE_RAM,
  PAGE_ROM,
  PHYS_BASE,
  PTE_D,
  PTE_G,
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
  type MmuInit,
  type PhysicalSpace,
} from '@ringfence/sdk';

const PAGE = 0xfffff000 | 0;
/** Generations and epochs run 1..LAST and then start over. ALWAYS in META marks a global entry. */
const LAST = 4094;
const ALWAYS = 4095;
/** `writeSlot`: no entry has a write tag for the page; several may have. Else the entry's index + 1. */
const NO_SLOT = 0;
const MANY_SLOTS = -1;

export class Tlb {
  readonly tlb: Int32Array;
  generation = 1;
  protected epoch = 1;
  /** log2 of the size of a large page: 22, or 21 with PAE. Changes only with a full flush. */
  protected largeShift = 22;
  protected readonly space: PhysicalSpace;
  private readonly kind: Uint8Array;
  private readonly codePages: Uint8Array;
  private slowPages: readonly number[] = [];
  /** Per large page of linear space: whether fragments of it may be cached. */
  private readonly largeFills = new Uint8Array(2048);
  /** Per physical page: which slot has its write tag, so that `dropWriteTags` seldom has to search. */
  private readonly writeSlot: Int16Array;

  constructor(init: MmuInit) {
    this.space = init.space;
    this.tlb = init.memory.tlbWords(init.slot);
    this.kind = init.space.kind;
    this.codePages = init.memory.codePages;
    this.writeSlot = new Int16Array(init.memory.codePages.length);
    this.tlb.fill(0);
    init.space.onChange(() => this.dropTags());
    init.memory.addCodeListener({ codePageAdded: (page) => this.dropWriteTags(page), codeWritten: () => false });
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

  /** Whether the slot of `linear` holds a valid entry of its page. */
  protected holds(index: number, linear: number): boolean {
    const meta = this.tlb[TLB_META + index];
    if (((meta ^ linear) & PAGE) !== 0) return false;
    const validity = meta & 0xfff;
    return validity === this.epoch || validity === ALWAYS;
  }

  /** Makes an entry of a fresh walk. `phys`: physical page | rights and facts. */
  protected fill(index: number, linear: number, phys: number): void {
    if ((phys & PTE_PS) !== 0) this.largeFills[linear >>> this.largeShift] = 1;
    this.tlb[TLB_META + index] = (linear & PAGE) | ((phys & PTE_G) !== 0 ? ALWAYS : this.epoch);
    this.tlb[TLB_PHYS + index] = phys;
    this.grant(index, linear, phys);
  }

  /** Rewrites the fast tags of a slot from its entry: invariants 1 and 2. */
  protected grant(index: number, linear: number, phys: number): void {
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

  protected invalidate(linear: number): void {
    const shift = this.largeShift;
    const region = linear >>> shift;
    const index = (linear >>> 12) & TLB_MASK;
    if (((this.tlb[TLB_META + index] ^ linear) & PAGE) === 0) this.dropEntry(index);
    if (this.largeFills[region] === 0) return;
    // One INVLPG drops a whole large page, however many fragments of it the TLB holds (SDM Vol. 3A, 4.10.4.1).
    this.largeFills[region] = 0;
    const pages = 1 << (shift - 12);
    const first = (region * pages) & TLB_MASK;
    for (let i = first; i < first + pages; i++) {
      if (this.tlb[TLB_META + i] >>> shift === region && (this.tlb[TLB_PHYS + i] & PTE_PS) !== 0) this.dropEntry(i);
    }
  }

  protected dropEntry(index: number): void {
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

  protected flushNonGlobal(): void {
    if (this.epoch < LAST) this.epoch++;
    else {
      this.epoch = 1;
      for (let i = TLB_META; i < TLB_META + TLB_ENTRIES; i++) if ((this.tlb[i] & 0xfff) !== ALWAYS) this.tlb[i] = 0;
    }
    this.dropTags();
  }
}
