/**
 * What record.mjs runs: every form of MMX, FXSAVE and FXRSTOR, and of the part of SSE and SSE2 that does not calculate in floating
 * point, with boundary and random operands. A form is its bytes, with II for the immediate; its memory operand is [ESI].
 * A case names what differs from the fill of record.mjs.
 */

const BOUNDARY = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff];

/** Deterministic: the golden set must come out again. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0 || 1;
  }

  /** 0 up to `below`. */
  number(below) {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return Math.floor((this.state / 0x100000000) * below);
  }

  pick(list) {
    return list[this.number(list.length)];
  }

  chance(percent) {
    return this.number(100) < percent;
  }

  /** Bytes in hexadecimal, as they lie in memory: boundary values of every lane size are likely. */
  bytes(count) {
    const out = Buffer.alloc(count);
    const lane = this.pick([1, 2, 2, 4, 8]);
    for (let i = 0; i < count; i++) {
      const last = i % lane === lane - 1;
      const kind = this.number(4);
      if (kind === 0) out[i] = this.number(256);
      else if (kind === 1) out[i] = last ? this.pick(BOUNDARY) : this.pick([0, 0xff]);
      else if (kind === 2) out[i] = this.pick(BOUNDARY);
      else out[i] = last ? this.pick([0x00, 0x7f, 0x80, 0xff]) : this.pick([0, 1, 0xff, 0xfe]);
    }
    return out.toString('hex');
  }

  /** A shift count of 8 bytes, with `size - 8` more that mean nothing. */
  count(size) {
    const out = Buffer.from(this.bytes(size), 'hex');
    out.writeBigUInt64LE(BigInt(this.number(70)));
    if (this.chance(15)) out[this.number(8)] = this.number(256);
    return out.toString('hex');
  }
}

