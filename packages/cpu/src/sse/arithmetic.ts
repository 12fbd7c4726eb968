/**
 * ADD SUB MUL DIV SQRT of one element, at the speed of the host's doubles where they give the very same: rounding to nearest, operands
 * and result normal or zero. Everything else is exact.ts's. A single is computed in double precision and rounded again, which is
 * innocuous for these five operations, as 53 >= 2 * 24 + 2 (Figueroa, "When is double rounding innocuous?", 1995).
 *
 * In that range the only exception is PE. Where it is not known to be set already, the rounding error is computed with error-free
 * transformations (Knuth's two-sum; Dekker's product on Veltkamp's halves), which are exact while nothing overflows or gets tiny:
 * CALM bounds the operands; beyond it exact.ts decides.
 *
 * A kernel reads words or doubles of the state at word indices a and b and writes at r. NaNs never pass through a number: not all
 * of their bits would.
 */
import { PE as PE_FLAG } from '../fpu/fpu.js';
import * as exactly from './exact.js';
import type { SseState } from './state.js';

export type Kernel = (u: SseState, a: number, b: number, r: number) => void;

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const PE = PE_FLAG;
const { ADD, SUB, MUL, DIV, SQRT, SINGLE, DOUBLE, exact } = exactly;

const MIN_SINGLE = 2 ** -126;
const MAX_SINGLE = (2 - 2 ** -23) * 2 ** 127;
const MIN_DOUBLE = 2 ** -1022;
const MAX_DOUBLE = Number.MAX_VALUE;
const CALM_MAX = 2 ** 480;
const CALM_MIN = 2 ** -480;
const VELTKAMP = 2 ** 27 + 1;

/** Whether an operand that is no NaN and no infinity is not a denormal. */
function plainSingle(x: number): boolean {
  return Math.abs(x) >= MIN_SINGLE || x === 0;
}

function plainDouble(x: number): boolean {
  return Math.abs(x) >= MIN_DOUBLE || x === 0;
}

/** A finite result that no tiny one was rounded to. */
function normalSingle(r: number): boolean {
  const size = Math.abs(r);
  return size > MIN_SINGLE && size <= MAX_SINGLE;
}

function normalDouble(r: number): boolean {
  const size = Math.abs(r);
  return size > MIN_DOUBLE && size <= MAX_DOUBLE;
}

function calm(x: number): boolean {
  const size = Math.abs(x);
  return size < CALM_MAX && size > CALM_MIN;
}

/** x + y - s, exactly. */
function sumError(x: number, y: number, s: number): number {
  const t = s - x;
  return x - (s - t) + (y - t);
}

/** x * y - p, exactly for calm x and y. */
function productError(x: number, y: number, p: number): number {
  const cx = VELTKAMP * x;
  const xh = cx - (cx - x);
  const xl = x - xh;
  const cy = VELTKAMP * y;
  const yh = cy - (cy - y);
  const yl = y - yh;
  return xh * yh - p + xh * yl + xl * yh + xl * yl;
}

// --- single precision ---
export const addSingle: Kernel = (u, a, b, r) => {
  const f = u.f32;
  const x = f[a];
  const y = f[b];
  const s = x + y;
  const q = Math.fround(s);
  if (u.nearest && (normalSingle(q) || s === 0) && plainSingle(x) && plainSingle(y)) {
    if (!u.inexactKnown && (q !== s || sumError(x, y, s) !== 0)) u.raised |= PE;
    f[r] = q;
  } else exact(u, ADD, SINGLE, a, b, r);
};

export const subSingle: Kernel = (u, a, b, r) => {
  const f = u.f32;
  const x = f[a];
  const y = f[b];
  const s = x - y;
  const q = Math.fround(s);
  if (u.nearest && (normalSingle(q) || s === 0) && plainSingle(x) && plainSingle(y)) {
    if (!u.inexactKnown && (q !== s || sumError(x, -y, s) !== 0)) u.raised |= PE;
    f[r] = q;
  } else exact(u, SUB, SINGLE, a, b, r);
};

export const mulSingle: Kernel = (u, a, b, r) => {
  const f = u.f32;
  const x = f[a];
  const y = f[b];
  const p = x * y;
  const q = Math.fround(p);
  if (u.nearest && (normalSingle(q) || p === 0) && plainSingle(x) && plainSingle(y)) {
    if (q !== p) u.raised |= PE;
    f[r] = q;
  } else exact(u, MUL, SINGLE, a, b, r);
};

