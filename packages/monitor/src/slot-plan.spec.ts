/** What the pager derives from a guest's directories: entries that can be followed, keys under which leaves are shared. */
import {
  CR0,
  CR0_PE,
  CR0_PG,
  CR3,
  CR4,
  CR4_PAE,
  CR4_PSE,
  MachineMemory,
  OPEN_BUS_PAGE,
  PDPTE,
  PHYS_BASE,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  PhysicalSpace,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { GuestWalk } from './guest-walk.js';
import { TOP_SLOT } from './layout.js';
import { planLeaf, rootKey } from './slot-plan.js';

const RAM = 4 * 1024 * 1024;
const DIRECTORY = 0x10000;
const TABLE = 0x20000;
const OTHER = 0x21000;
const FRAME = 0x30000;
const RW = PTE_P | PTE_W;
const SLOT = 5;
const LINEAR = SLOT * 0x400000;

function guest(pae: boolean) {
  const memory = new MachineMemory(RAM);
  const space = new PhysicalSpace(memory);
  space.mapRam(0, RAM);
  const state = memory.stateWords(1);
  state[CR0] = CR0_PE | CR0_PG | 0;
  state[CR4] = pae ? CR4_PAE : CR4_PSE;
  state[CR3] = DIRECTORY;
  if (pae) state[PDPTE] = DIRECTORY | PTE_P;
  const walk = new GuestWalk(state, space);
  const size = pae ? 8 : 4;
  const put = (table: number, index: number, low: number, high = 0) => {
    memory.view.setInt32(PHYS_BASE + table + index * size, low, true);
    if (pae) memory.view.setInt32(PHYS_BASE + table + index * size + 4, high, true);
  };
  const plan = (linear = LINEAR) => {
    walk.walk(linear);
    return planLeaf(linear >>> 22, walk);
  };
  return { space, state, walk, put, plan };
}

describe('two levels', () => {
  it('give a leaf one table, shared by rights', () => {
    const g = guest(false);
    g.put(DIRECTORY, SLOT, TABLE | RW);
    g.put(TABLE, 0, FRAME | RW);
    const first = g.plan();
    expect(first.parts).toEqual([TABLE]);
    g.put(DIRECTORY, SLOT + 1, TABLE | RW | 0x60);
    g.put(DIRECTORY, SLOT + 2, TABLE | RW | PTE_U);
    expect(g.plan(LINEAR + 0x400000).key).toBe(first.key);
    expect(g.plan(LINEAR + 0x800000).key).not.toBe(first.key);
    g.put(DIRECTORY, TOP_SLOT, TABLE | RW);
    expect(g.plan(0xffc00000).key).not.toBe(first.key);
  });

  it('never share a large page', () => {
    const g = guest(false);
    g.put(DIRECTORY, SLOT, RW | PTE_PS);
    expect(g.plan()).toMatchObject({ parts: [-1], key: undefined });
  });
});

describe('PAE', () => {
  function halves(low: number, high: number) {
    const g = guest(true);
    g.put(DIRECTORY, SLOT * 2, low);
    g.put(DIRECTORY, SLOT * 2 + 1, high);
    for (const table of [TABLE, OTHER]) g.put(table, 0, FRAME | RW);
    return g;
  }

  it('gives a leaf two tables, and a key that tells every pair apart', () => {
    const pairs: [number, number][] = [
      [TABLE | RW, OTHER | RW],
      [OTHER | RW, TABLE | RW],
      [TABLE | RW, TABLE | RW],
      [TABLE | RW, 0],
      [TABLE | RW, OTHER | RW | PTE_U],
      [TABLE | PTE_P, OTHER | RW],
    ];
    const keys = pairs.map(([low, high]) => halves(low, high).plan().key);
    expect(keys).not.toContain(undefined);
    expect(new Set(keys).size).toBe(pairs.length);
    expect(halves(...pairs[0]).plan().parts).toEqual([TABLE, OTHER]);
  });

  it('leaves out of a leaf what cannot be followed, and keeps to itself one made from it', () => {
    const beyond = halves(TABLE | RW, RAM | RW);
    expect(beyond.plan()).toMatchObject({ entries: [TABLE | RW, 0], parts: [TABLE, -1] });
    expect(beyond.plan().key).toBeDefined();
    expect(beyond.plan(LINEAR + 0x200000)).toMatchObject({ parts: [TABLE, -1], key: undefined });
    const large = halves(TABLE | RW, RW | PTE_PS);
    expect(large.plan()).toMatchObject({ parts: [TABLE, -1], key: undefined });
    const reserved = halves(TABLE | RW, RW | PTE_PS | 0x2000);
    expect(reserved.plan()).toMatchObject({ entries: [TABLE | RW, 0], parts: [TABLE, -1] });
    const high = halves(TABLE | RW, 0);
    high.put(DIRECTORY, SLOT * 2 + 1, OTHER | RW, 1);
    expect(high.plan().entries).toEqual([TABLE | RW, 0]);
  });

  it('names an address space by its registers, wherever they were loaded from', () => {
    const g = guest(true);
    const key = rootKey(g.state, g.walk);
    g.state[CR3] = 0x12340;
    g.state[PDPTE] |= 0xe18; // PWT, PCD and the bits for software
    expect(rootKey(g.state, g.walk)).toBe(key);
    g.state[PDPTE + 6] = OTHER | PTE_P;
    expect(rootKey(g.state, g.walk)).not.toBe(key);
    expect(g.walk.directories()).toEqual([DIRECTORY, -1, -1, OTHER]);
    g.state[PDPTE + 7] = 1;
    expect(g.walk.directories()[3]).toBe(-1);
  });
});

describe('the walk', () => {
  it('finds what the MMU finds: frames, the open bus, nothing under reserved bits', () => {
    const g = guest(true);
    g.put(DIRECTORY, SLOT * 2, TABLE | RW);
    g.put(TABLE, 3, FRAME | RW);
    expect([g.walk.walk(LINEAR + 0x3abc), g.walk.frame]).toEqual([true, FRAME]);
    g.put(TABLE, 3, FRAME | RW, 4);
    expect([g.walk.walk(LINEAR + 0x3abc), g.walk.frame]).toEqual([true, OPEN_BUS_PAGE]);
    for (const high of [0x10, 1 << 31]) {
      g.put(TABLE, 3, FRAME | RW, high);
      expect(g.walk.walk(LINEAR + 0x3abc)).toBe(false);
    }
    g.put(TABLE, 3, FRAME | RW | PTE_PS);
    expect(g.walk.walk(LINEAR + 0x3abc)).toBe(false);
    g.put(DIRECTORY, SLOT * 2, 0x200000 | RW | PTE_PS);
    expect([g.walk.walk(LINEAR + 0x3abc), g.walk.frame]).toEqual([true, 0x203000]);
    expect(g.walk.walk(0x40000000)).toBe(false);
  });

  it('tells a slot that leads nowhere from one that is not mapped', () => {
    for (const pae of [true, false]) {
      const g = guest(pae);
      const n = pae ? SLOT * 2 : SLOT;
      const seen = () => [g.walk.mapsSlot(SLOT), g.walk.usesSlot(SLOT)];
      expect(seen()).toEqual([false, false]);
      g.put(DIRECTORY, n, 0x80000000 | RW | PTE_PS | 0);
      expect(seen()).toEqual([true, false]);
      g.put(DIRECTORY, n, RW | PTE_PS);
      expect(seen()).toEqual([true, true]);
      g.put(DIRECTORY, n, TABLE | RW);
      expect(seen()).toEqual([true, true]);
    }
  });
});
