/**
 * Power-up values. SDM Vol. 3A, 9.1.1 "Processor State After Reset", table 9-1. The first instruction is fetched from
 * F000:FFF0 with a CS base of FFFF0000h; on a board without firmware a loader sets its own state before anything runs.
 */
import {
  CR0,
  CR0_CD,
  CR0_ET,
  CR0_NW,
  CS,
  DR,
  EDX,
  EFLAGS,
  EIP,
  FPU,
  GDTR_LIMIT,
  GS,
  IDTR_LIMIT,
  LDTR,
  TR,
  type CpuModel,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { DR6_RESET, DR7_RESET } from '../events/breakpoints.js';
import { REAL_ACCESS, setSegment } from '../segments/load.js';

/** EAX of CPUID leaf 1, and EDX after reset. */
export function signature(model: CpuModel): number {
  const extended = model.family > 15 ? model.family - 15 : 0;
  return (extended << 20) | ((model.family - extended) << 8) | (model.model << 4) | model.stepping;
}

export function resetState(c: Cpu): void {
  const s = c.s;
  s.fill(0, 0, FPU);
  s[EDX] = signature(c.model);
  s[EFLAGS] = 2;
  s[EIP] = 0xfff0;
  s[CR0] = c.model.isa >= 4 ? CR0_ET | CR0_NW | CR0_CD : CR0_ET;
  s[DR + 6] = DR6_RESET;
  s[DR + 7] = DR7_RESET;
  s[GDTR_LIMIT] = 0xffff;
  s[IDTR_LIMIT] = 0xffff;
  for (let seg = 0; seg <= GS; seg++) setSegment(c, seg, 0, 0, 0xffff, REAL_ACCESS);
  setSegment(c, CS, 0xf000, 0xffff0000 | 0, 0xffff, REAL_ACCESS);
  setSegment(c, LDTR, 0, 0, 0xffff, 0x82);
  setSegment(c, TR, 0, 0, 0xffff, 0x8b);
  c.fpu.powerUp();
  c.sse.powerUp();
}
