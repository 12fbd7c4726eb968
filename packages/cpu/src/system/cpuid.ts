/**
 * CPUID by model (SDM Vol. 2A, "CPUID—CPU Identification"). Leaves 0 and 1, leaf 2 from the P6 family on (cache descriptors of a
 * Pentium III with 256 KiB or a Pentium 4 with 512 KiB), and the brand string leaves when the model has a brand. A basic leaf
 * beyond the last answers as the last, as Intel's parts do.
 */
import type { CpuModel } from '@ringfence/sdk';
import { signature } from './reset.js';

/** EAX, EBX, ECX, EDX of the last `cpuid`. */
export const cpuidResult = new Int32Array(4);

const FEATURE_BITS: readonly (readonly [keyof CpuModel['features'], number])[] = [
  ['fpu', 0],
  ['vme', 1],
  ['de', 2],
  ['pse', 3],
  ['tsc', 4],
  ['msr', 5],
  ['pae', 6],
  ['cx8', 8],
  ['sep', 11],
  ['pge', 13],
  ['cmov', 15],
  ['clfsh', 19],
  ['mmx', 23],
  ['fxsr', 24],
  ['sse', 25],
  ['sse2', 26],
];

/** Not in the list: the flag follows IA32_APIC_BASE.EN (SDM Vol. 3A, "Enabling or Disabling the Local APIC"). */
const FEATURE_APIC = 1 << 9;
/** Bytes that CLFLUSH flushes. */
const CACHE_LINE = 64;
/** TLBs and caches (SDM Vol. 2A, table 3-12 "Encoding of CPUID Leaf 2 Descriptors"), one reading of the leaf: AL = 1. */
const P6_CACHES = [0x03020101, 0, 0, 0x0c040882];
const NETBURST_CACHES = [0x665b5001, 0, 0, 0x007b7040];

/** EDX of leaf 1. */
export function featureBits(model: CpuModel): number {
  let bits = 0;
  for (const [feature, bit] of FEATURE_BITS) if (model.features[feature]) bits |= 1 << bit;
  return bits;
}

function text(value: string, at: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word |= (value.charCodeAt(at + i) || 0) << (i * 8);
  return word;
}

/** `apic`: the processor's local APIC is there and enabled. */
export function cpuid(model: CpuModel, leaf: number, _subleaf: number, apic = false): void {
  const r = cpuidResult;
  const last = model.isa >= 6 ? 2 : 1;
  const brand = model.brand;
  let basic = leaf >>> 0;
  r.fill(0);
  if (brand !== undefined && basic >= 0x80000000 && basic <= 0x80000004) {
    if (basic === 0x80000000) r[0] = 0x80000004 | 0;
    else if (basic >= 0x80000002) for (let i = 0; i < 4; i++) r[i] = text(brand, (basic - 0x80000002) * 16 + i * 4);
    return;
  }
  if (basic > last) basic = last;
  if (basic === 0) {
    r[0] = last;
    r[1] = text(model.vendor, 0);
    r[3] = text(model.vendor, 4);
    r[2] = text(model.vendor, 8);
  } else if (basic === 1) {
    r[0] = signature(model);
    r[1] = (model.brandIndex ?? 0) | (model.features.clfsh ? (CACHE_LINE / 8) << 8 : 0);
    // EBX 31:24, the initial APIC ID: the one processor's is 0.
    r[3] = featureBits(model) | (apic && model.features.apic ? FEATURE_APIC : 0);
  } else {
    const descriptors = model.family >= 15 ? NETBURST_CACHES : P6_CACHES;
    r.set(descriptors);
  }
}
