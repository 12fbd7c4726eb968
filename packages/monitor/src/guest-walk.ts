/**
 * Walks the guest's own page tables in guest memory, without side effects, for the pager: what the guest's tables allow
 * at a linear address, and where the entries lie. 4 KiB and 4 MiB pages (SDM Vol. 3A, 4.3 "32-Bit Paging").
 * The guest's view in general (faults, A and D bits on emulated accesses) is the emulator's MMU, not this.
 */
import {
  CR0,
  CR0_PG,
  CR0_WP,
  CR3,
  CR4,
  CR4_PSE,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  type PhysicalSpace,
} from '@ringfence/sdk';

/** Bits 21..13 of a 4 MiB page's directory entry are reserved where the processor has no PSE-36. */
const PDE_LARGE_RESERVED = 0x003fe000;

export class GuestWalk {
  /** Results of the last `walk`. Addresses are unsigned guest-physical. */
  paging = false;
  pde = 0;
  pdeAddress = 0;
  large = false;
  pte = 0;
  pteAddress = 0;
  /** Guest-physical address of the 4 KiB page, A20 applied. */
  frame = 0;
  writable = false;
  user = false;

  /** `state`: the guest's processor state as the guest sees it. */
  constructor(
    private readonly state: Int32Array,
    private readonly space: PhysicalSpace,
  ) {}

  /** Guest-physical address of the page directory in force. */
  directory(): number {
    return (this.state[CR3] & 0xfffff000) >>> 0;
  }

  directoryEntry(slot: number): number {
    return this.space.read((this.directory() + slot * 4) & this.space.a20Mask, 4);
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
    this.pdeAddress = ((this.directory() + ((linear >>> 22) << 2)) & mask) >>> 0;
    this.pde = space.read(this.pdeAddress, 4);
    if ((this.pde & PTE_P) === 0) return false;
    this.large = (this.pde & PTE_PS) !== 0 && (state[CR4] & CR4_PSE) !== 0;
    if (this.large) {
      if ((this.pde & PDE_LARGE_RESERVED) !== 0) return false;
      this.pte = this.pde;
      this.pteAddress = this.pdeAddress;
      this.frame = (((this.pde & 0xffc00000) | (linear & 0x003ff000)) & mask) >>> 0;
    } else {
      this.pteAddress = (((this.pde & 0xfffff000) | (((linear >>> 12) & 0x3ff) << 2)) & mask) >>> 0;
      this.pte = space.read(this.pteAddress, 4);
      if ((this.pte & PTE_P) === 0) return false;
      this.frame = (this.pte & 0xfffff000 & mask) >>> 0;
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
}
