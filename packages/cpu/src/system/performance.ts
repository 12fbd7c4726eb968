/**
 * The performance-monitoring registers: they exist and hold what is written, but count nothing. Pentium: CESR, CTR0, CTR1
 * (SDM Vol. 4, 2.24 "MSRs in Pentium Processors"); P6 family: PerfEvtSel0/1, PerfCtr0/1 (2.23). The Pentium 4 has others and
 * says in IA32_MISC_ENABLE that they are not there. Counters are 40 bits wide; a write to a P6 counter gives its low 32 bits
 * and their sign (Vol. 3B, 18.6.8.1 "P6 Family Processor Performance Counters": "sign-extended").
 */
import { CORE_PRIVATE, type CpuModel } from '@ringfence/sdk';

/** State words: two selects (the first is the Pentium's CESR), then two counters of two words, low first. */
export const PERFORMANCE_WORDS = CORE_PRIVATE + 4;
const COUNTERS = PERFORMANCE_WORDS + 2;

const P5_SELECT = 0x11;
const P5_COUNTER = 0x12;
const P6_COUNTER = 0xc1;
const P6_SELECT = 0x186;

/** The state word that holds the low half of an MSR of this kind; -1 when the model has no such MSR. */
export function performanceWord(model: CpuModel, index: number): number {
  const p6 = model.family === 6;
  if (!p6 && model.family !== 5) return -1;
  const counter = index - (p6 ? P6_COUNTER : P5_COUNTER);
  if (counter === 0 || counter === 1) return COUNTERS + counter * 2;
  const select = index - (p6 ? P6_SELECT : P5_SELECT);
  return select === 0 || (select === 1 && p6) ? PERFORMANCE_WORDS + select : -1;
}

export function isCounter(word: number): boolean {
  return word >= COUNTERS;
}

/** Bits 39:32 of a counter as WRMSR leaves them. */
export function counterHigh(model: CpuModel, low: number, high: number): number {
  return (model.family === 6 ? low >> 31 : high) & 0xff;
}

/** The 18 counters of a Pentium 4; bit 31 of ECX asks for the low half only (Vol. 2B, "RDPMC"). They stand at 0. */
const P4_COUNTERS = 18;

/** Low and high words of the last counter read. */
export const counterValue = { low: 0, high: 0 };

/** RDPMC: false when there is no such counter (#GP). */
export function readCounter(state: Int32Array, model: CpuModel, index: number): boolean {
  counterValue.low = 0;
  counterValue.high = 0;
  if (model.family !== 6) return (index & 0x7fffffff) < P4_COUNTERS;
  if (index >>> 0 > 1) return false;
  counterValue.low = state[COUNTERS + index * 2];
  counterValue.high = state[COUNTERS + index * 2 + 1];
  return true;
}
