/**
 * What every Mmu keeps, paging off: identity translation, the TLB's tag banks and their invalidation. Page walks, rights
 * and stale entries are the real MMU's own specs.
 */
import {
  ACCESS_FETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  PHYS_BASE,
  TLB_ADDEND,
  TLB_MASK,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
  type Mmu,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { makeMemory, type TestMemory } from './memory.js';

const READ_BANKS = { TLB_READ_SUPERVISOR, TLB_READ_USER };
const WRITE_BANKS = { TLB_WRITE_SUPERVISOR, TLB_WRITE_USER, TLB_WRITE_UNPROTECTED };

export function mmuContract(name: string, make: (memory: TestMemory) => Mmu): void {
  function setUp() {
    const test = makeMemory();
    test.space.mapMmio(0xa0000, 0x20000, { mmioRead: () => 0, mmioWrite: () => {} });
    test.space.mapRom(0xf0000, 0x10000);
    const mmu = make(test);
    mmu.load(0, 0, 0);
    const hits = (linear: number, bank: number) =>
      mmu.tlb[bank + ((linear >>> 12) & TLB_MASK)] === ((linear & ~0xfff) | mmu.generation);
    const banksHit = (linear: number, banks: Record<string, number>) =>
      Object.keys(banks).filter((bank) => hits(linear, banks[bank]));
    return { ...test, mmu, banksHit };
  }

  describe(`${name}: Mmu contract`, () => {
    it('translates to the same address without paging, whatever the access', () => {
      const { mmu } = setUp();
      for (const access of [ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH]) {
        for (const user of [0, 1]) {
          expect(mmu.translate(0x12345, access, user)).toBe(0x12345);
          expect(mmu.probe(0xfffff123 | 0, access, user)).toBe(0xfffff123);
        }
      }
    });

    it('grants read tags for RAM, with an addend that leads to the byte', () => {
      const { mmu, banksHit } = setUp();
      mmu.translate(0x5678, ACCESS_READ, 1);
      expect(banksHit(0x5000, READ_BANKS)).toContain('TLB_READ_USER');
      mmu.translate(0x5678, ACCESS_READ, 0);
      expect(banksHit(0x5000, READ_BANKS)).toContain('TLB_READ_SUPERVISOR');
      expect((0x5678 + mmu.tlb[TLB_ADDEND + 5]) >>> 0).toBe(PHYS_BASE + 0x5678);
    });

    it('grants the write tag of the privilege that wrote', () => {
      const { mmu, banksHit } = setUp();
      mmu.translate(0x5678, ACCESS_WRITE, 1);
      expect(banksHit(0x5000, WRITE_BANKS)).toContain('TLB_WRITE_USER');
    });

    it('probe leaves no trace', () => {
      const { mmu, banksHit } = setUp();
      mmu.probe(0x5678, ACCESS_WRITE, 0);
      expect(banksHit(0x5000, { ...READ_BANKS, ...WRITE_BANKS })).toEqual([]);
    });

    it('never grants a tag for device pages, nor a write tag for ROM', () => {
      const { mmu, banksHit } = setUp();
      mmu.translate(0xb8000, ACCESS_READ, 0);
      mmu.translate(0xb8000, ACCESS_WRITE, 0);
      expect(banksHit(0xb8000, { ...READ_BANKS, ...WRITE_BANKS })).toEqual([]);
      mmu.translate(0xf0000, ACCESS_WRITE, 0);
      expect(banksHit(0xf0000, WRITE_BANKS)).toEqual([]);
    });

    it('never grants a write tag for watched pages or pages that hold decoded code', () => {
      const { mmu, memory, space, banksHit } = setUp();
      space.setWatch(0x6000, true);
      mmu.translate(0x6000, ACCESS_WRITE, 0);
      expect(banksHit(0x6000, WRITE_BANKS)).toEqual([]);
      memory.markCode(7);
      mmu.translate(0x7000, ACCESS_WRITE, 0);
      expect(banksHit(0x7000, WRITE_BANKS)).toEqual([]);
    });

    it('drops write tags, and only those, when a page starts to hold code', () => {
      const { mmu, memory, banksHit } = setUp();
      mmu.translate(0x8000, ACCESS_READ, 0);
      mmu.translate(0x8000, ACCESS_WRITE, 0);
      memory.markCode(8);
      expect(banksHit(0x8000, WRITE_BANKS)).toEqual([]);
      expect(banksHit(0x8000, READ_BANKS)).toContain('TLB_READ_SUPERVISOR');
    });

    it('gives slow pages no tags', () => {
      const { mmu, banksHit } = setUp();
      mmu.translate(0x9000, ACCESS_READ, 0);
      mmu.setSlowPages([9]);
      expect(mmu.translate(0x9000, ACCESS_WRITE, 0)).toBe(0x9000);
      expect(banksHit(0x9000, { ...READ_BANKS, ...WRITE_BANKS })).toEqual([]);
      mmu.setSlowPages([]);
      mmu.translate(0x9000, ACCESS_READ, 0);
      expect(banksHit(0x9000, READ_BANKS)).not.toEqual([]);
    });

    it('forgets one page at INVLPG, all at a flush, however often', () => {
      const { mmu, banksHit } = setUp();
      const all = { ...READ_BANKS, ...WRITE_BANKS };
      mmu.translate(0x5000, ACCESS_WRITE, 0);
      mmu.translate(0x6000, ACCESS_WRITE, 0);
      mmu.invlpg(0x5fff);
      expect(banksHit(0x5000, all)).toEqual([]);
      expect(banksHit(0x6000, all)).not.toEqual([]);
      for (let i = 0; i < 5000; i++) {
        mmu.flushAll();
        expect(mmu.generation).toBeGreaterThan(0);
        expect(mmu.generation).toBeLessThan(4096);
        if (banksHit(0x6000, all).length > 0) throw new Error(`a stale tag hits again after ${i + 1} flushes`);
      }
    });

    it('tells its observer what software did, after it happened', () => {
      const { mmu } = setUp();
      const seen: string[] = [];
      mmu.observer = {
        controlWritten: (register) => seen.push(`cr${register}`),
        invalidated: (linear) => seen.push(`invlpg ${linear.toString(16)}`),
      };
      mmu.writeCr3(0);
      mmu.writeCr4(0);
      mmu.writeCr0(0);
      mmu.invlpg(0x5123);
      expect(seen).toEqual(['cr3', 'cr4', 'cr0', 'invlpg 5123']);
    });

    it('obeys the A20 gate and drops translations when it moves', () => {
      const { mmu, space, banksHit } = setUp();
      mmu.translate(0x5000, ACCESS_READ, 0);
      space.setA20(false);
      expect(banksHit(0x5000, READ_BANKS)).toEqual([]);
      expect(mmu.translate(0x105000, ACCESS_READ, 0)).toBe(0x5000);
    });
  });
}
