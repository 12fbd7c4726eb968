/**
 * What every SSE and SSE2 floating-point row has in common: who may execute it, how much memory it reads and how that must be
 * aligned, when exceptions leave their traces, and what MMX operands do to the x87 (SDM Vol. 1, 11.5 "SSE, SSE2, and SSE3
 * Exceptions"; Vol. 2, "Exceptions" of each page). Values are the recorded vectors' (packages/cpu/test).
 */
import * as sdk from '@ringfence/sdk';
import { beforeEach, describe, expect, it } from 'vitest';
import { P6, PENTIUM4 } from '../models.js';
import { BenchCpu } from '../testing/bench-cpu.js';
import { CODE, TestMachine } from '../testing/machine.js';
import type { Operand, OpcodeRow } from '../table/row.js';
import { sseCompareRows } from './sse-compare.js';
import { sseConvertRows } from './sse-convert.js';
import { sseFloatRows } from './sse-float.js';

const { CR0, CR0_EM, CR0_NE, CR0_TS, CR4, CR4_OSFXSR, CR4_OSXMMEXCPT, DS, ESI, XMM } = sdk;
const { FPU_CONTROL, FPU_REGISTERS, FPU_STATUS, FPU_TAGS, FPU_TOP } = sdk;
const { VEC_GP, VEC_MF, VEC_NM, VEC_PF, VEC_UD, VEC_XM } = sdk;

const ROWS = [...sseFloatRows, ...sseCompareRows, ...sseConvertRows];
const BYTES: Partial<Record<Operand, number>> = { Wps: 16, Wpd: 16, Wdq: 16, Wsd: 8, Wq: 8, Qq: 8, Wss: 4, Ed: 4 };
const MASKED = 0x1f80;
const OPERAND = 0x2000;
const ONE = 0x3f800000;
const ONE_DOUBLE = 0x3ff00000;
const SNAN = 0x7f800001;

/** XMM0 (or whatever register 0 is) with register 1. */
function registerForm(row: OpcodeRow, modrm = 0xc1): number[] {
  const prefix = row.prefix === undefined || row.prefix === 0 ? [] : [row.prefix];
  return [...prefix, 0x0f, row.opcode, modrm, ...(row.operands.includes('Ib') ? [0] : [])];
}

/** The same with [ESI]. */
const memoryForm = (row: OpcodeRow) => registerForm(row, 0x06);
const memoryBytes = (row: OpcodeRow) => BYTES[row.operands[1]]!;
const usesMmx = (row: OpcodeRow) => row.operands.some((operand) => operand === 'Pq' || operand === 'Qq');
const row = (name: string) => ROWS.find((one) => one.mnemonic === name)!;

let c: BenchCpu;
beforeEach(() => {
  c = new BenchCpu(PENTIUM4);
  c.s[CR0] |= CR0_NE;
  c.s[CR4] |= CR4_OSFXSR | CR4_OSXMMEXCPT;
  c.s[ESI] = OPERAND;
});

function xmm(n: number): number[] {
  return [...c.sse.w.subarray(XMM + n * 4, XMM + n * 4 + 4)].map((word) => word >>> 0);
}

function setXmm(n: number, ...words: number[]): void {
  c.sse.w.set(words, XMM + n * 4);
}

describe('every floating-point row', () => {
  it('is there', () => {
    expect(sseFloatRows).toHaveLength(7 * 4 + 2 * 2);
    expect(sseCompareRows).toHaveLength(8);
    expect(sseConvertRows).toHaveLength(22);
    expect(new Set(ROWS.map((one) => one.mnemonic)).size).toBe(ROWS.length);
  });

  for (const one of ROWS) {
    it(`${one.mnemonic}: #UD and #NM before anything else`, () => {
      c.s[ESI] = OPERAND + 1;
      const without = (cr0: number, cr4: number) => {
        c.s[CR0] |= cr0;
        c.s[CR4] = cr4;
        const vector = c.one(...memoryForm(one));
        expect(c.one(...registerForm(one))).toBe(vector);
        c.s[CR0] &= ~(CR0_EM | CR0_TS);
        return vector;
      };
      expect(without(0, 0)).toBe(VEC_UD);
      expect(without(CR0_EM, CR4_OSFXSR)).toBe(VEC_UD);
      expect(without(CR0_TS, CR4_OSFXSR)).toBe(VEC_NM);
      expect(without(CR0_TS, 0)).toBe(VEC_UD);
    });

    it(`${one.mnemonic}: reads ${memoryBytes(one)} bytes, aligned if 16`, () => {
      const bytes = memoryBytes(one);
      const code = memoryForm(one);
      expect(c.one(...code)).toBe(-1);
      c.s[ESI] = OPERAND + 4;
      expect(c.one(...code)).toBe(bytes === 16 ? VEC_GP : -1);
      c.s[ESI] = OPERAND;
      c.setSegment(DS, 0, OPERAND + bytes - 1);
      expect(c.one(...code)).toBe(-1);
      c.setSegment(DS, 0, OPERAND + bytes - 2);
      expect(c.one(...code)).toBe(VEC_GP);
    });

    it(`${one.mnemonic}: only with CPUID.${one.feature}`, () => {
      const without = { ...PENTIUM4, features: { ...PENTIUM4.features, sse2: false, sse: one.feature !== 'sse' } };
      const older = new BenchCpu(without);
      older.s[CR4] |= CR4_OSFXSR;
      expect(older.one(...registerForm(one))).toBe(VEC_UD);
    });
  }
});

