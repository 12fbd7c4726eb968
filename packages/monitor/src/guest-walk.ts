/**
 * Walks the guest's own page tables in guest memory, without side effects, for the pager: what the guest's tables allow
 * at a linear address, and where the entries lie. 32-bit paging with 4 KiB and 4 MiB pages (SDM Vol. 3A, 4.3 "32-Bit
 * Paging") and PAE with 4 KiB and 2 MiB ones (4.4 "PAE Paging"; the PDPTEs are registers, not memory).
 * The guest's view in general (faults, A and D bits on emulated accesses) is the emulator's MMU, not this.
 */
import {
  CR0,
  CR0_PG,
  CR0_WP,
  CR3,
  CR4,
  CR4_PAE,
  CR4_PSE,
  OPEN_BUS_PAGE,
  PDPTE,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  type PhysicalSpace,
} from '@ringfence/sdk';

/** Reserved in a large page's directory entry where the processor has neither PSE-36 nor PAT. */
const LARGE_RESERVED = 0x003ff000;
const LARGE_RESERVED_PAE = 0x001ff000;
/** Bits 63:36 of a PAE entry, in its high half. */
const HIGH_RESERVED = ~0xf;

export class GuestWalk {
  /** Results of the last `walk`. Addresses are unsigned guest-physical. */
  paging = false;
  /** Number of the directory entry, counted over all of linear space: 0..1023, or 0..2047 with PAE. */
  number = 0;
  pde = 0;
  pdeAddress = 0;
  large = false;
  pte = 0;
  pteAddress = 0;
  /** Guest-physical address of the 4 KiB page, A20 applied. */
  frame = 0;
  writable = false;
  user = false;
  private high = 0;

  /** `state`: the guest's processor state as the guest sees it. */
  constructor(
    private readonly state: Int32Array,
    private readonly space: PhysicalSpace,
  ) {}

  /** PAE paging is in use. */
  get pae(): boolean {
    return (this.state[CR0] & CR0_PG) !== 0 && (this.state[CR4] & CR4_PAE) !== 0;
  }

  /**
   * Guest-physical addresses of the page directories in force: one, or with PAE four, each -1 where there is none in RAM
   * to be shadowed.
   */
  directories(): number[] {
    if (!this.pae) return [(this.state[CR3] & 0xfffff000 & this.space.a20Mask) >>> 0];
    return [0, 1, 2, 3].map((i) => {
      const directory = this.directoryOf(i);
      return directory >= 0 && this.space.isRam(directory) ? directory : -1;
    });
  }

  /**
   * Whether there is anything for the guest in the 4 MiB `slot` of linear space: with paging off at its addresses, else
   * where the guest's directories lead from it. A large page over physical
   * addresses where there is nothing leads nowhere, as the same addresses do with paging off: guests that map all of
   * linear space onto itself are common.
   */
  usesSlot(slot: number): boolean {
    if ((this.state[CR0] & CR0_PG) === 0) {
      return this.space.kind.subarray(slot << 10, (slot + 1) << 10).some((kind) => kind !== 0);
    }
    if (!this.pae) return this.leadsSomewhere(slot);
    if (this.directoryOf(slot >>> 8) < 0) return false;
    return this.leadsSomewhere(slot * 2) || this.leadsSomewhere(slot * 2 + 1);
  }

  /**
   * Whether an access in `slot` gets by in the guest's view, be it to nothing: with paging off every one does, else any
   * entry of the guest's directories must be present there, wherever it leads.
   */
  mapsSlot(slot: number): boolean {
    if ((this.state[CR0] & CR0_PG) === 0) return true;
    if (!this.pae) return (this.space.read(this.entryAddress(slot), 4) & PTE_P) !== 0;
    if (this.directoryOf(slot >>> 8) < 0) return false;
    const at = this.entryAddress(slot * 2);
    return ((this.space.read(at, 4) | this.space.read(at + 8, 4)) & PTE_P) !== 0;
  }

  private leadsSomewhere(number: number): boolean {
    const entry = this.readEntry(this.entryAddress(number));
    if ((entry & PTE_P) === 0) return false;
    const size = this.largeReserved();
    if (!this.isLarge(entry) || (entry & size) !== 0 || this.space.a20Mask !== -1) return true;
    if (this.high !== 0) return (this.high & HIGH_RESERVED) !== 0;
    const first = entry >>> 12;
    return this.space.kind.subarray(first, first + (size >>> 12) + 1).some((kind) => kind !== 0);
  }

  /** Directory entry `number`, or 0 when nothing can be derived from it: absent, reserved bits, a table outside of RAM. */
  usableEntry(number: number): number {
    if (this.pae && this.directoryOf(number >>> 9) < 0) return 0;
    const at = this.entryAddress(number);
    if (!this.space.isRam(at)) return 0;
    const entry = this.readEntry(at);
    if ((entry & PTE_P) === 0 || this.high !== 0) return 0;
    if (this.isLarge(entry)) return (entry & this.largeReserved()) === 0 ? entry : 0;
    return this.space.isRam(this.tableOf(entry)) ? entry : 0;
  }

