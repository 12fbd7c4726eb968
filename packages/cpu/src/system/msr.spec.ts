/** MSRs per model: SDM Vol. 4, 2.22 "MSRs in the Pentium 4", 2.23 "MSRs in the P6 Family Processors", 2.24 "Pentium". */
import { CR4_PCE, EAX, ECX, EDX } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { P6, PENTIUM, PENTIUM4 } from '../models.js';
import type { TestMachine } from '../testing/machine.js';
import { machineIn, outcome } from '../testing/modes.js';

function access(m: TestMachine, code: readonly number[], index: number): string {
  m.s[9] = 0x10000;
  m.cpu.stateChanged();
  m.s[ECX] = index;
  return outcome(m, code);
}
const read = (m: TestMachine, index: number): string => access(m, [0x0f, 0x32], index);
const write = (m: TestMachine, index: number): string => access(m, [0x0f, 0x30], index);

/** `- ` exists, `GP` raises #GP(0); Pentium, P6, Pentium 4. */
describe('which MSRs exist', () => {
  it.each<[string, number, string]>([
    ['P5_MC_ADDR', 0x00, '- GP GP'],
    ['P5_MC_TYPE', 0x01, '- GP GP'],
    ['TSC', 0x10, '- - -'],
    ['CESR', 0x11, '- GP GP'],
    ['CTR1', 0x13, '- GP GP'],
    ['PLATFORM_ID', 0x17, 'GP - -'],
    ['APIC_BASE', 0x1b, 'GP GP GP'],
    ['BIOS_SIGN_ID', 0x8b, 'GP - -'],
    ['PERFCTR0', 0xc1, 'GP - GP'],
    ['PERFCTR1', 0xc2, 'GP - GP'],
    ['MTRRCAP', 0xfe, 'GP GP GP'],
    ['SYSENTER_CS', 0x174, 'GP - -'],
    ['MCG_CAP', 0x179, 'GP GP GP'],
    ['PERFEVTSEL1', 0x187, 'GP - GP'],
    ['MISC_ENABLE', 0x1a0, 'GP GP -'],
    ['DEBUGCTL', 0x1d9, 'GP - -'],
    ['LASTBRANCHFROMIP', 0x1db, 'GP - GP'],
    ['MTRR_PHYSBASE0', 0x200, 'GP GP GP'],
    ['PAT', 0x277, 'GP GP GP'],
    ['MC0_CTL', 0x400, 'GP GP GP'],
  ])('%s', (_name, index, expected) => {
    const row = [PENTIUM, P6, PENTIUM4].map((model) => {
      const text = read(machineIn('ring 0', 0, { model }), index);
      return text === 'runs' ? '-' : text.slice(1, 3);
    });
    expect(row.join(' ')).toBe(expected);
  });
});

describe('IA32_APIC_BASE', () => {
  const apic = (takes: boolean) => {
    const written: number[][] = [];
    const writeBase = (low: number, high: number) => (written.push([low >>> 0, high]), takes);
    return { written, enabled: true, baseLow: 0xfee00900 | 0, baseHigh: 3, writeBase };
  };

  it('is the local APIC’s register, from the P6 family on', () => {
    for (const [model, expected] of [
      [PENTIUM, '#GP(0)'],
      [P6, 'runs'],
      [PENTIUM4, 'runs'],
    ] as const) {
      const m = machineIn('ring 0', 0, { model });
      const local = (m.bus.localApic = apic(true));
      expect(read(m, 0x1b)).toBe(expected);
      if (expected === 'runs') expect([m.s[EAX] >>> 0, m.s[EDX]]).toEqual([0xfee00900, 3]);
      Object.assign(m.s, { [EAX]: 0xf0000900 | 0, [EDX]: 1 });
      expect(write(m, 0x1b)).toBe(expected);
      expect(local.written).toEqual(expected === 'runs' ? [[0xf0000900, 1]] : []);
    }
  });

  it('#GP(0) for a value that it does not take; CPUID asks it too', () => {
    const m = machineIn('ring 0', 0, { model: P6 });
    m.bus.localApic = apic(false);
    expect(write(m, 0x1b)).toBe('#GP(0)');
    m.s[EAX] = 1;
    expect(outcome(m, [0x0f, 0xa2])).toBe('runs');
    expect((m.s[EDX] >>> 9) & 1).toBe(1);
  });
});

describe('performance counters', () => {
  it.each([
    ['P6: the low half and its sign', P6, 0xc1, 0x80000001 | 0, 0x12, 0xff],
    ['P6: positive', P6, 0xc2, 0x7fffffff, 0x12, 0],
    ['Pentium: 40 bits', PENTIUM, 0x12, 0x80000001 | 0, 0x1234, 0x34],
  ])('%s', (_name, model, index, low, high, expected) => {
    const m = machineIn('ring 0', 0, { model });
    m.s[EAX] = low;
    m.s[EDX] = high;
    expect(write(m, index)).toBe('runs');
    m.s[EAX] = m.s[EDX] = 0;
    expect([read(m, index), m.s[EAX], m.s[EDX]]).toEqual(['runs', low, expected]);
  });

  it('selects hold what is written', () => {
    const m = machineIn('ring 0');
    m.s[EAX] = 0x5300c0;
    write(m, 0x186);
    m.s[EAX] = 0;
    read(m, 0x186);
    expect(m.s[EAX]).toBe(0x5300c0);
  });

  it('RDPMC reads them; a snapshot keeps them', () => {
    const m = machineIn('ring 0');
    m.s[EAX] = 1234;
    write(m, 0xc2);
    const other = machineIn('ring 0');
    other.cpu.loadState(m.cpu.saveState());
    for (const each of [m, other]) {
      each.s[EAX] = 0;
      expect(access(each, [0x0f, 0x33], 1)).toBe('runs');
      expect([each.s[EAX], each.s[EDX]]).toEqual([1234, 0]);
    }
  });

  it('RDPMC on a Pentium 4 knows 18 of them; bit 31 of ECX asks for the fast form', () => {
    const m = machineIn('ring 0', 0, { model: PENTIUM4 });
    m.cpu.writeCr4(CR4_PCE);
    expect([17, 18, 0x80000000 | 0, 0x80000012 | 0].map((index) => access(m, [0x0f, 0x33], index))).toEqual([
      'runs',
      '#GP(0)',
      'runs',
      '#GP(0)',
    ]);
  });
});

describe('IA32_MISC_ENABLE of a Pentium 4', () => {
  it('says that BTS, PEBS and performance monitoring are not there, whatever is written', () => {
    const m = machineIn('ring 0', 0, { model: PENTIUM4 });
    m.s[EAX] = 0x81; // fast strings; performance monitoring is read-only
    write(m, 0x1a0);
    read(m, 0x1a0);
    expect(m.s[EAX]).toBe(0x1801);
  });
});
