/**
 * What the FPU probe runs: forms `{ name, bytes, stack, memory, cases }`. `stack` names the occupied registers in their order
 * from ST(0); ST(0) is R4 always. A case is `{ cw, sw, values, mem }`: `values` for the occupied registers as [sign+exponent,
 * significand (BigInt)], `mem` the memory operand as bytes. Nothing here runs anything; record.mjs does.
 */
let seed = 0x2545f491;
/** A reproducible 32-bit random number (xorshift). */
export function random() {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}
const pick = (list) => list[random() % list.length];
const BIG = 1n << 63n;

/** Runs of ones and zeros besides plain random bits: what rounding trips over. */
function bits64() {
  const r = (BigInt(random()) << 32n) | BigInt(random());
  switch (random() % 6) {
    case 0:
      return r & ~((1n << BigInt(random() % 64)) - 1n);
    case 1:
      return r | ((1n << BigInt(random() % 64)) - 1n);
    case 2:
      return 1n << BigInt(random() % 64);
    case 3:
      return (r >> 32n) << 32n;
    case 4:
      return (r & ~0x7ffn) | BigInt(pick([0, 1, 0x3ff, 0x400, 0x401, 0x7ff]));
    default:
      return r;
  }
}

const EDGES = [
  [0x0000, 0n],
  [0x0000, 1n],
  [0x0000, 0x7fffffffffffffffn],
  [0x0000, BIG], // pseudo-denormal
  [0x0000, BIG | 12345n],
  [0x0001, BIG],
  [0x0001, 0xffffffffffffffffn],
  [0x3bcd, 0x8000000000000000n], // about the smallest double
  [0x3c00, 0xfffffffffffff800n],
  [0x3f6a, 0x8000000000000001n], // about the smallest single
  [0x3f80, 0xffffff7fffffffffn],
  [0x3ffd, 0xaaaaaaaaaaaaaaabn],
  [0x3ffe, BIG],
  [0x3ffe, BIG | 1n],
  [0x3ffe, 0xffffffffffffffffn],
  [0x3fff, BIG],
  [0x3fff, BIG | 1n],
  [0x3fff, 0xc000000000000000n],
  [0x3fff, 0xffffffffffffffffn],
  [0x4000, BIG],
  [0x4000, 0xa000000000000000n],
  [0x4000, 0xc90fdaa22168c235n],
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
  [0x407e, 0xffffff0000000000n], // largest single
  [0x407e, 0xffffff8000000000n],
  [0x43fe, 0xfffffffffffff800n], // largest double
  [0x43fe, 0xfffffffffffffc00n],
  [0x7ffe, BIG],
  [0x7ffe, 0xffffffffffffffffn],
  [0x7fff, BIG],
  [0x7fff, BIG | 1n], // SNaN
  [0x7fff, 0xbfffffffffffffffn],
  [0x7fff, 0xc000000000000000n],
  [0x7fff, 0xc000000000000001n],
  [0x7fff, 0xffffffffffffffffn],
  [0x7fff, 0n], // pseudo-infinity
  [0x7fff, 1n], // pseudo-NaN
  [0x3fff, 0x7fffffffffffffffn], // unnormal
];
const edge = () => {
  const [se, sig] = pick(EDGES);
  return [se | (random() & 0x8000), sig];
};
const number = (low, span) => [((low + (random() % span)) & 0x7fff) | (random() & 0x8000), bits64() | BIG];
const anything = () => {
  switch (random() % 5) {
    case 0:
      return edge();
    case 1:
      return number(0x3ff0, 0x20);
    case 2:
      return number(1, 0x7ffe);
    case 3:
      return number(0x3fff - 64, 128);
    default:
      return number(0x3fff, 1);
  }
};
/** Two operands that meet: near each other, or where results leave the exponent range. */
function meeting() {
  switch (random() % 6) {
    case 0:
      return [edge(), edge()];
    case 1:
      return [edge(), anything()];
    case 2: {
      const a = number(0x3fff - 40, 80);
      return [
        a,
        [((a[0] & 0x7fff) + pick([0, 0, 1, -1, 2, -2, 3, 63, 64, 65, -64])) | (random() & 0x8000), bits64() | BIG],
      ];
    }
    case 3:
      return [number(1, 80), number(pick([1, 0x3fff - 70, 0x3fff]), 140)];
    case 4:
      return [number(0x7f80, 0x7f), number(pick([0x7f00, 0x3fff, 0x3fff - 70]), 128)];
    default:
      return [anything(), anything()];
  }
}

