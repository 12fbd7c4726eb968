/**
 * Walks the tables of both paging modes for one access: SDM Vol. 3A, 4.3 "32-Bit Paging", 4.4 "PAE Paging", 4.6 "Access
 * Rights", 4.7 "Page-Fault Exceptions", 4.8 "Accessed and Dirty Flags". It knows no TLB.
 * What our models lack is reserved in the tables: PSE-36 (bits 21:13 of a 4 MiB entry), PAT (bit 7 of a page's entry,
 * bit 12 of a large page's), execute-disable (bit 63). MAXPHYADDR is 36, as on every P6 that does not say otherwise; the
 * bus decodes 32 bits, so what lies beyond 4 GiB is the open bus: tables there read as all ones, pages likewise.
 */
import {
  ACCESS_WRITE,
  OPEN_BUS_PAGE,
  PAGE_RAM,
  PAGE_ROM,
  PDPTE,
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
  type MmuInit,
  type PhysicalSpace,
} from '@ringfence/sdk';

const PAGE = 0xfffff000 | 0;
const OPEN_BUS = OPEN_BUS_PAGE | 0;
/** Bits 12 and 13-21 of a directory entry that maps 4 MiB (4.3: no PAT, no PSE-36); 12 and 13-20 of one that maps 2 MiB. */
const LARGE_RESERVED = 0x003ff000;
const LARGE_RESERVED_PAE = 0x001ff000;
/** Bit 7 of a page's own entry, where there is no PAT. */
const PTE_RESERVED = PTE_PS;
/** High half of a PAE entry: what lies beyond MAXPHYADDR, execute-disable among it. */
const HIGH_RESERVED = ~0xf;
/** Low half of a PDPTE: bits 2:1 and 8:5 (table 4-8). */
const PDPTE_RESERVED = 0x1e6;

export class PageWalk {
  faultCode = 0;
  /** What the last successful walk found: physical page, rights and facts in PTE bit positions. */
  page = 0;
  flags = 0;
  // the mode: `PagingMmu` keeps these
  paging = false;
  pae = false;
  pse = false;
  pge = false;
  writeProtect = false;
  /** Physical address of the page directory, for 32-bit paging. */
  directory = 0;

  private readonly space: PhysicalSpace;
  /** The whole WebAssembly memory as words: page tables in RAM are read straight from it. */
  private readonly words: Int32Array;
  private readonly state: Int32Array;
  private readonly kind: Uint8Array;
  private readonly codePages: Uint8Array;
  private pdeAddress = 0;
  private pde = 0;
  /** -1: the directory entry maps the page. */
  private pteAddress = 0;
  private pte = 0;
  private readonly loaded = new Int32Array(8);

  constructor(init: MmuInit) {
    this.space = init.space;
    this.words = new Int32Array(init.memory.buffer);
    this.state = init.memory.stateWords(init.slot);
    this.kind = init.space.kind;
    this.codePages = init.memory.codePages;
  }

