/** The assist: which instructions trap below ring 0 when it is on, and that a guest that does not know sees nothing. */
import { ASSIST_TRAP_CPUID, ASSIST_TRAP_SENSITIVE, CPL, CS, EAX, MSR_ASSIST_INDEX, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, FREE, GDT, KDATA, TestMachine, UCODE, UDATA } from '../testing/machine.js';
import { opcodeRows } from '../table/index.js';

const SENSITIVE: readonly (readonly [string, readonly number[]])[] = [
  ['sgdt', [0x0f, 0x01, 0x05, 0, 0, 2, 0]],
  ['sidt', [0x0f, 0x01, 0x0d, 0, 0, 2, 0]],
  ['sldt', [0x0f, 0x00, 0xc0]],
  ['str', [0x0f, 0x00, 0xc8]],
  ['smsw', [0x0f, 0x01, 0xe0]],
  ['pushf', [0x9c]],
  ['popf', [0x9d]],
  ['lar', [0x0f, 0x02, 0xc0]],
  ['lsl', [0x0f, 0x03, 0xc0]],
  ['verr', [0x0f, 0x00, 0xe0]],
  ['verw', [0x0f, 0x00, 0xe8]],
  ['pop', [0x1f]],
  ['push', [0x0e]],
  ['mov', [0x8c, 0xd8]],
  ['callf', [0x9a, 0, 0, 2, 0, UCODE, 0]],
  ['jmpf', [0xea, 0, 0, 2, 0, UCODE, 0]],
  ['retf', [0xcb]],
  ['iret', [0xcf]],
];

function machine(msr: number, cpl: 0 | 1 | 3): TestMachine {
  const m =
    cpl === 0 ? new TestMachine({ assist: 'trap' }).protectedMode() : new TestMachine({ assist: 'trap' }).userMode();
  if (cpl === 1) {
    m.descriptor(GDT, FREE, 0, 0xfffff, 0xc0bb);
    m.segment(CS, FREE | 1, 0, -1, 0xc0bb);
    m.segment(SS, FREE | 1, 0, -1, 0xc0b3);
    m.s[CPL] = 1;
    m.cpu.stateChanged();
  }
  m.cpu.wrmsr(MSR_ASSIST_INDEX, msr, 0);
  m.poke(DATA, 0x0f, 0x0b);
  return m;
}

describe('ASSIST_TRAP_SENSITIVE', () => {
  it('the list above is the table’s', () => {
    const names = new Set(opcodeRows.filter((row) => row.sensitive).map((row) => row.mnemonic));
    expect([...names].sort()).toEqual(SENSITIVE.map(([name]) => name).sort());
  });

  it.each(SENSITIVE)('%s: #GP(0) at CPL 1 and 3', (_name, code) => {
    for (const cpl of [1, 3] as const) {
      const m = machine(ASSIST_TRAP_SENSITIVE, cpl);
      const esp = m.s[4];
      expect(m.trap(0x90, ...code)).toMatchObject({ vector: 13, errorCode: 0, eip: CODE + 1, esp });
    }
  });

  it('nothing traps at CPL 0, or with the bit clear', () => {
    expect(machine(ASSIST_TRAP_SENSITIVE, 0).trap(0x9c, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
    for (const [name, code] of SENSITIVE.slice(0, 9)) {
      if (name !== 'popf') expect(machine(0, 3).trap(...code, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
    }
  });

  it('MOV and LDS into segment registers stay direct', () => {
    const m = machine(ASSIST_TRAP_SENSITIVE, 3);
    m.s[EAX] = UDATA;
    expect(m.trap(0x8e, 0xd8, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
    const denied = machine(ASSIST_TRAP_SENSITIVE, 3);
    denied.s[EAX] = KDATA;
    expect(denied.trap(0x8e, 0xd8)).toMatchObject({ vector: 13, errorCode: KDATA });
  });

  it('INT n keeps to its gate', () => {
    expect(machine(ASSIST_TRAP_SENSITIVE, 3).trap(0xcd, 0x20)).toMatchObject({ vector: 13, errorCode: 0x102 });
  });
});

describe('ASSIST_TRAP_CPUID', () => {
  it('traps CPUID below ring 0 only', () => {
    expect(machine(ASSIST_TRAP_CPUID, 3).trap(0x0f, 0xa2)).toMatchObject({ vector: 13, errorCode: 0 });
    expect(machine(ASSIST_TRAP_CPUID, 0).trap(0x0f, 0xa2, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
    expect(machine(0, 3).trap(0x0f, 0xa2, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
  });
});
