/**
 * What the probe runs: instruction forms with their registers, and operand values for each. A form is
 *   { name, bytes, in: registers, out: registers, cases: [[values of in..., flags?], ...] }
 * Register r/m operands only, so that the replay can turn the same bytes into memory forms by itself.
 * Nothing here runs anything; record.mjs does.
 */

export const FLAGS = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800 };

let seed = 0x2545f491;
/** A reproducible 32-bit random number (xorshift). */
export function random() {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}

const EDGES = {
  8: [0x00, 0x01, 0x0f, 0x10, 0x7f, 0x80, 0x9a, 0xff],
  16: [0x0000, 0x0001, 0x000f, 0x00ff, 0x7fff, 0x8000, 0x8001, 0xffff],
  32: [0x00000000, 0x00000001, 0x0000000f, 0x0000ffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff],
};
const A = { 8: 'al', 16: 'ax', 32: 'eax' };
const C = { 8: 'cl', 16: 'cx', 32: 'ecx' };
const D = { 8: 'dl', 16: 'dx', 32: 'edx' };
const SIZES = [8, 16, 32];

const cut = (v, size) => (size === 32 ? v >>> 0 : v & (2 ** size - 1));
const value = (size) => cut(random() >>> (random() % 4 === 0 ? random() % 32 : 0), size);
/** Opcode bytes: `op` is the byte opcode, the next one its word twin. */
const sized = (op, size, ...rest) => [...(size === 16 ? [0x66] : []), op + (size === 8 ? 0 : 1), ...rest];
const wide = (size, ...bytes) => [...(size === 16 ? [0x66] : []), ...bytes];

function pairs(size, randoms, scale) {
  const list = EDGES[size].flatMap((a) => EDGES[size].map((b) => [a, b]));
  for (let i = 0; i < randoms * scale; i++) list.push([value(size), value(size)]);
  return list;
}

function singles(size, randoms, scale) {
  const list = EDGES[size].map((a) => [a]);
  for (let i = 0; i < randoms * scale; i++) list.push([value(size)]);
  return list;
}

/** Each case twice, with CF clear and set. */
const bothCarries = (cases) => cases.flatMap((values) => [0, 1].map((flags) => ({ values, flags })));

