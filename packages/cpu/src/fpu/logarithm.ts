/**
 * FYL2X, FYL2XP1 and F2XM1: logarithms and powers of two (SDM Vol. 2, the instructions' pages, tables "FYL2X Results", "FYL2XP1
 * Results", "Results Obtained from F2XM1"). ln(m) = ln(i/32) + 2 atanh((m - i/32) / (m + i/32)) for the i/32 next to m, and
 * 2^x = 2^(i/16) * e^((x - i/16) ln 2): short series, with tables that are worked out once, at start.
 * Operands outside the domains of F2XM1 and FYL2XP1 have undefined results; ours are those of the recorded part: the
 * logarithm as far as there is one, else the operand.
 */
import { BIAS, INFINITE, ZERO, type Extended } from './extended.js';
import {
  ARC,
  arcTangentH,
  bitLength,
  BITS,
  deliver,
  factorial,
  ONE,
  POINT,
  quotient,
  scaled,
  Series,
  significand,
} from './fixed.js';
import { PE, UE, ZE, type Fpu } from './fpu.js';
import { acceptDenormal, settledByOne, settledByTwo } from './nan.js';

/** (e^x - 1) / x */
const EXPM1 = new Series((k) => factorial(k + 1), 4);
const EXP_STEPS = 16;
const LOG_STEPS = 32;

/** ln 2 = 2 atanh(1/3) = 2 atanh(1/7) + 2 atanh(1/5), and 1 / ln 2. */
const LN2 = 2n * (arcTangentH(quotient(1, 7)) + arcTangentH(quotient(1, 5)));
const LOG2E = (ONE << POINT) / LN2;

/** ln(i/32) from i = 22 to 46, each from its neighbour on the way to ln(1) = 0. */
const LOWEST = 22;
const LOGARITHMS: bigint[] = new Array<bigint>(25).fill(0n);
for (let i = LOG_STEPS; i > LOWEST; i--) {
  LOGARITHMS[i - 1 - LOWEST] = LOGARITHMS[i - LOWEST] - 2n * arcTangentH(quotient(1, 2 * i - 1));
}
for (let i = LOG_STEPS; i < LOWEST + 24; i++) {
  LOGARITHMS[i + 1 - LOWEST] = LOGARITHMS[i - LOWEST] + 2n * arcTangentH(quotient(1, 2 * i + 1));
}

/** 2^(i/16) from i = -16 to 16. */
const POWERS: bigint[] = [];
for (let i = -EXP_STEPS; i <= EXP_STEPS; i++) {
  const x = (LN2 * BigInt(i)) / BigInt(EXP_STEPS * 16);
  let power = ONE + ((x * EXPM1.sum(x)) >> POINT);
  for (let n = 0; n < 4; n++) power = (power * power) >> POINT;
  POWERS.push(power);
}

/** A logarithm to base 2, |log| = `log * 2^-point`; `exact` when it is an integer. */
let log = 0n;
let point = 0;
let negative = false;
let exact = false;

function setLog(value: bigint, fractionBits: number): void {
  negative = value < 0n;
  log = negative ? -value : value;
  point = fractionBits;
}

/** Of m * 2^-s, where 2^s <= m < 2^(s + 1), times 2^power. */
function logarithm(m: bigint, s: number, power: number): void {
  exact = m === 1n << BigInt(s);
  if (exact) {
    setLog(BigInt(power), 0);
    return;
  }
  // sqrt(1/2) <= m * 2^-s < sqrt(2), about.
  if (Number(m) >= 1.4375 * 2 ** s) {
    s++;
    power++;
  }
  const i = Math.round((Number(m) / 2 ** s) * LOG_STEPS);
  const node = BigInt(i) << BigInt(s - 5);
  const difference = m - node;
  if (i === LOG_STEPS && power === 0) {
    near(difference, m + node, 64);
    return;
  }
  const u = (difference << POINT) / (m + node);
  const ln = LOGARITHMS[i - LOWEST] + ((2n * u * ARC.sum((u * u) >> POINT)) >> POINT);
  setLog((BigInt(power) << POINT) + ((ln * LOG2E) >> POINT), BITS);
}

/**
 * Of (sum + difference) / (sum - difference), near 1: with full relative precision. `tiny`: difference / sum is not below
 * 2^-tiny.
 */
function near(difference: bigint, sum: bigint, tiny: number): void {
  const up = BITS + tiny;
  const u = (difference << BigInt(up)) / sum;
  const square = scaled(u * u, BITS - 2 * up);
  setLog((u * ARC.sum(square) * LOG2E) >> (2n * POINT - 1n), up);
}

/** out = y * (the logarithm in `log`), s being the scale of y's significand. */
function deliverProduct(f: Fpu, y: Extended, out: Extended): void {
  const s = BIAS + 63 - y.exp;
  deliver(f, out, y.sign ^ (negative ? 1 : 0), log * significand(y), point + s, exact);
  // The recorded part calls every logarithm inexact, even that of a power of two.
  if (exact) f.raise(out.exp === 0 ? UE | PE : PE);
}

