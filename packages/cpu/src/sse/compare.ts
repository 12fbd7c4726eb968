/**
 * Comparisons of one element: the relation of two numbers, MIN and MAX (SDM Vol. 2, "CMPPS—Compare Packed Single-Precision
 * Floating-Point Values", "MINPS—Minimum of Packed Single-Precision Floating-Point Values"). They never round; numbers that are
 * normal or zero are compared as doubles, the rest in `looked`. Exceptions: IE by who asks, DE. Operands are at word indices.
 */
import * as layout from '@ringfence/sdk';
import { DE as DE_FLAG, IE as IE_FLAG } from '../fpu/fpu.js';
import { MXCSR_DAZ, type SseState } from './state.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { MXCSR } = layout;
const IE = IE_FLAG;
const DE = DE_FLAG;
const DAZ = MXCSR_DAZ;
const MIN_SINGLE = 2 ** -126;
const MIN_DOUBLE = 2 ** -1022;

/** Relations, one bit each. */
export const EQUAL = 1;
export const LESS = 2;
export const GREATER = 4;
export const UNORDERED = 8;

// Which NaNs are invalid
export const SIGNALING = 0;
export const ANY_NAN = 1;

/** The element as compared: a number, or a NaN, denormals as zeros with DAZ. */
function numberAt(u: SseState, double: boolean, at: number): number {
  const value = double ? u.f64[at >> 1] : u.f32[at];
  if ((u.w[MXCSR] & DAZ) !== 0 && Math.abs(value) < (double ? MIN_DOUBLE : MIN_SINGLE)) return 0;
  return value;
}

/** Whether the element, a NaN, is a signaling one. */
function signals(u: SseState, double: boolean, at: number): boolean {
  return double ? (u.w[at + 1] & 0x80000) === 0 : (u.w[at] & 0x400000) === 0;
}

function isDenormal(value: number, double: boolean): boolean {
  return value !== 0 && Math.abs(value) < (double ? MIN_DOUBLE : MIN_SINGLE);
}

function relationOf(x: number, y: number): number {
  return x < y ? LESS : x > y ? GREATER : EQUAL;
}

/** The relation of any two elements. `invalid`: which NaNs raise IE. */
function looked(u: SseState, double: boolean, a: number, b: number, invalid: number): number {
  const x = numberAt(u, double, a);
  const y = numberAt(u, double, b);
  const nanX = Number.isNaN(x);
  const nanY = Number.isNaN(y);
  if (nanX || nanY) {
    if (invalid === ANY_NAN || (nanX && signals(u, double, a)) || (nanY && signals(u, double, b))) u.raised |= IE;
    return UNORDERED;
  }
  if (isDenormal(x, double) || isDenormal(y, double)) u.raised |= DE;
  return relationOf(x, y);
}

export type Relation = (u: SseState, a: number, b: number, invalid: number) => number;

export const relateSingle: Relation = (u, a, b, invalid) => {
  const x = u.f32[a];
  const y = u.f32[b];
  // A NaN fails every comparison.
  if ((Math.abs(x) >= MIN_SINGLE || x === 0) && (Math.abs(y) >= MIN_SINGLE || y === 0)) return relationOf(x, y);
  return looked(u, false, a, b, invalid);
};

export const relateDouble: Relation = (u, a, b, invalid) => {
  const x = u.f64[a >> 1];
  const y = u.f64[b >> 1];
  if ((Math.abs(x) >= MIN_DOUBLE || x === 0) && (Math.abs(y) >= MIN_DOUBLE || y === 0)) return relationOf(x, y);
  return looked(u, true, a, b, invalid);
};

/** Predicates 0..7 of CMPccPS: EQ LT LE UNORD NEQ NLT NLE ORD, as the relations for which they hold. */
export const PREDICATES: readonly number[] = [
  EQUAL,
  LESS,
  LESS | EQUAL,
  UNORDERED,
  LESS | GREATER | UNORDERED,
  EQUAL | GREATER | UNORDERED,
  GREATER | UNORDERED,
  EQUAL | LESS | GREATER,
];

/** LT, LE and their opposites are invalid for quiet NaNs too. */
export function invalidFor(predicate: number): number {
  return ((predicate + 1) & 2) !== 0 ? ANY_NAN : SIGNALING;
}

/** Copies the chosen element, bits and all; only DAZ changes it. */
function choose(u: SseState, double: boolean, from: number, r: number): void {
  const w = u.w;
  const flushed = (w[MXCSR] & DAZ) !== 0 && isDenormal(double ? u.f64[from >> 1] : u.f32[from], double);
  if (!double) {
    w[r] = flushed ? w[from] & 0x80000000 : w[from];
    return;
  }
  w[r] = flushed ? 0 : w[from];
  w[r + 1] = flushed ? w[from + 1] & 0x80000000 : w[from + 1];
}

/** MIN and MAX deliver the second operand unless the first is truly less or greater: also for NaNs and two zeros. */
export function minSingle(u: SseState, a: number, b: number, r: number): void {
  choose(u, false, relateSingle(u, a, b, ANY_NAN) === LESS ? a : b, r);
}

export function maxSingle(u: SseState, a: number, b: number, r: number): void {
  choose(u, false, relateSingle(u, a, b, ANY_NAN) === GREATER ? a : b, r);
}

export function minDouble(u: SseState, a: number, b: number, r: number): void {
  choose(u, true, relateDouble(u, a, b, ANY_NAN) === LESS ? a : b, r);
}

export function maxDouble(u: SseState, a: number, b: number, r: number): void {
  choose(u, true, relateDouble(u, a, b, ANY_NAN) === GREATER ? a : b, r);
}
