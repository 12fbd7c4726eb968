/**
 * SSE and SSE2 conversions (SDM Vol. 1, 10.4.3 "SSE Conversion Instructions", 11.4.1.6 "SSE2 Conversion Instructions"): between
 * 32-bit integers in general, MMX and XMM registers, singles and doubles. CVTT forms chop, the others round as MXCSR says. Results that
 * fill half of an XMM register clear the other half. With an MMX register as operand they enter MMX state (SDM Vol. 3A, 12.2 "The
 * MMX State and MMX Register Aliasing"), on real parts even where they then raise #XM, though no register changes; with memory in
 * its place CVTPI2PS and CVTPI2PD are plain SSE instructions.
 */
import { XMM as XMM_WORD } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Handler, Op } from '../op.js';
import * as convert from '../sse/convert.js';
import type { ToInt } from '../sse/convert.js';
import { begin, beginUnchecked, finish16, finish4, finish8, settle } from '../sse/exceptions.js';
import { mmxSource, xmmSource, xmmSource4, xmmSource8 } from '../sse/operands.js';
import { endMmx, enterMmx, mmxAndSseReady, mmxAt, RESULT as RESULT_AT, type SseState } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const XMM = XMM_WORD;
const RESULT = RESULT_AT;
const { CHOP, doubleToInt, doubleToSingle, intToSingle, rounding, singleToDouble, singleToInt } = convert;

// --- from integers ---
/** Before CVTPI2PS and CVTPI2PD: real parts leave the x87 alone when there is no MMX register. */
function beginFromMmx(c: Cpu, op: Op): SseState {
  if (op.mem) return begin(c);
  mmxAndSseReady(c);
  return beginUnchecked(c);
}

export function cvtpi2ps(c: Cpu, op: Op): void {
  const u = beginFromMmx(c, op);
  const from = mmxSource(c, op);
  intToSingle(u, u.w[from], RESULT);
  intToSingle(u, u.w[from + 1], RESULT + 1);
  if (!op.mem) enterMmx(u.w);
  finish8(c, u, XMM + op.src * 4);
}

export function cvtpi2pd(c: Cpu, op: Op): void {
  const u = beginFromMmx(c, op);
  const from = mmxSource(c, op);
  u.f64[RESULT >> 1] = u.w[from];
  u.f64[(RESULT >> 1) + 1] = u.w[from + 1];
  if (!op.mem) enterMmx(u.w);
  finish16(c, u, XMM + op.src * 4);
}

export function cvtsi2ss(c: Cpu, op: Op): void {
  const u = begin(c);
  intToSingle(u, op.mem ? c.read32(op.seg, c.ea(op)) : c.s[op.dst], RESULT);
  finish4(c, u, XMM + op.src * 4);
}

export function cvtsi2sd(c: Cpu, op: Op): void {
  const u = begin(c);
  u.f64[(XMM >> 1) + op.src * 2] = op.mem ? c.read32(op.seg, c.ea(op)) : c.s[op.dst];
}

export function cvtdq2ps(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource(c, op);
  for (let i = 0; i < 4; i++) intToSingle(u, u.w[from + i], RESULT + i);
  finish16(c, u, XMM + op.src * 4);
}

export function cvtdq2pd(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource8(c, op);
  u.f64[RESULT >> 1] = u.w[from];
  u.f64[(RESULT >> 1) + 1] = u.w[from + 1];
  finish16(c, u, XMM + op.src * 4);
}

// --- to integers; `chop`: whatever MXCSR says ---
/** Two elements to an MMX register. `step`: words of an element. */
const intoMmx = (toInt: ToInt, step: number, chop: boolean): Handler => {
  return (c, op) => {
    mmxAndSseReady(c);
    const u = beginUnchecked(c);
    const from = step === 2 ? xmmSource(c, op) : xmmSource8(c, op);
    const mode = chop ? CHOP : rounding(u);
    u.w[RESULT] = toInt(u, from, mode);
    u.w[RESULT + 1] = toInt(u, from + step, mode);
    const to = mmxAt(op.src);
    enterMmx(u.w);
    finish8(c, u, to);
    endMmx(u.w, to);
  };
};

const singlesToInts = (chop: boolean): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource(c, op);
    const mode = chop ? CHOP : rounding(u);
    for (let i = 0; i < 4; i++) u.w[RESULT + i] = singleToInt(u, from + i, mode);
    finish16(c, u, XMM + op.src * 4);
  };
};

const doublesToInts = (chop: boolean): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = xmmSource(c, op);
    const mode = chop ? CHOP : rounding(u);
    u.w[RESULT] = doubleToInt(u, from, mode);
    u.w[RESULT + 1] = doubleToInt(u, from + 2, mode);
    u.w[RESULT + 2] = 0;
    u.w[RESULT + 3] = 0;
    finish16(c, u, XMM + op.src * 4);
  };
};

