/** PAE paging: SDM Vol. 3A, 4.4 "PAE Paging", by section: PDPTE registers, entries, reserved bits, A and D, INVLPG. */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  CR0_CD,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  MachineMemory,
  OPEN_BUS_PAGE,
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
  PhysicalSpace,
  pageTableFrames,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { PagingMmu } from './paging.js';

const RAM = 8 * 1024 * 1024;
const PDPT = 0x1000e0; // 32-byte aligned, and no page's start
const DIRECTORY = 0x101000;
const TABLE = 0x102000;
const OTHER_DIRECTORY = 0x103000;
const OTHER_TABLE = 0x104000;
const PAGE_A = 0x200000;
const PAGE_B = 0x201000;
const LINEAR = 0x40603000; // PDPTE 1, directory entry 3, table entry 3
const PDE = DIRECTORY + 8 * 3;
const PTE = TABLE + 8 * 3;
const RW_U = PTE_P | PTE_W | PTE_U;
const PROTECTED = CR0_PE | CR0_PG | CR0_WP;

function rig() {
  const memory = new MachineMemory(RAM);
  const space = new PhysicalSpace(memory);
  space.mapRam(0, RAM);
  const mmu = new PagingMmu({ memory, space, slot: 0, features: { pse: true, pge: true, pae: true } });
  const state = memory.stateWords(0);
  const get = (address: number) => memory.view.getInt32(PHYS_BASE + address, true);
  const put = (address: number, low: number, high = 0) => {
    memory.view.setInt32(PHYS_BASE + address, low, true);
    memory.view.setInt32(PHYS_BASE + address + 4, high, true);
  };
  put(PDPT + 8, DIRECTORY | PTE_P);
  put(PDE, TABLE | RW_U);
  put(PTE, PAGE_A | RW_U);
  put(OTHER_DIRECTORY + 8 * 3, OTHER_TABLE | RW_U);
  put(OTHER_TABLE + 8 * 3, PAGE_B | RW_U);
  /** Switches paging on the way software does. */
  const on = (cr4 = CR4_PAE) => {
    expect(mmu.writeCr4(cr4)).toBe(true);
    expect(mmu.writeCr3(PDPT)).toBe(true);
    expect(mmu.writeCr0(PROTECTED)).toBe(true);
    return r;
  };
  const read = (linear: number, user = 0) => mmu.translate(linear, ACCESS_READ, user);
  const r = { memory, space, mmu, state, put, get, on, read };
  return r;
}

