/** Two-level paging: translation, accessed and dirty bits, rights and error codes. The TLB is in tlb.spec.ts, PAE in pae.spec.ts. */
import {
  ACCESS_FETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PGE,
  CR4_PSE,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  PHYS_BASE,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  TLB_ADDEND,
  TLB_MASK,
  TLB_READ_SUPERVISOR,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { ROOT, TABLE, PAGE_A, PAGE_B, LINEAR, PDE, PTE, RW_U, PROTECTED, rig, granted } from './testing/rig.js';

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
