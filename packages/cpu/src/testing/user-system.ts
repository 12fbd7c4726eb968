/**
 * The system under the user-mode machine: the pages that cases may use and with what rights, an MMU that enforces them without
 * page tables, and the tables of the system itself: GDT, LDT, IDT whose every gate leads to a HLT in ring 0, TSS, page tables for
 * MMUs that walk them. It runs nothing.
 */
import {
  ACCESS_FETCH,
  ACCESS_WRITE,
  PF_PRESENT,
  PF_USER,
  PF_WRITE,
  type MachineMemory,
  type Mmu,
  type PhysicalSpace,
} from '@ringfence/sdk';
import { FlatMmu } from '@ringfence/testkit';
import { accessOf, baseOf, limitOf } from '../segments/descriptor.js';
import { AREAS, CODE_BASE, CODE_BYTES, GDT_ENTRIES, LDT_ENTRIES, PAGE, type LdtEntry } from './user-environment.js';

export const RAM = 0x400000;
/** First of the system's pages; the last byte below SYSTEM_END. Far from what cases compute with. */
export const SYSTEM = 0x391000;
export const SYSTEM_END = 0x39c000;
export const GDT = SYSTEM;
const LDT = SYSTEM + 0x800;
export const IDT = SYSTEM + 0x1000;
export const HANDLERS = SYSTEM + 0x2000;
const TSS = SYSTEM + 0x3000;
const KERNEL_STACK = SYSTEM + 0x5000;
/** Where page tables lie, for MMUs that walk them. */
export const PAGE_DIRECTORY = SYSTEM + 0x6000;
const PAGE_TABLE = SYSTEM + 0x7000;
const KERNEL_CODE = 0x08;
const KERNEL_DATA = 0x18;
export const TSS_SELECTOR = 0x40;
export const LDT_SELECTOR = 0x50;

/** What a page of the environment may be used for, undefined where nothing is mapped. */
function pageRights(linear: number): { write: boolean; user: boolean } | undefined {
  const at = linear >>> 0;
  if (at >= CODE_BASE && at < CODE_BASE + CODE_BYTES) return { write: false, user: true };
  if (at >= SYSTEM && at < SYSTEM_END) return { write: true, user: false };
  const area = AREAS.find((each) => at >= each.at && at < each.at + each.bytes);
  return area && { write: area.writable, user: true };
}

/** The environment's rights without page tables. */
class UserMmu extends FlatMmu {
  override probe(linear: number, access: number, user: number): number {
    const rights = pageRights(linear);
    if (rights !== undefined && (user === 0 || rights.user) && (access !== ACCESS_WRITE || rights.write)) {
      return super.probe(linear, access, user);
    }
    const write = access === ACCESS_WRITE ? PF_WRITE : 0;
    this.faultCode = (rights === undefined ? 0 : PF_PRESENT) | write | (user !== 0 ? PF_USER : 0);
    if (access === ACCESS_FETCH) this.faultCode &= ~PF_WRITE;
    return -1;
  }
}

export type MakeMmu = (memory: MachineMemory, space: PhysicalSpace) => Mmu;

export function makeUserMmu(memory: MachineMemory, space: PhysicalSpace): Mmu {
  const mmu = new UserMmu(memory, space);
  // The fast write tags come from page rights alone.
  for (let at = 0; at < RAM; at += PAGE) mmu.setPage(at, pageRights(at) ?? {});
  return mmu;
}

/** The descriptor that modify_ldt(2) makes of an entry: DPL 3, accessed. */
function ldtDescriptor(entry: LdtEntry): [number, number] {
  const type = (entry.contents << 2) | (entry.restricted ? 0 : 2) | 1;
  const flags = (entry.pages ? 0x800000 : 0) | (entry.wide ? 0x400000 : 0);
  const access = 0x7000 | (entry.present ? 0x8000 : 0) | (type << 8);
  const low = (entry.limit & 0xffff) | (entry.base << 16);
  const high = ((entry.base >>> 16) & 0xff) | access | (entry.limit & 0xf0000) | flags | (entry.base & 0xff000000);
  return [low, high];
}

export interface Loaded {
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

/** Writes the tables into RAM; answers what loading each selector puts into a segment register. */
export function writeTables(bytes: Uint8Array): Map<number, Loaded> {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, RAM / 4);
  const segments = new Map<number, Loaded>();
  const poke32 = (at: number, value: number) => {
    words[at >> 2] = value;
  };
  const entry = (table: number, selector: number, low: number, high: number) => {
    poke32(table + (selector & 0xfff8), low);
    poke32(table + (selector & 0xfff8) + 4, high);
    segments.set(selector | 3, { base: baseOf(low, high), limit: limitOf(low, high), access: accessOf(high) });
  };
  for (const [index, low, high] of GDT_ENTRIES) entry(GDT, index * 8, low, high);
  LDT_ENTRIES.forEach((each, index) => {
    if (each !== undefined) entry(LDT, index * 8 + 7, ...ldtDescriptor(each));
  });
  // 64-bit Linux has a TSS and an LDT of two entries each here; ring 3 sees of either that it may not look.
  poke32(GDT + TSS_SELECTOR, 0x67 | (TSS << 16));
  poke32(GDT + TSS_SELECTOR + 4, (TSS >>> 16) | 0x8900);
  const limit = LDT_ENTRIES.length * 8 - 1;
  poke32(GDT + LDT_SELECTOR, limit | (LDT << 16));
  poke32(GDT + LDT_SELECTOR + 4, (LDT >>> 16) | 0x8200);
  for (let vector = 0; vector < 256; vector++) {
    const type = vector === 3 || vector === 4 ? 0xee : 0x8e;
    const handler = HANDLERS + vector * 4;
    poke32(IDT + vector * 8, (handler & 0xffff) | (KERNEL_CODE << 16));
    poke32(IDT + vector * 8 + 4, (handler & 0xffff0000) | (type << 8));
    bytes[handler] = 0xf4;
  }
  poke32(TSS + 4, KERNEL_STACK);
  poke32(TSS + 8, KERNEL_DATA);
  poke32(TSS + 0x64, 0x680000);
  poke32(PAGE_DIRECTORY, PAGE_TABLE | 0x67);
  for (let at = 0; at < RAM; at += PAGE) {
    const rights = pageRights(at);
    if (rights === undefined) continue;
    poke32(PAGE_TABLE + (at >>> 10), at | 0x61 | (rights.write ? 2 : 0) | (rights.user ? 4 : 0));
  }
  return segments;
}