const PRECISIONS = [0x000, 0x200, 0x300];
/** Mostly everything masked, under every rounding and precision; at times some exceptions unmasked. */
function control() {
  const rounding = (random() & 3) << 10;
  const precision = pick([...PRECISIONS, 0x300]);
  const masks = random() % 4 === 0 ? random() & 0x3f : 0x3f;
  return 0x40 | rounding | precision | masks;
}
/** TOP is 4; condition codes are random, to see which an instruction leaves. */
const status = () => 0x2000 | (random() & 0x4700);

const bytesOf = (value, count) => Array.from({ length: count }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
function single() {
  const specials = [0, 1, 0x7fffff, 0x800000, 0x3f800000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff];
  const v =
    random() % 2 ? pick(specials) : random() % 2 ? random() : (random() & 0x7fffff) | pick([0, 0x3f800000, 0x3f000000]);
  return bytesOf(BigInt(((v & 0x7fffffff) | (random() & 0x80000000)) >>> 0), 4);
}
function double() {
  const specials = [
    0n,
    1n,
    0xfffffffffffffn,
    1n << 52n,
    0x3ffn << 52n,
    0x7fefffffffffffffn,
    0x7ffn << 52n,
    (0x7ffn << 52n) | 1n,
    0xfffn << 51n,
  ];
  const r = (BigInt(random()) << 32n) | BigInt(random());
  const near = (r & 0xfffffffffffffn) | (pick([0n, 0x3ffn, 0x3fen, 0x400n]) << 52n);
  const v = random() % 2 ? pick(specials) : random() % 2 ? r : near;
  return bytesOf((v & 0x7fffffffffffffffn) | (BigInt(random() & 1) << 63n), 8);
}
const extended = () => {
  const [se, sig] = random() % 3 ? anything() : edge();
  return [...bytesOf(sig, 8), ...bytesOf(BigInt(se), 2)];
};
const integer = (size) => () => {
  const specials = [0n, 1n, -1n, 1n << BigInt(size * 8 - 1), (1n << BigInt(size * 8 - 1)) - 1n, 10n];
  const r = ((BigInt(random()) << 32n) | BigInt(random())) >> BigInt(random() % 64);
  return bytesOf(BigInt.asUintN(64, random() % 3 ? r : pick(specials)), size);
};
const bcd = () => {
  const bytes = Array.from({ length: 9 }, () => ((random() % 10) << 4) | (random() % 10));
  for (let i = random() % 10; i < 9; i++) bytes[i] = 0;
  return [...bytes, (random() & 1) << 7];
};
const junk = () => Array.from({ length: 12 }, () => random() & 0xff);

const times = (count, make) => Array.from({ length: count }, make);

/** Memory operands are [ESI]: r/m 6. */
const mem = (op, ext) => [op, (ext << 3) | 6];
const reg = (op, ext, i) => [op, 0xc0 | (ext << 3) | i];

function form(name, bytes, stack, make, count) {
  return { name, bytes, stack, cases: times(count, () => ({ cw: control(), sw: status(), ...make() })) };
}
const one = () => ({ values: [anything()] });
const two = () => ({ values: meeting() });
const three = () => ({ values: [...meeting(), anything()] });
const none = () => ({ values: [] });
const FULL = [0, 1, 2, 3, 4, 5, 6, 7];
const full = () => ({ values: times(8, anything) });

const OPERATIONS = [
  ['fadd', 0, 0],
  ['fmul', 1, 1],
  ['fsub', 4, 5],
  ['fsubr', 5, 4],
  ['fdiv', 6, 7],
  ['fdivr', 7, 6],
];
const SOURCES = [
  ['m32', 0xd8, single],
  ['m64', 0xdc, double],
  ['i32', 0xda, integer(4)],
  ['i16', 0xde, integer(2)],
];

function arithmetic(scale) {
  const n = 9 * scale;
  return OPERATIONS.flatMap(([name, ext, rext]) => [
    ...SOURCES.map(([source, op, value]) =>
      form(
        `${name}_${source}`,
        mem(op, ext),
        [0],
        () => ({ values: [random() % 3 ? anything() : edge()], mem: value() }),
        n,
      ),
    ),
    form(`${name}_0_1`, reg(0xd8, ext, 1), [0, 1], two, 6 * n),
    form(`${name}_2_0`, reg(0xdc, rext, 2), [0, 1, 2], three, n),
    form(`${name}p_1_0`, reg(0xde, rext, 1), [0, 1], two, n),
    form(`${name}_empty`, reg(0xd8, ext, 1), [0], one, 3),
    form(`${name}p_empty`, reg(0xde, rext, 1), [1], one, 3),
    form(`${name}_m_empty`, mem(0xd8, ext), [], () => ({ values: [], mem: single() }), 3),
  ]);
}

function unary(scale) {
  const n = 30 * scale;
  const one9 = [
    ['fchs', 0xe0, 20],
    ['fabs', 0xe1, 20],
    ['ftst', 0xe4, 30],
    ['fxam', 0xe5, 50],
    ['fxtract', 0xf4, 40],
    ['fsqrt', 0xfa, 100],
    ['frndint', 0xfc, 100],
  ];
  const two9 = [
    ['fprem1', 0xf5],
    ['fprem', 0xf8],
    ['fscale', 0xfd],
  ];
  return [
    ...one9.flatMap(([name, rm, count]) => [
      form(name, [0xd9, rm], [0], () => ({ values: [random() % 2 ? anything() : edge()] }), count * scale),
      form(`${name}_empty`, [0xd9, rm], [1], one, 2),
    ]),
    ...two9.flatMap(([name, rm]) => [
      form(name, [0xd9, rm], [0, 1], two, 3 * n),
      form(`${name}_small`, [0xd9, rm], [0, 1], () => ({ values: [anything(), number(0x3ffe, 18)] }), 2 * n),
      form(`${name}_empty`, [0xd9, rm], [0], one, 2),
    ]),
    form('fxtract_full', [0xd9, 0xf4], FULL, full, 4),
  ];
}

function transfer(scale) {
  const n = 20 * scale;
  const load = (name, bytes, value, count) => [
    form(name, bytes, [0], () => ({ values: [anything()], mem: value() }), count),
    form(`${name}_full`, bytes, FULL, () => ({ ...full(), mem: value() }), 2),
  ];
  const store = (name, bytes, count, empty = true) => [
    form(name, bytes, [0, 1], () => ({ values: [random() % 2 ? anything() : edge(), anything()], mem: junk() }), count),
    ...(empty ? [form(`${name}_empty`, bytes, [1], () => ({ ...one(), mem: junk() }), 3)] : []),
  ];
  const near = (low, span) => () => ({ values: [number(low, span), anything()], mem: junk() });
  return [
    ...load('fld_m32', mem(0xd9, 0), single, n),
    ...load('fld_m64', mem(0xdd, 0), double, n),
    ...load('fld_m80', mem(0xdb, 5), extended, n),
    ...load('fild_m16', mem(0xdf, 0), integer(2), n),
    ...load('fild_m32', mem(0xdb, 0), integer(4), n),
    ...load('fild_m64', mem(0xdf, 5), integer(8), n),
    ...load('fbld', mem(0xdf, 4), bcd, n),
    form('fld_st1', reg(0xd9, 0, 1), [0, 1], two, 10),
    form('fld_st1_empty', reg(0xd9, 0, 1), [0], one, 4),
    form('fld_st1_full', reg(0xd9, 0, 1), FULL, full, 4),
    form('fld_st0_empty_full', reg(0xd9, 0, 1), [0, 2, 3, 4, 5, 6, 7], () => ({ values: times(7, anything) }), 4),
    ...store('fst_m32', mem(0xd9, 2), 2 * n),
    ...store('fstp_m32', mem(0xd9, 3), n),
    form('fst_m32_near', mem(0xd9, 2), [0, 1], near(0x3fff - 152, 30), 2 * n),
    ...store('fst_m64', mem(0xdd, 2), 2 * n),
    ...store('fstp_m64', mem(0xdd, 3), n),
    form('fst_m64_near', mem(0xdd, 2), [0, 1], near(0x3fff - 1080, 62), 2 * n),
    ...store('fstp_m80', mem(0xdb, 7), n),
    ...store('fist_m16', mem(0xdf, 2), 2 * n),
    ...store('fistp_m16', mem(0xdf, 3), n),
    ...store('fist_m32', mem(0xdb, 2), 2 * n),
    ...store('fistp_m32', mem(0xdb, 3), n),
    ...store('fistp_m64', mem(0xdf, 7), 2 * n),
    form('fistp_m64_near', mem(0xdf, 7), [0, 1], near(0x3ffd, 68), n),
    ...store('fbstp', mem(0xdf, 6), 2 * n),
    form('fbstp_near', mem(0xdf, 6), [0, 1], near(0x3ffd, 62), 2 * n),
    form('fst_st2', reg(0xdd, 2, 2), [0, 1], two, 10),
    form('fst_st2_empty', reg(0xdd, 2, 2), [1, 2], two, 4),
    form('fstp_st1', reg(0xdd, 3, 1), [0, 1], two, 10),
    form('fstp_st1_empty', reg(0xdd, 3, 1), [1], one, 4),
    form('fxch_st1', reg(0xd9, 1, 1), [0, 1], two, 10),
    form('fxch_st1_empty', reg(0xd9, 1, 1), [0], one, 4),
    form('fxch_st0_empty', reg(0xd9, 1, 1), [1], one, 4),
    form('fxch_both_empty', reg(0xd9, 1, 1), [], none, 4),
    ...['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'].flatMap((name, i) => [
      form(name, [0xd9, 0xe8 + i], [0], one, 12),
      form(`${name}_full`, [0xd9, 0xe8 + i], FULL, full, 1),
    ]),
    ...[0, 1, 2, 3].flatMap((ext) =>
      [0xda, 0xdb].flatMap((op) => [
        form(
          `fcmov_${op.toString(16)}_${ext}`,
          reg(op, ext, 1),
          [0, 1],
          () => ({ ...two(), eflags: random() & 0x8d5 }),
          8,
        ),
        form(
          `fcmov_${op.toString(16)}_${ext}_empty`,
          reg(op, ext, 1),
          [0],
          () => ({ ...one(), eflags: random() & 0x8d5 }),
          4,
        ),
      ]),
    ),
  ];
}

function comparison(scale) {
  const n = 12 * scale;
  return [
    ...SOURCES.flatMap(([source, op, value]) =>
      [2, 3].flatMap((ext) => [
        form(
          `fcom${ext === 3 ? 'p' : ''}_${source}`,
          mem(op, ext),
          [0],
          () => ({ values: [anything()], mem: value() }),
          n,
        ),
        form(
          `fcom${ext === 3 ? 'p' : ''}_${source}_empty`,
          mem(op, ext),
          [1],
          () => ({ values: [anything()], mem: value() }),
          3,
        ),
      ]),
    ),
    ...[
      ['fcom', reg(0xd8, 2, 1)],
      ['fcomp', reg(0xd8, 3, 1)],
      ['fcompp', [0xde, 0xd9]],
      ['fucom', reg(0xdd, 4, 1)],
      ['fucomp', reg(0xdd, 5, 1)],
      ['fucompp', [0xda, 0xe9]],
      ['fcomi', reg(0xdb, 6, 1)],
      ['fucomi', reg(0xdb, 5, 1)],
      ['fcomip', reg(0xdf, 6, 1)],
      ['fucomip', reg(0xdf, 5, 1)],
      ['fcom2', reg(0xdc, 2, 1)],
      ['fcomp3', reg(0xdc, 3, 1)],
      ['fcomp5', reg(0xde, 2, 1)],
    ].flatMap(([name, bytes]) => [
      form(name, bytes, [0, 1], () => ({ ...two(), eflags: random() & 0x8d5 }), 2 * n),
      form(`${name}_empty`, bytes, [0], () => ({ ...one(), eflags: random() & 0x8d5 }), 3),
    ]),
  ];
}

/** Exceptions already in the status word, all masked, so that nothing is pending before the instruction. */
const flagged = (make) => () => ({ ...make(), cw: control() | 0x3f, sw: status() | (random() & 0x7f) });

function controls() {
  const cw = () => ({ ...two(), mem: bytesOf(BigInt(random()), 2) });
  const environment = () => {
    const words = [random() & 0xffff, random() & 0xffff, random() & 0xffff];
    return { ...two(), mem: [...words.flatMap((w) => [w & 0xff, w >> 8, 0xff, 0xff]), ...times(16, () => 0)] };
  };
  return [
    form('fninit', [0xdb, 0xe3], [0, 1], flagged(two), 4),
    form('fnclex', [0xdb, 0xe2], [0, 1], flagged(two), 12),
    form('fldcw', mem(0xd9, 5), [0, 1], flagged(cw), 40),
    form('fnstcw', mem(0xd9, 7), [0, 1], flagged(cw), 8),
    form('fnstsw', mem(0xdd, 7), [0, 1], flagged(cw), 8),
    form('fnstsw_ax', [0xdf, 0xe0], [0, 1], flagged(two), 8),
    form('fldenv', mem(0xd9, 4), [0, 1], flagged(environment), 40),
    form('fincstp', [0xd9, 0xf7], [0, 1], flagged(two), 6),
    form('fdecstp', [0xd9, 0xf6], [0, 1], flagged(two), 6),
    form('fnop', [0xd9, 0xd0], [0, 1], flagged(two), 4),
    form('ffree', [0xdd, 0xc1], [0, 1], flagged(two), 4),
    form('ffreep', [0xdf, 0xc1], [0, 1], flagged(two), 4),
    form('fxch4', [0xdd, 0xc9], [0, 1], two, 4),
    form('fxch7', [0xdf, 0xc9], [0, 1], two, 4),
    form('fstp8', [0xdf, 0xd1], [0, 1], two, 4),
    form('fstp9', [0xdf, 0xd9], [0, 1], two, 4),
    form(
      'fstenv',
      mem(0xd9, 6),
      [0, 1],
      flagged(() => ({ ...two(), mem: times(28, () => 0) })),
      6,
    ),
    form(
      'fnsave',
      mem(0xdd, 6),
      [0, 1],
      flagged(() => ({ ...two(), mem: times(108, () => 0) })),
      4,
    ),
  ];
}

/** Near a multiple of pi / 4, as near as 64 bits allow or somewhat off. */
function nearQuadrant() {
  const quarterPi = 0xc90fdaa22168c234c4c6628b80dc1cd1n; // times 2^-128
  const multiple = quarterPi * BigInt(1 + (random() % 64) * 2 ** (random() % 20));
  const bits = BigInt(multiple.toString(2).length);
  const significand = (multiple >> (bits - 64n)) + BigInt(pick([0, 0, 1, -1, 2, 1 << 20, random() % 4096]));
  return [(0x3fff + Number(bits) - 129) | (random() & 0x8000), significand | BIG];
}
const angle = () => {
  switch (random() % 8) {
    case 0:
      return edge();
    case 1:
      return number(0x3fff - 80, 80);
    case 2:
    case 3:
      return nearQuadrant();
    case 4:
      return number(0x3fff, 68); // up to and beyond 2^63
    default:
      return number(0x3fff - 8, 12);
  }
};
/** A positive number that is most often near 1. */
const ratio = () => {
  switch (random() % 6) {
    case 0:
      return edge();
    case 1:
      return [
        random() % 2 ? 0x3fff : 0x3ffe,
        random() % 2
          ? BIG | (bits64() >> BigInt(random() % 64))
          : ~(bits64() >> BigInt(1 + (random() % 63))) & 0xffffffffffffffffn,
      ];
    case 2:
      return [1 + (random() % 0x7ffe), random() % 3 ? bits64() | BIG : BIG];
    default:
      return [0x3ff8 + (random() % 16), bits64() | BIG];
  }
};
/** Within and a little beyond +-1, where F2XM1 is defined; `top` is the exponent not to reach. */
const fraction = (top) => () =>
  random() % 8 === 0 ? edge() : number(top - (random() % 3 ? 5 : 80), random() % 3 ? 5 : 80);

function transcendental(scale) {
  const n = 90 * scale;
  const withTop = [
    ['f2xm1', 0xf0, fraction(0x3fff)],
    ['fptan', 0xf2, angle],
    ['fsincos', 0xfb, angle],
    ['fsin', 0xfe, angle],
    ['fcos', 0xff, angle],
  ];
  const withTwo = [
    ['fyl2x', 0xf1, () => (random() % 4 ? [ratio(), anything()] : [ratio(), edge()])],
    ['fpatan', 0xf3, () => (random() % 4 ? [number(0x3fff - 8, 16), number(0x3fff - 8, 16)] : meeting())],
    ['fyl2xp1', 0xf9, () => [fraction(0x3ffd)(), random() % 3 ? number(0x3fff - 8, 16) : anything()]],
  ];
  return [
    ...withTop.flatMap(([name, rm, value]) => [
      form(name, [0xd9, rm], [0], () => ({ values: [value()] }), 3 * n),
      form(`${name}_empty`, [0xd9, rm], [1], one, 3),
      form(`${name}_full`, [0xd9, rm], FULL, () => ({ values: [value(), ...times(7, anything)] }), 6),
    ]),
    ...withTwo.flatMap(([name, rm, values]) => [
      form(name, [0xd9, rm], [0, 1], () => ({ values: values() }), 3 * n),
      form(`${name}_edges`, [0xd9, rm], [0, 1], () => ({ values: [edge(), edge()] }), 2 * n),
      form(`${name}_st0_empty`, [0xd9, rm], [1], one, 3),
      form(`${name}_st1_empty`, [0xd9, rm], [0], one, 3),
    ]),
  ];
}

function undocumented() {
  return [
    form('fstpnce', reg(0xd9, 3, 1), [0, 1], flagged(two), 4),
    form('fstpnce_st0_empty', reg(0xd9, 3, 1), [1], flagged(one), 4),
    form('fstpnce_st1_empty', reg(0xd9, 3, 1), [0], flagged(one), 4),
  ];
}

/** By file; `scale` multiplies the number of cases. */
export const families = { arithmetic, unary, transfer, comparison, controls, transcendental, undocumented };
