/**
 * Operand values for the vectors: a reproducible random generator, and for each kind of operand (integers, the three floating-point
 * formats, packed values, BCD, control words) a mixture of what trips processors over and of plain random bits. Values are numbers
 * up to 32 bits and byte arrays beyond. Nothing here knows instructions.
 */

/** xorshift32, seeded by a string: every form has a generator of its own, so that one form's cases do not move another's. */
export class Random {
  constructor(text) {
    let h = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    this.state = h | 1;
    for (let i = 0; i < 8; i++) this.next();
  }

  next() {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return s >>> 0;
  }

  /** 0..n-1 */
  below(n) {
    return this.next() % n;
  }

  /** One time in `n`. */
  chance(n) {
    return this.next() % n === 0;
  }

  pick(list) {
    return list[this.next() % list.length];
  }

  bytes(count) {
    return Array.from({ length: count }, () => this.next() >>> 24);
  }
}

const EDGES = {
  8: [0x00, 0x01, 0x02, 0x09, 0x0f, 0x10, 0x7e, 0x7f, 0x80, 0x81, 0x99, 0x9a, 0xfe, 0xff],
  16: [0x0000, 0x0001, 0x000f, 0x00ff, 0x0100, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xff00, 0xfffe, 0xffff],
  32: [0, 1, 0xf, 0xff, 0xffff, 0x10000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff],
};

/** An integer of `bits` bits, unsigned. */
export function integer(rnd, bits) {
  const kind = rnd.below(8);
  if (kind < 4) return rnd.pick(EDGES[bits]);
  const value = kind === 4 ? rnd.next() >>> rnd.below(32) : kind === 5 ? 2 ** rnd.below(bits) : rnd.next();
  return bits === 32 ? value >>> 0 : value % 2 ** bits;
}

export const bytesOf = (value, count) => {
  const big = BigInt.asUintN(count * 8, BigInt(value));
  return Array.from({ length: count }, (_, i) => Number((big >> BigInt(8 * i)) & 0xffn));
};

const random64 = (rnd) => (BigInt(rnd.next()) << 32n) | BigInt(rnd.next());

const SINGLES = [
  0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x00800001, 0x3f000000, 0x3f7fffff, 0x3f800000, 0x3f800001,
  0x3fc00000, 0x40000000, 0x4effffff, 0x4f000000, 0x46fffe00, 0x47000000, 0x5effffff, 0x5f000000, 0x7f7fffff,
  0x7f800000, 0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fc00001, 0x7fffffff,
];
const DOUBLES = [
  0n,
  1n,
  0xfffffffffffffn,
  0x0010000000000000n,
  0x0010000000000001n,
  0x36a0000000000000n, // the smallest denormal single
  0x380fffffe0000000n, // about the smallest normal single
  0x3810000000000000n,
  0x3fe0000000000000n,
  0x3fefffffffffffffn,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
  0x3ff0000010000000n,
  0x3ff8000000000000n,
  0x4000000000000000n,
  0x41dfffffffc00000n, // 2^31 - 1
  0x41dfffffffe00000n,
  0x41e0000000000000n,
  0x43e0000000000000n,
  0x47efffffe0000000n, // the largest single
  0x47effffff0000000n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0x7ff0000000000001n,
  0x7ff7ffffffffffffn,
  0x7ff8000000000000n,
  0x7ff8000000000001n,
  0x7fffffffffffffffn,
];

export function single(rnd) {
  const near = [0, 0x3f800000, 0x3f000000, 0x40000000, 0x4b000000, 0x7f000000, 0x00800000];
  const kind = rnd.below(8);
  const value = kind < 4 ? rnd.pick(SINGLES) : kind < 7 ? (rnd.next() & 0x7fffff) | rnd.pick(near) : rnd.next();
  return bytesOf(((value & 0x7fffffff) | (rnd.next() & 0x80000000)) >>> 0, 4);
}

export function double(rnd) {
  const near = [0n, 0x3ffn, 0x3fen, 0x400n, 0x380n, 0x433n, 0x41dn, 0x7fen, 1n];
  const kind = rnd.below(8);
  const r = random64(rnd);
  const value = kind < 4 ? rnd.pick(DOUBLES) : kind < 7 ? (r & 0xfffffffffffffn) | (rnd.pick(near) << 52n) : r;
  return bytesOf((value & 0x7fffffffffffffffn) | (BigInt(rnd.next() & 1) << 63n), 8);
}

