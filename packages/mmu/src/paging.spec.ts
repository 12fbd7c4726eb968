import {
  ACCESS_FETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PGE,
  CR4_PSE,
  MachineMemory,
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
  TLB_ADDEND,
  TLB_MASK,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { PagingMmu } from './paging.js';

const RAM = 8 * 1024 * 1024;
const ROOT = 0x100000;
const TABLE = 0x101000;
const PAGE_A = 0x200000;
const PAGE_B = 0x201000;
const LINEAR = 0x00403000;
const PDE = ROOT + 4;
const PTE = TABLE + 4 * 3;
const RW_U = PTE_P | PTE_W | PTE_U;
const PROTECTED = CR0_PE | CR0_PG | CR0_WP;

function rig(features = { pse: true, pge: true, pae: false }) {
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
function granted(r: ReturnType<typeof rig>, linear: number): string[] {
  return Object.entries(banks)
    .filter(([, bank]) => r.tag(bank, linear))
    .map(([name]) => name);
}

describe('translation', () => {
  it('is the identity while paging is off, still through the TLB', () => {
    const r = rig();
    r.mmu.load(CR0_PE, 0, 0);
    expect(r.mmu.translate(0x12345, ACCESS_WRITE, 1)).toBe(0x12345);
    expect(granted(r, 0x12345)).toHaveLength(5);
    expect(r.mmu.translate(0xfffff123, ACCESS_READ, 0)).toBe(0xfffff123);
  });

  it('walks directory and table', () => {
    const r = rig();
    r.on();
    expect(r.mmu.translate(LINEAR + 0x123, ACCESS_READ, 1)).toBe(PAGE_A + 0x123);
    expect(r.mmu.tlb[TLB_ADDEND + ((LINEAR >>> 12) & TLB_MASK)] + LINEAR).toBe(PHYS_BASE + PAGE_A);
  });

  it('maps 4 MiB pages with CR4.PSE and takes PS for a table pointer without', () => {
    const r = rig();
    r.put(PDE, 0x00400000 | RW_U | PTE_PS);
    r.on(PROTECTED, CR4_PSE);
    expect(r.mmu.translate(0x00712345, ACCESS_READ, 1)).toBe(0x00712345);
    r.put(PDE, TABLE | RW_U | PTE_PS);
    r.on(PROTECTED, 0);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
  });

  it('ignores CR4.PSE on a model without the feature', () => {
    const r = rig({ pse: false, pge: false, pae: false });
    r.put(PDE, TABLE | RW_U | PTE_PS);
    r.on(PROTECTED, CR4_PSE);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
  });

  it('reads page tables in memory that does not exist as all ones', () => {
    const r = rig();
    r.mmu.load(PROTECTED, 0x40000000, 0);
    // Directory entry FFFFFFFF names the table at FFFFF000, whose entries are all ones as well.
    expect(r.mmu.translate(0x5678, ACCESS_WRITE, 1)).toBe(0xfffff678);
  });

  it('applies the A20 gate to the result and to table addresses', () => {
    const r = rig();
    r.mmu.load(CR0_PE, 0, 0);
    expect(r.mmu.translate(0x101234, ACCESS_READ, 0)).toBe(0x101234);
    r.space.setA20(false);
    expect(r.tag(TLB_READ_SUPERVISOR, 0x101234)).toBe(false);
    expect(r.mmu.translate(0x101234, ACCESS_READ, 0)).toBe(0x1234);
    expect(r.mmu.probe(0x101234, ACCESS_READ, 0)).toBe(0x1234);
    r.put(4, 0x3000 | RW_U); // ROOT and 0 are now one place
    r.put(0x3000 + 12, PAGE_A | RW_U);
    r.mmu.load(PROTECTED, ROOT, 0);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
  });
});

describe('accessed and dirty bits', () => {
  it('sets A in both entries at a fill and D at the first write', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    expect(r.get(PDE) & (PTE_A | PTE_D)).toBe(PTE_A);
    expect(r.get(PTE) & (PTE_A | PTE_D)).toBe(PTE_A);
    expect(granted(r, LINEAR)).toEqual(['readSupervisor', 'readUser']);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    expect(r.get(PDE) & PTE_D).toBe(0);
    expect(r.get(PTE) & PTE_D).toBe(PTE_D);
    expect(granted(r, LINEAR)).toHaveLength(5);
  });

  it('sets both in the directory entry of a 4 MiB page', () => {
    const r = rig();
    r.put(PDE, 0x00400000 | RW_U | PTE_PS);
    r.on(PROTECTED, CR4_PSE);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 0);
    expect(r.get(PDE) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
  });

  it('sets neither when the access faults', () => {
    const r = rig();
    r.put(PTE, PAGE_A | PTE_P | PTE_U);
    r.on();
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(-1);
    expect((r.get(PDE) | r.get(PTE)) & (PTE_A | PTE_D)).toBe(0);
  });

  it('does not look at the tables again for a cached translation', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.put(PTE, PAGE_A | RW_U);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    expect(r.get(PTE) & (PTE_A | PTE_D)).toBe(0);
  });

  it('walks again for the first write through an entry whose D is clear', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    r.put(PTE, PAGE_B | RW_U);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_B);
  });

  it('writes them through the physical space: watchers and decoded code notice', () => {
    const r = rig();
    const seen: number[] = [];
    r.space.onWatchedWrite = (address) => {
      seen.push(address);
      r.mmu.translate(0x00400000, ACCESS_READ, 0); // a watcher may translate
    };
    r.put(TABLE, PAGE_B | RW_U);
    r.space.setWatch(TABLE, true);
    r.space.setWatch(ROOT, true);
    r.on();
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_A);
    expect(new Set(seen)).toEqual(new Set([PDE, PTE, TABLE]));
    expect(r.get(PTE) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
  });
});