/** mnemonic, opcode, whether the immediate follows. Sets of [MMX name, opcode] that SSE2 has with 66 on XMM registers too. */
const BOTH = {
  punpcklbw: 0x60,
  punpcklwd: 0x61,
  punpckldq: 0x62,
  packsswb: 0x63,
  pcmpgtb: 0x64,
  pcmpgtw: 0x65,
  pcmpgtd: 0x66,
  packuswb: 0x67,
  punpckhbw: 0x68,
  punpckhwd: 0x69,
  punpckhdq: 0x6a,
  packssdw: 0x6b,
  pcmpeqb: 0x74,
  pcmpeqw: 0x75,
  pcmpeqd: 0x76,
  paddq: 0xd4,
  pmullw: 0xd5,
  psubusb: 0xd8,
  psubusw: 0xd9,
  pminub: 0xda,
  pand: 0xdb,
  paddusb: 0xdc,
  paddusw: 0xdd,
  pmaxub: 0xde,
  pandn: 0xdf,
  pavgb: 0xe0,
  pavgw: 0xe3,
  pmulhuw: 0xe4,
  pmulhw: 0xe5,
  psubsb: 0xe8,
  psubsw: 0xe9,
  pminsw: 0xea,
  por: 0xeb,
  paddsb: 0xec,
  paddsw: 0xed,
  pmaxsw: 0xee,
  pxor: 0xef,
  pmuludq: 0xf4,
  pmaddwd: 0xf5,
  psadbw: 0xf6,
  psubb: 0xf8,
  psubw: 0xf9,
  psubd: 0xfa,
  psubq: 0xfb,
  paddb: 0xfc,
  paddw: 0xfd,
  paddd: 0xfe,
};
const XMM_ONLY = { punpcklqdq: 0x6c, punpckhqdq: 0x6d };
const COUNTED = {
  psrlw: 0xd1,
  psrld: 0xd2,
  psrlq: 0xd3,
  psraw: 0xe1,
  psrad: 0xe2,
  psllw: 0xf1,
  pslld: 0xf2,
  psllq: 0xf3,
};
const IMMEDIATE = {
  psrlw: [0x71, 2],
  psrld: [0x72, 2],
  psrlq: [0x73, 2],
  psraw: [0x71, 4],
  psrad: [0x72, 4],
  psllw: [0x71, 6],
  pslld: [0x72, 6],
  psllq: [0x73, 6],
};
/** On XMM registers: name, prefix, opcode, bytes of a memory source, forms (r, m), immediate. */
const XMM_FORMS = [
  ['movups', '', 0x10, 16, 'rm'],
  ['movupd', '66', 0x10, 16, 'rm'],
  ['movss', 'f3', 0x10, 4, 'rm'],
  ['movsd', 'f2', 0x10, 8, 'rm'],
  ['movlps', '', 0x12, 8, 'm'],
  ['movhlps', '', 0x12, 0, 'r'],
  ['movlpd', '66', 0x12, 8, 'm'],
  ['movhps', '', 0x16, 8, 'm'],
  ['movlhps', '', 0x16, 0, 'r'],
  ['movhpd', '66', 0x16, 8, 'm'],
  ['unpcklps', '', 0x14, 16, 'rm'],
  ['unpcklpd', '66', 0x14, 16, 'rm'],
  ['unpckhps', '', 0x15, 16, 'rm'],
  ['unpckhpd', '66', 0x15, 16, 'rm'],
  ['movaps', '', 0x28, 16, 'rm'],
  ['movapd', '66', 0x28, 16, 'rm'],
  ['andps', '', 0x54, 16, 'rm'],
  ['andpd', '66', 0x54, 16, 'rm'],
  ['andnps', '', 0x55, 16, 'rm'],
  ['andnpd', '66', 0x55, 16, 'rm'],
  ['orps', '', 0x56, 16, 'rm'],
  ['orpd', '66', 0x56, 16, 'rm'],
  ['xorps', '', 0x57, 16, 'rm'],
  ['xorpd', '66', 0x57, 16, 'rm'],
  ['movdqa', '66', 0x6f, 16, 'rm'],
  ['movdqu', 'f3', 0x6f, 16, 'rm'],
  ['movq', 'f3', 0x7e, 8, 'rm'],
  ['pshufd', '66', 0x70, 16, 'rm', 1],
  ['pshuflw', 'f2', 0x70, 16, 'rm', 1],
  ['pshufhw', 'f3', 0x70, 16, 'rm', 1],
  ['shufps', '', 0xc6, 16, 'rm', 1],
  ['shufpd', '66', 0xc6, 16, 'rm', 1],
];
/** Stores: the source is the reg field. */
const XMM_STORES = [
  ['movups', '', 0x11, 'rm'],
  ['movupd', '66', 0x11, 'rm'],
  ['movss', 'f3', 0x11, 'rm'],
  ['movsd', 'f2', 0x11, 'rm'],
  ['movlps', '', 0x13, 'm'],
  ['movlpd', '66', 0x13, 'm'],
  ['movhps', '', 0x17, 'm'],
  ['movhpd', '66', 0x17, 'm'],
  ['movaps', '', 0x29, 'rm'],
  ['movapd', '66', 0x29, 'rm'],
  ['movntps', '', 0x2b, 'm'],
  ['movntpd', '66', 0x2b, 'm'],
  ['movdqa', '66', 0x7f, 'rm'],
  ['movdqu', 'f3', 0x7f, 'rm'],
  ['movq', '66', 0xd6, 'rm'],
  ['movntdq', '66', 0xe7, 'm'],
];

const hex = (n) => n.toString(16).padStart(2, '0');
const code = (prefix, opcode, modrm, tail = '') =>
  [prefix, '0f', hex(opcode), hex(modrm), tail].filter((part) => part !== '').join(' ');
const reg = (to, from) => 0xc0 | (to << 3) | from;
const mem = (r) => (r << 3) | 6;

/** Where the memory operand stands: mostly aligned, sometimes not, across pages that are or are not there. */
function place(random, test) {
  if (random.chance(8)) test.ac = 1;
  const kind = random.number(10);
  if (kind < 6) test.off = 16 * random.number(38);
  else if (kind < 8) test.off = 300 + random.number(40);
  else {
    test.place = 1 + random.number(2);
    test.off = random.chance(50) ? 304 + random.number(32) : 16 * random.number(38);
  }
}

/** x87 state that MMX meets: any TOP and tags, rarely a pending exception. */
function x87(random, test) {
  test.fsw = (random.number(8) << 11) | (random.number(2) << 14);
  test.ftw = random.number(256);
  if (random.chance(4)) {
    test.fcw = 0x37e;
    test.fsw |= 0x8081;
  }
}

/** A form whose cases `fill` completes. */
function form(name, bytes, count, random, fill) {
  const cases = [];
  for (let i = 0; i < count; i++) {
    const test = {};
    if (bytes.includes('II')) test.imm = random.chance(60) ? random.number(256) : random.number(20);
    fill(test);
    cases.push(test);
  }
  return { name, bytes, cases };
}