  isLarge(pde: number): boolean {
    return (pde & PTE_PS) !== 0 && (this.pae || (this.state[CR4] & CR4_PSE) !== 0);
  }

  /** Guest-physical address of the page table that a usable entry names. */
  tableOf(pde: number): number {
    return (pde & 0xfffff000 & this.space.a20Mask) >>> 0;
  }

  /** True when the guest's tables have a valid mapping at `linear`; the fields then tell what it allows. */
  walk(linear: number): boolean {
    const { state, space } = this;
    const mask = space.a20Mask;
    this.paging = (state[CR0] & CR0_PG) !== 0;
    if (!this.paging) {
      this.frame = (linear & 0xfffff000 & mask) >>> 0;
      this.large = false;
      this.writable = true;
      this.user = true;
      return true;
    }
    const { pae } = this;
    this.number = linear >>> (pae ? 21 : 22);
    if (pae && this.directoryOf(linear >>> 30) < 0) return false;
    this.pdeAddress = this.entryAddress(this.number);
    this.pde = this.readEntry(this.pdeAddress);
    const pdeHigh = this.high;
    if ((this.pde & PTE_P) === 0 || (pdeHigh & HIGH_RESERVED) !== 0) return false;
    this.large = this.isLarge(this.pde);
    if (this.large) {
      const offset = this.largeReserved();
      if ((this.pde & offset) !== 0) return false;
      this.pte = this.pde;
      this.pteAddress = this.pdeAddress;
      this.frame = pdeHigh !== 0 ? OPEN_BUS_PAGE : (((this.pde & 0xfffff000) | (linear & offset)) & mask) >>> 0;
    } else {
      const table = pdeHigh !== 0 ? OPEN_BUS_PAGE : this.tableOf(this.pde);
      this.pteAddress = table + (pae ? ((linear >>> 12) & 0x1ff) * 8 : ((linear >>> 12) & 0x3ff) * 4);
      this.pte = this.readEntry(this.pteAddress);
      if ((this.pte & PTE_P) === 0) return false;
      // Bit 7 would be PAT; without PSE and PAE it is not looked at.
      if ((this.pte & PTE_PS) !== 0 && (pae || (state[CR4] & CR4_PSE) !== 0)) return false;
      if ((this.high & HIGH_RESERVED) !== 0) return false;
      this.frame = this.high !== 0 ? OPEN_BUS_PAGE : (this.pte & 0xfffff000 & mask) >>> 0;
    }
    const rights = this.pde & this.pte;
    this.writable = (rights & PTE_W) !== 0;
    this.user = (rights & PTE_U) !== 0;
    return true;
  }

  /** Whether the mapping just walked permits the access under the guest's CR0.WP. */
  permits(write: boolean, user: boolean): boolean {
    if (user && !this.user) return false;
    if (!write || this.writable) return true;
    return !user && (this.state[CR0] & CR0_WP) === 0;
  }

  /** Whether the guest already has the Dirty bit set for the page just walked (always, with paging off). */
  dirty(): boolean {
    return !this.paging || (this.pte & PTE_D) !== 0;
  }

  /** Sets the Accessed bits, and for a write the Dirty bit, as the hardware would at this access. */
  setAccessed(write: boolean): void {
    if (!this.paging) return;
    if (!this.large) this.set(this.pdeAddress, this.pde, PTE_A);
    this.set(this.pteAddress, this.pte, write ? PTE_A | PTE_D : PTE_A);
    this.pte |= write ? PTE_A | PTE_D : PTE_A;
  }

  private set(address: number, entry: number, bits: number): void {
    if ((entry & bits) !== bits && this.space.isRam(address)) this.space.write(address, 4, entry | bits);
  }

  private largeReserved(): number {
    return this.pae ? LARGE_RESERVED_PAE : LARGE_RESERVED;
  }

  /** What PDPTE register `index` names: a frame, or -1 when it is not present. */
  private directoryOf(index: number): number {
    const at = PDPTE + index * 2;
    const low = this.state[at];
    if ((low & PTE_P) === 0) return -1;
    return this.state[at + 1] !== 0 ? OPEN_BUS_PAGE : (low & 0xfffff000 & this.space.a20Mask) >>> 0;
  }

  /** Preconditions: with PAE, the PDPTE above entry `number` is present. */
  private entryAddress(number: number): number {
    if (this.pae) return this.directoryOf(number >>> 9) + (number & 0x1ff) * 8;
    return ((this.state[CR3] & 0xfffff000 & this.space.a20Mask) >>> 0) + number * 4;
  }

  /** The low half; the high one goes to `high` (0 for a 4-byte entry). */
  private readEntry(address: number): number {
    this.high = this.pae ? this.space.read(address + 4, 4) : 0;
    return this.space.read(address, 4);
  }
}
