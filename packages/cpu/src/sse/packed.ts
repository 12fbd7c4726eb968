/**
 * Packed integer arithmetic on one 32-bit word at a time: four bytes, two words or a dword, as MMX and SSE2 define it (SDM Vol.
 * 1, 9.4 "MMX Instructions"; Vol. 2, the instructions' pages). Modular sums keep the lanes apart with a mask; what saturates
 * or compares goes lane by lane. Pure functions on int32; quadwords are pairs of words. No state, no lanes' order beyond a word.
 */

const HIGH8 = 0x80808080 | 0;
const REST8 = 0x7f7f7f7f;
const HIGH16 = 0x80008000 | 0;
const REST16 = 0x7fff7fff;

function bytes(a: number, b: number, c: number, d: number): number {
  return (a & 0xff) | ((b & 0xff) << 8) | ((c & 0xff) << 16) | (d << 24);
}

function words(low: number, high: number): number {
  return (low & 0xffff) | (high << 16);
}

function toInt8(v: number): number {
  return v < -0x80 ? -0x80 : v > 0x7f ? 0x7f : v;
}

function toUint8(v: number): number {
  return v < 0 ? 0 : v > 0xff ? 0xff : v;
}

function toInt16(v: number): number {
  return v < -0x8000 ? -0x8000 : v > 0x7fff ? 0x7fff : v;
}

function toUint16(v: number): number {
  return v < 0 ? 0 : v > 0xffff ? 0xffff : v;
}

// --- sums ---
export function addB(x: number, y: number): number {
  return ((x & REST8) + (y & REST8)) ^ ((x ^ y) & HIGH8);
}

export function addW(x: number, y: number): number {
  return ((x & REST16) + (y & REST16)) ^ ((x ^ y) & HIGH16);
}

export function addD(x: number, y: number): number {
  return (x + y) | 0;
}

export function subB(x: number, y: number): number {
  return ((x | HIGH8) - (y & REST8)) ^ ((x ^ ~y) & HIGH8);
}

export function subW(x: number, y: number): number {
  return ((x | HIGH16) - (y & REST16)) ^ ((x ^ ~y) & HIGH16);
}

export function subD(x: number, y: number): number {
  return (x - y) | 0;
}

export function addSB(x: number, y: number): number {
  return bytes(
    toInt8(((x << 24) >> 24) + ((y << 24) >> 24)),
    toInt8(((x << 16) >> 24) + ((y << 16) >> 24)),
    toInt8(((x << 8) >> 24) + ((y << 8) >> 24)),
    toInt8((x >> 24) + (y >> 24)),
  );
}

export function subSB(x: number, y: number): number {
  return bytes(
    toInt8(((x << 24) >> 24) - ((y << 24) >> 24)),
    toInt8(((x << 16) >> 24) - ((y << 16) >> 24)),
    toInt8(((x << 8) >> 24) - ((y << 8) >> 24)),
    toInt8((x >> 24) - (y >> 24)),
  );
}

export function addUB(x: number, y: number): number {
  return bytes(
    toUint8((x & 0xff) + (y & 0xff)),
    toUint8(((x >>> 8) & 0xff) + ((y >>> 8) & 0xff)),
    toUint8(((x >>> 16) & 0xff) + ((y >>> 16) & 0xff)),
    toUint8((x >>> 24) + (y >>> 24)),
  );
}

export function subUB(x: number, y: number): number {
  return bytes(
    toUint8((x & 0xff) - (y & 0xff)),
    toUint8(((x >>> 8) & 0xff) - ((y >>> 8) & 0xff)),
    toUint8(((x >>> 16) & 0xff) - ((y >>> 16) & 0xff)),
    toUint8((x >>> 24) - (y >>> 24)),
  );
}

export function addSW(x: number, y: number): number {
  return words(toInt16(((x << 16) >> 16) + ((y << 16) >> 16)), toInt16((x >> 16) + (y >> 16)));
}

