/**
 * Shuffles and interleavings of XMM registers: PSHUFD PSHUFLW PSHUFHW SHUFPS SHUFPD UNPCKLPS UNPCKHPS UNPCKLPD UNPCKHPD (SDM Vol.
 * 1, 10.4.4 "SSE Shuffle and Unpack Instructions"; Vol. 2). Source and destination may be one register: all is read before
 * the first write. The integer interleavings are generated/packed.ts.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import { xmmSource } from '../sse/operands.js';
import { sseReady } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { XMM } = layout;

export function pshufd(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const order = op.imm;
  const r0 = w[s + (order & 3)];
  const r1 = w[s + ((order >> 2) & 3)];
  const r2 = w[s + ((order >> 4) & 3)];
  const r3 = w[s + (order >> 6)];
  w[d] = r0;
  w[d + 1] = r1;
  w[d + 2] = r2;
  w[d + 3] = r3;
}

/** Four words at word index `s` in the order of the immediate to index `d`. */
function shuffleWords(c: Cpu, op: Op, s: number, d: number): void {
  const { w, u16 } = c.sse;
  const from = s * 2;
  const order = op.imm;
  const low = u16[from + (order & 3)] | (u16[from + ((order >> 2) & 3)] << 16);
  const high = u16[from + ((order >> 4) & 3)] | (u16[from + (order >> 6)] << 16);
  w[d] = low;
  w[d + 1] = high;
}

export function pshuflw(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  shuffleWords(c, op, s, d);
  w[d + 2] = w[s + 2];
  w[d + 3] = w[s + 3];
}

export function pshufhw(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  shuffleWords(c, op, s + 2, d + 2);
  w[d] = w[s];
  w[d + 1] = w[s + 1];
}

/** SHUFPS: two dwords of the destination, then two of the source. */
export function shufps(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const order = op.imm;
  const r0 = w[d + (order & 3)];
  const r1 = w[d + ((order >> 2) & 3)];
  const r2 = w[s + ((order >> 4) & 3)];
  const r3 = w[s + (order >> 6)];
  w[d] = r0;
  w[d + 1] = r1;
  w[d + 2] = r2;
  w[d + 3] = r3;
}

export function shufpd(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const first = d + (op.imm & 1) * 2;
  const second = s + (op.imm & 2);
  const r0 = w[first];
  const r1 = w[first + 1];
  const r2 = w[second];
  const r3 = w[second + 1];
  w[d] = r0;
  w[d + 1] = r1;
  w[d + 2] = r2;
  w[d + 3] = r3;
}

/** UNPCKLPS, as PUNPCKLDQ. */
export function unpcklps(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const x1 = w[d + 1];
  const y0 = w[s];
  const y1 = w[s + 1];
  w[d + 1] = y0;
  w[d + 2] = x1;
  w[d + 3] = y1;
}

export function unpckhps(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const y2 = w[s + 2];
  const y3 = w[s + 3];
  w[d] = w[d + 2];
  w[d + 2] = w[d + 3];
  w[d + 1] = y2;
  w[d + 3] = y3;
}

export function unpcklpd(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d + 2] = w[s];
  w[d + 3] = w[s + 1];
}

export function unpckhpd(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d] = w[d + 2];
  w[d + 1] = w[d + 3];
  w[d + 2] = w[s + 2];
  w[d + 3] = w[s + 3];
}

export const sseShuffleRows: readonly OpcodeRow[] = [
  simdRow('pshufd', 0x70, 0x66, ['Vdq', 'Wdq', 'Ib'], 'sse2', pshufd, pshufd),
  simdRow('pshuflw', 0x70, 0xf2, ['Vdq', 'Wdq', 'Ib'], 'sse2', pshuflw, pshuflw),
  simdRow('pshufhw', 0x70, 0xf3, ['Vdq', 'Wdq', 'Ib'], 'sse2', pshufhw, pshufhw),
  simdRow('shufps', 0xc6, 0, ['Vps', 'Wps', 'Ib'], 'sse', shufps, shufps),
  simdRow('shufpd', 0xc6, 0x66, ['Vpd', 'Wpd', 'Ib'], 'sse2', shufpd, shufpd),
  simdRow('unpcklps', 0x14, 0, ['Vps', 'Wps'], 'sse', unpcklps, unpcklps),
  simdRow('unpcklpd', 0x14, 0x66, ['Vpd', 'Wpd'], 'sse2', unpcklpd, unpcklpd),
  simdRow('unpckhps', 0x15, 0, ['Vps', 'Wps'], 'sse', unpckhps, unpckhps),
  simdRow('unpckhpd', 0x15, 0x66, ['Vpd', 'Wpd'], 'sse2', unpckhpd, unpckhpd),
];