function mmx(random, n) {
  const forms = [];
  const add = (name, bytes, fill) =>
    forms.push(
      form(name, bytes, n, random, (test) => {
        x87(random, test);
        fill(test);
      }),
    );
  const binary = (name, opcode, value, tail) => {
    add(name, code('', opcode, reg(1, 2), tail), (t) => (t.mm = { 1: random.bytes(8), 2: value(8) }));
    add(name, code('', opcode, reg(3, 3), tail), (t) => (t.mm = { 3: value(8) }));
    add(name, code('', opcode, mem(6), tail), (t) => {
      place(random, t);
      t.mm = { 6: random.bytes(8) };
      t.mem = value(8);
    });
  };
  for (const [name, opcode] of Object.entries(BOTH)) binary(name, opcode, (size) => random.bytes(size));
  for (const [name, opcode] of Object.entries(COUNTED)) binary(name, opcode, (size) => random.count(size));
  binary('pshufw', 0x70, (size) => random.bytes(size), 'II');
  for (const [name, [opcode, ext]] of Object.entries(IMMEDIATE)) {
    add(name, code('', opcode, reg(ext, 5), 'II'), (t) => (t.mm = { 5: random.bytes(8) }));
  }
  binary('movq', 0x6f, (size) => random.bytes(size));
  add('movq', code('', 0x7f, reg(2, 7)), (t) => (t.mm = { 2: random.bytes(8) }));
  for (const [name, opcode] of [
    ['movq', 0x7f],
    ['movntq', 0xe7],
    ['movd', 0x7e],
  ]) {
    add(name, code('', opcode, mem(4)), (t) => {
      place(random, t);
      t.mm = { 4: random.bytes(8) };
    });
  }
  add('movd', code('', 0x6e, reg(1, 2)), (t) => (t.gpr = { edx: random.bytes(4) }));
  add('movd', code('', 0x6e, mem(1)), (t) => {
    place(random, t);
    t.mem = random.bytes(4);
  });
  add('movd', code('', 0x7e, reg(1, 3)), (t) => (t.mm = { 1: random.bytes(8) }));
  add('pinsrw', code('', 0xc4, reg(1, 3), 'II'), (t) => (t.gpr = { ebx: random.bytes(4) }));
  add('pinsrw', code('', 0xc4, mem(1), 'II'), (t) => {
    place(random, t);
    t.mem = random.bytes(2);
  });
  add('pextrw', code('', 0xc5, reg(1, 3), 'II'), (t) => (t.mm = { 3: random.bytes(8) }));
  add('pmovmskb', code('', 0xd7, reg(2, 3)), (t) => (t.mm = { 3: random.bytes(8) }));
  add('maskmovq', code('', 0xf7, reg(2, 3)), (t) => {
    // Where it faults, the recorded processor has already made TOP and tags what MMX wants: left to processors.
    t.off = 300 + random.number(12);
    t.mm = { 2: random.bytes(8), 3: random.bytes(8) };
  });
  add('emms', '0f 77', () => {});
  add('movdq2q', code('f2', 0xd6, reg(5, 2)), (t) => (t.xmm = { 2: random.bytes(16) }));
  add('movq2dq', code('f3', 0xd6, reg(5, 2)), (t) => (t.mm = { 2: random.bytes(8) }));
  return forms;
}