const singleIntoRegister = (chop: boolean): Handler => {
  return (c, op) => {
    const u = begin(c);
    const value = singleToInt(u, xmmSource4(c, op), chop ? CHOP : rounding(u));
    settle(c, u);
    c.s[op.src] = value;
  };
};

const doubleIntoRegister = (chop: boolean): Handler => {
  return (c, op) => {
    const u = begin(c);
    const value = doubleToInt(u, xmmSource8(c, op), chop ? CHOP : rounding(u));
    settle(c, u);
    c.s[op.src] = value;
  };
};

// --- between singles and doubles ---
export function cvtps2pd(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource8(c, op);
  singleToDouble(u, from, RESULT);
  singleToDouble(u, from + 1, RESULT + 2);
  finish16(c, u, XMM + op.src * 4);
}

export function cvtpd2ps(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource(c, op);
  doubleToSingle(u, from, RESULT);
  doubleToSingle(u, from + 2, RESULT + 1);
  u.w[RESULT + 2] = 0;
  u.w[RESULT + 3] = 0;
  finish16(c, u, XMM + op.src * 4);
}

export function cvtss2sd(c: Cpu, op: Op): void {
  const u = begin(c);
  singleToDouble(u, xmmSource4(c, op), RESULT);
  finish8(c, u, XMM + op.src * 4);
}

export function cvtsd2ss(c: Cpu, op: Op): void {
  const u = begin(c);
  doubleToSingle(u, xmmSource8(c, op), RESULT);
  finish4(c, u, XMM + op.src * 4);
}

const row = (
  feature: 'sse' | 'sse2',
  mnemonic: string,
  opcode: number,
  prefix: NonNullable<OpcodeRow['prefix']>,
  operands: OpcodeRow['operands'],
  handler: Handler,
): OpcodeRow => simdRow(mnemonic, opcode, prefix, operands, feature, handler, handler);

export const sseConvertRows: readonly OpcodeRow[] = [
  row('sse', 'cvtpi2ps', 0x2a, 0, ['Vps', 'Qq'], cvtpi2ps),
  row('sse', 'cvtsi2ss', 0x2a, 0xf3, ['Vss', 'Ed'], cvtsi2ss),
  row('sse', 'cvttps2pi', 0x2c, 0, ['Pq', 'Wq'], intoMmx(singleToInt, 1, true)),
  row('sse', 'cvttss2si', 0x2c, 0xf3, ['Gd', 'Wss'], singleIntoRegister(true)),
  row('sse', 'cvtps2pi', 0x2d, 0, ['Pq', 'Wq'], intoMmx(singleToInt, 1, false)),
  row('sse', 'cvtss2si', 0x2d, 0xf3, ['Gd', 'Wss'], singleIntoRegister(false)),
  row('sse2', 'cvtpi2pd', 0x2a, 0x66, ['Vpd', 'Qq'], cvtpi2pd),
  row('sse2', 'cvtsi2sd', 0x2a, 0xf2, ['Vsd', 'Ed'], cvtsi2sd),
  row('sse2', 'cvttpd2pi', 0x2c, 0x66, ['Pq', 'Wpd'], intoMmx(doubleToInt, 2, true)),
  row('sse2', 'cvttsd2si', 0x2c, 0xf2, ['Gd', 'Wsd'], doubleIntoRegister(true)),
  row('sse2', 'cvtpd2pi', 0x2d, 0x66, ['Pq', 'Wpd'], intoMmx(doubleToInt, 2, false)),
  row('sse2', 'cvtsd2si', 0x2d, 0xf2, ['Gd', 'Wsd'], doubleIntoRegister(false)),
  row('sse2', 'cvtps2pd', 0x5a, 0, ['Vpd', 'Wq'], cvtps2pd),
  row('sse2', 'cvtpd2ps', 0x5a, 0x66, ['Vps', 'Wpd'], cvtpd2ps),
  row('sse2', 'cvtss2sd', 0x5a, 0xf3, ['Vsd', 'Wss'], cvtss2sd),
  row('sse2', 'cvtsd2ss', 0x5a, 0xf2, ['Vss', 'Wsd'], cvtsd2ss),
  row('sse2', 'cvtdq2ps', 0x5b, 0, ['Vps', 'Wdq'], cvtdq2ps),
  row('sse2', 'cvtps2dq', 0x5b, 0x66, ['Vdq', 'Wps'], singlesToInts(false)),
  row('sse2', 'cvttps2dq', 0x5b, 0xf3, ['Vdq', 'Wps'], singlesToInts(true)),
  row('sse2', 'cvttpd2dq', 0xe6, 0x66, ['Vdq', 'Wpd'], doublesToInts(true)),
  row('sse2', 'cvtdq2pd', 0xe6, 0xf3, ['Vpd', 'Wq'], cvtdq2pd),
  row('sse2', 'cvtpd2dq', 0xe6, 0xf2, ['Vdq', 'Wpd'], doublesToInts(false)),
];
