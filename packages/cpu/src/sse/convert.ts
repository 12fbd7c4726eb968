/**
 * Conversions of one element between integers, singles and doubles (SDM Vol. 1, 10.4.3 "SSE Conversion Instructions", 11.4.1.6 "SSE2
 * Conversion Instructions", 4.8.4 "Rounding"). Numbers become integers with doubles in every rounding mode; what else is not plain
 * goes to exact.ts. Elements are at word indices; nothing here touches MMX state.
 */
import * as layout from '@ringfence/sdk';
import { IE as IE_FLAG, PE as PE_FLAG } from '../fpu/fpu.js';
import { exactFromInt, exactPrecision } from './exact.js';
import { ROUNDING_SHIFT as ROUNDING_AT } from './exceptions.js';
import { MXCSR_DAZ, type SseState } from './state.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const { MXCSR } = layout;
const IE = IE_FLAG;
const PE = PE_FLAG;
const DAZ = MXCSR_DAZ;
const ROUNDING_SHIFT = ROUNDING_AT;
const MIN_SINGLE = 2 ** -126;
const MAX_SINGLE = (2 - 2 ** -23) * 2 ** 127;
const MIN_DOUBLE = 2 ** -1022;
const INDEFINITE_INTEGER = 0x80000000 | 0;
/** Added and taken away again, it leaves the nearest integer, ties to even: 2^52 + 2^51. */
const TO_NEAREST = 6755399441055744;

/** Truncation whatever MXCSR says: the CVTT forms. */
export const CHOP = 3;

/** The rounding that MXCSR asks for. */
export function rounding(u: SseState): number {
  return (u.w[MXCSR] >> ROUNDING_SHIFT) & 3;
}

/** Rounds a value to a 32-bit integer; `mode` 0..3 as in MXCSR. Denormals raise no DE, and with DAZ no PE either. */
function toInt(u: SseState, value: number, tiny: number, mode: number): number {
  // Neither a NaN nor out of reach of every rounding mode.
  if (!(value > -2147483650 && value < 2147483649)) {
    u.raised |= IE;
    return INDEFINITE_INTEGER;
  }
  let whole: number;
  if (mode === 0) whole = value + TO_NEAREST - TO_NEAREST;
  else if (mode === CHOP) whole = Math.trunc(value);
  else if (mode === 1) whole = Math.floor(value);
  else whole = Math.ceil(value);
  if (whole === value) {
    if (whole <= 2147483647 && whole >= -2147483648) return whole | 0;
  } else if (Math.abs(value) < tiny && (u.w[MXCSR] & DAZ) !== 0) {
    return 0;
  } else if (whole <= 2147483647 && whole >= -2147483648) {
    u.raised |= PE;
    return whole | 0;
  }
  u.raised |= IE;
  return INDEFINITE_INTEGER;
}

export type ToInt = (u: SseState, a: number, mode: number) => number;

export const singleToInt: ToInt = (u, a, mode) => toInt(u, u.f32[a], MIN_SINGLE, mode);

export const doubleToInt: ToInt = (u, a, mode) => toInt(u, u.f64[a >> 1], MIN_DOUBLE, mode);

export function intToSingle(u: SseState, value: number, r: number): void {
  const single = Math.fround(value);
  if (single === value) u.f32[r] = single;
  else if (u.nearest) {
    u.raised |= PE;
    u.f32[r] = single;
  } else exactFromInt(u, value, r);
}

export function singleToDouble(u: SseState, a: number, r: number): void {
  const value = u.f32[a];
  const size = Math.abs(value);
  if (size >= MIN_SINGLE || value === 0) u.f64[r >> 1] = value;
  else exactPrecision(u, false, a, r);
}

export function doubleToSingle(u: SseState, a: number, r: number): void {
  const value = u.f64[a >> 1];
  const single = Math.fround(value);
  const size = Math.abs(single);
  if (u.nearest && ((size > MIN_SINGLE && size <= MAX_SINGLE) || value === 0)) {
    if (single !== value) u.raised |= PE;
    u.f32[r] = single;
  } else exactPrecision(u, true, a, r);
}