function xmm(random, n) {
  const forms = [];
  const add = (name, bytes, fill) => forms.push(form(name, bytes, n, random, fill));
  const binary = (name, prefix, opcode, size, kinds, tail, value) => {
    if (kinds.includes('r')) {
      add(name, code(prefix, opcode, reg(1, 2), tail), (t) => (t.xmm = { 1: random.bytes(16), 2: value(16) }));
      add(name, code(prefix, opcode, reg(3, 3), tail), (t) => (t.xmm = { 3: value(16) }));
    }
    if (!kinds.includes('m')) return;
    add(name, code(prefix, opcode, mem(7), tail), (t) => {
      place(random, t);
      t.xmm = { 7: random.bytes(16) };
      t.mem = value(size);
    });
  };
  const any = (size) => (size < 8 ? random.bytes(8).slice(0, size * 2) : random.bytes(size));
  for (const [name, opcode] of Object.entries({ ...BOTH, ...XMM_ONLY })) binary(name, '66', opcode, 16, 'rm', '', any);
  for (const [name, opcode] of Object.entries(COUNTED)) {
    binary(name, '66', opcode, 16, 'rm', '', (size) => random.count(size));
  }
  for (const [name, [opcode, ext]] of Object.entries({ ...IMMEDIATE, psrldq: [0x73, 3], pslldq: [0x73, 7] })) {
    add(name, code('66', opcode, reg(ext, 5), 'II'), (t) => (t.xmm = { 5: random.bytes(16) }));
  }
  for (const [name, prefix, opcode, size, kinds, imm] of XMM_FORMS) {
    binary(name, prefix, opcode, size, kinds, imm ? 'II' : '', any);
  }
  for (const [name, prefix, opcode, kinds] of XMM_STORES) {
    if (kinds.includes('r')) add(name, code(prefix, opcode, reg(4, 0)), (t) => (t.xmm = { 4: random.bytes(16) }));
    add(name, code(prefix, opcode, mem(5)), (t) => {
      place(random, t);
      t.xmm = { 5: random.bytes(16) };
    });
  }
  add('movd', code('66', 0x6e, reg(1, 2)), (t) => (t.gpr = { edx: random.bytes(4) }));
  add('movd', code('66', 0x6e, mem(1)), (t) => {
    place(random, t);
    t.mem = random.bytes(4);
  });
  add('movd', code('66', 0x7e, reg(1, 3)), (t) => (t.xmm = { 1: random.bytes(16) }));
  add('movd', code('66', 0x7e, mem(1)), (t) => place(random, t));
  add('pinsrw', code('66', 0xc4, reg(1, 3), 'II'), (t) => (t.gpr = { ebx: random.bytes(4) }));
  add('pinsrw', code('66', 0xc4, mem(1), 'II'), (t) => {
    place(random, t);
    t.mem = random.bytes(2);
  });
  add('pextrw', code('66', 0xc5, reg(1, 3), 'II'), (t) => (t.xmm = { 3: random.bytes(16) }));
  for (const [name, prefix, opcode] of [
    ['pmovmskb', '66', 0xd7],
    ['movmskps', '', 0x50],
    ['movmskpd', '66', 0x50],
  ]) {
    add(name, code(prefix, opcode, reg(2, 3)), (t) => (t.xmm = { 3: random.bytes(16) }));
  }
  add('maskmovdqu', code('66', 0xf7, reg(2, 3)), (t) => {
    if (random.chance(15)) t.ac = 1;
    t.place = random.pick([0, 0, 1, 2]);
    t.off = 296 + random.number(30);
    t.xmm = { 2: random.bytes(16), 3: random.bytes(16) };
  });
  add('movnti', code('', 0xc3, mem(1)), (t) => place(random, t));
  return forms;
}

/** MXCSR, and the whole state. */
function state(random, n) {
  const forms = [];
  const add = (name, bytes, fill) => forms.push(form(name, bytes, n, random, fill));
  const mxcsr = () =>
    (random.chance(85) ? random.number(0x10000) : (1 << random.pick([16, 18, 23, 31])) | 0x1f80) >>> 0;
  add('ldmxcsr', code('', 0xae, mem(2)), (t) => {
    place(random, t);
    const value = Buffer.alloc(4);
    value.writeUInt32LE(mxcsr());
    t.mem = value.toString('hex');
  });
  add('stmxcsr', code('', 0xae, mem(3)), (t) => {
    place(random, t);
    t.mxcsr = random.number(0x10000);
  });
  const where = (t) => {
    t.place = random.pick([0, 0, 0, 0, 1, 2]);
    if (random.chance(15)) t.ac = 1;
    t.off = random.chance(70) ? 16 * random.number(9) : random.number(129);
  };
  add('fxsave', code('', 0xae, mem(0)), (t) => {
    where(t);
    x87(random, t);
    t.mxcsr = random.number(0x10000);
    t.mm = { [random.number(8)]: random.bytes(8) };
    t.xmm = { [random.number(8)]: random.bytes(16) };
  });
  add('fxrstor', code('', 0xae, mem(1)), (t) => {
    where(t);
    const image = Buffer.from(random.bytes(512), 'hex');
    // The environment: control, status, tags, and pointers, which are not compared.
    image.writeUInt16LE(0x340 | random.number(64), 0);
    image.writeUInt16LE(random.number(0x10000), 2);
    image[5] = 0;
    image.fill(0, 6, 24);
    image.writeUInt32LE(mxcsr(), 24);
    t.mem = image.toString('hex');
  });
  for (const [name, modrm] of [
    ['lfence', 0xe8],
    ['mfence', 0xf0],
    ['sfence', 0xf8],
  ])
    add(name, code('', 0xae, modrm), () => {});
  add('clflush', code('', 0xae, mem(7)), (t) => place(random, t));
  for (const ext of [0, 1, 2, 3]) add('prefetch', code('', 0x18, mem(ext)), (t) => place(random, t));
  add('pause', 'f3 90', () => {});
  return forms;
}

export const families = { mmx, xmm, state };