describe('SIMD floating-point exceptions', () => {
  it('#XM is a fault: EIP of the instruction, no error code, flags set, destination kept', () => {
    const machine = new TestMachine({ model: PENTIUM4 }).protectedMode();
    const { s, cpu } = machine;
    s[CR4] |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu.sse.w.set([0, ONE_DOUBLE, 7, 8], XMM);
    cpu.sse.mxcsr = 0x1d80; // ZM = 0
    const frame = machine.trap(0x90, 0xf2, 0x0f, 0x5e, 0xc1); // nop; divsd xmm0, xmm1
    expect(frame).toMatchObject({ vector: VEC_XM, eip: CODE + 1 });
    expect(frame.errorCode).toBeUndefined();
    expect(cpu.sse.mxcsr).toBe(0x1d84);
    expect([...cpu.sse.w.subarray(XMM, XMM + 4)]).toEqual([0, ONE_DOUBLE, 7, 8]);
  });

  it('is #UD while the system has not said that it handles #XM; MXCSR tells why', () => {
    c.s[CR4] = CR4_OSFXSR;
    setXmm(0, ONE);
    c.sse.mxcsr = 0x1d80;
    expect(c.one(...registerForm(row('divss')))).toBe(VEC_UD);
    expect(c.sse.mxcsr).toBe(0x1d84);
  });

  it('an unmasked exception of one element keeps all results back', () => {
    setXmm(0, ONE, SNAN, ONE, ONE);
    setXmm(1, ONE, ONE, ONE, ONE);
    c.sse.mxcsr = MASKED & ~0x80;
    expect(c.one(...registerForm(row('addps')))).toBe(VEC_XM);
    expect(xmm(0)).toEqual([ONE, SNAN, ONE, ONE]);
    expect(c.sse.mxcsr).toBe(0x1f01);
  });

  it('flags of results only where no operand raised an unmasked exception', () => {
    const huge = 0x7f7fffff;
    setXmm(0, huge, SNAN, ONE, 1);
    setXmm(1, huge, ONE, ONE, ONE);
    c.sse.mxcsr = MASKED & ~0x80;
    expect(c.one(...registerForm(row('addps')))).toBe(VEC_XM);
    expect(c.sse.mxcsr & 0x3f).toBe(0x03); // invalid and denormal, not the masked overflow
    c.sse.mxcsr = MASKED & ~0x400;
    expect(c.one(...registerForm(row('addps')))).toBe(VEC_XM);
    expect(c.sse.mxcsr & 0x3f).toBe(0x2b); // all of them, the unmasked overflow among them
  });

  it('flags are sticky: a flag that stands already raises nothing', () => {
    setXmm(0, ONE);
    setXmm(1, ONE);
    c.sse.mxcsr = 0x003f;
    expect(c.one(...registerForm(row('addss')))).toBe(-1);
    expect(c.sse.mxcsr).toBe(0x003f);
    expect(xmm(0)[0]).toBe(0x40000000);
  });

  it('COMISS leaves EFLAGS, CVTSS2SI its register, when the exception is unmasked', () => {
    setXmm(1, SNAN);
    c.sse.mxcsr = 0;
    c.setFlags(sdk.FLAGS_ARITH);
    expect(c.one(...registerForm(row('comiss')))).toBe(VEC_XM);
    expect(c.flags & sdk.FLAGS_ARITH).toBe(sdk.FLAGS_ARITH);
    c.s[sdk.EAX] = 5;
    expect(c.one(...registerForm(row('cvtss2si')))).toBe(VEC_XM);
    expect(c.s[sdk.EAX]).toBe(5);
  });

  it('a page fault comes first and leaves MXCSR alone', () => {
    setXmm(0, SNAN);
    c.sse.mxcsr = 0;
    c.mmu.unmap(OPERAND);
    expect(c.one(...memoryForm(row('addss')))).toBe(VEC_PF);
    expect(c.sse.mxcsr).toBe(0);
  });
});