/** out = y * log2(x). Destroys x and y. */
export function yLog2X(f: Fpu, x: Extended, y: Extended, out: Extended): void {
  const kx = x.kind();
  const ky = y.kind();
  if (settledByTwo(f, kx, ky, x, y, out)) return;
  if (x.sign !== 0 && kx !== ZERO) {
    f.invalid(out);
    return;
  }
  if (kx === ZERO) {
    if (ky === ZERO) {
      f.invalid(out);
      return;
    }
    if (ky !== INFINITE) f.raise(ZE);
    out.setInfinity(y.sign ^ 1);
    return;
  }
  const one = kx !== INFINITE && x.exp === BIAS && significand(x) === 1n << 63n;
  if ((ky === INFINITE && one) || (ky === ZERO && kx === INFINITE)) {
    f.invalid(out);
    return;
  }
  acceptDenormal(f, kx, x);
  acceptDenormal(f, ky, y);
  const sign = y.sign ^ (x.exp < BIAS ? 1 : 0);
  if (ky === INFINITE || kx === INFINITE) out.setInfinity(sign);
  else if (ky === ZERO || one) out.setZero(sign);
  else {
    logarithm(significand(x), 63, x.exp - BIAS);
    deliverProduct(f, y, out);
  }
}

/** out = y * log2(x + 1). Destroys x and y. */
export function yLog2XPlus1(f: Fpu, x: Extended, y: Extended, out: Extended): void {
  const kx = x.kind();
  const ky = y.kind();
  if (settledByTwo(f, kx, ky, x, y, out)) return;
  const sign = x.sign ^ y.sign;
  if ((kx === ZERO && ky === INFINITE) || (kx === INFINITE && (x.sign !== 0 || ky === ZERO))) {
    f.invalid(out);
    return;
  }
  acceptDenormal(f, kx, x);
  acceptDenormal(f, ky, y);
  if (kx === INFINITE || ky === INFINITE) out.setInfinity(sign);
  else if (kx === ZERO || ky === ZERO) out.setZero(sign);
  else if (x.sign !== 0 && x.exp >= BIAS) {
    out.copy(x);
    f.raise(PE);
  } else {
    logarithmPlus1(x);
    deliverProduct(f, y, out);
  }
}

/** Of 1 + x, x > -1. */
function logarithmPlus1(x: Extended): void {
  const m = significand(x);
  const s = BIAS + 63 - x.exp;
  if (x.exp < BIAS - BITS) {
    // ln(1 + x) is x less x^2/2, which is too small to matter.
    setLog((x.sign !== 0 ? -m : m) * LOG2E, s + BITS);
    exact = false;
  } else if (s < 0) {
    // Nor can the logarithm show the 1.
    logarithm(m, 63, x.exp - BIAS);
    exact = false;
  } else {
    const signed = x.sign !== 0 ? -m : m;
    const one = 1n << BigInt(s);
    const sum = one + signed;
    if (x.exp < BIAS - 6) {
      near(signed, sum + one, BIAS - x.exp + 2);
      exact = false;
      return;
    }
    const length = bitLength(sum);
    const power = sum >> BigInt(length - 1) === 0n ? length - 2 : length - 1;
    logarithm(sum << 64n, power + 64, power - s);
  }
}

/** out = 2^x - 1. Destroys x. */
export function powerOf2Minus1(f: Fpu, x: Extended, out: Extended): void {
  const kind = x.kind();
  if (settledByOne(f, kind, x, out)) return;
  acceptDenormal(f, kind, x);
  out.copy(x);
  if (kind === ZERO) return;
  if (kind === INFINITE) {
    if (x.sign !== 0) out.set(1, BIAS, 0x80000000 | 0, 0);
    return;
  }
  if (x.exp >= BIAS) {
    // 2^-1 - 1 = -1/2, 2^1 - 1 = 1; undefined beyond. The recorded part calls these inexact too.
    f.raise(PE);
    if (x.exp === BIAS && x.sign !== 0 && significand(x) === 1n << 63n) out.exp = BIAS - 1;
    return;
  }
  const m = significand(x);
  const s = BIAS + 63 - x.exp;
  const i = x.exp < BIAS - 6 ? 0 : Math.round((Number(m) / 2 ** s) * EXP_STEPS);
  if (i === 0) {
    // |x| < 1/32: relative precision.
    const z = scaled(m * LN2, -s);
    const factor = EXPM1.sum(x.sign !== 0 ? -z : z);
    deliver(f, out, x.sign, (m * LN2 * factor) >> POINT, s + BITS, false);
    return;
  }
  const rest = scaled(((m << 4n) - (BigInt(i) << BigInt(s))) * LN2, -(s + 4));
  const z = x.sign !== 0 ? -rest : rest;
  const power = POWERS[x.sign !== 0 ? EXP_STEPS - i : EXP_STEPS + i];
  const value = power - ONE + ((power * ((z * EXPM1.sum(z)) >> POINT)) >> POINT);
  deliver(f, out, x.sign, value < 0n ? -value : value, BITS, false);
}
