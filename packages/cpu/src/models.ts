/**
 * Processor models as data. What a model offers is what the interpreter implements for it: the decoder leaves out rows of
 * a later instruction set level or of a feature the model lacks, CPUID and CR4 follow from the same record. The i386 has no
 * CPUID to say so, but an Intel387 beside it.
 */
import type { CpuModel } from '@ringfence/sdk';

const NOTHING: CpuModel['features'] = {
  fpu: false,
  vme: false,
  de: false,
  pse: false,
  tsc: false,
  msr: false,
  pae: false,
  cx8: false,
  apic: false,
  sep: false,
  pge: false,
  cmov: false,
  clfsh: false,
  mmx: false,
  fxsr: false,
  sse: false,
  sse2: false,
};

export const I386: CpuModel = {
  name: 'i386',
  summary: 'Intel386 DX with an Intel387: no CPUID',
  vendor: 'GenuineIntel',
  family: 3,
  model: 0,
  stepping: 8,
  cpuid: false,
  isa: 3,
  features: { ...NOTHING, fpu: true },
};

export const I486: CpuModel = {
  name: 'i486',
  summary: 'IntelDX2, a late one: CPUID, CR0.WP, alignment checks',
  vendor: 'GenuineIntel',
  family: 4,
  model: 3,
  stepping: 5,
  cpuid: true,
  isa: 4,
  features: { ...NOTHING, fpu: true },
};

export const PENTIUM: CpuModel = {
  name: 'pentium',
  summary: 'Pentium: 4 MiB pages, debug extensions, TSC, MSRs, CMPXCHG8B',
  vendor: 'GenuineIntel',
  family: 5,
  model: 2,
  stepping: 12,
  cpuid: true,
  isa: 5,
  features: { ...NOTHING, fpu: true, vme: true, de: true, pse: true, tsc: true, msr: true, cx8: true, apic: true },
};

export const P6: CpuModel = {
  name: 'p6',
  summary: 'P6 family, a Pentium III: adds PAE, global pages, SYSENTER, CMOV, MMX, FXSAVE, SSE',
  vendor: 'GenuineIntel',
  family: 6,
  model: 8,
  stepping: 6,
  cpuid: true,
  isa: 6,
  features: {
    ...NOTHING,
    fpu: true,
    vme: true,
    de: true,
    pse: true,
    tsc: true,
    msr: true,
    pae: true,
    cx8: true,
    apic: true,
    sep: true,
    pge: true,
    cmov: true,
    mmx: true,
    fxsr: true,
    sse: true,
  },
  brandIndex: 2,
};

export const PENTIUM4: CpuModel = {
  name: 'pentium4',
  summary: 'Pentium 4: adds SSE2, CLFLUSH, denormals-are-zeros',
  vendor: 'GenuineIntel',
  family: 15,
  model: 2,
  stepping: 9,
  cpuid: true,
  isa: 6,
  features: {
    fpu: true,
    vme: true,
    de: true,
    pse: true,
    tsc: true,
    msr: true,
    pae: true,
    cx8: true,
    apic: true,
    sep: true,
    pge: true,
    cmov: true,
    clfsh: true,
    mmx: true,
    fxsr: true,
    sse: true,
    sse2: true,
  },
  brand: 'Intel(R) Pentium(R) 4 CPU',
  brandIndex: 9,
};

export const MODELS: readonly CpuModel[] = [I386, I486, PENTIUM, P6, PENTIUM4];
