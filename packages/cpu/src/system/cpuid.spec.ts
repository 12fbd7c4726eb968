/** CPUID leaf by leaf for each model: identification, features, caches, brand (SDM Vol. 2A, "CPUID—CPU Identification"). */
import { describe, expect, it } from 'vitest';
import { I486, MODELS, P6, PENTIUM, PENTIUM4 } from '../models.js';
import { cpuid, cpuidResult } from './cpuid.js';
import { signature } from './reset.js';
import type { CpuModel } from '@ringfence/sdk';

const leaf = (model: CpuModel, number: number) => {
  cpuid(model, number | 0, 0);
  return [...cpuidResult].map((word) => word >>> 0);
};
const text = (words: number[]) => Buffer.from(new Uint32Array(words).buffer).toString('latin1').replace(/\0+$/, '');

describe('CPUID', () => {
  it('leaf 0: highest leaf, vendor in EBX EDX ECX', () => {
    for (const model of [I486, PENTIUM, P6, PENTIUM4]) {
      const [last, b, c, d] = leaf(model, 0);
      expect([last, text([b, d, c])]).toEqual([model.isa >= 6 ? 2 : 1, 'GenuineIntel']);
    }
  });

  it('leaf 1: signature, brand index and CLFLUSH line, features', () => {
    expect(leaf(I486, 1)).toEqual([0x435, 0, 0, 0x1]);
    expect(leaf(PENTIUM, 1)).toEqual([0x52c, 0, 0, 0x13f & ~0x40 & ~0x80]);
    // A Pentium III: brand index 2, no CLFLUSH. FXSR, SSE, MMX, CMOV, PGE, SEP, CX8, PAE, MSR, TSC, PSE, DE, VME, FPU.
    expect(leaf(P6, 1)).toEqual([0x686, 0x0002, 0, 0x0380a97f]);
    // A Pentium 4: lines of 64 bytes; CLFSH and SSE2 besides.
    expect(leaf(PENTIUM4, 1)).toEqual([0xf29, 0x0809, 0, 0x0788a97f]);
  });

  it('leaf 1: the APIC flag while the local APIC is there and enabled, on models that have one', () => {
    const flag = (model: CpuModel, enabled: boolean | undefined) => {
      cpuid(model, 1, 0, enabled);
      return (cpuidResult[3] >>> 9) & 1;
    };
    for (const model of [PENTIUM, P6, PENTIUM4]) {
      expect([flag(model, true), flag(model, false), flag(model, undefined)]).toEqual([1, 0, 0]);
    }
    expect(flag(I486, true)).toBe(0);
  });

  it('leaf 2, also for every leaf beyond: caches, to be read once', () => {
    expect(leaf(P6, 2)).toEqual([0x03020101, 0, 0, 0x0c040882]);
    expect(leaf(PENTIUM4, 2)).toEqual([0x665b5001, 0, 0, 0x007b7040]);
    for (const number of [3, 0x1000, 0x7fffffff, 0x80000005, 0xffffffff]) {
      expect(leaf(PENTIUM4, number)).toEqual(leaf(PENTIUM4, 2));
    }
    expect(leaf(P6, 0x80000000)).toEqual(leaf(P6, 2));
  });

  it('brand string where the model has one', () => {
    expect(leaf(PENTIUM4, 0x80000000)[0]).toBe(0x80000004);
    expect(leaf(PENTIUM4, 0x80000001)).toEqual([0, 0, 0, 0]);
    const words = [2, 3, 4].flatMap((n) => leaf(PENTIUM4, 0x80000000 + n));
    expect(text(words)).toBe('Intel(R) Pentium(R) 4 CPU');
  });
});

describe('signature', () => {
  it('carries a family above 15 in the extended field', () => {
    expect(MODELS.map((model) => signature(model).toString(16))).toEqual(['308', '435', '52c', '686', 'f29']);
    expect(signature({ ...PENTIUM4, family: 17, model: 1, stepping: 2 })).toBe(0x00200f12);
  });
});