describe('conversions with MMX operands', () => {
  const fresh = () => {
    const w = c.sse.w;
    w[FPU_TOP] = 5;
    w[FPU_TAGS] = 0;
    w[FPU_REGISTERS + 2] = 0x1234;
  };

  for (const one of ROWS.filter(usesMmx)) {
    it(`${one.mnemonic} enters MMX state`, () => {
      fresh();
      expect(c.one(...registerForm(one))).toBe(-1);
      expect([c.sse.w[FPU_TOP], c.sse.w[FPU_TAGS]]).toEqual([0, 0xff]);
      expect(c.sse.w[FPU_REGISTERS + 2]).toBe(one.operands[0] === 'Pq' ? 0xffff : 0x1234);
    });

    it(`${one.mnemonic} waits for a pending x87 exception`, () => {
      fresh();
      c.sse.w[FPU_CONTROL] = 0x37e;
      c.sse.w[FPU_STATUS] = 0x8081;
      expect(c.one(...registerForm(one))).toBe(VEC_MF);
      const fromMemory = one.operands[1] === 'Qq' ? -1 : VEC_MF;
      expect(c.one(...memoryForm(one))).toBe(fromMemory);
      expect([c.sse.w[FPU_TOP], c.sse.w[FPU_TAGS]]).toEqual([5, 0]);
    });
  }

  it('CVTPS2PI enters MMX state even when it raises #XM, as real parts do; registers stay', () => {
    fresh();
    setXmm(1, SNAN);
    c.sse.mxcsr = 0;
    expect(c.one(...registerForm(row('cvtps2pi')))).toBe(VEC_XM);
    expect([c.sse.w[FPU_TOP], c.sse.w[FPU_TAGS], c.sse.w[FPU_REGISTERS + 2]]).toEqual([0, 0xff, 0x1234]);
  });
});

describe('RCPSS and RSQRTSS', () => {
  const bits = new Int32Array(1);
  const single = new Float32Array(bits.buffer);
  const approximation = (name: string, operand: number): number => {
    setXmm(1, operand);
    c.sse.mxcsr = 0;
    expect(c.one(...registerForm(row(name)))).toBe(-1);
    expect(c.sse.mxcsr).toBe(0);
    return xmm(0)[0];
  };
  const float = (word: number): number => {
    bits[0] = word;
    return single[0];
  };

  /** An approximation is constant over intervals of 2^12 singles, so its error is largest at their ends. */
  const worst = (name: string, exact: (x: number) => number): number => {
    let error = 0;
    for (let interval = 0x3f800; interval < 0x40800; interval++) {
      for (const operand of [interval << 12, (interval << 12) | 0xfff]) {
        const relative = Math.abs(float(approximation(name, operand)) / exact(float(operand)) - 1);
        error = Math.max(error, relative);
      }
    }
    return error * 4096;
  };

  it('are within 1.5 * 2^-12', () => {
    expect(worst('rcpss', (x) => 1 / x)).toBeLessThan(1.25);
    expect(worst('rsqrtss', (x) => 1 / Math.sqrt(x))).toBeLessThan(1);
  });

  it('deliver zeros, infinities and NaNs as the manual says', () => {
    const both = (operand: number) => [approximation('rcpss', operand), approximation('rsqrtss', operand)];
    expect(both(0)).toEqual([0x7f800000, 0x7f800000]);
    expect(both(0x80000000)).toEqual([0xff800000, 0xff800000]);
    expect(both(0x007fffff)).toEqual([0x7f800000, 0x7f800000]);
    expect(both(0x80000001)).toEqual([0xff800000, 0xff800000]);
    expect(both(0x7f800000)).toEqual([0, 0]);
    expect(both(0xff800000)).toEqual([0x80000000, 0xffc00000]);
    expect(both(0xbf800000)).toEqual([0xbf7ff000, 0xffc00000]);
    expect(both(0x7f812345)).toEqual([0x7fc12345, 0x7fc12345]);
    expect(approximation('rcpss', 0x7f000000)).toBe(0); // tiny
    expect(approximation('rcpss', 0xff7fffff)).toBe(0x80000000);
  });
});

it('the P6 model without SSE has none of them', () => {
  const older = new BenchCpu({ ...P6, features: { ...P6.features, sse: false } });
  older.s[CR4] |= CR4_OSFXSR;
  for (const one of ROWS) expect(older.one(...registerForm(one)), one.mnemonic).toBe(VEC_UD);
});
