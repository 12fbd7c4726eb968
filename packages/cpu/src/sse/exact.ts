/**
 * Floating-point arithmetic of SSE and SSE2 for every operand, rounding mode and mask: the slow half of arithmetic.ts. Operands are
 * unpacked to the x87's extended format, the x87's own exact operations give the result with sticky bits, and its rounding to a
 * narrow format delivers it and finds OE, UE and PE. What SSE does its own way is here: which NaN is delivered (SDM Vol. 1, table
 * 4-7 "Rules for Handling NaNs"), DAZ and FTZ (10.2.3.3 "Flush-To-Zero", 10.2.3.4 "Denormals-Are-Zeros").
 */
import * as layout from '@ringfence/sdk';
import { exactSum, zeroSign } from '../fpu/add.js';
import { fromDouble, fromInt32, fromSingle, toDouble, toSingle } from '../fpu/convert.js';
import { exactQuotient } from '../fpu/div.js';
import { DENORMAL, Extended, INFINITE, QNAN, SNAN, ZERO } from '../fpu/extended.js';
import { DE, EXCEPTIONS, Fpu, IE, UE, PE, ZE } from '../fpu/fpu.js';
import { exactProduct } from '../fpu/mul.js';
import { exactRoot } from '../fpu/sqrt.js';
import { FLUSH_TO_ZERO, MASK_SHIFT, ROUNDING_SHIFT } from './exceptions.js';
import { MXCSR_DAZ, type SseState } from './state.js';

const { FPU_CONTROL, FPU_WORDS, MXCSR } = layout;

export const ADD = 0;
export const SUB = 1;
export const MUL = 2;
export const DIV = 3;
export const SQRT = 4;

/** Element formats: `double` parameters. */
export const SINGLE = false;
export const DOUBLE = true;

const FLUSHING = FLUSH_TO_ZERO | (UE << MASK_SHIFT);
const SIGN = 0x80000000;
const QUIET_SINGLE = 0x400000;
const QUIET_DOUBLE = 0x80000;
const INDEFINITE_SINGLE = 0xffc00000 | 0;
const INDEFINITE_DOUBLE = 0xfff80000 | 0;

/** Not the machine's x87: what its arithmetic asks for modes, and where it leaves exceptions. */
const context = new Fpu(new Int32Array(FPU_WORDS));
const x = new Extended();
const y = new Extended();
const out = new Extended();

/** x87 control word with the masks and the rounding of MXCSR. */
function enter(u: SseState): void {
  const mxcsr = u.w[MXCSR];
  context.begin();
  context.w[FPU_CONTROL] = ((mxcsr >> MASK_SHIFT) & EXCEPTIONS) | (((mxcsr >> ROUNDING_SHIFT) & 3) << 10);
}

/** Unpacks the element at word `at`, normalized, and says what it is. With DAZ there are no denormals. */
function unpack(u: SseState, double: boolean, at: number, to: Extended): number {
  const w = u.w;
  if (double) fromDouble(context, w[at + 1], w[at], to);
  else fromSingle(context, w[at], to);
  if (!context.denormalSource) return to.kind();
  context.denormalSource = false;
  if ((w[MXCSR] & MXCSR_DAZ) === 0) return DENORMAL;
  to.setZero(to.sign);
  return ZERO;
}

/** The element at `r` becomes the result of `operation` on those at `a` and `b`; a square root only looks at `b`. */
export function exact(u: SseState, operation: number, double: boolean, a: number, b: number, r: number): void {
  enter(u);
  const kb = unpack(u, double, b, y);
  const ka = operation === SQRT ? ZERO : unpack(u, double, a, x);
  if (ka >= QNAN || kb >= QNAN) {
    if (ka === SNAN || kb === SNAN) u.raised |= IE;
    deliverNan(u, double, ka >= QNAN ? a : b, r);
    return;
  }
  if (isInvalid(operation, ka, kb)) {
    u.raised |= IE;
    deliverIndefinite(u, double, r);
    return;
  }
  if (operation === DIV && kb === ZERO && ka !== INFINITE) u.raised |= ZE;
  else if (ka === DENORMAL || kb === DENORMAL) u.raised |= DE;
  compute(operation, ka, kb);
  deliver(u, double, r);
}

