/**
 * MMX data movement, EMMS, and what SSE added for MMX registers: MOVD MOVQ PSHUFW PINSRW PEXTRW PMOVMSKB MASKMOVQ MOVNTQ (SDM Vol.
 * 1, chapter 9 "Programming with Intel MMX Technology"; Vol. 2). MMX register n is the significand of the x87's register Rn:
 * every instruction here but EMMS leaves TOP = 0 and all tags valid, and a write fills sign and exponent with ones (SDM Vol. 3A,
 * 12.2 "The MMX State and MMX Register Aliasing"). Arithmetic is generated/packed.ts; MOVDQ2Q and MOVQ2DQ are in sse-integer.ts.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import { mmxSource, storeMasked, storeQwordAt } from '../sse/operands.js';
import { endMmx, enterMmx, mmxReady } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { FPU_REGISTERS: MMX, FPU_TAGS, FPU_TOP } = layout;

export function emms(c: Cpu): void {
  mmxReady(c);
  c.sse.w[FPU_TOP] = 0;
  c.sse.w[FPU_TAGS] = 0;
}

export function movdMmxE32(c: Cpu, op: Op): void {
  mmxReady(c);
  const value = op.mem ? c.read32(op.seg, c.ea(op)) : c.s[op.dst];
  const w = c.sse.w;
  const d = MMX + op.src * 4;
  w[d] = value;
  w[d + 1] = 0;
  endMmx(w, d);
}

export function movdE32Mmx(c: Cpu, op: Op): void {
  mmxReady(c);
  const w = c.sse.w;
  const value = w[MMX + op.src * 4];
  if (op.mem) c.write32(op.seg, c.ea(op), value);
  else c.s[op.dst] = value;
  enterMmx(w);
}

export function movqMmxQ(c: Cpu, op: Op): void {
  mmxReady(c);
  const s = mmxSource(c, op);
  const w = c.sse.w;
  const d = MMX + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  endMmx(w, d);
}

export function movqMmxMmx(c: Cpu, op: Op): void {
  mmxReady(c);
  const w = c.sse.w;
  const s = MMX + op.src * 4;
  const d = MMX + op.dst * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  endMmx(w, d);
}

/** MOVQ and MOVNTQ to memory. */
export function movqM64Mmx(c: Cpu, op: Op): void {
  mmxReady(c);
  storeQwordAt(c, op, MMX + op.src * 4);
  enterMmx(c.sse.w);
}

export function pshufw(c: Cpu, op: Op): void {
  mmxReady(c);
  const s = mmxSource(c, op);
  const { w, u16 } = c.sse;
  const d = MMX + op.src * 4;
  const order = op.imm;
  const from = s * 2;
  const low = u16[from + (order & 3)] | (u16[from + ((order >> 2) & 3)] << 16);
  const high = u16[from + ((order >> 4) & 3)] | (u16[from + (order >> 6)] << 16);
  w[d] = low;
  w[d + 1] = high;
  endMmx(w, d);
}

export function pinsrwMmx(c: Cpu, op: Op): void {
  mmxReady(c);
  const value = op.mem ? c.read16(op.seg, c.ea(op)) : c.w[op.dst];
  const d = MMX + op.src * 4;
  c.sse.u16[d * 2 + (op.imm & 3)] = value;
  endMmx(c.sse.w, d);
}

export function pextrwMmx(c: Cpu, op: Op): void {
  mmxReady(c);
  c.s[op.src] = c.sse.u16[(MMX + op.dst * 4) * 2 + (op.imm & 3)];
  enterMmx(c.sse.w);
}

export function pmovmskbMmx(c: Cpu, op: Op): void {
  mmxReady(c);
  const { u8, w } = c.sse;
  const from = (MMX + op.dst * 4) * 4;
  let mask = 0;
  for (let i = 0; i < 8; i++) mask |= (u8[from + i] >> 7) << i;
  c.s[op.src] = mask;
  enterMmx(w);
}

export function maskmovq(c: Cpu, op: Op): void {
  mmxReady(c);
  storeMasked(c, op, MMX + op.src * 4, MMX + op.dst * 4, 8);
  enterMmx(c.sse.w);
}

export const mmxRows: readonly OpcodeRow[] = [
  simdRow('movd', 0x6e, 0, ['Pd', 'Ed'], 'mmx', movdMmxE32, movdMmxE32),
  simdRow('movq', 0x6f, 0, ['Pq', 'Qq'], 'mmx', movqMmxQ, movqMmxQ),
  simdRow('emms', 0x77, 0, [], 'mmx', emms),
  simdRow('movd', 0x7e, 0, ['Ed', 'Pd'], 'mmx', movdE32Mmx, movdE32Mmx),
  simdRow('movq', 0x7f, 0, ['Qq', 'Pq'], 'mmx', movqMmxMmx, movqM64Mmx),
  simdRow('pshufw', 0x70, 0, ['Pq', 'Qq', 'Ib'], 'sse', pshufw, pshufw),
  simdRow('pinsrw', 0xc4, 0, ['Pq', 'Ew', 'Ib'], 'sse', pinsrwMmx, pinsrwMmx),
  simdRow('pextrw', 0xc5, 0, ['Gd', 'Nq', 'Ib'], 'sse', pextrwMmx),
  simdRow('pmovmskb', 0xd7, 0, ['Gd', 'Nq'], 'sse', pmovmskbMmx),
  simdRow('movntq', 0xe7, 0, ['Mq', 'Pq'], 'sse', undefined, movqM64Mmx),
  simdRow('maskmovq', 0xf7, 0, ['Pq', 'Nq'], 'sse', maskmovq),
];