describe('rights and page-fault error codes', () => {
  const cases: [string, number, number, number, number, number, number | undefined][] = [
    // name, pde flags, pte flags, cr0, access, user, fault code or none
    ['not present directory', 0, RW_U, PROTECTED, ACCESS_READ, 0, 0],
    ['not present table, user write', RW_U, 0, PROTECTED, ACCESS_WRITE, 1, PF_WRITE | PF_USER],
    ['user read of a supervisor page', RW_U, PTE_P | PTE_W, PROTECTED, ACCESS_READ, 1, PF_PRESENT | PF_USER],
    [
      'user read under a supervisor directory entry',
      PTE_P | PTE_W,
      RW_U,
      PROTECTED,
      ACCESS_READ,
      1,
      PF_PRESENT | PF_USER,
    ],
    [
      'user write to a read-only page',
      RW_U,
      PTE_P | PTE_U,
      CR0_PE | CR0_PG,
      ACCESS_WRITE,
      1,
      PF_PRESENT | PF_WRITE | PF_USER,
    ],
    [
      'supervisor write to a read-only page, WP',
      RW_U,
      PTE_P | PTE_U,
      PROTECTED,
      ACCESS_WRITE,
      0,
      PF_PRESENT | PF_WRITE,
    ],
    ['supervisor write to a read-only page, no WP', RW_U, PTE_P | PTE_U, CR0_PE | CR0_PG, ACCESS_WRITE, 0, undefined],
    [
      'supervisor write under a read-only directory entry, WP',
      PTE_P | PTE_U,
      RW_U,
      PROTECTED,
      ACCESS_WRITE,
      0,
      PF_PRESENT | PF_WRITE,
    ],
    ['supervisor read of a user page', RW_U, RW_U, PROTECTED, ACCESS_READ, 0, undefined],
    ['user fetch of a supervisor page', RW_U, PTE_P, PROTECTED, ACCESS_FETCH, 1, PF_PRESENT | PF_USER],
  ];
  it.each(cases)('%s', (_name, pde, pte, cr0, access, user, fault) => {
    const r = rig();
    r.put(PDE, TABLE | pde);
    r.put(PTE, PAGE_A | pte);
    r.on(cr0);
    expect(r.mmu.probe(LINEAR, access, user)).toBe(fault === undefined ? PAGE_A : -1);
    expect(r.mmu.translate(LINEAR, access, user)).toBe(fault === undefined ? PAGE_A : -1);
    if (fault !== undefined) expect(r.mmu.faultCode).toBe(fault);
  });

  it('reports reserved bits of a 4 MiB entry before rights', () => {
    for (let bit = 12; bit <= 21; bit++) {
      const r = rig();
      r.put(PDE, 0x00400000 | (1 << bit) | PTE_P | PTE_PS);
      r.on(PROTECTED, CR4_PSE);
      expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(-1);
      expect(r.mmu.faultCode).toBe(PF_PRESENT | PF_RESERVED | PF_WRITE | PF_USER);
    }
  });

  it("reports bit 7 of a page's own entry (PAT, which no model has) with CR4.PSE only", () => {
    const r = rig();
    r.put(PTE, PAGE_A | PTE_P | PTE_PS);
    r.on(PROTECTED, CR4_PSE);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(-1);
    expect(r.mmu.faultCode).toBe(PF_PRESENT | PF_RESERVED | PF_WRITE | PF_USER);
    r.put(PTE, PAGE_A | RW_U | PTE_PS);
    r.on(PROTECTED, 0);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_A);
  });
});

