/**
 * What the SSE probe runs. A form is `{ family, name, bytes, a, b, to, result }`: `a` and `b` say what the first and the second operand
 * are made of, `<count><type>` with type s (single), d (double) or i (32-bit integer), 0 when the instruction does not read it; `to` is
 * where the result goes: x (XMM0), m (MM0), r (EAX), f (EFLAGS), and `result` what it is made of. Nothing here runs anything;
 * record.mjs does.
 */
let seed = 0x2545f491;
/** A reproducible 32-bit random number (xorshift). */
export function random() {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}
export function reseed(value) {
  seed = value | 1;
}
const pick = (list) => list[random() % list.length];

const PREFIX = { ps: [], ss: [0xf3], pd: [0x66], sd: [0xf2] };
const SHAPE = { ps: '4s', ss: '1s', pd: '2d', sd: '1d' };

function regular(family, name, opcode, kinds, unary = false) {
  return kinds.map((kind) => ({
    family,
    name: name + kind,
    bytes: [...PREFIX[kind], 0x0f, opcode, 0xc1],
    a: unary ? '0' : SHAPE[kind],
    b: SHAPE[kind],
    to: 'x',
    result: SHAPE[kind],
  }));
}
const ALL = ['ps', 'ss', 'pd', 'sd'];
const convert = (name, bytes, b, to, result) => ({
  family: 'convert',
  name,
  bytes: [...bytes, 0xc1],
  a: '0',
  b,
  to,
  result,
});

export const forms = [
  ...regular('arithmetic', 'add', 0x58, ALL),
  ...regular('arithmetic', 'sub', 0x5c, ALL),
  ...regular('arithmetic', 'mul', 0x59, ALL),
  ...regular('arithmetic', 'div', 0x5e, ALL),
  ...regular('arithmetic', 'sqrt', 0x51, ALL, true),
  ...regular('compare', 'min', 0x5d, ALL),
  ...regular('compare', 'max', 0x5f, ALL),
  ...ALL.flatMap((kind) =>
    ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'].map((predicate, n) => ({
      family: 'compare',
      name: `cmp${predicate}${kind}`,
      bytes: [...PREFIX[kind], 0x0f, 0xc2, 0xc1, n],
      a: SHAPE[kind],
      b: SHAPE[kind],
      to: 'x',
      result: SHAPE[kind],
    })),
  ),
  ...['ucomi', 'comi'].flatMap((name, n) => [
    { family: 'compare', name: `${name}ss`, bytes: [0x0f, 0x2e + n, 0xc1], a: '1s', b: '1s', to: 'f', result: '' },
    {
      family: 'compare',
      name: `${name}sd`,
      bytes: [0x66, 0x0f, 0x2e + n, 0xc1],
      a: '1d',
      b: '1d',
      to: 'f',
      result: '',
    },
  ]),
  convert('cvtpi2ps', [0x0f, 0x2a], '2i', 'x', '2s'),
  convert('cvtsi2ss', [0xf3, 0x0f, 0x2a], '1i', 'x', '1s'),
  convert('cvtpi2pd', [0x66, 0x0f, 0x2a], '2i', 'x', '2d'),
  convert('cvtsi2sd', [0xf2, 0x0f, 0x2a], '1i', 'x', '1d'),
  convert('cvttps2pi', [0x0f, 0x2c], '2s', 'm', '2i'),
  convert('cvttss2si', [0xf3, 0x0f, 0x2c], '1s', 'r', '1i'),
  convert('cvttpd2pi', [0x66, 0x0f, 0x2c], '2d', 'm', '2i'),
  convert('cvttsd2si', [0xf2, 0x0f, 0x2c], '1d', 'r', '1i'),
  convert('cvtps2pi', [0x0f, 0x2d], '2s', 'm', '2i'),
  convert('cvtss2si', [0xf3, 0x0f, 0x2d], '1s', 'r', '1i'),
  convert('cvtpd2pi', [0x66, 0x0f, 0x2d], '2d', 'm', '2i'),
  convert('cvtsd2si', [0xf2, 0x0f, 0x2d], '1d', 'r', '1i'),
  convert('cvtps2pd', [0x0f, 0x5a], '2s', 'x', '2d'),
  convert('cvtpd2ps', [0x66, 0x0f, 0x5a], '2d', 'x', '4s'),
  convert('cvtss2sd', [0xf3, 0x0f, 0x5a], '1s', 'x', '1d'),
  convert('cvtsd2ss', [0xf2, 0x0f, 0x5a], '1d', 'x', '1s'),
  convert('cvtdq2ps', [0x0f, 0x5b], '4i', 'x', '4s'),
  convert('cvtps2dq', [0x66, 0x0f, 0x5b], '4s', 'x', '4i'),
  convert('cvttps2dq', [0xf3, 0x0f, 0x5b], '4s', 'x', '4i'),
  convert('cvttpd2dq', [0x66, 0x0f, 0xe6], '2d', 'x', '4i'),
  convert('cvtdq2pd', [0xf3, 0x0f, 0xe6], '2i', 'x', '2d'),
  convert('cvtpd2dq', [0xf2, 0x0f, 0xe6], '2d', 'x', '4i'),
  ...regular('approximate', 'rcp', 0x53, ['ps', 'ss'], true),
  ...regular('approximate', 'rsqrt', 0x52, ['ps', 'ss'], true),
];

/** A format: exponent and fraction bits, and the exponents where something happens. */
const FORMATS = {
  s: { expBits: 8n, fracBits: 23n, bias: 127 },
  d: { expBits: 11n, fracBits: 52n, bias: 1023 },
};