  /**
   * Reads the tables for one access, without side effects but on the fields above. False: it faults.
   * Order of checks: not present, reserved bits, rights (SDM Vol. 3A, 4.7 "Page-Fault Exceptions").
   */
  walk(linear: number, access: number, user: number): boolean {
    if (!this.paging) {
      this.page = linear & PAGE;
      this.flags = PTE_W | PTE_U | PTE_D;
      return true;
    }
    if (this.pae) return this.walkPae(linear, access, user);
    this.pdeAddress = this.directory | ((linear >>> 20) & 0xffc);
    const pde = this.readEntry(this.pdeAddress);
    this.pde = pde;
    if ((pde & PTE_P) === 0) return this.fault(0, access, user);
    let flags: number;
    if (this.pse && (pde & PTE_PS) !== 0) {
      this.pteAddress = -1;
      if ((pde & LARGE_RESERVED) !== 0) return this.fault(PF_PRESENT | PF_RESERVED, access, user);
      this.page = (pde & ~LARGE_RESERVED & PAGE) | (linear & 0x003ff000);
      flags = pde & (PTE_W | PTE_U | PTE_D | PTE_G | PTE_PS);
    } else {
      this.pteAddress = (pde & PAGE) | ((linear >>> 10) & 0xffc);
      const pte = this.readEntry(this.pteAddress);
      this.pte = pte;
      if ((pte & PTE_P) === 0) return this.fault(0, access, user);
      // With CR4.PSE = 0 no bit of a 32-bit entry is reserved.
      if (this.pse && (pte & PTE_RESERVED) !== 0) return this.fault(PF_PRESENT | PF_RESERVED, access, user);
      this.page = pte & PAGE;
      flags = (pte & pde & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
    }
    return this.finish(flags, access, user);
  }

  /** PDPTE register, directory, table. CR4.PSE does not matter here; R/W and U/S do not exist in a PDPTE. */
  private walkPae(linear: number, access: number, user: number): boolean {
    const register = PDPTE + (linear >>> 30) * 2;
    const pdpte = this.state[register];
    if ((pdpte & PTE_P) === 0) return this.fault(0, access, user);
    this.pdeAddress = frameOf(pdpte, this.state[register + 1]) | ((linear >>> 18) & 0xff8);
    const pde = this.readEntry(this.pdeAddress);
    const pdeHigh = this.readEntry(this.pdeAddress + 4);
    this.pde = pde;
    if ((pde & PTE_P) === 0) return this.fault(0, access, user);
    if ((pdeHigh & HIGH_RESERVED) !== 0) return this.fault(PF_PRESENT | PF_RESERVED, access, user);
    let flags: number;
    if ((pde & PTE_PS) !== 0) {
      this.pteAddress = -1;
      if ((pde & LARGE_RESERVED_PAE) !== 0) return this.fault(PF_PRESENT | PF_RESERVED, access, user);
      this.page = pdeHigh === 0 ? (pde & PAGE) | (linear & LARGE_RESERVED_PAE) : OPEN_BUS;
      flags = pde & (PTE_W | PTE_U | PTE_D | PTE_G | PTE_PS);
    } else {
      this.pteAddress = frameOf(pde, pdeHigh) | ((linear >>> 9) & 0xff8);
      const pte = this.readEntry(this.pteAddress);
      const pteHigh = this.readEntry(this.pteAddress + 4);
      this.pte = pte;
      if ((pte & PTE_P) === 0) return this.fault(0, access, user);
      if ((pte & PTE_RESERVED) !== 0 || (pteHigh & HIGH_RESERVED) !== 0) {
        return this.fault(PF_PRESENT | PF_RESERVED, access, user);
      }
      this.page = frameOf(pte, pteHigh);
      flags = (pte & pde & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
    }
    return this.finish(flags, access, user);
  }

  private finish(flags: number, access: number, user: number): boolean {
    this.flags = this.pge ? flags : flags & ~PTE_G;
    return this.permits(flags, access, user) || this.fault(PF_PRESENT, access, user);
  }

  /** SDM Vol. 3A, 4.6.1 "Determination of Access Rights": with CR0.WP = 0 a supervisor writes anywhere. */
  permits(flags: number, access: number, user: number): boolean {
    if (user !== 0 && (flags & PTE_U) === 0) return false;
    if (access !== ACCESS_WRITE || (flags & PTE_W) !== 0) return true;
    return user === 0 && !this.writeProtect;
  }

  private fault(code: number, access: number, user: number): false {
    this.faultCode = code | (access === ACCESS_WRITE ? PF_WRITE : 0) | (user !== 0 ? PF_USER : 0);
    return false;
  }

  /** Sets A in the entries just walked, and D in the leaf for a write. A and D stand in the low half of a PAE entry. */
  markUsed(access: number): void {
    if (!this.paging) return;
    const leafBits = access === ACCESS_WRITE ? PTE_A | PTE_D : PTE_A;
    // The fields may change under a watcher of a write that itself translates: take them before.
    const { pteAddress, pte, page, flags } = this;
    if (pteAddress === -1) {
      if ((this.pde & leafBits) !== leafBits) this.writeEntry(this.pdeAddress, this.pde | leafBits);
    } else {
      if ((this.pde & PTE_A) === 0) this.writeEntry(this.pdeAddress, this.pde | PTE_A);
      if ((pte & leafBits) !== leafBits) this.writeEntry(pteAddress, pte | leafBits);
    }
    this.page = page;
    this.flags = access === ACCESS_WRITE ? flags | PTE_D : flags;
  }

  /**
   * Loads the PDPTE registers from the table that `cr3` names (4.4.1 "PDPTE Registers"). False: a present one has a
   * reserved bit set, and none was loaded.
   */
  loadPdptes(cr3: number): boolean {
    const { loaded } = this;
    const table = cr3 & ~0x1f;
    for (let i = 0; i < 8; i += 2) {
      const low = (loaded[i] = this.readEntry(table + i * 4));
      const high = (loaded[i + 1] = this.readEntry(table + i * 4 + 4));
      if ((low & PTE_P) !== 0 && ((low & PDPTE_RESERVED) !== 0 || (high & HIGH_RESERVED) !== 0)) return false;
    }
    for (let i = 0; i < 8; i++) this.state[PDPTE + i] = loaded[i];
    return true;
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
}

/** The frame a PAE entry names, as a page of the 32-bit bus. */
function frameOf(low: number, high: number): number {
  return high === 0 ? low & PAGE : OPEN_BUS;
}