export function subSW(x: number, y: number): number {
  return words(toInt16(((x << 16) >> 16) - ((y << 16) >> 16)), toInt16((x >> 16) - (y >> 16)));
}

export function addUW(x: number, y: number): number {
  return words(toUint16((x & 0xffff) + (y & 0xffff)), toUint16((x >>> 16) + (y >>> 16)));
}

export function subUW(x: number, y: number): number {
  return words(toUint16((x & 0xffff) - (y & 0xffff)), toUint16((x >>> 16) - (y >>> 16)));
}

// --- products ---
export function mulLW(x: number, y: number): number {
  return words(Math.imul(x, y), Math.imul(x >>> 16, y >>> 16));
}

export function mulHW(x: number, y: number): number {
  return words(Math.imul((x << 16) >> 16, (y << 16) >> 16) >> 16, Math.imul(x >> 16, y >> 16) >> 16);
}

export function mulHUW(x: number, y: number): number {
  return words(Math.imul(x & 0xffff, y & 0xffff) >>> 16, Math.imul(x >>> 16, y >>> 16) >>> 16);
}

export function maddWD(x: number, y: number): number {
  return (Math.imul((x << 16) >> 16, (y << 16) >> 16) + Math.imul(x >> 16, y >> 16)) | 0;
}

/** High word of an unsigned 32 x 32 bit product; the low one is `Math.imul`. */
export function mulHighD(x: number, y: number): number {
  const xl = x & 0xffff;
  const xh = x >>> 16;
  const yl = y & 0xffff;
  const yh = y >>> 16;
  const middle = xh * yl + ((xl * yl) >>> 16);
  const other = xl * yh + (middle % 0x10000);
  return (xh * yh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) | 0;
}

// --- logic ---
export function and(x: number, y: number): number {
  return x & y;
}

export function andNot(x: number, y: number): number {
  return ~x & y;
}

export function or(x: number, y: number): number {
  return x | y;
}

export function xor(x: number, y: number): number {
  return x ^ y;
}

// --- comparisons ---
export function eqB(x: number, y: number): number {
  const z = x ^ y;
  // A byte of z is zero where neither its low seven bits nor its high bit is set.
  const set = (((z & REST8) + REST8) | z) & HIGH8;
  const equal = (set >>> 7) ^ 0x01010101;
  return (equal << 8) - equal;
}

export function eqW(x: number, y: number): number {
  const z = x ^ y;
  return ((z & 0xffff) === 0 ? 0xffff : 0) | (z >>> 16 === 0 ? 0xffff0000 : 0);
}

export function eqD(x: number, y: number): number {
  return x === y ? -1 : 0;
}

export function gtB(x: number, y: number): number {
  return (
    ((x << 24) >> 24 > (y << 24) >> 24 ? 0xff : 0) |
    ((x << 16) >> 24 > (y << 16) >> 24 ? 0xff00 : 0) |
    ((x << 8) >> 24 > (y << 8) >> 24 ? 0xff0000 : 0) |
    (x >> 24 > y >> 24 ? 0xff000000 : 0)
  );
}

export function gtW(x: number, y: number): number {
  return ((x << 16) >> 16 > (y << 16) >> 16 ? 0xffff : 0) | (x >> 16 > y >> 16 ? 0xffff0000 : 0);
}

export function gtD(x: number, y: number): number {
  return x > y ? -1 : 0;
}

// --- minimum, maximum, average ---
export function minUB(x: number, y: number): number {
  return bytes(
    Math.min(x & 0xff, y & 0xff),
    Math.min((x >>> 8) & 0xff, (y >>> 8) & 0xff),
    Math.min((x >>> 16) & 0xff, (y >>> 16) & 0xff),
    Math.min(x >>> 24, y >>> 24),
  );
}

export function maxUB(x: number, y: number): number {
  return bytes(
    Math.max(x & 0xff, y & 0xff),
    Math.max((x >>> 8) & 0xff, (y >>> 8) & 0xff),
    Math.max((x >>> 16) & 0xff, (y >>> 16) & 0xff),
    Math.max(x >>> 24, y >>> 24),
  );
}

