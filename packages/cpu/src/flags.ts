/**
 * Lazy arithmetic flags: an instruction records its kind, operands and result; a flag is worked out only when read.
 * LAZY_RES, LAZY_DST and LAZY_SRC hold values sign-extended from the operand size, so no flag but INC's and DEC's OF
 * needs to know the size. When LAZY_OP is LAZY_NONE, the six flags stand in EFLAGS itself.
 *
 *   kind            res            dst                src           CF            OF                     AF
 *   ADD8/16/32      dst+src        first operand      second        res <u dst    (d^r)&(s^r) sign       d^s^r bit 4
 *   ADC8/16/32      dst+src+CF=1   (only used when the carry in was 1)           res <=u dst
 *   SUB8/16/32      dst-src        first operand      second        dst <u src    (d^s)&(d^r) sign       d^s^r bit 4
 *   SBB8/16/32      dst-src-1      (only used when the carry in was 1)           dst <=u src
 *   LOGIC           result         -                  -             0             0                      0 (undefined)
 *   INC8/16/32      result         -                  -             in EFLAGS     res == min             (res & 15) == 0
 *   DEC8/16/32      result         -                  -             in EFLAGS     res == max             (res & 15) == 15
 *   SHIFT           result         -                  -             in EFLAGS     in EFLAGS              0 (undefined)
 * ZF, SF and PF come from res in every kind. Everything rarer (BCD, SAHF, ...) works out its flags at once with `setArith`.
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from './cpu.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { EFLAGS, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF, FLAGS_ARITH, LAZY_DST, LAZY_OP, LAZY_RES, LAZY_SRC } =
  layout;

export const LAZY_NONE = 0;
export const LAZY_ADD8 = 1;
export const LAZY_ADD16 = 2;
export const LAZY_ADD32 = 3;
export const LAZY_ADC8 = 4;
export const LAZY_ADC16 = 5;
export const LAZY_ADC32 = 6;
export const LAZY_SUB8 = 7;
export const LAZY_SUB16 = 8;
export const LAZY_SUB32 = 9;
export const LAZY_SBB8 = 10;
export const LAZY_SBB16 = 11;
export const LAZY_SBB32 = 12;
export const LAZY_LOGIC = 13;
export const LAZY_INC8 = 14;
export const LAZY_INC16 = 15;
export const LAZY_INC32 = 16;
export const LAZY_DEC8 = 17;
export const LAZY_DEC16 = 18;
export const LAZY_DEC32 = 19;
/** Shifts and multiplies: CF and OF stand in EFLAGS, the rest follows from the result. */
export const LAZY_SHIFT = 20;

/** 1 where the byte has an even number of set bits. */
export const PARITY = new Uint8Array(256);
for (let i = 0; i < 256; i++) {
  let bits = i;
  bits ^= bits >> 4;
  bits ^= bits >> 2;
  bits ^= bits >> 1;
  PARITY[i] = (bits & 1) ^ 1;
}

/** 0 or 1. */
export function getCF(c: Cpu): number {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind === LAZY_NONE || kind >= LAZY_INC8) return s[EFLAGS] & FLAG_CF;
  if (kind <= LAZY_ADD32) return s[LAZY_RES] >>> 0 < s[LAZY_DST] >>> 0 ? 1 : 0;
  if (kind <= LAZY_ADC32) return s[LAZY_RES] >>> 0 <= s[LAZY_DST] >>> 0 ? 1 : 0;
  if (kind <= LAZY_SUB32) return s[LAZY_DST] >>> 0 < s[LAZY_SRC] >>> 0 ? 1 : 0;
  if (kind <= LAZY_SBB32) return s[LAZY_DST] >>> 0 <= s[LAZY_SRC] >>> 0 ? 1 : 0;
  return 0;
}

/** 0 or 1. */
export function getZF(c: Cpu): number {
  const s = c.s;
  if (s[LAZY_OP] === LAZY_NONE) return (s[EFLAGS] >> 6) & 1;
  return s[LAZY_RES] === 0 ? 1 : 0;
}

/** 0 or 1. */
export function getSF(c: Cpu): number {
  const s = c.s;
  if (s[LAZY_OP] === LAZY_NONE) return (s[EFLAGS] >> 7) & 1;
  return s[LAZY_RES] >>> 31;
}