const BIG = 1n << 63n;
const EXTENDED = [
  [0x0000, 0n],
  [0x0000, 1n],
  [0x0000, 0x7fffffffffffffffn],
  [0x0000, BIG], // pseudo-denormal
  [0x0000, BIG | 12345n],
  [0x0001, BIG],
  [0x0001, 0xffffffffffffffffn],
  [0x3bcd, BIG], // about the smallest double
  [0x3c00, 0xfffffffffffff800n],
  [0x3f6a, BIG | 1n], // about the smallest single
  [0x3f80, 0xffffff7fffffffffn],
  [0x3ffd, 0xaaaaaaaaaaaaaaabn],
  [0x3ffe, BIG],
  [0x3ffe, BIG | 1n],
  [0x3ffe, 0xffffffffffffffffn],
  [0x3fff, BIG],
  [0x3fff, BIG],
  [0x3fff, BIG | 1n],
  [0x3fff, 0xc000000000000000n],
  [0x3fff, 0xffffffffffffffffn],
  [0x4000, BIG],
  [0x4000, 0xa000000000000000n],
  [0x4000, 0xc90fdaa22168c235n],
  [0x3ffe, 0xc90fdaa22168c235n], // pi / 4
  [0x400d, 0xfffe000000000000n], // 32767
  [0x400d, 0xffff000000000000n], // 32767.5
  [0x400e, BIG],
  [0x400e, 0x8000800000000000n],
  [0x401d, 0xfffffffe00000000n], // 2^31 - 1
  [0x401d, 0xffffffff00000000n],
  [0x401e, BIG],
  [0x403a, 0xde0b6b3a763ffff0n], // 10^18 - 1
  [0x403a, 0xde0b6b3a763ffff8n],
  [0x403a, 0xde0b6b3a76400000n],
  [0x403d, 0xfffffffffffffffen],
  [0x403d, 0xffffffffffffffffn],
  [0x403e, BIG],
  [0x403e, BIG | 1n],
  [0x407e, 0xffffff0000000000n], // the largest single
  [0x407e, 0xffffff8000000000n],
  [0x43fe, 0xfffffffffffff800n], // the largest double
  [0x43fe, 0xfffffffffffffc00n],
  [0x7ffe, BIG],
  [0x7ffe, 0xffffffffffffffffn],
  [0x7fff, BIG],
  [0x7fff, BIG | 1n], // signalling NaN
  [0x7fff, 0xbfffffffffffffffn],
  [0x7fff, 0xc000000000000000n],
  [0x7fff, 0xc000000000000001n],
  [0x7fff, 0xffffffffffffffffn],
  [0x7fff, 0n], // pseudo-infinity
  [0x7fff, 1n], // pseudo-NaN
  [0x3fff, 0x7fffffffffffffffn], // unnormal
];

/** Runs of ones and zeros besides plain random bits: what rounding trips over. */
function significand(rnd) {
  const r = random64(rnd);
  const n = BigInt(rnd.below(64));
  const kinds = [r & ~((1n << n) - 1n), r | ((1n << n) - 1n), 1n << n, (r >> 32n) << 32n, r, r];
  kinds.push((r & ~0x7ffn) | rnd.pick([0n, 1n, 0x3ffn, 0x400n, 0x401n, 0x7ffn]));
  return rnd.pick(kinds) | BIG;
}

const pack = (se, sig) => [...bytesOf(sig, 8), ...bytesOf(se, 2)];
const sign = (rnd) => rnd.next() & 0x8000;
/** A normal number whose biased exponent lies in low..low+span-1. */
export const extendedNear = (rnd, low, span) => pack(((low + rnd.below(span)) & 0x7fff) | sign(rnd), significand(rnd));

export function extended(rnd) {
  switch (rnd.below(8)) {
    case 0:
    case 1:
    case 2: {
      const [se, sig] = rnd.pick(EXTENDED);
      return pack(se | sign(rnd), sig);
    }
    case 3:
      return extendedNear(rnd, 0x3ff0, 0x20);
    case 4:
      return extendedNear(rnd, 1, 0x7ffe);
    case 5:
      return extendedNear(rnd, 0x3fff - 64, 128);
    case 6:
      return extendedNear(rnd, 0x3ffd, 4);
    default:
      return extendedNear(rnd, 0x3fff, 1);
  }
}

