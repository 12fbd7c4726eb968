/** The TLB: stale entries, what flushes them, the tag banks that the processor looks into itself. Translation is in paging.spec.ts. */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PGE,
  CR4_PSE,
  PTE_G,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  TLB_MASK,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { ROOT, TABLE, PAGE_A, PAGE_B, LINEAR, PDE, PTE, RW_U, PROTECTED, rig, granted } from './testing/rig.js';

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