export const families = {
  alu(scale) {
    const forms = [];
    ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'test'].forEach((op, i) => {
      for (const size of SIZES) {
        const bytes = op === 'test' ? sized(0x84, size, 0xc8) : sized(i * 8, size, 0xc8);
        const out = op === 'cmp' || op === 'test' ? [] : [A[size]];
        const cases = pairs(size, 8, scale);
        const carry = op === 'adc' || op === 'sbb';
        forms.push({ name: op + size, bytes, in: [A[size], C[size]], out, cases: carry ? bothCarries(cases) : cases });
      }
    });
    [
      ['inc', 0xfe, 0xc0],
      ['dec', 0xfe, 0xc8],
      ['not', 0xf6, 0xd0],
      ['neg', 0xf6, 0xd8],
    ].forEach(([op, code, modrm]) => {
      for (const size of SIZES) {
        const cases = bothCarries(singles(size, 8, scale));
        forms.push({ name: op + size, bytes: sized(code, size, modrm), in: [A[size]], out: [A[size]], cases });
      }
    });
    return forms;
  },

  shift(scale) {
    const forms = [];
    const counts = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 18, 27, 31, 33];
    ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', '', 'sar'].forEach((op, ext) => {
      if (op === '') return;
      for (const size of SIZES) {
        const values = [
          [1],
          [2 ** (size - 1)],
          [2 ** size - 1],
          ...Array.from({ length: 2 * scale }, () => [value(size)]),
        ];
        const cases = values.flatMap(([v]) => counts.map((n) => [v, n]));
        forms.push({
          name: op + size,
          bytes: sized(0xd2, size, 0xc0 | (ext << 3)),
          in: [A[size], 'cl'],
          out: [A[size]],
          cases: op.startsWith('rc') ? bothCarries(cases) : cases,
        });
        if (size === 16) continue;
        const once = sized(0xd0, size, 0xc0 | (ext << 3));
        forms.push({
          name: `${op}${size}_1`,
          bytes: once,
          in: [A[size]],
          out: [A[size]],
          cases: bothCarries(singles(size, 2, scale)),
        });
        const five = sized(0xc0, size, 0xc0 | (ext << 3), 5);
        forms.push({
          name: `${op}${size}_5`,
          bytes: five,
          in: [A[size]],
          out: [A[size]],
          cases: singles(size, 4, scale),
        });
      }
    });
    for (const [op, code] of [
      ['shld', 0xa5],
      ['shrd', 0xad],
    ]) {
      for (const size of [16, 32]) {
        const values = [
          [1, 2 ** size - 1],
          [2 ** (size - 1), 0],
        ];
        for (let i = 0; i < 3 * scale; i++) values.push([value(size), value(size)]);
        const cases = values.flatMap(([a, b]) => counts.map((n) => [a, b, n]));
        forms.push({
          name: op + size,
          bytes: wide(size, 0x0f, code, 0xd0),
          in: [A[size], D[size], 'cl'],
          out: [A[size]],
          cases,
        });
      }
    }
    return forms;
  },

  muldiv(scale) {
    const forms = [];
    const accumulator = { 8: ['ax'], 16: ['ax', 'dx'], 32: ['eax', 'edx'] };
    for (const size of SIZES) {
      const cases = pairs(size, 16, scale);
      for (const [op, modrm] of [
        ['mul', 0xe1],
        ['imul', 0xe9],
      ]) {
        forms.push({
          name: op + size,
          bytes: sized(0xf6, size, modrm),
          in: [A[size], C[size]],
          out: accumulator[size],
          cases,
        });
      }
    }
    for (const size of [16, 32]) {
      forms.push({
        name: `imul2_${size}`,
        bytes: wide(size, 0x0f, 0xaf, 0xc1),
        in: [A[size], C[size]],
        out: [A[size]],
        cases: pairs(size, 16, scale),
      });
      forms.push({
        name: `imul3_${size}_-7`,
        bytes: wide(size, 0x6b, 0xc1, 0xf9),
        in: [C[size]],
        out: [A[size]],
        cases: singles(size, 8, scale),
      });
    }
    for (const size of SIZES) {
      const high = size === 8 ? [] : [D[size]];
      const low = size === 8 ? 'ax' : A[size];
      const cases = [];
      for (const divisor of [...EDGES[size], ...Array.from({ length: 24 * scale }, () => value(size))]) {
        for (let i = 0; i < 4; i++) {
          // Quotients around the limits, signed and unsigned, and plain random ones.
          const q = [2 ** (size - 1), 2 ** size - 1, value(size), 2 ** (size - 1) - 1][i];
          const sign = random() % 3 === 0 ? -1n : 1n;
          const n = sign * (BigInt(q) * BigInt(divisor || 1) + BigInt(value(size) % (divisor || 1)));
          const bits = BigInt.asUintN(2 * size, n);
          if (size === 8) cases.push([Number(bits), divisor]);
          else cases.push([Number(bits & (2n ** BigInt(size) - 1n)), Number(bits >> BigInt(size)), divisor]);
        }
      }
      for (const [op, modrm] of [
        ['div', 0xf1],
        ['idiv', 0xf9],
      ]) {
        forms.push({
          name: op + size,
          bytes: sized(0xf6, size, modrm),
          in: [low, ...high, C[size]],
          out: accumulator[size],
          cases,
        });
      }
    }
    return forms;
  },

  bcd(scale) {
    const forms = [];
    const conditions = [0, FLAGS.CF, FLAGS.AF, FLAGS.CF | FLAGS.AF];
    const step = scale > 1 ? 1 : 3;
    for (const [name, code] of [
      ['daa', 0x27],
      ['das', 0x2f],
    ]) {
      const cases = [];
      for (let al = 0; al < 256; al += al > 0x90 && al < 0xa2 ? 1 : step) {
        for (const flags of conditions) cases.push({ values: [al], flags });
      }
      forms.push({ name, bytes: [code], in: ['al'], out: ['al'], cases });
    }
    for (const [name, code] of [
      ['aaa', 0x37],
      ['aas', 0x3f],
    ]) {
      const cases = [];
      for (let al = 0; al < 256; al += step) {
        for (const flags of [0, FLAGS.AF]) cases.push({ values: [al | ([0, 0x12, 0xff][al % 3] << 8)], flags });
      }
      forms.push({ name, bytes: [code], in: ['ax'], out: ['ax'], cases });
    }
    for (const base of [0, 1, 10, 16, 255]) {
      const values = Array.from({ length: 20 * scale }, () => [value(16)]);
      forms.push({ name: `aam_${base}`, bytes: [0xd4, base], in: ['ax'], out: ['ax'], cases: values });
      forms.push({ name: `aad_${base}`, bytes: [0xd5, base], in: ['ax'], out: ['ax'], cases: values });
    }
    return forms;
  },

  bits(scale) {
    const forms = [];
    for (const size of [16, 32]) {
      const values = [0, 2 ** size - 1, ...Array.from({ length: 3 * scale }, () => value(size))];
      for (const [op, code] of [
        ['bt', 0xa3],
        ['bts', 0xab],
        ['btr', 0xb3],
        ['btc', 0xbb],
      ]) {
        const cases = values.flatMap((v) => [0, 1, 7, 15, 16, 31, 32, 0xffff].map((bit) => [v, bit]));
        forms.push({
          name: op + size,
          bytes: wide(size, 0x0f, code, 0xc8),
          in: [A[size], C[size]],
          out: op === 'bt' ? [] : [A[size]],
          cases,
        });
        const ext = { bt: 0xe0, bts: 0xe8, btr: 0xf0, btc: 0xf8 }[op];
        forms.push({
          name: `${op}${size}_21`,
          bytes: wide(size, 0x0f, 0xba, ext, 21),
          in: [A[size]],
          out: op === 'bt' ? [] : [A[size]],
          cases: values.map((v) => [v]),
        });
      }
      for (const [op, code] of [
        ['bsf', 0xbc],
        ['bsr', 0xbd],
      ]) {
        const cases = [[0x1234, 0]];
        for (let i = 0; i < size; i++)
          cases.push(
            [value(size), 2 ** i],
            [value(size), cut(random() << i, size)],
            [value(size), cut(random(), size) >>> i],
          );
        forms.push({
          name: op + size,
          bytes: wide(size, 0x0f, code, 0xc1),
          in: [A[size], C[size]],
          out: [A[size]],
          cases,
        });
      }
    }
    forms.push({ name: 'bswap32', bytes: [0x0f, 0xc8], in: ['eax'], out: ['eax'], cases: singles(32, 4, scale) });
    return forms;
  },

  exchange(scale) {
    const forms = [];
    for (const size of SIZES) {
      const cases = [];
      for (const [a, b] of pairs(size, 8, scale)) cases.push([a, b, value(size)]);
      // The destination is ECX, the source EDX, the comparand the accumulator.
      const bytes = [...(size === 16 ? [0x66] : []), 0x0f, size === 8 ? 0xb0 : 0xb1, 0xd1];
      forms.push({ name: `cmpxchg${size}`, bytes, in: [A[size], C[size], D[size]], out: [A[size], C[size]], cases });
      const xadd = [...(size === 16 ? [0x66] : []), 0x0f, size === 8 ? 0xc0 : 0xc1, 0xc8];
      forms.push({
        name: `xadd${size}`,
        bytes: xadd,
        in: [A[size], C[size]],
        out: [A[size], C[size]],
        cases: pairs(size, 8, scale),
      });
    }
    const sets = Object.values(FLAGS).filter((bit) => bit !== FLAGS.AF);
    const all = Array.from({ length: 32 }, (_, n) => sets.reduce((sum, bit, i) => sum | ((n >> i) & 1 ? bit : 0), 0));
    const names = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
    names.forEach((name, n) => {
      forms.push({
        name: `set${name}`,
        bytes: [0x0f, 0x90 + n, 0xc0],
        in: [],
        out: ['al'],
        cases: all.map((flags) => ({ values: [], flags })),
      });
    });
    forms.push({
      name: 'lahf',
      bytes: [0x9f],
      in: [],
      out: ['ah'],
      cases: all.map((flags) => ({ values: [], flags: flags | FLAGS.AF })),
    });
    forms.push({ name: 'sahf', bytes: [0x9e], in: ['ah'], out: [], cases: singles(8, 16, scale) });
    for (const [name, code] of [
      ['clc', 0xf8],
      ['stc', 0xf9],
      ['cmc', 0xf5],
    ]) {
      forms.push({
        name,
        bytes: [code],
        in: [],
        out: [],
        cases: [0, 0x8d5, 0xd4, 0x801].map((flags) => ({ values: [], flags })),
      });
    }
    forms.push({ name: 'cbw', bytes: [0x66, 0x98], in: ['al'], out: ['ax'], cases: singles(8, 0, scale) });
    forms.push({ name: 'cwde', bytes: [0x98], in: ['ax'], out: ['eax'], cases: singles(16, 0, scale) });
    forms.push({ name: 'cwd', bytes: [0x66, 0x99], in: ['ax'], out: ['dx'], cases: singles(16, 0, scale) });
    forms.push({ name: 'cdq', bytes: [0x99], in: ['eax'], out: ['edx'], cases: singles(32, 0, scale) });
    forms.push({
      name: 'movsx_32_8',
      bytes: [0x0f, 0xbe, 0xc1],
      in: ['cl'],
      out: ['eax'],
      cases: singles(8, 0, scale),
    });
    forms.push({
      name: 'movzx_32_16',
      bytes: [0x0f, 0xb7, 0xc1],
      in: ['cx'],
      out: ['eax'],
      cases: singles(16, 0, scale),
    });
    return forms;
  },
};
