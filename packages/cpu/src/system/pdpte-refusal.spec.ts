/**
 * What the core makes of an MMU that refuses a control register (a PDPTE with a reserved bit): #GP(0), and the instruction
 * has left no trace. SDM Vol. 3A, 4.4.1 "PDPTE Registers". When the MMU refuses is its own spec (mmu/src/pae.spec.ts).
 */
import { CR0, CR0_PE, CR0_PG, CR3, CR4, CR4_PAE, EAX, EFLAGS, EIP, FLAG_RF, PDPTE } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { P6, PENTIUM } from '../models.js';
import { CODE, FREE, GDT, KCODE, KDATA, TestMachine, TSS } from '../testing/machine.js';

const HLT = 0xf4;
const PAGING = CR0_PE | CR0_PG | 0x10 | 0;
const TSS2 = 0x7000;
const TASK = CODE + 0x800;
const JMP_TASK = [0xea, 0, 0, 0, 0, FREE, 0];

function paged(): { m: TestMachine; loaded: number[] } {
  const m = new TestMachine({ model: P6 }).protectedMode();
  m.cpu.writeCr4(CR4_PAE);
  m.cpu.writeCr3(0x5000);
  m.cpu.writeCr0(PAGING);
  const loaded: number[] = [];
  m.mmu.writeCr3 = (value) => (loaded.push(value), true);
  return { m, loaded };
}

describe('a refused write', () => {
  const writes: [string, number, readonly number[], (m: TestMachine) => void][] = [
    ['MOV CR0', CR0, [0x0f, 0x22, 0xc0], (m) => (m.mmu.writeCr0 = () => false)],
    ['MOV CR3', CR3, [0x0f, 0x22, 0xd8], (m) => (m.mmu.writeCr3 = () => false)],
    ['MOV CR4', CR4, [0x0f, 0x22, 0xe0], (m) => (m.mmu.writeCr4 = () => false)],
  ];
  it.each(writes)('%s raises #GP(0) and leaves the register', (_name, register, code, refuse) => {
    const { m } = paged();
    refuse(m);
    const before = m.s[register];
    m.s[EAX] = register === CR0 ? PAGING | 0x40000000 : register === CR3 ? 0x9000 : CR4_PAE | 0x80;
    expect(m.trap(...code)).toMatchObject({ vector: 13, errorCode: 0, eip: CODE });
    expect(m.s[register]).toBe(before);
  });
});

describe('CR3', () => {
  it('keeps bits 11:5 where the model has PAE', () => {
    for (const [model, kept] of [
      [P6, 0x12345ff8],
      [PENTIUM, 0x12345018],
    ] as const) {
      const m = new TestMachine({ model }).protectedMode();
      m.s[EAX] = 0x12345fff;
      m.runToHalt(0x0f, 0x22, 0xd8, HLT);
      expect(m.s[CR3]).toBe(kept);
    }
  });
});

describe('a task switch', () => {
  function toTask(cr3: number): { m: TestMachine; loaded: number[] } {
    const made = paged();
    const { m } = made;
    m.descriptor(GDT, FREE, TSS2, 0x67, 0x0089);
    m.poke32(TSS2 + 4, 0x90000);
    m.poke32(TSS2 + 8, KDATA);
    m.poke32(TSS2 + 0x1c, cr3);
    m.poke32(TSS2 + 0x20, TASK);
    m.poke32(TSS2 + 0x24, 2);
    m.poke32(TSS2 + 0x38, 0x70000);
    [KDATA, KCODE, KDATA, KDATA, 0, 0].forEach((selector, i) => m.poke32(TSS2 + 0x48 + i * 4, selector));
    m.poke(TASK, HLT);
    return made;
  }

  it('loads a CR3 that differs, and only that', () => {
    const other = toTask(0x6020);
    other.m.runToHalt(...JMP_TASK);
    expect([other.loaded, other.m.s[CR3]]).toEqual([[0x6020], 0x6020]);
    const same = toTask(0x5000);
    same.m.runToHalt(...JMP_TASK);
    expect(same.loaded).toEqual([]);
  });

  it('to PDPTEs with reserved bits completes, and faults in the new task with the old CR3', () => {
    const { m } = toTask(0x6000);
    m.mmu.writeCr3 = () => false;
    m.runToHalt(...JMP_TASK);
    expect(m.frame()).toMatchObject({ vector: 13, errorCode: 0, eip: TASK, cs: KCODE });
    expect(m.s[CR3]).toBe(0x5000);
  });

  it('by an instruction does not keep RF in the old task', () => {
    const { m } = toTask(0x5000);
    m.cpu.setEflags(FLAG_RF | 2);
    m.runToHalt(...JMP_TASK);
    expect(m.peek32(TSS + 0x24)).toBe(2);
    expect(m.s[EIP]).toBe(TASK + 1);
    expect(m.s[EFLAGS] & FLAG_RF).toBe(0);
  });
});

describe('a saved state', () => {
  it('carries the PDPTE registers', () => {
    const { m } = paged();
    for (let i = 0; i < 8; i++) m.s[PDPTE + i] = 0x1001 + i;
    const record = m.cpu.saveState();
    const other = new TestMachine({ model: P6 });
    other.cpu.loadState(record);
    expect([...other.s.subarray(PDPTE, PDPTE + 8)]).toEqual([...m.s.subarray(PDPTE, PDPTE + 8)]);
  });
});
