/**
 * The constants of FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2: 64 bits chopped, and whether rounding to nearest goes up (SDM Vol. 1,
 * 8.3.8 "Pi"; Vol. 2, "FLD1/FLDL2T/..."). Rounded by the rounding mode, without a precision exception.
 */
import type { Extended } from './extended.js';
import { NEAREST, UP, type Fpu } from './fpu.js';

interface Constant {
  readonly exp: number;
  readonly hi: number;
  readonly lo: number;
  readonly nearestUp: boolean;
}

export const LOG2_10: Constant = { exp: 0x4000, hi: 0xd49a784b | 0, lo: 0xcd1b8afe | 0, nearestUp: false };
export const LOG2_E: Constant = { exp: 0x3fff, hi: 0xb8aa3b29 | 0, lo: 0x5c17f0bb | 0, nearestUp: true };
export const PI: Constant = { exp: 0x4000, hi: 0xc90fdaa2 | 0, lo: 0x2168c234 | 0, nearestUp: true };
export const LOG10_2: Constant = { exp: 0x3ffd, hi: 0x9a209a84 | 0, lo: 0xfbcff798 | 0, nearestUp: true };
export const LN_2: Constant = { exp: 0x3ffe, hi: 0xb17217f7 | 0, lo: 0xd1cf79ab | 0, nearestUp: true };

export function loadConstant(f: Fpu, constant: Constant, out: Extended): void {
  const up = f.rounding === UP || (f.rounding === NEAREST && constant.nearestUp);
  out.set(0, constant.exp, constant.hi, (constant.lo + (up ? 1 : 0)) | 0);
}
