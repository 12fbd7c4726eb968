/** Ring 0's instructions: privileges, control registers, CPUID and MSRs by model, TSC, SYSENTER, ports, LAR and friends. */
import {
  CPL,
  CR0,
  CR4,
  CS,
  EAX,
  EBX,
  ECX,
  EDX,
  EFLAGS,
  EIP,
  ESP,
  FLAG_AC,
  FLAG_ID,
  FLAG_IF,
  FLAG_TF,
  FLAG_ZF,
  IDTR_BASE,
  IDTR_LIMIT,
  MSR_ASSIST_INDEX,
  SEG,
  SEG_ACCESS,
  SEG_LIMIT,
  SS,
  STOP_HALT,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { I386, I486, P6, PENTIUM } from '../models.js';
import { CODE, DATA, FREE, GDT, KCODE, KDATA, LDT_SEL, TestMachine, TSS, TSS_SEL, UDATA } from '../testing/machine.js';

const HLT = 0xf4;

function kernel(model = P6): TestMachine {
  return new TestMachine({ model }).protectedMode();
}
function user(model = P6): TestMachine {
  return new TestMachine({ model }).userMode();
}

// Every system instruction at every level: contracts/privilege.spec.ts.
describe('privilege', () => {
  it('what does not trap at CPL 3 on a processor without an assist', () => {
    const m = user();
    // sgdt, sidt, sldt, str, smsw, pushf, popf
    const code = [
      0x0f, 0x01, 0x05, 0, 0, 2, 0, 0x0f, 0x01, 0x0d, 8, 0, 2, 0, 0x0f, 0x00, 0xc0, 0x0f, 0x00, 0xcb, 0x0f, 0x01, 0xe1,
      0x9c, 0x9d,
    ];
    expect(m.trap(...code, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
    expect([m.s[EAX], m.s[EBX], m.s[ECX], m.peek32(DATA + 2)]).toEqual([0, TSS_SEL, m.s[CR0], GDT]);
  });

  it('POPF at CPL 3 keeps IF and IOPL, and changes AC and ID', () => {
    const m = user();
    const frame = m.trap(0x68, 0x02, 0x32, 0x24, 0, 0x9d, 0x0f, 0x0b);
    expect(frame.flags & 0x3200).toBe(0);
    expect(frame.flags & (FLAG_AC | FLAG_ID)).toBe(FLAG_AC | FLAG_ID);
  });
});

describe('control registers', () => {
  function writeCr0(value: number): TestMachine {
    const m = kernel();
    m.s[EAX] = value;
    m.poke(CODE, 0x0f, 0x22, 0xc0, HLT);
    m.cpu.run(100);
    return m;
  }

  it('CR0: PG needs PE, NW needs CD', () => {
    expect(writeCr0(0x80000010 | 0).frame()).toMatchObject({ vector: 13, errorCode: 0 });
    expect(writeCr0(0x20000011).frame()).toMatchObject({ vector: 13, errorCode: 0 });
    expect(writeCr0(0x60000011).s[CR0]).toBe(0x60000011);
  });

  it('CR0: ET stays set, reserved bits stay clear', () => {
    expect(writeCr0(0x1fc0 | 1).s[CR0]).toBe(0x11);
  });

  it('LMSW sets PE and cannot clear it', () => {
    const m = kernel();
    m.s[EAX] = 0xe;
    m.runToHalt(0x0f, 0x01, 0xf0, HLT);
    expect(m.s[CR0]).toBe(0x1f);
  });

  it('CR4: bits the model lacks raise #GP(0); the 386 and 486 have no CR4', () => {
    const m = kernel();
    m.s[EAX] = 0x9c; // TSD, DE, PSE, PGE
    m.runToHalt(0x0f, 0x22, 0xe0, HLT);
    expect(m.s[CR4]).toBe(0x9c);
    // The Pentium has neither PGE nor PCE; nobody has machine checks (6) or bits 11 and up.
    for (const bit of [0x40, 0x80, 0x100, 0x800, 0x80000000 | 0]) {
      const bad = kernel(PENTIUM);
      bad.s[EAX] = bit;
      expect(bad.trap(0x0f, 0x22, 0xe0)).toMatchObject({ vector: 13, errorCode: 0 });
    }
    expect(kernel(I486).trap(0x0f, 0x20, 0xe0)).toMatchObject({ vector: 6 });
    expect(kernel().trap(0x0f, 0x20, 0xc8)).toMatchObject({ vector: 6 });
  });

  it('the mod field of MOV CR is ignored', () => {
    const m = kernel();
    m.runToHalt(0x0f, 0x20, 0x00, HLT);
    expect([m.s[EAX], m.cpu.retired()]).toEqual([0x11, 2]);
  });

  it('INVLPG with a register operand: #UD', () => {
    expect(kernel().trap(0x0f, 0x01, 0xf8)).toMatchObject({ vector: 6 });
  });

  it('LIDT with 16-bit operands takes 24 bits of base', () => {
    const m = kernel();
    m.poke16(DATA, 0x1ff);
    m.poke32(DATA + 2, 0x12002000);
    m.runToHalt(0x66, 0x0f, 0x01, 0x1d, 0, 0, 2, 0, HLT);
    expect([m.s[IDTR_BASE], m.s[IDTR_LIMIT]]).toEqual([0x2000, 0x1ff]);
  });
});

describe('models', () => {
  it.each([
    ['i386', I386, [0x0f, 0xa2]],
    ['i386', I386, [0x0f, 0xc8]], // bswap
    ['i386', I386, [0x0f, 0x01, 0x3d, 0, 0, 2, 0]], // invlpg
    ['i486', I486, [0x0f, 0x31]], // rdtsc
    ['pentium', PENTIUM, [0x0f, 0x44, 0xc0]], // cmove
    ['pentium', PENTIUM, [0x0f, 0x34]], // sysenter
  ] as const)('%s lacks it: #UD', (_name, model, code) => {
    expect(kernel(model).trap(...code)).toMatchObject({ vector: 6, eip: CODE });
  });

  it('EFLAGS.ID and AC toggle where they exist', () => {
    const toggled = (model: typeof P6): number => {
      const m = kernel(model);
      m.runToHalt(0x68, 0x02, 0, 0x24, 0, 0x9d, 0x9c, 0x58, HLT);
      return m.s[EAX] & (FLAG_AC | FLAG_ID);
    };
    expect([toggled(I386), toggled(I486), toggled(P6)]).toEqual([0, FLAG_AC | FLAG_ID, FLAG_AC | FLAG_ID]);
  });

  it('CPUID of a P6', () => {
    const m = kernel();
    m.runToHalt(0x31, 0xc0, 0x0f, 0xa2, HLT);
    const text = [m.s[EBX], m.s[EDX], m.s[ECX]]
      .map((word) => String.fromCharCode(word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24))
      .join('');
    expect([m.s[EAX], text]).toEqual([2, 'GenuineIntel']);
    const leaf1 = kernel();
    leaf1.runToHalt(0xb8, 1, 0, 0, 0, 0x0f, 0xa2, HLT);
    expect(leaf1.s[EAX]).toBe(0x686);
    // VME DE PSE TSC MSR CX8 SEP PGE CMOV
    expect(leaf1.s[EDX] & 0xa93e).toBe(0xa93e);
    // no MCE, APIC, MTRR, MCA, PAT, PSE-36, PSN
    expect(leaf1.s[EDX] & 0x75280).toBe(0);
  });

  it('reset leaves the signature in EDX', () => {
    const m = new TestMachine();
    expect([m.s[EDX], m.s[EIP], m.selector(CS)]).toEqual([0x686, 0xfff0, 0xf000]);
    expect(m.cpu.saveState().data.cr0).toBe(0x60000010);
  });
});

describe('TSC and MSRs', () => {
  it('RDTSC is bus time plus the offset WRMSR leaves; a write clears the high half', () => {
    const m = kernel();
    m.bus.time = 0x1_2345_6789;
    m.runToHalt(0x0f, 0x31, HLT);
    expect([m.s[EAX], m.s[EDX]]).toEqual([0x23456789, 1]);
    m.cpu.wrmsr(0x10, -1, 4);
    m.bus.time = 0x1_2345_678a;
    m.s[EIP] = CODE;
    m.s[64] = 0;
    m.cpu.stateChanged();
    m.cpu.run(2);
    expect([m.s[EAX], m.s[EDX]]).toEqual([0, 1]);
  });

  it('CR4.TSD keeps RDTSC to ring 0', () => {
    const m = user();
    m.cpu.writeCr4(4);
    expect(m.trap(0x0f, 0x31)).toMatchObject({ vector: 13, errorCode: 0 });
  });

  it('unknown MSRs raise #GP(0), the assist’s too when there is none', () => {
    for (const index of [0x1b, 0xc0000080, 0x12345, MSR_ASSIST_INDEX]) {
      const m = kernel();
      m.s[ECX] = index | 0;
      expect(m.trap(0x0f, 0x32)).toMatchObject({ vector: 13, errorCode: 0 });
      expect(m.trap(0x0f, 0x30)).toMatchObject({ vector: 13, errorCode: 0 });
    }
  });
});

describe('SYSENTER and SYSEXIT', () => {
  function prepared(): TestMachine {
    const m = user();
    m.cpu.wrmsr(0x174, KCODE, 0);
    m.cpu.wrmsr(0x175, 0x70000, 0);
    m.cpu.wrmsr(0x176, CODE + 0x100, 0);
    return m;
  }

  it('go to ring 0 and back with flat segments', () => {
    const m = prepared();
    m.cpu.setEflags(FLAG_IF);
    m.poke(CODE, 0x0f, 0x34);
    m.poke(CODE + 0x100, 0xba, 0, 2, 1, 0, 0xb9, 0, 0x80, 0, 0, 0x0f, 0x35); // mov edx; mov ecx; sysexit
    m.cpu.run(1);
    expect([m.s[CPL], m.selector(CS), m.selector(SS), m.s[ESP], m.s[EIP]]).toEqual([
      0,
      KCODE,
      KDATA,
      0x70000,
      CODE + 0x100,
    ]);
    expect(m.s[EFLAGS] & FLAG_IF).toBe(0);
    m.cpu.run(3);
    expect([m.s[CPL], m.selector(CS), m.selector(SS), m.s[ESP], m.s[EIP]]).toEqual([3, 0x1b, 0x23, 0x8000, 0x10200]);
    expect(m.s[SEG + CS * 4 + SEG_LIMIT]).toBe(-1);
  });

  it('#GP(0) while the CS MSR is null', () => {
    expect(user().trap(0x0f, 0x34)).toMatchObject({ vector: 13, errorCode: 0 });
  });

  it('TF stays on through SYSENTER', () => {
    const m = prepared();
    m.cpu.setEflags(FLAG_TF);
    m.poke(CODE, 0x0f, 0x34);
    m.cpu.run(1);
    expect(m.s[EIP]).toBe(0x4010);
    expect([m.peek32(m.s[ESP]), m.peek32(m.s[ESP] + 8) & FLAG_TF]).toEqual([CODE + 0x100, FLAG_TF]);
  });
});

describe('ports', () => {
  it('IN and OUT of each size', () => {
    const m = kernel();
    m.bus
      .script(0x60, 0xaa)
      .script(0x1f0, 0xbbcc)
      .script(0xcf8, 0x80000000 | 0);
    m.runToHalt(0xe4, 0x60, 0xba, 0xf0, 1, 0, 0, 0x66, 0xed, 0xba, 0xf8, 0x0c, 0, 0, 0xed, 0xef, 0xe6, 0x80, HLT);
    expect(m.bus.log).toEqual([
      'in 60/1 = aa',
      'in 1f0/2 = bbcc',
      'in cf8/4 = 80000000',
      'out cf8/4 = 80000000',
      'out 80/1 = 0',
    ]);
  });

  function withBitmap(bits: readonly number[], limit: number): TestMachine {
    const m = user();
    m.segment(7, TSS_SEL, TSS, limit, 0x8b);
    m.poke(TSS + 0x68, ...bits);
    return m;
  }

  it('the bitmap grants byte by byte, and must lie within the TSS', () => {
    const run = (m: TestMachine, code: readonly number[]): number => m.trap(...code, 0x0f, 0x0b).vector;
    expect(run(withBitmap([0, 0x08, 0, 0], 0x6b), [0xe4, 0x0a])).toBe(6);
    expect(run(withBitmap([0, 0x08, 0, 0], 0x6b), [0xe4, 0x0b])).toBe(13);
    expect(run(withBitmap([0, 0x08, 0, 0], 0x6b), [0xe5, 0x08])).toBe(13);
    expect(run(withBitmap([0, 0x10, 0, 0], 0x6b), [0xe5, 0x08])).toBe(6);
    expect(run(withBitmap([0, 0, 0, 0], 0x6b), [0xe4, 0x17])).toBe(6);
    expect(run(withBitmap([0, 0, 0, 0], 0x6b), [0xe4, 0x18])).toBe(13);
  });

  it('CPL <= IOPL needs no bitmap', () => {
    const m = user();
    m.cpu.setEflags(0x3000);
    expect(m.trap(0xe4, 0x60, 0x0f, 0x0b)).toMatchObject({ vector: 6 });
  });
});

describe('LAR LSL VERR VERW ARPL', () => {
  function ask(m: TestMachine, code: readonly number[], selector: number): [number, number] {
    m.s[EAX] = selector;
    m.s[EBX] = 0x55;
    m.trap(...code, 0x0f, 0x0b);
    return [m.peek32(m.s[ESP] + 8) & FLAG_ZF, m.s[EBX]];
  }
  const LAR = [0x0f, 0x02, 0xd8]; // lar ebx, eax
  const LSL = [0x0f, 0x03, 0xd8];
  const VERR = [0x0f, 0x00, 0xe0];
  const VERW = [0x0f, 0x00, 0xe8];

  it('LAR gives rights, LSL the limit in bytes', () => {
    expect(ask(kernel(), LAR, KCODE)).toEqual([FLAG_ZF, 0xcf9b00]);
    expect(ask(kernel(), LSL, KCODE)).toEqual([FLAG_ZF, -1]);
    expect(ask(kernel(), LSL, TSS_SEL)).toEqual([FLAG_ZF, 0x67]);
    expect(ask(kernel(), LAR, LDT_SEL)).toEqual([FLAG_ZF, 0x8200]);
  });

  it('clear ZF for what the level may not see, null, beyond, or of a type they do not know', () => {
    expect(ask(user(), LAR, KCODE)).toEqual([0, 0x55]);
    expect(ask(kernel(), LAR, KDATA | 3)).toEqual([0, 0x55]);
    expect(ask(kernel(), LAR, 0)).toEqual([0, 0x55]);
    expect(ask(kernel(), LAR, 0x300)).toEqual([0, 0x55]);
    const m = kernel();
    m.gate(GDT, FREE >> 3, KCODE, 0, 0x8e); // interrupt gate
    expect(ask(m, LAR, FREE)).toEqual([0, 0x55]);
    for (const [code, known] of [
      [LAR, FLAG_ZF],
      [LSL, 0],
    ] as const) {
      const gate = kernel();
      gate.gate(GDT, FREE >> 3, KCODE, 0, 0x8c); // call gate
      expect(ask(gate, code, FREE)[0]).toBe(known);
    }
  });

  it('VERR and VERW', () => {
    expect(ask(user(), VERR, UDATA)[0]).toBe(FLAG_ZF);
    expect(ask(user(), VERW, 0x1b)[0]).toBe(0);
    expect(ask(user(), VERR, KDATA)[0]).toBe(0);
    expect(ask(kernel(), VERW, KDATA)[0]).toBe(FLAG_ZF);
  });

  it('ARPL raises RPL', () => {
    const m = kernel();
    m.s[EAX] = 0x10;
    m.s[ECX] = 3;
    m.runToHalt(0x63, 0xc8, HLT); // arpl ax, cx
    expect([m.s[EAX], m.cpu.getEflags() & FLAG_ZF]).toEqual([0x13, FLAG_ZF]);
  });
});

describe('LTR and LLDT', () => {
  it('LTR marks the descriptor busy and refuses a busy one', () => {
    const m = kernel();
    m.descriptor(GDT, FREE, 0x7000, 0x67, 0x0089);
    m.s[EAX] = FREE;
    m.runToHalt(0x0f, 0x00, 0xd8, HLT);
    expect(m.peek8(GDT + FREE + 5)).toBe(0x8b);
    expect(m.s[SEG + 7 * 4 + SEG_ACCESS]).toBe(0x8b);
    const again = kernel();
    again.s[EAX] = TSS_SEL;
    expect(again.trap(0x0f, 0x00, 0xd8)).toMatchObject({ vector: 13, errorCode: TSS_SEL });
  });

  it('LTR into a read-only GDT faults with WP', () => {
    const m = kernel();
    m.descriptor(GDT, FREE, 0x7000, 0x67, 0x0089);
    m.cpu.writeCr0(0x10011);
    m.mmu.setReadOnly(GDT);
    m.s[EAX] = FREE;
    expect(m.trap(0x0f, 0x00, 0xd8)).toMatchObject({ vector: 14, errorCode: 3 });
    expect(() => m.cpu.ltr(FREE)).toThrowError(/monitor/);
  });

  it('LLDT: null empties, wrong type #GP, not present #NP', () => {
    const m = kernel();
    m.s[EAX] = KDATA;
    expect(m.trap(0x0f, 0x00, 0xd0)).toMatchObject({ vector: 13, errorCode: KDATA });
    const np = kernel();
    np.descriptor(GDT, FREE, 0, 0xff, 0x02);
    np.s[EAX] = FREE;
    expect(np.trap(0x0f, 0x00, 0xd0)).toMatchObject({ vector: 11, errorCode: FREE });
  });
});

describe('the coprocessor', () => {
  it('is found by FNINIT, FNSTSW and FNSTCW', () => {
    const m = kernel();
    m.s[EAX] = 0x5a5a;
    m.poke16(DATA, 0x5a5a);
    m.runToHalt(0xdb, 0xe3, 0xdf, 0xe0, 0xd9, 0x3d, 0, 0, 2, 0, 0x9b, HLT);
    expect([m.s[EAX], m.peek16(DATA)]).toEqual([0, 0x37f]);
  });

  it('#NM with EM or TS; WAIT with MP and TS', () => {
    for (const bit of [4, 8]) {
      const m = kernel();
      m.cpu.writeCr0(0x11 | bit);
      expect(m.trap(0xd9, 0xe8)).toMatchObject({ vector: 7, eip: CODE });
    }
    const m = kernel();
    m.cpu.writeCr0(0x1b);
    expect(m.trap(0x9b)).toMatchObject({ vector: 7 });
    const quiet = kernel();
    quiet.cpu.writeCr0(0x19);
    expect(quiet.runToHalt(0x9b, HLT).cpu.run(0)).toBe(STOP_HALT);
  });
});