export function minSW(x: number, y: number): number {
  return words(Math.min((x << 16) >> 16, (y << 16) >> 16), Math.min(x >> 16, y >> 16));
}

export function maxSW(x: number, y: number): number {
  return words(Math.max((x << 16) >> 16, (y << 16) >> 16), Math.max(x >> 16, y >> 16));
}

/** Rounded up. */
export function avgB(x: number, y: number): number {
  return (x | y) - (((x ^ y) >>> 1) & REST8);
}

export function avgW(x: number, y: number): number {
  return (x | y) - (((x ^ y) >>> 1) & REST16);
}

/** Sum of the absolute differences of four bytes. */
export function sumOfDifferences(x: number, y: number): number {
  return (
    Math.abs((x & 0xff) - (y & 0xff)) +
    Math.abs(((x >>> 8) & 0xff) - ((y >>> 8) & 0xff)) +
    Math.abs(((x >>> 16) & 0xff) - ((y >>> 16) & 0xff)) +
    Math.abs((x >>> 24) - (y >>> 24))
  );
}

// --- packing (from two words, low first) and interleaving ---
export function packSSWB(low: number, high: number): number {
  return bytes(toInt8((low << 16) >> 16), toInt8(low >> 16), toInt8((high << 16) >> 16), toInt8(high >> 16));
}

export function packUSWB(low: number, high: number): number {
  return bytes(toUint8((low << 16) >> 16), toUint8(low >> 16), toUint8((high << 16) >> 16), toUint8(high >> 16));
}

export function packSSDW(low: number, high: number): number {
  return words(toInt16(low), toInt16(high));
}

/** Bytes 0 and 1 of both; `highBytes`: 2 and 3. */
export function lowBytes(x: number, y: number): number {
  return (x & 0xff) | ((y & 0xff) << 8) | ((x & 0xff00) << 8) | ((y & 0xff00) << 16);
}

export function highBytes(x: number, y: number): number {
  return ((x >>> 16) & 0xff) | ((y >>> 8) & 0xff00) | ((x >>> 8) & 0xff0000) | (y & 0xff000000);
}

export function lowWords(x: number, y: number): number {
  return (x & 0xffff) | (y << 16);
}

export function highWords(x: number, y: number): number {
  return (x >>> 16) | (y & 0xffff0000);
}

// --- shifts; `n` is 0..255 ---
export function srlW(x: number, n: number): number {
  return n > 15 ? 0 : ((x & 0xffff) >>> n) | ((x >>> (16 + n)) << 16);
}

export function srlD(x: number, n: number): number {
  return n > 31 ? 0 : x >>> n;
}

export function sraW(x: number, n: number): number {
  const count = n > 15 ? 15 : n;
  return words(((x << 16) >> 16) >> count, (x >> 16) >> count);
}

export function sraD(x: number, n: number): number {
  return x >> (n > 31 ? 31 : n);
}

export function sllW(x: number, n: number): number {
  return n > 15 ? 0 : words(x << n, (x >>> 16) << n);
}

export function sllD(x: number, n: number): number {
  return n > 31 ? 0 : x << n;
}

export function srlLowQ(low: number, high: number, n: number): number {
  if (n > 31) return n > 63 ? 0 : high >>> (n - 32);
  return n === 0 ? low : (low >>> n) | (high << (32 - n));
}

export function srlHighQ(high: number, n: number): number {
  return n > 31 ? 0 : high >>> n;
}

export function sllLowQ(low: number, n: number): number {
  return n > 31 ? 0 : low << n;
}

export function sllHighQ(low: number, high: number, n: number): number {
  if (n > 31) return n > 63 ? 0 : low << (n - 32);
  return n === 0 ? high : (high << n) | (low >>> (32 - n));
}

/** The 64-bit count at two words, brought down to 255 at most. */
export function shiftCount(low: number, high: number): number {
  return high !== 0 || low >>> 0 > 255 ? 255 : low;
}