describe('the TLB keeps stale entries', () => {
  it('until INVLPG', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    r.put(PTE, PAGE_B | RW_U);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
    expect(r.mmu.probe(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
    r.mmu.invlpg(LINEAR + 0x1000);
    expect(r.tag(TLB_READ_USER, LINEAR)).toBe(true);
    r.mmu.invlpg(LINEAR + 0xabc);
    expect(r.tag(TLB_READ_USER, LINEAR)).toBe(false);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
  });

  it('even of an unmapped page, until a CR3 write', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.put(PTE, 0);
    r.mmu.writeCr0(PROTECTED & ~CR0_WP);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_A);
    r.mmu.writeCr3(ROOT);
    expect(granted(r, LINEAR)).toEqual([]);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(-1);
  });

  it('but walks again before it reports a fault', () => {
    const r = rig();
    r.put(PTE, PAGE_A | PTE_P | PTE_U);
    r.on();
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    r.put(PTE, PAGE_B | RW_U);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_B);
  });

  it('and a faulting access leaves no entry behind', () => {
    const r = rig();
    r.put(PTE, PAGE_A | PTE_P | PTE_U);
    r.on();
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(-1);
    r.put(PTE, PAGE_B | PTE_P | PTE_U);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
  });

  it('replaces the entry of another page in the same slot, tags and all', () => {
    const r = rig();
    const other = LINEAR + (TLB_MASK + 1) * 4096;
    r.put(ROOT + 4 * (other >>> 22), TABLE | RW_U);
    r.on();
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.mmu.translate(other, ACCESS_READ, 1);
    expect(granted(r, LINEAR)).toEqual([]);
    r.put(PTE, PAGE_B | RW_U);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
  });
});

