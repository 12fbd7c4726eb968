/**
 * Page-fault error codes under every combination: tables of 4 KiB, 4 MiB and 2 MiB pages in both paging modes, P, R/W and U/S of each
 * level, a reserved bit in each level, CR0.WP, access and privilege. What is expected is worked out here from SDM Vol. 3A, 4.6.1
 * "Determination of Access Rights", 4.7 "Page-Fault Exceptions" and 4.3/4.4.2 (what is reserved), not by the walk. Single facts with
 * their names are in paging.spec.ts and pae.spec.ts.
 */
import {
  ACCESS_FETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PSE,
  MachineMemory,
  PHYS_BASE,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  PhysicalSpace,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { PagingMmu } from './paging.js';

const RAM = 8 * 1024 * 1024;
const PDPT = 0x100000;
const DIRECTORY = 0x101000;
const TABLE = 0x102000;
const LINEAR = 0;
const ACCESSES = [ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH];

interface Mode {
  readonly name: string;
  readonly cr4: number;
  readonly large: boolean;
  /** A bit that is reserved in an entry of each level: of the low half, or 32 and on of the high one; -1: there is none. */
  readonly reserved: readonly [directory: number, table: number];
}

const MODES: readonly Mode[] = [
  { name: '32-bit, CR4.PSE = 0: nothing is reserved', cr4: 0, large: false, reserved: [-1, -1] },
  { name: '32-bit, 4 KiB with CR4.PSE = 1: bit 7 without PAT', cr4: CR4_PSE, large: false, reserved: [-1, 7] },
  { name: '32-bit, 4 MiB: bits 21:12', cr4: CR4_PSE, large: true, reserved: [13, -1] },
  { name: 'PAE, 4 KiB: beyond MAXPHYADDR', cr4: CR4_PAE, large: false, reserved: [40, 40] },
  { name: 'PAE, 4 KiB: execute-disable', cr4: CR4_PAE, large: false, reserved: [63, 63] },
  { name: 'PAE, 2 MiB: bits 20:12', cr4: CR4_PAE, large: true, reserved: [13, -1] },
];

function expected(
  mode: Mode,
  pde: number,
  pte: number,
  bad: number,
  wp: boolean,
  access: number,
  user: number,
): number {
  const request = (access === ACCESS_WRITE ? 2 : 0) | (user !== 0 ? 4 : 0);
  if ((pde & PTE_P) === 0) return request;
  if ((bad & 1) !== 0) return request | 9;
  let rights = pde;
  if (!mode.large) {
    if ((pte & PTE_P) === 0) return request;
    if ((bad & 2) !== 0) return request | 9;
    rights &= pte;
  }
  const allowed =
    user !== 0
      ? (rights & PTE_U) !== 0 && (access !== ACCESS_WRITE || (rights & PTE_W) !== 0)
      : access !== ACCESS_WRITE || (rights & PTE_W) !== 0 || !wp;
  return allowed ? -1 : request | 1;
}

describe('error codes', () => {
  it.each(MODES)('$name', (mode) => {
    const memory = new MachineMemory(RAM);
    const space = new PhysicalSpace(memory);
    space.mapRam(0, RAM);
    const wide = mode.cr4 === CR4_PAE;
    const put = (at: number, low: number, bit: number) => {
      memory.view.setInt32(PHYS_BASE + at, bit >= 0 && bit < 32 ? low | (1 << bit) : low, true);
      if (wide) memory.view.setInt32(PHYS_BASE + at + 4, bit >= 32 ? 1 << (bit - 32) : 0, true);
    };
    put(PDPT, DIRECTORY | PTE_P, -1);
    const mmu = new PagingMmu({ memory, space, slot: 0, features: { pse: true, pge: true, pae: true } });
    mmu.writeCr4(mode.cr4);
    mmu.writeCr3(wide ? PDPT : DIRECTORY);

    const wrong: string[] = [];
    const seen = new Set<number>();
    let combinations = 0;
    const directory = mode.large ? PTE_PS : TABLE;
    for (let bad = 0; bad < 4; bad++) {
      if (((bad & 1) !== 0 && mode.reserved[0] < 0) || ((bad & 2) !== 0 && mode.reserved[1] < 0)) continue;
      for (let pde = 0; pde < 8; pde++) {
        for (let pte = 0; pte < (mode.large ? 1 : 8); pte++) {
          put(DIRECTORY, directory | pde, (bad & 1) !== 0 ? mode.reserved[0] : -1);
          put(TABLE, pte, (bad & 2) !== 0 ? mode.reserved[1] : -1);
          for (const wp of [0, CR0_WP]) {
            mmu.writeCr0(CR0_PE | CR0_PG | wp);
            for (const access of ACCESSES) {
              for (const user of [0, 1]) {
                const want = expected(mode, pde, pte, bad, wp !== 0, access, user);
                // From nothing, and as the TLB has it then.
                mmu.invlpg(LINEAR);
                for (const how of [
                  mmu.probe(LINEAR, access, user),
                  mmu.translate(LINEAR, access, user),
                  mmu.translate(LINEAR, access, user),
                ]) {
                  const got = how < 0 ? mmu.faultCode : -1;
                  if (got !== want)
                    wrong.push(`pde ${pde} pte ${pte} bad ${bad} wp ${wp} ${access} ${user}: ${got}, not ${want}`);
                }
                seen.add(want);
                combinations++;
              }
            }
          }
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    const codes = [-1, 0, 2, 3, 4, 5, 6, 7, ...(mode.reserved.some((bit) => bit >= 0) ? [9, 11, 13, 15] : [])];
    expect([...seen].sort((a, b) => a - b)).toEqual(codes);
    expect(combinations).toBeGreaterThanOrEqual(96);
  });
});