/** 0 or 1. */
export function getPF(c: Cpu): number {
  const s = c.s;
  if (s[LAZY_OP] === LAZY_NONE) return (s[EFLAGS] >> 2) & 1;
  return PARITY[s[LAZY_RES] & 0xff];
}

/** 0 or 1. */
export function getOF(c: Cpu): number {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind === LAZY_NONE || kind === LAZY_SHIFT) return (s[EFLAGS] >> 11) & 1;
  const res = s[LAZY_RES];
  if (kind <= LAZY_ADC32) return ((s[LAZY_DST] ^ res) & (s[LAZY_SRC] ^ res)) >>> 31;
  if (kind <= LAZY_SBB32) return ((s[LAZY_DST] ^ s[LAZY_SRC]) & (s[LAZY_DST] ^ res)) >>> 31;
  switch (kind) {
    case LAZY_INC8:
      return res === -0x80 ? 1 : 0;
    case LAZY_INC16:
      return res === -0x8000 ? 1 : 0;
    case LAZY_INC32:
      return res === -0x80000000 ? 1 : 0;
    case LAZY_DEC8:
      return res === 0x7f ? 1 : 0;
    case LAZY_DEC16:
      return res === 0x7fff ? 1 : 0;
    case LAZY_DEC32:
      return res === 0x7fffffff ? 1 : 0;
    default: // LAZY_LOGIC
      return 0;
  }
}

/** 0 or 1. */
export function getAF(c: Cpu): number {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind === LAZY_NONE) return (s[EFLAGS] >> 4) & 1;
  if (kind <= LAZY_SBB32) return ((s[LAZY_DST] ^ s[LAZY_SRC] ^ s[LAZY_RES]) >> 4) & 1;
  if (kind >= LAZY_INC8 && kind <= LAZY_INC32) return (s[LAZY_RES] & 15) === 0 ? 1 : 0;
  if (kind >= LAZY_DEC8 && kind <= LAZY_DEC32) return (s[LAZY_RES] & 15) === 15 ? 1 : 0;
  return 0; // undefined: LOGIC and SHIFT
}

/** The six arithmetic flags as EFLAGS bits, worked out. */
export function getArith(c: Cpu): number {
  if (c.s[LAZY_OP] === LAZY_NONE) return c.s[EFLAGS] & FLAGS_ARITH;
  return getCF(c) | (getPF(c) << 2) | (getAF(c) << 4) | (getZF(c) << 6) | (getSF(c) << 7) | (getOF(c) << 11);
}

/** The whole of EFLAGS, without changing anything. */
export function getEflags(c: Cpu): number {
  return (c.s[EFLAGS] & ~FLAGS_ARITH) | getArith(c);
}

/** Brings the six flags into EFLAGS itself. */
export function materialize(c: Cpu): void {
  const s = c.s;
  if (s[LAZY_OP] === LAZY_NONE) return;
  s[EFLAGS] = (s[EFLAGS] & ~FLAGS_ARITH) | getArith(c);
  s[LAZY_OP] = LAZY_NONE;
}

/** Sets all six arithmetic flags at once; `bits` are EFLAGS bits. */
export function setArith(c: Cpu, bits: number): void {
  const s = c.s;
  s[EFLAGS] = (s[EFLAGS] & ~FLAGS_ARITH) | (bits & FLAGS_ARITH);
  s[LAZY_OP] = LAZY_NONE;
}

/** Sets the flags in `mask` to those in `bits` and keeps the other arithmetic flags. */
export function changeArith(c: Cpu, mask: number, bits: number): void {
  materialize(c);
  c.s[EFLAGS] = (c.s[EFLAGS] & ~mask) | (bits & mask);
}

export function setCF(c: Cpu, carry: number): void {
  materialize(c);
  c.s[EFLAGS] = (c.s[EFLAGS] & ~FLAG_CF) | carry;
}

export function setZF(c: Cpu, zero: boolean): void {
  changeArith(c, FLAG_ZF, zero ? FLAG_ZF : 0);
}

/** The flags of AND, OR, XOR and TEST; `res` sign-extended to 32 bits. */
export function setLogic(c: Cpu, res: number): void {
  c.s[LAZY_OP] = LAZY_LOGIC;
  c.s[LAZY_RES] = res;
}