export const divSingle: Kernel = (u, a, b, r) => {
  const f = u.f32;
  const x = f[a];
  const y = f[b];
  const q = Math.fround(x / y);
  if (u.nearest && (normalSingle(q) || (x === 0 && q === 0)) && y !== 0 && plainSingle(x) && plainSingle(y)) {
    if (q * y !== x && x !== 0) u.raised |= PE;
    f[r] = q;
  } else exact(u, DIV, SINGLE, a, b, r);
};

export const sqrtSingle: Kernel = (u, a, b, r) => {
  const f = u.f32;
  const x = f[b];
  if (u.nearest && ((x >= MIN_SINGLE && x <= MAX_SINGLE) || x === 0)) {
    const q = Math.fround(Math.sqrt(x));
    if (q * q !== x) u.raised |= PE;
    f[r] = q;
  } else exact(u, SQRT, SINGLE, a, b, r);
};

// --- double precision ---
export const addDouble: Kernel = (u, a, b, r) => {
  const d = u.f64;
  const x = d[a >> 1];
  const y = d[b >> 1];
  const s = x + y;
  if (u.nearest && (normalDouble(s) || s === 0) && plainDouble(x) && plainDouble(y)) {
    if (!u.inexactKnown && s !== 0) {
      if (Math.abs(s) > CALM_MAX) {
        exact(u, ADD, DOUBLE, a, b, r);
        return;
      }
      if (sumError(x, y, s) !== 0) u.raised |= PE;
    }
    d[r >> 1] = s;
  } else exact(u, ADD, DOUBLE, a, b, r);
};

export const subDouble: Kernel = (u, a, b, r) => {
  const d = u.f64;
  const x = d[a >> 1];
  const y = d[b >> 1];
  const s = x - y;
  if (u.nearest && (normalDouble(s) || s === 0) && plainDouble(x) && plainDouble(y)) {
    if (!u.inexactKnown && s !== 0) {
      if (Math.abs(s) > CALM_MAX) {
        exact(u, SUB, DOUBLE, a, b, r);
        return;
      }
      if (sumError(x, -y, s) !== 0) u.raised |= PE;
    }
    d[r >> 1] = s;
  } else exact(u, SUB, DOUBLE, a, b, r);
};

export const mulDouble: Kernel = (u, a, b, r) => {
  const d = u.f64;
  const x = d[a >> 1];
  const y = d[b >> 1];
  const p = x * y;
  if (u.nearest && (normalDouble(p) || (p === 0 && (x === 0 || y === 0))) && plainDouble(x) && plainDouble(y)) {
    if (!u.inexactKnown && p !== 0) {
      if (!calm(x) || !calm(y)) {
        exact(u, MUL, DOUBLE, a, b, r);
        return;
      }
      if (productError(x, y, p) !== 0) u.raised |= PE;
    }
    d[r >> 1] = p;
  } else exact(u, MUL, DOUBLE, a, b, r);
};

export const divDouble: Kernel = (u, a, b, r) => {
  const d = u.f64;
  const x = d[a >> 1];
  const y = d[b >> 1];
  const q = x / y;
  if (u.nearest && (normalDouble(q) || (x === 0 && q === 0)) && y !== 0 && plainDouble(x) && plainDouble(y)) {
    if (!u.inexactKnown && x !== 0) {
      if (!calm(q) || !calm(y)) {
        exact(u, DIV, DOUBLE, a, b, r);
        return;
      }
      const p = q * y;
      if (p !== x || productError(q, y, p) !== 0) u.raised |= PE;
    }
    d[r >> 1] = q;
  } else exact(u, DIV, DOUBLE, a, b, r);
};

export const sqrtDouble: Kernel = (u, a, b, r) => {
  const d = u.f64;
  const x = d[b >> 1];
  if (u.nearest && ((x >= MIN_DOUBLE && x <= MAX_DOUBLE) || x === 0)) {
    const q = Math.sqrt(x);
    if (!u.inexactKnown && x !== 0) {
      if (!calm(q)) {
        exact(u, SQRT, DOUBLE, a, b, r);
        return;
      }
      const p = q * q;
      if (p !== x || productError(q, q, p) !== 0) u.raised |= PE;
    }
    d[r >> 1] = q;
  } else exact(u, SQRT, DOUBLE, a, b, r);
};
