/**
 * Packed BCD integers: 18 digits in 9 bytes, sign in the top bit of the tenth (SDM Vol. 1, 4.7 "BCD and Packed BCD Integers").
 * Rare, so BigInt does. Digits above nine are undefined to load; like hardware we add them up by weight.
 */
import { MIN_HI, type Extended } from './extended.js';
import type { Fpu } from './fpu.js';
import { toInteger } from './convert.js';

const MASK32 = 0xffffffffn;
const LIMIT = 1_000_000_000_000_000_000n;

/** Ten bytes, lowest first, to extended. */
export function fromBcd(bytes: Uint8Array, out: Extended): void {
  let value = 0n;
  for (let i = 8; i >= 0; i--) value = value * 100n + BigInt((bytes[i] >> 4) * 10 + (bytes[i] & 15));
  out.setInteger(bytes[9] >> 7, Number(value >> 32n) | 0, Number(value & MASK32) | 0);
}

/** Rounds x to a BCD integer of ten bytes; invalid when it has more than 18 digits. */
export function toBcd(f: Fpu, x: Extended, bytes: Uint8Array): void {
  const { sign } = x;
  const before = f.raised;
  toInteger(f, x, 8);
  const value = (BigInt(f.r.hi) << 32n) | BigInt(f.r.lo >>> 0);
  let rest = value < 0n ? -value : value;
  if (rest >= LIMIT || (f.r.hi === MIN_HI && f.r.lo === 0)) {
    f.raised = before;
    f.up = false;
    f.invalid(f.r);
    indefiniteBcd(bytes);
    return;
  }
  for (let i = 0; i < 9; i++) {
    const pair = Number(rest % 100n);
    rest /= 100n;
    bytes[i] = (Math.floor(pair / 10) << 4) | (pair % 10);
  }
  bytes[9] = sign << 7;
}

function indefiniteBcd(bytes: Uint8Array): void {
  bytes.fill(0);
  bytes[7] = 0xc0;
  bytes[8] = 0xff;
  bytes[9] = 0xff;
}