/** Two operands that meet: near each other, or where results leave the exponent range. */
export function extendedPair(rnd) {
  switch (rnd.below(6)) {
    case 0: {
      const exponent = 0x3fff - 40 + rnd.below(80);
      const distance = rnd.pick([0, 0, 1, -1, 2, -2, 3, 63, 64, 65, -64]);
      return [extendedNear(rnd, exponent, 1), extendedNear(rnd, exponent + distance, 1)];
    }
    case 1:
      return [extendedNear(rnd, 1, 80), extendedNear(rnd, rnd.pick([1, 0x3fff - 70, 0x3fff]), 140)];
    case 2:
      return [extendedNear(rnd, 0x7f80, 0x7f), extendedNear(rnd, rnd.pick([0x7f00, 0x3fff, 0x3fff - 70]), 128)];
    default:
      return [extended(rnd), extended(rnd)];
  }
}

/** A packed BCD integer of 18 digits. */
export function bcd(rnd) {
  const bytes = Array.from({ length: 9 }, () => (rnd.below(10) << 4) | rnd.below(10));
  for (let i = rnd.below(10); i < 9; i++) bytes[i] = 0;
  return [...bytes, (rnd.next() & 1) << 7];
}

/** Little-endian integer bytes. */
export const integerBytes = (rnd, size) => {
  if (size <= 4) return bytesOf(integer(rnd, size * 8), size);
  const edges = [0n, 1n, -1n, 1n << 63n, (1n << 63n) - 1n, 10n];
  return bytesOf(rnd.chance(3) ? rnd.pick(edges) : random64(rnd) >> BigInt(rnd.below(64)), size);
};

/** 8 or 16 bytes of packed elements of `width` bytes; edges and random bits. */
export function packed(rnd, size) {
  const width = rnd.pick([1, 2, 4]);
  const out = [];
  if (rnd.chance(3)) return rnd.bytes(size);
  while (out.length < size) out.push(...bytesOf(integer(rnd, width * 8), width));
  return out;
}
export function packedSingles(rnd, size) {
  const out = [];
  while (out.length < size) out.push(...single(rnd));
  return out;
}
export function packedDoubles(rnd, size) {
  const out = [];
  while (out.length < size) out.push(...double(rnd));
  return out;
}

/** An x87 control word: any rounding and precision; at times some exceptions unmasked. */
export function controlWord(rnd) {
  const masks = rnd.chance(4) ? rnd.next() & 0x3f : 0x3f;
  return 0x40 | ((rnd.next() & 3) << 10) | (rnd.pick([0, 2, 3, 3]) << 8) | masks;
}

/** MXCSR: any rounding, FTZ and DAZ at times, sticky flags at times, exceptions unmasked at times. */
export function mxcsr(rnd) {
  const masks = rnd.chance(4) ? (rnd.next() & 0x3f) << 7 : 0x1f80;
  const modes = ((rnd.next() & 3) << 13) | (rnd.chance(4) ? 0x8000 : 0) | (rnd.chance(4) ? 0x40 : 0);
  const sticky = rnd.chance(4) ? rnd.next() & 0x3f : 0;
  // A sticky flag that is not masked faults with the next instruction only if that raises it again.
  return masks | modes | sticky;
}

/** Near a multiple of pi / 4, as near as 64 bits allow or somewhat off; or any angle, up to and beyond 2^63. */
export function angle(rnd) {
  const kind = rnd.below(4);
  if (kind === 0) return extendedNear(rnd, 0x3fff - 80, 80);
  if (kind === 1) return extendedNear(rnd, 0x3fff, 68);
  if (kind === 2) return extendedNear(rnd, 0x3fff - 8, 12);
  const quarterPi = 0xc90fdaa22168c234c4c6628b80dc1cd1n; // times 2^-128
  const multiple = quarterPi * BigInt(1 + rnd.below(64) * 2 ** rnd.below(20));
  const bits = BigInt(multiple.toString(2).length);
  const off = BigInt(rnd.pick([0, 0, 1, -1, 2, 1 << 20, rnd.below(4096)]));
  return pack((0x3fff + Number(bits) - 129) | sign(rnd), ((multiple >> (bits - 64n)) + off) | BIG);
}

/** A positive number that is most often near 1. */
export function ratio(rnd) {
  const close = significand(rnd) >> BigInt(1 + rnd.below(63));
  const kind = rnd.below(4);
  if (kind === 0) return pack(0x3fff, BIG | close);
  if (kind === 1) return pack(0x3ffe, ~close & 0xffffffffffffffffn);
  if (kind === 2) return pack(1 + rnd.below(0x7ffe), rnd.chance(3) ? BIG : significand(rnd));
  return pack(0x3ff8 + rnd.below(16), significand(rnd));
}

/** A number whose exponent does not reach `top`, often not by much. */
export function fraction(rnd, top) {
  const span = rnd.chance(3) ? 80 : 5;
  return extendedNear(rnd, top - span, span);
}