function isInvalid(operation: number, ka: number, kb: number): boolean {
  switch (operation) {
    case ADD:
      return ka === INFINITE && kb === INFINITE && x.sign !== y.sign;
    case SUB:
      return ka === INFINITE && kb === INFINITE && x.sign === y.sign;
    case MUL:
      return (ka === INFINITE && kb === ZERO) || (ka === ZERO && kb === INFINITE);
    case DIV:
      return (ka === INFINITE && kb === INFINITE) || (ka === ZERO && kb === ZERO);
    default:
      return y.sign !== 0 && kb !== ZERO;
  }
}

/** Leaves the exact result of a valid operation in `out`. */
function compute(operation: number, ka: number, kb: number): void {
  switch (operation) {
    case SUB:
      y.sign ^= 1;
      computeSum(ka, kb);
      break;
    case ADD:
      computeSum(ka, kb);
      break;
    case MUL:
      if (ka === INFINITE || kb === INFINITE) out.setInfinity(x.sign ^ y.sign);
      else if (ka === ZERO || kb === ZERO) out.setZero(x.sign ^ y.sign);
      else exactProduct(x, y, out);
      break;
    case DIV:
      if (ka === INFINITE || kb === ZERO) out.setInfinity(x.sign ^ y.sign);
      else if (ka === ZERO || kb === INFINITE) out.setZero(x.sign ^ y.sign);
      else exactQuotient(x, y, out);
      break;
    default:
      if (kb === ZERO || kb === INFINITE) out.copy(y);
      else exactRoot(y, out);
  }
}

function computeSum(ka: number, kb: number): void {
  if (ka === INFINITE) out.copy(x);
  else if (kb === INFINITE) out.copy(y);
  else if (ka === ZERO && kb === ZERO) out.setZero(x.sign === y.sign ? x.sign : zeroSign(context));
  else if (ka === ZERO) out.copy(y);
  else if (kb === ZERO) out.copy(x);
  else exactSum(context, x, y, out);
}

/** Rounds `out` to the format and stores it. */
function deliver(u: SseState, double: boolean, r: number): void {
  const w = u.w;
  const flushing = (w[MXCSR] & FLUSHING) === FLUSHING;
  // Unmasked, underflow is raised for every tiny result, exact ones too: those that FTZ flushes.
  if (flushing) context.w[FPU_CONTROL] &= ~UE;
  if (double) toDouble(context, out);
  else toSingle(context, out);
  if (flushing && (context.raised & UE) !== 0) {
    u.raised |= UE | PE;
    storeZero(u, double, out.sign, r);
    return;
  }
  u.raised |= context.raised;
  w[r] = context.r.lo;
  if (double) w[r + 1] = context.r.hi;
}

function storeZero(u: SseState, double: boolean, sign: number, r: number): void {
  const w = u.w;
  w[r] = double ? 0 : sign << 31;
  if (double) w[r + 1] = sign << 31;
}

function deliverNan(u: SseState, double: boolean, from: number, r: number): void {
  const w = u.w;
  if (!double) {
    w[r] = w[from] | QUIET_SINGLE;
    return;
  }
  w[r] = w[from];
  w[r + 1] = w[from + 1] | QUIET_DOUBLE;
}

function deliverIndefinite(u: SseState, double: boolean, r: number): void {
  if (!double) {
    u.w[r] = INDEFINITE_SINGLE;
    return;
  }
  u.w[r] = 0;
  u.w[r + 1] = INDEFINITE_DOUBLE;
}

// --- conversions ---
/** Single at `a` to double at `r`, or the other way when `double` says that the source is one. */
export function exactPrecision(u: SseState, double: boolean, a: number, r: number): void {
  enter(u);
  const kind = unpack(u, double, a, out);
  if (kind === SNAN) u.raised |= IE;
  if (kind === DENORMAL) u.raised |= DE;
  if (kind < QNAN) {
    deliver(u, !double, r);
    return;
  }
  // The fraction keeps its upper bits.
  const w = u.w;
  const top = w[double ? a + 1 : a];
  if (double) {
    w[r] = (top & SIGN) | 0x7fc00000 | ((top & 0xfffff) << 3) | (w[a] >>> 29);
    return;
  }
  w[r] = top << 29;
  w[r + 1] = (top & SIGN) | 0x7ff80000 | ((top >>> 3) & 0xfffff);
}

/** A 32-bit integer to single at `r`. */
export function exactFromInt(u: SseState, value: number, r: number): void {
  enter(u);
  fromInt32(value, out);
  deliver(u, SINGLE, r);
}