describe('flushes', () => {
  it('keep global pages over CR3, drop them at INVLPG and CR4.PGE', () => {
    const r = rig();
    r.put(PTE, PAGE_A | RW_U | PTE_G);
    r.on(PROTECTED, CR4_PGE);
    r.mmu.translate(LINEAR, ACCESS_READ, 1);
    r.put(PTE, PAGE_B | RW_U | PTE_G);
    r.mmu.writeCr3(ROOT);
    expect(granted(r, LINEAR)).toEqual([]);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
    expect(granted(r, LINEAR)).toEqual(['readSupervisor', 'readUser']);
    r.mmu.invlpg(LINEAR);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
    r.put(PTE, PAGE_A | RW_U | PTE_G);
    r.mmu.writeCr4(0);
    r.mmu.writeCr4(CR4_PGE);
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_A);
  });

  it('ignore G without CR4.PGE or without the feature', () => {
    for (const [features, cr4] of [
      [{ pse: true, pge: true, pae: false }, 0],
      [{ pse: true, pge: false, pae: false }, CR4_PGE],
    ] as const) {
      const r = rig(features);
      r.put(PTE, PAGE_A | RW_U | PTE_G);
      r.on(PROTECTED, cr4);
      r.mmu.translate(LINEAR, ACCESS_READ, 1);
      r.put(PTE, PAGE_B | RW_U | PTE_G);
      r.mmu.writeCr3(ROOT);
      expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
    }
  });

  it('drop everything when CR0.PG or PE or CR4.PSE changes, nothing for WP, TSD', () => {
    const changes: [boolean, (r: ReturnType<typeof rig>) => void][] = [
      [true, (r) => (r.mmu.writeCr0(CR0_PE), r.mmu.writeCr0(PROTECTED))],
      [true, (r) => r.mmu.writeCr4(CR4_PGE | CR4_PSE)],
      [false, (r) => (r.mmu.writeCr0(PROTECTED & ~CR0_WP), r.mmu.writeCr0(PROTECTED))],
      [false, (r) => r.mmu.writeCr4(CR4_PGE | 4)],
    ];
    for (const [flushes, change] of changes) {
      const r = rig();
      r.put(PTE, PAGE_A | RW_U | PTE_G);
      r.on(PROTECTED, CR4_PGE);
      r.mmu.translate(LINEAR, ACCESS_READ, 1);
      r.put(PTE, PAGE_B | RW_U);
      change(r);
      expect(granted(r, LINEAR).length === 0).toBe(flushes);
      expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(flushes ? PAGE_B : PAGE_A);
    }
  });

  it('one INVLPG drops every fragment of a 4 MiB page', () => {
    const r = rig();
    r.put(PDE, 0x00400000 | RW_U | PTE_PS | PTE_G);
    r.on(PROTECTED, CR4_PSE | CR4_PGE);
    for (const linear of [0x400000, 0x5ff000, 0x7ff000]) r.mmu.translate(linear, ACCESS_WRITE, 0);
    r.put(PDE, RW_U | PTE_PS);
    expect(r.mmu.translate(0x7ff000, ACCESS_READ, 0)).toBe(0x7ff000);
    r.mmu.invlpg(0x512345);
    for (const linear of [0x400000, 0x5ff000, 0x7ff000]) {
      expect(r.tag(TLB_WRITE_SUPERVISOR, linear)).toBe(false);
      expect(r.mmu.translate(linear, ACCESS_READ, 0)).toBe(linear - 0x400000);
    }
  });

  it('survive a wrap of generations and epochs without reviving old entries', () => {
    const r = rig();
    r.put(PTE, PAGE_A | RW_U);
    r.put(PTE + 4, PAGE_A | RW_U | PTE_G);
    r.on(PROTECTED, CR4_PGE);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.mmu.translate(LINEAR + 0x1000, ACCESS_WRITE, 1);
    r.put(PTE, PAGE_B | RW_U);
    r.put(PTE + 4, PAGE_B | RW_U | PTE_G);
    for (let i = 0; i < 4094; i++) {
      r.mmu.writeCr3(ROOT);
      expect(r.mmu.generation).toBeGreaterThan(0);
      expect(r.mmu.generation).toBeLessThan(4096);
      if (granted(r, LINEAR).length !== 0) throw new Error(`tag revived after ${i} flushes`);
    }
    expect(r.mmu.translate(LINEAR, ACCESS_READ, 1)).toBe(PAGE_B);
    expect(r.mmu.translate(LINEAR + 0x1000, ACCESS_READ, 1)).toBe(PAGE_A);
  });

  it('note every directory in force while paging was on', () => {
    const r = rig();
    r.mmu.load(CR0_PE, 0x5000, 0);
    r.mmu.writeCr3(0x6018);
    r.mmu.writeCr0(PROTECTED);
    r.mmu.writeCr3(0x7000);
    expect([...r.mmu.roots]).toEqual([0x6000, 0x7000]);
  });
});

