/**
 * Moves of packed and scalar floating-point values and of whole XMM registers, which change no bit on the way: MOVAPS MOVUPS MOVSS
 * MOVLPS MOVHPS MOVLHPS MOVHLPS MOVMSKPS, their SSE2 counterparts, MOVDQA MOVDQU MOVQ, and the non-temporal stores (SDM Vol. 1,
 * 10.4.1.1 "SSE Data Movement Instructions", 11.4.1.1 "Data Movement Instructions"; Vol. 2). There are no caches, so a non-temporal
 * store is a store.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import {
  storeAligned16,
  storeQwordAt,
  storeUnaligned16,
  xmmSource,
  xmmSource8,
  xmmSourceUnaligned,
} from '../sse/operands.js';
import { sseReady } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { XMM } = layout;

function copy16(w: Int32Array, d: number, s: number): void {
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  w[d + 2] = w[s + 2];
  w[d + 3] = w[s + 3];
}

// --- 16 bytes ---
export function moveAligned(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource(c, op);
  copy16(c.sse.w, XMM + op.src * 4, s);
}

export function moveUnaligned(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSourceUnaligned(c, op);
  copy16(c.sse.w, XMM + op.src * 4, s);
}

/** The opcode whose destination is r/m, with registers. */
export function moveBack(c: Cpu, op: Op): void {
  sseReady(c);
  copy16(c.sse.w, XMM + op.dst * 4, XMM + op.src * 4);
}

export function storeAligned(c: Cpu, op: Op): void {
  sseReady(c);
  storeAligned16(c, op, XMM + op.src * 4);
}

export function storeUnaligned(c: Cpu, op: Op): void {
  sseReady(c);
  storeUnaligned16(c, op, XMM + op.src * 4);
}

// --- scalars: from memory the rest becomes zero, from a register it stays ---
export function movssXmmM32(c: Cpu, op: Op): void {
  sseReady(c);
  const value = c.read32(op.seg, c.ea(op));
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d] = value;
  w[d + 1] = 0;
  w[d + 2] = 0;
  w[d + 3] = 0;
}

export function movssXmmXmm(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  w[XMM + op.src * 4] = w[XMM + op.dst * 4];
}

export function movssBack(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  w[XMM + op.dst * 4] = w[XMM + op.src * 4];
}

export function movssM32Xmm(c: Cpu, op: Op): void {
  sseReady(c);
  c.write32(op.seg, c.ea(op), c.sse.w[XMM + op.src * 4]);
}