/** The flags of CMP at any size; operands sign-extended to 32 bits, `kind` one of LAZY_SUB8/16/32. */
export function setCompare(c: Cpu, kind: number, dst: number, src: number, res: number): void {
  const s = c.s;
  s[LAZY_OP] = kind;
  s[LAZY_RES] = res;
  s[LAZY_DST] = dst;
  s[LAZY_SRC] = src;
}

/** The flags of shifts and multiplies: CF and OF (0 or 1) as given, SF ZF PF of `res`, AF 0. */
export function setShift(c: Cpu, res: number, carry: number, overflow: number): void {
  const s = c.s;
  s[EFLAGS] = (s[EFLAGS] & ~(FLAG_CF | FLAG_OF)) | carry | (overflow << 11);
  s[LAZY_OP] = LAZY_SHIFT;
  s[LAZY_RES] = res;
}

/** INC and DEC keep CF: makes sure that it stands in EFLAGS before they take over the lazy state. */
export function keepCF(c: Cpu): void {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind === LAZY_NONE || kind >= LAZY_INC8) return;
  s[EFLAGS] = (s[EFLAGS] & ~FLAG_CF) | getCF(c);
}

/** SF, ZF and PF of a byte result as EFLAGS bits. */
export function szpByte(value: number): number {
  const byte = value & 0xff;
  return (byte & FLAG_SF) | (byte === 0 ? FLAG_ZF : 0) | (PARITY[byte] === 0 ? 0 : FLAG_PF);
}

// Conditions, one function each so that every Jcc/SETcc/CMOVcc tests just what it needs. SUB is told apart first because
// CMP and SUB stand before most of them; a SUB of any size compares as its sign-extended operands do.

export function condO(c: Cpu): boolean {
  return getOF(c) !== 0;
}

export function condB(c: Cpu): boolean {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind >= LAZY_SUB8 && kind <= LAZY_SUB32) return s[LAZY_DST] >>> 0 < s[LAZY_SRC] >>> 0;
  return getCF(c) !== 0;
}

export function condZ(c: Cpu): boolean {
  const s = c.s;
  return s[LAZY_OP] === LAZY_NONE ? (s[EFLAGS] & FLAG_ZF) !== 0 : s[LAZY_RES] === 0;
}

export function condBE(c: Cpu): boolean {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind >= LAZY_SUB8 && kind <= LAZY_SUB32) return s[LAZY_DST] >>> 0 <= s[LAZY_SRC] >>> 0;
  if (kind === LAZY_NONE) return (s[EFLAGS] & (FLAG_CF | FLAG_ZF)) !== 0;
  return s[LAZY_RES] === 0 || getCF(c) !== 0;
}

export function condS(c: Cpu): boolean {
  const s = c.s;
  return s[LAZY_OP] === LAZY_NONE ? (s[EFLAGS] & FLAG_SF) !== 0 : s[LAZY_RES] < 0;
}

export function condP(c: Cpu): boolean {
  return getPF(c) !== 0;
}

export function condL(c: Cpu): boolean {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind >= LAZY_SUB8 && kind <= LAZY_SUB32) return s[LAZY_DST] < s[LAZY_SRC];
  if (kind === LAZY_LOGIC) return s[LAZY_RES] < 0;
  return getSF(c) !== getOF(c);
}

export function condLE(c: Cpu): boolean {
  const s = c.s;
  const kind = s[LAZY_OP];
  if (kind >= LAZY_SUB8 && kind <= LAZY_SUB32) return s[LAZY_DST] <= s[LAZY_SRC];
  if (kind === LAZY_LOGIC) return s[LAZY_RES] <= 0;
  return getZF(c) !== 0 || getSF(c) !== getOF(c);
}

/** Condition `n` of the 16 in encoding order (SDM Vol. 1, App. B "EFLAGS Condition Codes"); slow, for tools and tests. */
export function cc(c: Cpu, n: number): boolean {
  return evaluate(c, n >> 1) !== ((n & 1) !== 0);
}

function evaluate(c: Cpu, pair: number): boolean {
  switch (pair) {
    case 0:
      return condO(c);
    case 1:
      return condB(c);
    case 2:
      return condZ(c);
    case 3:
      return condBE(c);
    case 4:
      return condS(c);
    case 5:
      return condP(c);
    case 6:
      return condL(c);
    default:
      return condLE(c);
  }
}
