/**
 * IA-32 paging: control registers, TLB and table walks put together (SDM Vol. 3A, chapter 4 "Paging"). `tlb.ts` has the
 * essay on what is cached and what invalidates it, `page-walk.ts` the tables.
 * It does not do PSE-36, PAT, execute-disable, SMEP or SMAP, and raises no exception: `faultCode` is what the core
 * delivers, and a control-register write that is refused (PDPTEs with reserved bits) answers false.
 */
import {
  ACCESS_WRITE,
  CR0_CD,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  PDPTE,
  PTE_D,
  PTE_P,
  ROOT_PAE,
  TLB_MASK,
  TLB_PHYS,
  type Mmu,
  type MmuInit,
  type MmuObserver,
} from '@ringfence/sdk';
import { PageWalk } from './page-walk.js';
import { Tlb } from './tlb.js';

const PAGE = 0xfffff000 | 0;
/** A change of one of these loads the PDPTEs when PAE paging is in use afterwards (4.4.1 "PDPTE Registers"). */
const CR0_LOADS_PDPTES = CR0_CD | CR0_NW | CR0_PG;
const CR4_LOADS_PDPTES = CR4_PAE | CR4_PGE | CR4_PSE;

export class PagingMmu extends Tlb implements Mmu {
  readonly roots = new Set<number>();
  observer: MmuObserver | undefined = undefined;

  private readonly tables: PageWalk;
  private readonly state: Int32Array;
  private readonly features: MmuInit['features'];
  private cr0 = 0;
  private cr3 = 0;
  private cr4 = 0;
  private lastRoot = -1;

  constructor(init: MmuInit) {
    super(init);
    this.tables = new PageWalk(init);
    this.state = init.memory.stateWords(init.slot);
    this.features = init.features;
  }

  get faultCode(): number {
    return this.tables.faultCode;
  }

  translate(linear: number, access: number, user: number): number {
    const index = (linear >>> 12) & TLB_MASK;
    const tables = this.tables;
    if (this.holds(index, linear)) {
      const phys = this.tlb[TLB_PHYS + index];
      if (tables.permits(phys, access, user) && (access !== ACCESS_WRITE || (phys & PTE_D) !== 0)) {
        this.grant(index, linear, phys);
        return (((phys & PAGE) | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
      }
      this.dropEntry(index);
    }
    if (!tables.walk(linear, access, user)) return -1;
    tables.markUsed(access);
    this.fill(index, linear, tables.page | tables.flags);
    return ((tables.page | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
  }

  probe(linear: number, access: number, user: number): number {
    if (!this.tables.walk(linear, access, user)) return -1;
    return ((this.tables.page | (linear & 0xfff)) & this.space.a20Mask) >>> 0;
  }

  writeCr0(value: number): boolean {
    const changed = this.cr0 ^ value;
    const loads = (changed & CR0_LOADS_PDPTES) !== 0 && this.usesPae(value, this.cr4);
    if (loads && !this.tables.loadPdptes(this.cr3)) return false;
    this.cr0 = value;
    this.setMode();
    if ((changed & (CR0_PG | CR0_PE)) !== 0) this.flushAll();
    if (loads || (changed & CR0_PG) !== 0) this.noteRoot();
    this.observer?.controlWritten(0);
    return true;
  }

  writeCr3(value: number): boolean {
    if (this.tables.pae && !this.tables.loadPdptes(value)) return false;
    this.cr3 = value;
    this.tables.directory = value & PAGE;
    this.noteRoot();
    this.flushNonGlobal();
    this.observer?.controlWritten(3);
    return true;
  }

  writeCr4(value: number): boolean {
    const changed = this.cr4 ^ value;
    const loads = (changed & CR4_LOADS_PDPTES) !== 0 && this.usesPae(this.cr0, value);
    if (loads && !this.tables.loadPdptes(this.cr3)) return false;
    this.cr4 = value;
    this.setMode();
    if ((changed & CR4_LOADS_PDPTES) !== 0) {
      this.flushAll();
      this.noteRoot();
    }
    this.observer?.controlWritten(4);
    return true;
  }

  load(cr0: number, cr3: number, cr4: number): void {
    this.cr0 = cr0;
    this.cr3 = cr3;
    this.cr4 = cr4;
    this.setMode();
    this.noteRoot();
    this.flushAll();
  }

  invlpg(linear: number): void {
    this.invalidate(linear);
    this.observer?.invalidated(linear);
  }

  private usesPae(cr0: number, cr4: number): boolean {
    return this.features.pae && (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0;
  }

  private setMode(): void {
    const { tables, features, cr0, cr4 } = this;
    tables.paging = (cr0 & CR0_PG) !== 0;
    tables.writeProtect = (cr0 & CR0_WP) !== 0;
    tables.pse = features.pse && (cr4 & CR4_PSE) !== 0;
    tables.pge = features.pge && (cr4 & CR4_PGE) !== 0;
    tables.pae = this.usesPae(cr0, cr4);
    tables.directory = this.cr3 & PAGE;
    this.largeShift = tables.pae ? 21 : 22;
  }

  private noteRoot(): void {
    const { tables, state } = this;
    if (!tables.paging) return;
    if (tables.pae) {
      this.lastRoot = -1;
      for (let i = PDPTE; i < PDPTE + 8; i += 2) {
        if ((state[i] & PTE_P) !== 0 && state[i + 1] === 0) this.roots.add(((state[i] & PAGE) >>> 0) + ROOT_PAE);
      }
    } else if (this.lastRoot !== tables.directory) {
      this.lastRoot = tables.directory;
      this.roots.add(tables.directory >>> 0);
    }
  }
}