/** Plain random bits, runs of ones and zeros, few bits: what rounding trips over. */
function fraction(bits) {
  const r = ((BigInt(random()) << 32n) | BigInt(random())) & ((1n << bits) - 1n);
  const cut = BigInt(random() % Number(bits + 1n));
  switch (random() % 7) {
    case 0:
      return 0n;
    case 1:
      return (1n << bits) - 1n;
    case 2:
      return (r >> cut) << cut;
    case 3:
      return r | ((1n << cut) - 1n);
    case 4:
      return cut === bits ? 1n : 1n << cut;
    default:
      return r;
  }
}

/** A finite number with about the given unbiased exponent, denormal or infinite beyond the format's range. */
function near(type, exponent) {
  const { expBits, fracBits, bias } = FORMATS[type];
  const top = (1 << Number(expBits)) - 1;
  const biased = Math.max(0, Math.min(top, exponent + bias + (random() % 5) - 2));
  const sign = BigInt(random() & 1) << (expBits + fracBits);
  return sign | (BigInt(biased) << fracBits) | (biased === top ? 0n : fraction(fracBits));
}

function special(type) {
  const { expBits, fracBits, bias } = FORMATS[type];
  const inf = ((1n << expBits) - 1n) << fracBits;
  const min = 1n << fracBits;
  const one = BigInt(bias) << fracBits;
  const quiet = 1n << (fracBits - 1n);
  const value = pick([
    0n,
    1n,
    min - 1n,
    min,
    min + 1n,
    one,
    one - 1n,
    one + 1n,
    inf - 1n,
    inf,
    inf,
    inf | quiet,
    inf | quiet | fraction(fracBits - 1n),
    inf | 1n,
    inf | fraction(fracBits - 1n) | 2n,
    fraction(fracBits),
  ]);
  return value | (BigInt(random() & 1) << (expBits + fracBits));
}

/** Numbers around the ends of 32-bit integers, small halves, and what has an integer part at all. */
function aroundIntegers(type) {
  const value =
    random() % 3 === 0
      ? pick([2 ** 31, -(2 ** 31), 2 ** 32, 0]) + pick([-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, -1.5])
      : ((random() | 0) / 2 ** (random() % 34)) | 0;
  const bytes = Buffer.alloc(8);
  const exact = random() & 1 ? value : value + pick([0, 0.5, -0.5, 0.25, 1e-7, -1e-7]);
  if (type === 'd') {
    bytes.writeDoubleLE(exact);
    return bytes.readBigUInt64LE();
  }
  bytes.writeFloatLE(exact);
  return BigInt(bytes.readUInt32LE());
}

function integer() {
  const r = random();
  const value = pick([
    r,
    r,
    r >>> (random() % 32),
    -(r >>> (random() % 32)),
    0x80000000,
    0x7fffffff,
    0xffffffff,
    r & -128,
  ]);
  return BigInt.asUintN(32, BigInt(value));
}

/** Two elements that have to do with each other: the exponents of a and b decide where sum, product and quotient lie. */
function pair(type) {
  const { bias } = FORMATS[type];
  const kind = random() % 16;
  if (kind === 0) return [special(type), special(type)];
  if (kind === 1) return [special(type), near(type, (random() % (2 * bias)) - bias)];
  if (kind === 2) return [near(type, (random() % (2 * bias)) - bias), special(type)];
  if (kind < 5) return [aroundIntegers(type), aroundIntegers(type)];
  const e = (random() % (2 * bias)) - bias;
  if (kind < 8) return [near(type, e), near(type, e + (random() % 70) - 35)];
  // Products and quotients at the ends of the range.
  if (kind === 8) return [near(type, e), near(type, -bias - e + 2)];
  if (kind === 9) return [near(type, e), near(type, bias - e)];
  if (kind === 10) return [near(type, e), near(type, e + bias - 1)];
  if (kind === 11) return [near(type, e), near(type, e - bias)];
  if (kind === 12) return [near(type, -bias + (random() % 60)), near(type, -bias + (random() % 60))];
  // The double next to what a single can hold.
  if (kind === 13) return [near(type, -127 - (random() % 26)), near(type, pick([-150, -149, -127, -126, 127]))];
  return [near(type, (random() % 64) - 32), near(type, (random() % 64) - 32)];
}

const width = (type) => (type === 'd' ? 64n : 32n);

/** Both operands, 128 bits each; elements that are not read are random bits. */
export function operands({ a, b }) {
  const type = b.at(-1);
  const noise = () =>
    (BigInt(random()) << 96n) | (BigInt(random()) << 64n) | (BigInt(random()) << 32n) | BigInt(random());
  let first = noise();
  let second = noise();
  const count = parseInt(b, 10);
  for (let i = 0n; i < BigInt(count); i++) {
    const [one, two] = type === 'i' ? [integer(), integer()] : pair(type);
    const mask = ((1n << width(type)) - 1n) << (i * width(type));
    second = (second & ~mask) | (two << (i * width(type)));
    if (a !== '0') first = (first & ~mask) | (one << (i * width(type)));
  }
  return [first, second];
}

/** Half of the time everything masked; the inexact flag often set already, as it soon is in real programs. */
export function mxcsr() {
  let value = (random() & 3) << 13;
  if (random() % 3 === 0) value |= 0x8000;
  if (random() % 3 === 0) value |= 0x40;
  value |= random() & 1 ? 0x1f80 : random() & 0x1f80;
  if (random() % 3 === 0) value &= ~0x6000;
  if (random() % 3 === 0) value |= 0x20;
  if (random() % 4 === 0) value |= random() & 0x3f;
  return value;
}