describe('fast tags', () => {
  it('follow the rights of the page', () => {
    const cases: [number, string[]][] = [
      [RW_U, ['readSupervisor', 'readUser', 'writeSupervisor', 'writeUser', 'writeUnprotected']],
      [PTE_P | PTE_W, ['readSupervisor', 'writeSupervisor', 'writeUnprotected']],
      [PTE_P | PTE_U, ['readSupervisor', 'readUser', 'writeUnprotected']],
    ];
    for (const [flags, expected] of cases) {
      const r = rig();
      r.put(PTE, PAGE_A | flags);
      r.on(CR0_PE | CR0_PG);
      r.mmu.translate(LINEAR, ACCESS_WRITE, 0);
      expect(granted(r, LINEAR)).toEqual(expected);
    }
  });

  it('do not exist for devices and nothing; ROM and watched RAM have read tags only', () => {
    const r = rig();
    const handler = { mmioRead: () => 0, mmioWrite: () => {} };
    r.mmu.load(CR0_PE, 0, 0);
    r.space.mapMmio(0xb8000, 0x1000, handler);
    r.space.mapRom(0xf0000, 0x1000);
    r.space.setWatch(0x5000, true);
    for (const linear of [0xb8000, 0x40000000, 0xf0000, 0x5000]) r.mmu.translate(linear, ACCESS_WRITE, 0);
    expect(granted(r, 0xb8000)).toEqual([]);
    expect(granted(r, 0x40000000)).toEqual([]);
    expect(granted(r, 0xf0000)).toEqual(['readSupervisor', 'readUser']);
    expect(granted(r, 0x5000)).toEqual(['readSupervisor', 'readUser']);
  });

  it('go when page kinds change, while stale translations stay', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.put(PTE, PAGE_B | RW_U);
    r.space.setWatch(PAGE_A, true);
    expect(granted(r, LINEAR)).toEqual([]);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_A);
    expect(granted(r, LINEAR)).toEqual(['readSupervisor', 'readUser']);
  });

  it('for writing go when a page starts to hold code, and come back when it no longer does', () => {
    const r = rig();
    r.put(PTE + 4, PAGE_A | RW_U);
    r.on();
    const aliases = [LINEAR, LINEAR + 0x1000];
    for (const linear of aliases) r.mmu.translate(linear, ACCESS_WRITE, 1);
    r.memory.markCode(PAGE_A >>> 12);
    for (const linear of aliases) {
      expect(granted(r, linear)).toEqual(['readSupervisor', 'readUser']);
      expect(r.mmu.translate(linear, ACCESS_WRITE, 1)).toBe(PAGE_A);
      expect(granted(r, linear)).toEqual(['readSupervisor', 'readUser']);
    }
    r.memory.codeWritten(PAGE_A, 4); // nobody holds code of it any more
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    expect(granted(r, LINEAR)).toHaveLength(5);
    r.mmu.dropWriteTags(PAGE_A >>> 12);
    expect(granted(r, LINEAR)).toEqual(['readSupervisor', 'readUser']);
    r.mmu.dropWriteTags(PAGE_B >>> 12); // nothing to do
  });

  it('for writing are found wherever the page moved in the TLB', () => {
    const r = rig();
    r.mmu.load(CR0_PE, 0, 0);
    r.put(PTE + 4, PAGE_A | RW_U);
    r.on();
    const far = LINEAR + 0x1000 + (TLB_MASK + 1) * 4096;
    r.put(ROOT + 4 * (far >>> 22), TABLE | RW_U);
    r.put(PTE + 8, PAGE_B | RW_U);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1); // slot x -> A
    r.mmu.translate(LINEAR + (TLB_MASK + 1) * 4096, ACCESS_WRITE, 1); // same slot, same page
    r.mmu.translate(far, ACCESS_WRITE, 1); // next slot -> A
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.mmu.dropWriteTags(PAGE_A >>> 12);
    for (const linear of [LINEAR, far]) expect(granted(r, linear)).toEqual(['readSupervisor', 'readUser']);
  });

  it('are withheld from slow pages, at once', () => {
    const r = rig();
    r.on();
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    r.mmu.setSlowPages([LINEAR >>> 12]);
    expect(granted(r, LINEAR)).toEqual([]);
    expect(r.mmu.translate(LINEAR, ACCESS_WRITE, 1)).toBe(PAGE_A);
    expect(granted(r, LINEAR)).toEqual([]);
    r.mmu.setSlowPages([]);
    r.mmu.translate(LINEAR, ACCESS_WRITE, 1);
    expect(granted(r, LINEAR)).toHaveLength(5);
  });
});

describe('probe', () => {
  it('leaves no trace', () => {
    const r = rig();
    r.on();
    expect(r.mmu.probe(LINEAR + 5, ACCESS_WRITE, 1)).toBe(PAGE_A + 5);
    expect(r.get(PTE) & (PTE_A | PTE_D)).toBe(0);
    expect(granted(r, LINEAR)).toEqual([]);
    r.put(PTE, 0);
    expect(r.mmu.probe(LINEAR, ACCESS_READ, 0)).toBe(-1);
  });
});

describe('an observer', () => {
  it('is told after the fact of control writes and INVLPG, not of load', () => {
    const r = rig();
    const seen: string[] = [];
    r.mmu.observer = {
      controlWritten: (register) => seen.push(`cr${register} gen ${r.mmu.generation}`),
      invalidated: (linear) => seen.push(`invlpg ${linear.toString(16)}`),
    };
    r.on();
    const generation = r.mmu.generation;
    r.mmu.writeCr3(ROOT);
    r.mmu.writeCr0(PROTECTED & ~CR0_WP);
    r.mmu.writeCr4(CR4_PGE);
    r.mmu.invlpg(LINEAR);
    expect(seen).toEqual([
      `cr3 gen ${generation + 1}`,
      `cr0 gen ${generation + 1}`,
      `cr4 gen ${generation + 2}`,
      'invlpg 403000',
    ]);
  });
});