describe('translation', () => {
  it('walks PDPTE register, directory and table', () => {
    const r = rig().on();
    expect(r.read(LINEAR + 0x123, 1)).toBe(PAGE_A + 0x123);
    expect(r.mmu.probe(LINEAR + 0x123, ACCESS_WRITE, 1)).toBe(PAGE_A + 0x123);
    expect(r.read(0x80603000)).toBe(-1);
    expect(r.mmu.faultCode).toBe(0);
  });

  it('maps 2 MiB pages whatever CR4.PSE says', () => {
    for (const pse of [0, CR4_PSE]) {
      const r = rig();
      r.put(PDE, 0x00400000 | RW_U | PTE_PS);
      r.on(CR4_PAE | pse);
      expect(r.read(LINEAR + 0x123, 1)).toBe(0x00403123);
      expect(r.read(0x407ff000, 1)).toBe(0x005ff000);
    }
  });

  it('leads to the open bus beyond 4 GiB: pages, tables and directories', () => {
    for (let high = 1; high < 16; high <<= 1) {
      const r = rig();
      r.put(PTE, PAGE_A | RW_U, high);
      r.on();
      expect(r.mmu.translate(LINEAR + 5, ACCESS_WRITE, 1)).toBe(OPEN_BUS_PAGE + 5);
      expect(r.get(PTE) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
      r.put(PDE, 0x00400000 | RW_U | PTE_PS, high);
      r.mmu.flushAll();
      expect(r.read(LINEAR)).toBe(OPEN_BUS_PAGE);
      // All ones there: present, with every reserved bit.
      r.put(PDE, TABLE | RW_U, high);
      r.mmu.flushAll();
      expect([r.read(LINEAR), r.mmu.faultCode]).toEqual([-1, PF_PRESENT | PF_RESERVED]);
      r.put(PDPT + 8, DIRECTORY | PTE_P, high);
      r.mmu.writeCr3(PDPT);
      expect([r.read(LINEAR), r.mmu.faultCode]).toEqual([-1, PF_PRESENT | PF_RESERVED]);
    }
  });

  it('obeys the A20 gate, table addresses included', () => {
    const r = rig().on();
    expect(r.read(LINEAR)).toBe(PAGE_A);
    r.space.setA20(false);
    r.put(0x1000 + 8 * 3, 0x2000 | RW_U); // DIRECTORY, TABLE with bit 20 clear
    r.put(0x2000 + 8 * 3, 0x00300000 | RW_U);
    r.put(0x00e8, 0x1000 | PTE_P); // the PDPT likewise
    r.mmu.writeCr3(PDPT);
    expect(r.state[PDPTE + 2]).toBe(0x1000 | PTE_P);
    expect(r.read(LINEAR + 7)).toBe(0x00200007);
  });

  it('takes bits 11:5 of CR3 for the table with PAE only', () => {
    const r = rig().on();
    r.put(0x100000 + 4 * (LINEAR >>> 22), 0x00400000 | RW_U | PTE_PS);
    r.mmu.writeCr4(CR4_PSE);
    expect(r.read(LINEAR)).toBe((0x00603000 & 0x3fffff) | 0x00400000);
    r.mmu.writeCr4(CR4_PAE);
    expect(r.read(LINEAR)).toBe(PAGE_A);
  });
});

describe('PDPTE registers', () => {
  const other = OTHER_DIRECTORY | PTE_P;

  it('do not follow the table in memory', () => {
    const r = rig().on();
    r.put(PDPT + 8, other);
    expect(r.read(LINEAR)).toBe(PAGE_A);
    r.mmu.invlpg(LINEAR);
    expect(r.read(LINEAR)).toBe(PAGE_A);
  });

  const loads: [string, boolean, (r: ReturnType<typeof rig>) => void][] = [
    ['MOV CR3', true, (r) => r.mmu.writeCr3(PDPT)],
    ['CR0.CD', true, (r) => r.mmu.writeCr0(PROTECTED | CR0_CD)],
    ['CR0.CD and NW', true, (r) => r.mmu.writeCr0(PROTECTED | CR0_CD | CR0_NW)],
    ['CR0.PG off and on', true, (r) => (r.mmu.writeCr0(CR0_PE), r.mmu.writeCr0(PROTECTED))],
    ['CR4.PGE', true, (r) => r.mmu.writeCr4(CR4_PAE | CR4_PGE)],
    ['CR4.PSE', true, (r) => r.mmu.writeCr4(CR4_PAE | CR4_PSE)],
    ['CR4.PAE off and on', true, (r) => (r.mmu.writeCr4(0), r.mmu.writeCr4(CR4_PAE))],
    ['CR0.TS', false, (r) => r.mmu.writeCr0(PROTECTED | CR0_TS)],
    ['CR0.WP', false, (r) => r.mmu.writeCr0(PROTECTED & ~CR0_WP)],
    ['CR4.TSD', false, (r) => r.mmu.writeCr4(CR4_PAE | 4)],
    ['INVLPG', false, (r) => r.mmu.invlpg(LINEAR)],
    ['a flush', false, (r) => r.mmu.flushAll()],
  ];
  it.each(loads)('%s loads them: %s', (_name, expected, write) => {
    const r = rig().on();
    r.put(PDPT + 8, other);
    write(r);
    expect(r.state[PDPTE + 2]).toBe(expected ? other : DIRECTORY | PTE_P);
    expect(r.read(LINEAR)).toBe(expected ? PAGE_B : PAGE_A);
  });

  it('loaded by CR0.CD leave stale translations behind', () => {
    const r = rig().on();
    expect(r.read(LINEAR)).toBe(PAGE_A);
    r.put(PDPT + 8, other);
    r.mmu.writeCr0(PROTECTED | CR0_CD);
    expect(r.read(LINEAR)).toBe(PAGE_A);
    r.mmu.invlpg(LINEAR);
    expect(r.read(LINEAR)).toBe(PAGE_B);
  });

  const reservedBits = [1, 2, 5, 6, 7, 8, 36, 47, 63];
  it.each(reservedBits)('with reserved bit %i are refused, all of them, and nothing changes', (bit) => {
    const [low, high] = bit < 32 ? [1 << bit, 0] : [0, 1 << (bit - 32)];
    for (const index of [0, 3]) {
      const r = rig().on();
      r.put(PDPT + 8, other);
      r.put(PDPT + 8 * index, OTHER_DIRECTORY | PTE_P | low, high);
      const words = [...r.state];
      const { generation } = r.mmu;
      expect(r.mmu.writeCr3(PDPT)).toBe(false);
      expect(r.mmu.writeCr0(PROTECTED | CR0_CD)).toBe(false);
      expect(r.mmu.writeCr4(CR4_PAE | CR4_PGE)).toBe(false);
      expect([...r.state]).toEqual(words);
      expect(r.mmu.generation).toBe(generation);
      expect(r.read(LINEAR)).toBe(PAGE_A);
      // The refused writes are not remembered: this one changes CD again, and is checked again.
      expect(r.mmu.writeCr0(PROTECTED | CR0_CD)).toBe(false);
      // One that is not present has no reserved bits.
      r.put(PDPT + 8 * index, OTHER_DIRECTORY | low, high);
      expect(r.mmu.writeCr3(PDPT)).toBe(true);
      expect(r.read(LINEAR)).toBe(PAGE_B);
    }
  });

  it('are not looked at while paging is off', () => {
    const r = rig();
    r.put(PDPT, PTE_P | 2);
    r.mmu.writeCr4(CR4_PAE);
    expect(r.mmu.writeCr3(PDPT)).toBe(true);
    expect(r.mmu.writeCr0(PROTECTED)).toBe(false);
    expect(r.read(0x1234)).toBe(0x1234);
  });

  it('are taken from the state words when a state is loaded', () => {
    const r = rig();
    r.state[PDPTE + 2] = DIRECTORY | PTE_P;
    r.put(PDPT + 8, other);
    r.mmu.load(PROTECTED, PDPT, CR4_PAE);
    expect(r.read(LINEAR)).toBe(PAGE_A);
  });
});

describe('entries', () => {
  it('report reserved bits before rights, in the entry that has them', () => {
    const codes = [
      [ACCESS_READ, 0, PF_PRESENT | PF_RESERVED],
      [ACCESS_WRITE, 1, PF_PRESENT | PF_RESERVED | PF_WRITE | PF_USER],
    ];
    for (let bit = 4; bit < 32; bit++) {
      for (const at of [PDE, PTE]) {
        const r = rig();
        r.put(at, (r.get(at) & 0xfffff000) | PTE_P, 1 << bit);
        r.on();
        for (const [access, user, code] of codes) {
          expect([r.mmu.translate(LINEAR, access, user), r.mmu.faultCode]).toEqual([-1, code]);
        }
        expect((r.get(PDE) | r.get(PTE)) & (PTE_A | PTE_D)).toBe(0);
        // Not present: nothing is reserved.
        r.put(at, r.get(at) & ~PTE_P, 1 << bit);
        expect([r.read(LINEAR), r.mmu.faultCode]).toEqual([-1, 0]);
      }
    }
  });

  it('of 2 MiB reserve bits 12 to 20, of 4 KiB bit 7 (no PAT)', () => {
    for (let bit = 12; bit <= 20; bit++) {
      const r = rig();
      r.put(PDE, 0x00400000 | (1 << bit) | RW_U | PTE_PS);
      r.on();
      expect([r.read(LINEAR), r.mmu.faultCode]).toEqual([-1, PF_PRESENT | PF_RESERVED]);
    }
    const r = rig();
    r.put(PTE, PAGE_A | RW_U | PTE_PS);
    r.on();
    expect([r.read(LINEAR), r.mmu.faultCode]).toEqual([-1, PF_PRESENT | PF_RESERVED]);
  });

  it('grant what both levels grant', () => {
    for (let upper = 0; upper < 4; upper++) {
      for (let lower = 0; lower < 4; lower++) {
        const r = rig();
        r.put(PDE, TABLE | PTE_P | (upper << 1));
        r.put(PTE, PAGE_A | PTE_P | (lower << 1));
        r.on();
        const both = upper & lower;
        const allowed = [0, 1].flatMap((user) =>
          [ACCESS_READ, ACCESS_WRITE].map((a) => r.mmu.probe(LINEAR, a, user) >= 0),
        );
        const user = (both & 2) !== 0;
        const write = (both & 1) !== 0;
        expect(allowed).toEqual([true, write, user, user && write]);
      }
    }
  });

  it('get A and D in their low halves, PDPTEs nothing', () => {
    const r = rig().on();
    r.read(LINEAR);
    expect([r.get(PDE), r.get(PTE)]).toEqual([TABLE | RW_U | PTE_A, PAGE_A | RW_U | PTE_A]);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 0);
    expect([r.get(PDE) & PTE_D, r.get(PTE) & PTE_D]).toEqual([0, PTE_D]);
    expect([r.get(PDPT + 8), r.get(PDE + 4), r.get(PTE + 4)]).toEqual([DIRECTORY | PTE_P, 0, 0]);
    const large = rig();
    large.put(PDE, 0x00400000 | RW_U | PTE_PS);
    large.on();
    large.mmu.translate(LINEAR, ACCESS_WRITE, 0);
    expect(large.get(PDE) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
  });
});

describe('stale translations', () => {
  it('of a 2 MiB page go with one INVLPG, those of its neighbour stay', () => {
    const r = rig();
    r.put(PDE, 0x00400000 | RW_U | PTE_PS | PTE_G);
    r.put(PDE - 8, 0x00200000 | RW_U | PTE_PS);
    r.on(CR4_PAE | CR4_PGE);
    const pages = [0x40600000, 0x4063f000, 0x407ff000];
    const neighbour = 0x405ff000;
    for (const linear of [...pages, neighbour]) r.read(linear);
    r.put(PDE, 0x00600000 | RW_U | PTE_PS);
    r.put(PDE - 8, 0);
    for (const linear of pages) expect(r.read(linear)).toBe((linear & 0x1fffff) | 0x00400000);
    r.mmu.invlpg(0x40712345);
    for (const linear of pages) expect(r.read(linear)).toBe((linear & 0x1fffff) | 0x00600000);
    expect(r.read(neighbour)).toBe(0x003ff000);
    r.mmu.invlpg(neighbour);
    expect(r.read(neighbour)).toBe(-1);
  });

  it('go when CR4.PAE changes, global ones too', () => {
    const r = rig();
    r.put(PTE, PAGE_A | RW_U | PTE_G);
    r.on(CR4_PAE | CR4_PGE);
    r.read(LINEAR);
    r.put(PTE, PAGE_B | RW_U);
    r.mmu.writeCr3(PDPT);
    expect(r.read(LINEAR)).toBe(PAGE_A);
    r.mmu.writeCr4(CR4_PGE);
    r.mmu.writeCr4(CR4_PGE | CR4_PAE);
    expect(r.read(LINEAR)).toBe(PAGE_B);
  });
});

describe('the frames whose A and D bits do not count', () => {
  it('are directories and tables of each kind; not the PDPT', () => {
    const r = rig().on();
    r.put(PDE + 8, 0x00400000 | RW_U | PTE_PS); // leads to no table
    r.put(PDE + 16, 0x00500000 | RW_U, 1); // nor does this
    expect(pageTableFrames(r.mmu.roots, r.space)).toEqual(new Set([DIRECTORY + 1, TABLE + 1]));
    r.put(PDPT + 8, OTHER_DIRECTORY | PTE_P);
    r.mmu.writeCr3(PDPT);
    r.mmu.writeCr4(0);
    expect(r.mmu.roots).toEqual(new Set([DIRECTORY + 1, OTHER_DIRECTORY + 1, 0x100000]));
  });
});
