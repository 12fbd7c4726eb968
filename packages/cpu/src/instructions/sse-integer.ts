/**
 * SSE2 integer instructions on XMM registers that are not lane by lane: MOVD PSLLDQ PSRLDQ PINSRW PEXTRW PMOVMSKB MASKMOVDQU,
 * and the moves between MMX and XMM (SDM Vol. 1, 11.4.2 "SSE2 64-Bit and 128-Bit SIMD Integer Instructions"; Vol. 2).
 * Whole-register moves are in sse-move.ts, shuffles in sse-shuffle.ts, arithmetic in generated/packed.ts.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import { storeMasked } from '../sse/operands.js';
import { endMmx, enterMmx, mmxAndSseReady, sseReady } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { FPU_REGISTERS: MMX, XMM } = layout;

export function movdXmmE32(c: Cpu, op: Op): void {
  sseReady(c);
  const value = op.mem ? c.read32(op.seg, c.ea(op)) : c.s[op.dst];
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d] = value;
  w[d + 1] = 0;
  w[d + 2] = 0;
  w[d + 3] = 0;
}

export function movdE32Xmm(c: Cpu, op: Op): void {
  sseReady(c);
  const value = c.sse.w[XMM + op.src * 4];
  if (op.mem) c.write32(op.seg, c.ea(op), value);
  else c.s[op.dst] = value;
}

export function pslldq(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.dst * 4;
  const whole = op.imm >> 2;
  const bits = (op.imm & 3) * 8;
  // From the top down: what is read has not been written.
  for (let i = 3; i >= 0; i--) {
    const from = i - whole;
    const upper = from >= 0 ? w[d + from] : 0;
    const lower = from >= 1 ? w[d + from - 1] : 0;
    w[d + i] = bits === 0 ? upper : (upper << bits) | (lower >>> (32 - bits));
  }
}

export function psrldq(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.dst * 4;
  const whole = op.imm >> 2;
  const bits = (op.imm & 3) * 8;
  for (let i = 0; i < 4; i++) {
    const from = i + whole;
    const lower = from < 4 ? w[d + from] : 0;
    const upper = from < 3 ? w[d + from + 1] : 0;
    w[d + i] = bits === 0 ? lower : (lower >>> bits) | (upper << (32 - bits));
  }
}

export function pinsrwXmm(c: Cpu, op: Op): void {
  sseReady(c);
  const value = op.mem ? c.read16(op.seg, c.ea(op)) : c.w[op.dst];
  c.sse.u16[(XMM + op.src * 4) * 2 + (op.imm & 7)] = value;
}

export function pextrwXmm(c: Cpu, op: Op): void {
  sseReady(c);
  c.s[op.src] = c.sse.u16[(XMM + op.dst * 4) * 2 + (op.imm & 7)];
}

export function pmovmskbXmm(c: Cpu, op: Op): void {
  sseReady(c);
  const { u8 } = c.sse;
  const from = (XMM + op.dst * 4) * 4;
  let mask = 0;
  for (let i = 0; i < 16; i++) mask |= (u8[from + i] >> 7) << i;
  c.s[op.src] = mask;
}

export function maskmovdqu(c: Cpu, op: Op): void {
  sseReady(c);
  storeMasked(c, op, XMM + op.src * 4, XMM + op.dst * 4, 16);
}

export function movdq2q(c: Cpu, op: Op): void {
  mmxAndSseReady(c);
  const w = c.sse.w;
  const s = XMM + op.dst * 4;
  const d = MMX + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  endMmx(w, d);
}

export function movq2dq(c: Cpu, op: Op): void {
  mmxAndSseReady(c);
  const w = c.sse.w;
  const s = MMX + op.dst * 4;
  const d = XMM + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  w[d + 2] = 0;
  w[d + 3] = 0;
  enterMmx(w);
}

export const sseIntegerRows: readonly OpcodeRow[] = [
  simdRow('movd', 0x6e, 0x66, ['Vdq', 'Ed'], 'sse2', movdXmmE32, movdXmmE32),
  simdRow('movd', 0x7e, 0x66, ['Ed', 'Vdq'], 'sse2', movdE32Xmm, movdE32Xmm),
  { ...simdRow('psrldq', 0x73, 0x66, ['Udq', 'Ib'], 'sse2', psrldq), ext: 3 },
  { ...simdRow('pslldq', 0x73, 0x66, ['Udq', 'Ib'], 'sse2', pslldq), ext: 7 },
  simdRow('pinsrw', 0xc4, 0x66, ['Vdq', 'Ew', 'Ib'], 'sse2', pinsrwXmm, pinsrwXmm),
  simdRow('pextrw', 0xc5, 0x66, ['Gd', 'Udq', 'Ib'], 'sse2', pextrwXmm),
  simdRow('pmovmskb', 0xd7, 0x66, ['Gd', 'Udq'], 'sse2', pmovmskbXmm),
  simdRow('maskmovdqu', 0xf7, 0x66, ['Vdq', 'Udq'], 'sse2', maskmovdqu),
  simdRow('movdq2q', 0xd6, 0xf2, ['Pq', 'Udq'], 'sse2', movdq2q),
  simdRow('movq2dq', 0xd6, 0xf3, ['Vdq', 'Nq'], 'sse2', movq2dq),
];
