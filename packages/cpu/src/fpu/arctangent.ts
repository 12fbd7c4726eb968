/**
 * FPATAN: the angle of the point (ST(0), ST(1)), in all four quadrants (SDM Vol. 2, "FPATAN—Partial Arctangent", table "FPATAN
 * Results"). The lesser coordinate over the greater is r <= 1; with c = i/16 next to r, atan(r) = atan(c) + atan((r - c) / (1 + r c)).
 * Unlike the trigonometric instructions this one uses all of pi.
 */
import { INFINITE, ZERO, type Extended } from './extended.js';
import { ARC, arcTangent, BITS, deliver, ONE, POINT, quotient, scaled, significand } from './fixed.js';
import type { Fpu } from './fpu.js';
import { acceptDenormal, settledByTwo } from './nan.js';

const STEPS = 16;
/** atan(i/16), each by the addition theorem from the one before. */
const NODES: bigint[] = [0n];
for (let i = 1; i <= STEPS; i++) NODES.push(NODES[i - 1] + arcTangent(quotient(STEPS, STEPS * STEPS + i * (i - 1))));

/** Machin's formula. */
const PI = 16n * arcTangent(quotient(1, 5)) - 4n * arcTangent(quotient(1, 239));
const HALF_PI = PI / 2n;

/** atan(numerator / denominator) <= pi/4 as `angle * 2^-point`. */
let angle = 0n;
let point = 0;

function arc(numerator: bigint, denominator: bigint, by: number): void {
  // r = numerator / denominator * 2^-by, to BITS significant bits or more.
  const r = (numerator << POINT) / denominator;
  point = BITS + by;
  const i = by > 8 ? 0 : Math.round(Number(scaled(r, 64 - point)) * (STEPS / 2 ** 64));
  if (i === 0) {
    angle = r * ARC.alternating(scaled(r * r, BITS - 2 * point));
    point += BITS;
    return;
  }
  const fixed = scaled(r, -by);
  const c = BigInt(i) << (POINT - 4n);
  const d = ((fixed - c) << POINT) / (ONE + ((fixed * c) >> POINT));
  angle = NODES[i] + ((d * ARC.alternating((d * d) >> POINT)) >> POINT);
  point = BITS;
}

/** out = angle of the point (x, y), between -pi and pi. Destroys x and y. */
export function arctangent(f: Fpu, x: Extended, y: Extended, out: Extended): void {
  const kx = x.kind();
  const ky = y.kind();
  if (settledByTwo(f, kx, ky, x, y, out)) return;
  acceptDenormal(f, kx, x);
  acceptDenormal(f, ky, y);
  const { sign } = y;
  const left = x.sign !== 0;
  if (ky === ZERO || (kx === INFINITE && ky !== INFINITE)) {
    if (left) deliver(f, out, sign, PI, BITS, false);
    else out.setZero(sign);
    return;
  }
  if (kx === ZERO || (ky === INFINITE && kx !== INFINITE)) {
    deliver(f, out, sign, HALF_PI, BITS, false);
    return;
  }
  if (kx === INFINITE) {
    deliver(f, out, sign, left ? HALF_PI + PI / 4n : PI / 4n, BITS, false);
    return;
  }
  const mx = significand(x);
  const my = significand(y);
  const by = x.exp - y.exp;
  const steep = by < 0 || (by === 0 && my > mx);
  if (steep) arc(mx, my, -by);
  else arc(my, mx, by);
  if (!steep && !left) {
    deliver(f, out, sign, angle, point, false);
    return;
  }
  // Far below the last bit an arc only says on which side of the multiple of pi/2 the result lies, which the true bits say too.
  const small = scaled(angle, BITS - point);
  const result = steep ? (left ? HALF_PI + small : HALF_PI - small) : PI - small;
  deliver(f, out, sign, result, BITS, false);
}
