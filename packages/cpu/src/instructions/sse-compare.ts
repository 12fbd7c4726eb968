/**
 * SSE and SSE2 comparisons: CMPccPS/SS/PD/SD into masks, COMIS and UCOMIS into EFLAGS (SDM Vol. 1, 10.4.2.1 "SSE Comparison
 * Instructions"; Vol. 2, "CMPPS", "COMISS", "UCOMISS"). Only the three low bits of CMP's immediate count, as on real parts. EFLAGS
 * stay as they are when an unmasked exception is raised.
 */
import { FLAG_CF, FLAG_PF, FLAG_ZF, XMM as XMM_WORD } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { setArith } from '../flags.js';
import type { Handler, Op } from '../op.js';
import * as compare from '../sse/compare.js';
import type { Relation } from '../sse/compare.js';
import { begin, finish16, finish4, finish8, settle } from '../sse/exceptions.js';
import { xmmSource, xmmSource4, xmmSource8 } from '../sse/operands.js';
import { RESULT as RESULT_AT, type SseState } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { simdRow } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const XMM = XMM_WORD;
const RESULT = RESULT_AT;
const { ANY_NAN, EQUAL, invalidFor, LESS, PREDICATES, relateDouble, relateSingle, SIGNALING, UNORDERED } = compare;

export function cmpps(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource(c, op);
  const to = XMM + op.src * 4;
  const predicate = op.imm & 7;
  const holds = PREDICATES[predicate];
  const invalid = invalidFor(predicate);
  for (let i = 0; i < 4; i++) {
    u.w[RESULT + i] = (relateSingle(u, to + i, from + i, invalid) & holds) !== 0 ? -1 : 0;
  }
  finish16(c, u, to);
}

export function cmpss(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource4(c, op);
  const to = XMM + op.src * 4;
  const predicate = op.imm & 7;
  const holds = (relateSingle(u, to, from, invalidFor(predicate)) & PREDICATES[predicate]) !== 0;
  u.w[RESULT] = holds ? -1 : 0;
  finish4(c, u, to);
}

/** The mask for the doubles at `to` and `from`, at words `r` and `r` + 1. */
function maskDouble(u: SseState, predicate: number, to: number, from: number, r: number): void {
  const holds = (relateDouble(u, to, from, invalidFor(predicate)) & PREDICATES[predicate]) !== 0;
  u.w[r] = holds ? -1 : 0;
  u.w[r + 1] = holds ? -1 : 0;
}

export function cmppd(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource(c, op);
  const to = XMM + op.src * 4;
  maskDouble(u, op.imm & 7, to, from, RESULT);
  maskDouble(u, op.imm & 7, to + 2, from + 2, RESULT + 2);
  finish16(c, u, to);
}

export function cmpsd(c: Cpu, op: Op): void {
  const u = begin(c);
  const from = xmmSource8(c, op);
  const to = XMM + op.src * 4;
  maskDouble(u, op.imm & 7, to, from, RESULT);
  finish8(c, u, to);
}

const intoFlags = (double: boolean, relate: Relation, invalid: number): Handler => {
  return (c, op) => {
    const u = begin(c);
    const from = double ? xmmSource8(c, op) : xmmSource4(c, op);
    const relation = relate(u, XMM + op.src * 4, from, invalid);
    settle(c, u);
    let flags = 0;
    if (relation === UNORDERED) flags = FLAG_ZF | FLAG_PF | FLAG_CF;
    else if (relation === LESS) flags = FLAG_CF;
    else if (relation === EQUAL) flags = FLAG_ZF;
    setArith(c, flags);
  };
};

const ucomiss = intoFlags(false, relateSingle, SIGNALING);
const ucomisd = intoFlags(true, relateDouble, SIGNALING);
const comiss = intoFlags(false, relateSingle, ANY_NAN);
const comisd = intoFlags(true, relateDouble, ANY_NAN);

export const sseCompareRows: readonly OpcodeRow[] = [
  simdRow('ucomiss', 0x2e, 0, ['Vss', 'Wss'], 'sse', ucomiss, ucomiss),
  simdRow('ucomisd', 0x2e, 0x66, ['Vsd', 'Wsd'], 'sse2', ucomisd, ucomisd),
  simdRow('comiss', 0x2f, 0, ['Vss', 'Wss'], 'sse', comiss, comiss),
  simdRow('comisd', 0x2f, 0x66, ['Vsd', 'Wsd'], 'sse2', comisd, comisd),
  simdRow('cmpps', 0xc2, 0, ['Vps', 'Wps', 'Ib'], 'sse', cmpps, cmpps),
  simdRow('cmpss', 0xc2, 0xf3, ['Vss', 'Wss', 'Ib'], 'sse', cmpss, cmpss),
  simdRow('cmppd', 0xc2, 0x66, ['Vpd', 'Wpd', 'Ib'], 'sse2', cmppd, cmppd),
  simdRow('cmpsd', 0xc2, 0xf2, ['Vsd', 'Wsd', 'Ib'], 'sse2', cmpsd, cmpsd),
];