/** MOVSD from memory, and MOVQ from either: 8 bytes, zeros above. */
export function loadQword(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource8(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  w[d + 2] = 0;
  w[d + 3] = 0;
}

/** MOVQ with the destination in r/m. */
export function movqBack(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.dst * 4;
  const s = XMM + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
  w[d + 2] = 0;
  w[d + 3] = 0;
}

/** MOVSD between registers. */
export function movsdXmmXmm(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const s = XMM + op.dst * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
}

export function movsdBack(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.dst * 4;
  const s = XMM + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
}

// --- halves ---
/** MOVLPS, MOVLPD, MOVSD, MOVQ to memory. */
export function storeLow(c: Cpu, op: Op): void {
  sseReady(c);
  storeQwordAt(c, op, XMM + op.src * 4);
}

export function storeHigh(c: Cpu, op: Op): void {
  sseReady(c);
  storeQwordAt(c, op, XMM + op.src * 4 + 2);
}

export function loadLow(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource8(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d] = w[s];
  w[d + 1] = w[s + 1];
}

/** MOVHPS and MOVHPD from memory, MOVLHPS. */
export function loadHigh(c: Cpu, op: Op): void {
  sseReady(c);
  const s = xmmSource8(c, op);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  w[d + 2] = w[s];
  w[d + 3] = w[s + 1];
}

export function movhlps(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const d = XMM + op.src * 4;
  const s = XMM + op.dst * 4;
  w[d] = w[s + 2];
  w[d + 1] = w[s + 3];
}

// --- to general registers ---
export function movmskps(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const s = XMM + op.dst * 4;
  c.s[op.src] = (w[s] >>> 31) | ((w[s + 1] >>> 31) << 1) | ((w[s + 2] >>> 31) << 2) | ((w[s + 3] >>> 31) << 3);
}

export function movmskpd(c: Cpu, op: Op): void {
  sseReady(c);
  const w = c.sse.w;
  const s = XMM + op.dst * 4;
  c.s[op.src] = (w[s + 1] >>> 31) | ((w[s + 3] >>> 31) << 1);
}

/** Uses a general register only, so it needs neither OSFXSR nor an FPU. */
export function movnti(c: Cpu, op: Op): void {
  c.write32(op.seg, c.ea(op), c.s[op.src]);
}

export const sseMoveRows: readonly OpcodeRow[] = [
  simdRow('movups', 0x10, 0, ['Vps', 'Wps'], 'sse', moveUnaligned, moveUnaligned),
  simdRow('movups', 0x11, 0, ['Wps', 'Vps'], 'sse', moveBack, storeUnaligned),
  simdRow('movupd', 0x10, 0x66, ['Vpd', 'Wpd'], 'sse2', moveUnaligned, moveUnaligned),
  simdRow('movupd', 0x11, 0x66, ['Wpd', 'Vpd'], 'sse2', moveBack, storeUnaligned),
  simdRow('movss', 0x10, 0xf3, ['Vss', 'Wss'], 'sse', movssXmmXmm, movssXmmM32),
  simdRow('movss', 0x11, 0xf3, ['Wss', 'Vss'], 'sse', movssBack, movssM32Xmm),
  simdRow('movsd', 0x10, 0xf2, ['Vsd', 'Wsd'], 'sse2', movsdXmmXmm, loadQword),
  simdRow('movsd', 0x11, 0xf2, ['Wsd', 'Vsd'], 'sse2', movsdBack, storeLow),
  simdRow('movlps', 0x12, 0, ['Vq', 'Mq'], 'sse', undefined, loadLow),
  simdRow('movhlps', 0x12, 0, ['Vq', 'Udq'], 'sse', movhlps),
  simdRow('movlps', 0x13, 0, ['Mq', 'Vq'], 'sse', undefined, storeLow),
  simdRow('movlpd', 0x12, 0x66, ['Vq', 'Mq'], 'sse2', undefined, loadLow),
  simdRow('movlpd', 0x13, 0x66, ['Mq', 'Vq'], 'sse2', undefined, storeLow),
  simdRow('movhps', 0x16, 0, ['Vq', 'Mq'], 'sse', undefined, loadHigh),
  simdRow('movlhps', 0x16, 0, ['Vq', 'Udq'], 'sse', loadHigh),
  simdRow('movhps', 0x17, 0, ['Mq', 'Vq'], 'sse', undefined, storeHigh),
  simdRow('movhpd', 0x16, 0x66, ['Vq', 'Mq'], 'sse2', undefined, loadHigh),
  simdRow('movhpd', 0x17, 0x66, ['Mq', 'Vq'], 'sse2', undefined, storeHigh),
  simdRow('movaps', 0x28, 0, ['Vps', 'Wps'], 'sse', moveAligned, moveAligned),
  simdRow('movaps', 0x29, 0, ['Wps', 'Vps'], 'sse', moveBack, storeAligned),
  simdRow('movapd', 0x28, 0x66, ['Vpd', 'Wpd'], 'sse2', moveAligned, moveAligned),
  simdRow('movapd', 0x29, 0x66, ['Wpd', 'Vpd'], 'sse2', moveBack, storeAligned),
  simdRow('movntps', 0x2b, 0, ['Mdq', 'Vps'], 'sse', undefined, storeAligned),
  simdRow('movntpd', 0x2b, 0x66, ['Mdq', 'Vpd'], 'sse2', undefined, storeAligned),
  simdRow('movmskps', 0x50, 0, ['Gd', 'Ups'], 'sse', movmskps),
  simdRow('movmskpd', 0x50, 0x66, ['Gd', 'Upd'], 'sse2', movmskpd),
  simdRow('movdqa', 0x6f, 0x66, ['Vdq', 'Wdq'], 'sse2', moveAligned, moveAligned),
  simdRow('movdqa', 0x7f, 0x66, ['Wdq', 'Vdq'], 'sse2', moveBack, storeAligned),
  simdRow('movdqu', 0x6f, 0xf3, ['Vdq', 'Wdq'], 'sse2', moveUnaligned, moveUnaligned),
  simdRow('movdqu', 0x7f, 0xf3, ['Wdq', 'Vdq'], 'sse2', moveBack, storeUnaligned),
  simdRow('movq', 0x7e, 0xf3, ['Vq', 'Wq'], 'sse2', loadQword, loadQword),
  simdRow('movq', 0xd6, 0x66, ['Wq', 'Vq'], 'sse2', movqBack, storeLow),
  simdRow('movntdq', 0xe7, 0x66, ['Mdq', 'Vdq'], 'sse2', undefined, storeAligned),
  simdRow('movnti', 0xc3, 0, ['Md', 'Gd'], 'sse2', undefined, movnti),
];
