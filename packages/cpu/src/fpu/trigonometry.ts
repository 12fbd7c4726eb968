/**
 * FSIN FCOS FSINCOS FPTAN (SDM Vol. 1, 8.3.7 "Trigonometric Instructions", 8.3.8 "Approximation of Pi"). Angles are reduced by
 * pi to 66 bits, as Intel's parts do and as the recorded AMD part does too: away from zero the results are those of
 * sin(x * pi / pi66), not of sin(x), and far off the true sine near multiples of pi. The reduction by pi66 is exact, and what
 * follows is rounded correctly; parts differ from that by at most an ulp. Operands of 2^63 and more are left to the callers.
 */
import { BIAS, INFINITE, ZERO, type Extended } from './extended.js';
import { BITS, deliver, factorial, scaled, Series, significand } from './fixed.js';
import type { Fpu } from './fpu.js';
import { acceptDenormal, settledByOne } from './nan.js';

/** pi / 2 by 66 bits of pi, times 2^67. */
const HALF_PI = 0xc90fdaa22168c234cn;
const HALF_PI_POINT = 67;
/** Below this exponent nothing needs reducing: |x| < 1/2. */
const SMALL = BIAS - 1;
/** The first exponent out of range: 2^63. */
export const OUT_OF_RANGE = BIAS + 63;

/** sin(t)/t and cos(t) in t^2, t up to pi / 4. */
const SINE = new Series((k) => factorial(2 * k + 1), 0);
const COSINE = new Series((k) => factorial(2 * k), 0);

/** |x| = quadrant * pi/2 +- angle * 2^-point. */
let quadrant = 0;
let angle = 0n;
let point = 0;
let below = false;
/** angle^2, fixed-point. */
let square = 0n;

function reduce(x: Extended): void {
  const m = significand(x);
  const s = BIAS + 63 - x.exp;
  quadrant = 0;
  below = false;
  angle = m;
  point = s;
  if (x.exp >= SMALL) {
    point = HALF_PI_POINT;
    angle = scaled(m, HALF_PI_POINT - s);
    const turns = (2n * angle + HALF_PI) / (2n * HALF_PI);
    quadrant = Number(turns & 3n);
    angle -= turns * HALF_PI;
    below = angle < 0n;
    if (below) angle = -angle;
  }
  square = scaled(angle * angle, BITS - 2 * point);
}

/** out = +-sin(angle), +-cos(angle). */
function deliverSine(f: Fpu, out: Extended, sign: number): void {
  deliver(f, out, sign, angle * SINE.alternating(square), point + BITS, false);
}

function deliverCosine(f: Fpu, out: Extended, sign: number): void {
  deliver(f, out, sign, COSINE.alternating(square), BITS, false);
}

/** Of the reduced |x|. */
function reducedSine(f: Fpu, sign: number, out: Extended): void {
  const flipped = sign ^ (quadrant >> 1);
  if ((quadrant & 1) !== 0) deliverCosine(f, out, flipped);
  else deliverSine(f, out, flipped ^ (below ? 1 : 0));
}

function reducedCosine(f: Fpu, out: Extended): void {
  const negative = quadrant === 1 || quadrant === 2 ? 1 : 0;
  if ((quadrant & 1) !== 0) deliverSine(f, out, negative ^ (below ? 1 : 0));
  else deliverCosine(f, out, negative);
}

/** NaNs and infinities. */
function settled(f: Fpu, kind: number, a: Extended, out: Extended): boolean {
  if (settledByOne(f, kind, a, out)) return true;
  if (kind === INFINITE) {
    f.invalid(out);
    return true;
  }
  acceptDenormal(f, kind, a);
  return false;
}

/** out = sin(a). Destroys a, as the others do. */
export function sine(f: Fpu, a: Extended, out: Extended): void {
  const kind = a.kind();
  if (settled(f, kind, a, out)) return;
  if (kind === ZERO) {
    out.copy(a);
    return;
  }
  reduce(a);
  reducedSine(f, a.sign, out);
}

/** out = cos(a). */
export function cosine(f: Fpu, a: Extended, out: Extended): void {
  const kind = a.kind();
  if (settled(f, kind, a, out)) return;
  if (kind === ZERO) {
    setOne(out);
    return;
  }
  reduce(a);
  reducedCosine(f, out);
}

/** sin = sin(a), cos = cos(a). C1 is the sine's. */
export function sineCosine(f: Fpu, a: Extended, sin: Extended, cos: Extended): void {
  const kind = a.kind();
  if (settled(f, kind, a, sin)) {
    cos.copy(sin);
    return;
  }
  if (kind === ZERO) {
    sin.copy(a);
    setOne(cos);
    return;
  }
  const { sign } = a;
  reduce(a);
  reducedCosine(f, cos);
  reducedSine(f, sign, sin);
}

/** tan = tan(a), one = 1, or both the same NaN. */
export function tangent(f: Fpu, a: Extended, tan: Extended, one: Extended): void {
  const kind = a.kind();
  if (settled(f, kind, a, tan)) {
    one.copy(tan);
    return;
  }
  setOne(one);
  if (kind === ZERO) {
    tan.copy(a);
    return;
  }
  reduce(a);
  const sign = a.sign ^ (below ? 1 : 0) ^ (quadrant & 1);
  const sin = angle * SINE.alternating(square);
  const cos = COSINE.alternating(square);
  // Both quotients are taken to BITS significant bits or more.
  if ((quadrant & 1) !== 0) {
    const s = 2 * BITS;
    deliver(f, tan, sign, (cos << BigInt(s)) / sin, s - point, false);
  } else {
    // A tangent is more than its angle, by less than 2^-BITS for the smallest; one more bit keeps it off the angle itself.
    deliver(f, tan, sign, (sin << BigInt(BITS)) / cos, point + BITS, false);
  }
}

function setOne(out: Extended): void {
  out.set(0, BIAS, 0x80000000 | 0, 0);
}
