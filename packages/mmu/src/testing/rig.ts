/**
 * A rig for specs of the MMU with two-level tables: 8 MiB of RAM, a directory at ROOT, one table, LINEAR mapped to PAGE_A for
 * everyone. `on` turns paging on. PAE has a rig of its own (pae.spec.ts).
 */
import {
  CR0_PE,
  CR0_PG,
  CR0_WP,
  MachineMemory,
  PHYS_BASE,
  PTE_P,
  PTE_U,
  PTE_W,
  PhysicalSpace,
  TLB_MASK,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
} from '@ringfence/sdk';
import { PagingMmu } from '../paging.js';

export const RAM = 8 * 1024 * 1024;
export const ROOT = 0x100000;
export const TABLE = 0x101000;
export const PAGE_A = 0x200000;
export const PAGE_B = 0x201000;
export const LINEAR = 0x00403000;
export const PDE = ROOT + 4;
export const PTE = TABLE + 4 * 3;
export const RW_U = PTE_P | PTE_W | PTE_U;
export const PROTECTED = CR0_PE | CR0_PG | CR0_WP;

export function rig(features = { pse: true, pge: true, pae: false }) {
  const memory = new MachineMemory(RAM);
  const space = new PhysicalSpace(memory);
  space.mapRam(0, RAM);
  const mmu = new PagingMmu({ memory, space, slot: 0, features });
  const put = (address: number, value: number) => memory.view.setInt32(PHYS_BASE + address, value, true);
  const get = (address: number) => memory.view.getInt32(PHYS_BASE + address, true);
  const tag = (bank: number, linear: number) => {
    const index = (linear >>> 12) & TLB_MASK;
    return mmu.tlb[bank + index] === ((linear & 0xfffff000) | mmu.generation);
  };
  put(PDE, TABLE | RW_U);
  put(PTE, PAGE_A | RW_U);
  const on = (cr0 = PROTECTED, cr4 = 0) => mmu.load(cr0, ROOT, cr4);
  return { memory, space, mmu, put, get, tag, on };
}

const banks = {
  readSupervisor: TLB_READ_SUPERVISOR,
  readUser: TLB_READ_USER,
  writeSupervisor: TLB_WRITE_SUPERVISOR,
  writeUser: TLB_WRITE_USER,
  writeUnprotected: TLB_WRITE_UNPROTECTED,
};
export function granted(r: ReturnType<typeof rig>, linear: number): string[] {
  return Object.entries(banks)
    .filter(([, bank]) => r.tag(bank, linear))
    .map(([name]) => name);
}
