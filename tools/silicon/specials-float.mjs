/**
 * What single x87, MMX and SSE instructions want of their cases: operands in the range that an instruction is for, images of the state,
 * the pointer of MASKMOVQ. The parts are those of specials.mjs, and `values`: ST(0) and what follows it.
 */
import * as A from './address.mjs';
import { angle, bytesOf, controlWord, extended, extendedNear, fraction, integer, mxcsr, ratio } from './operands.mjs';

const control = { contents: (g) => bytesOf(g.rnd.chance(3) ? g.rnd.next() & 0xffff : controlWord(g.rnd), 2) };

/** An environment or state image of the x87. */
function environment(g, size) {
  const wide = g.wide;
  const { rnd } = g;
  const words = [controlWord(rnd), rnd.next() & 0x7f7f, rnd.next() & 0xffff];
  const bytes = wide ? words.flatMap((w) => [...bytesOf(w, 2), ...rnd.bytes(2)]) : words.flatMap((w) => bytesOf(w, 2));
  const head = wide ? 28 : 14;
  while (bytes.length < head) bytes.push(0);
  while (bytes.length < size) bytes.push(...extended(rnd));
  return bytes.slice(0, size);
}

function fxrstorImage(g) {
  const { rnd } = g;
  const out = new Array(512).fill(0);
  const write = (at, bytes) => bytes.forEach((byte, i) => (out[at + i] = byte));
  write(0, bytesOf(controlWord(rnd), 2));
  write(2, bytesOf(rnd.next() & 0x7f7f, 2));
  out[4] = rnd.next() & 0xff;
  write(24, bytesOf(rnd.chance(8) ? integer(rnd, 32) & ~0x20000 : mxcsr(rnd), 4));
  for (let i = 0; i < 8; i++) {
    write(32 + i * 16, extended(rnd));
    write(160 + i * 16, rnd.bytes(16));
  }
  return out;
}

/** Stores to narrower formats: at the ends of their ranges, where results are denormal or infinite. */
const stored = {
  values(g) {
    const places = { Md: [0x3fff - 152, 0x3fff + 120], Mq: [0x3fff - 1080, 0x3fff + 1015] }[g.row.operands[0]];
    return places === undefined || g.rnd.chance(3) ? undefined : [extendedNear(g.rnd, g.rnd.pick(places), 30)];
  },
};

const maskmov = {
  prepare(g) {
    const size = g.mnemonic === 'maskmovq' ? 8 : 16;
    const offset = g.segmentAndPlace(size, A.DS);
    g.set(A.EDI, offset);
  },
};

export const floatSpecials = {
  ...Object.fromEntries(['fptan', 'fsin', 'fcos', 'fsincos'].map((name) => [name, { values: (g) => [angle(g.rnd)] }])),
  f2xm1: { values: (g) => [fraction(g.rnd, 0x3fff)] },
  fyl2x: { values: (g) => [ratio(g.rnd), extended(g.rnd)] },
  fyl2xp1: { values: (g) => [fraction(g.rnd, 0x3ffd), extendedNear(g.rnd, 0x3fff - 8, 16)] },
  fpatan: { values: (g) => [extendedNear(g.rnd, 0x3fff - 8, 16), extendedNear(g.rnd, 0x3fff - 8, 16)] },
  fprem: { values: (g) => [extended(g.rnd), extendedNear(g.rnd, 0x3ffe, 18)] },
  fprem1: { values: (g) => [extended(g.rnd), extendedNear(g.rnd, 0x3ffe, 18)] },
  fscale: { values: (g) => [extended(g.rnd), extendedNear(g.rnd, 0x3ffe, 18)] },
  fst: stored,
  fstp: stored,
  fist: { values: (g) => [extendedNear(g.rnd, 0x3ffd, 68)] },
  fistp: { values: (g) => [extendedNear(g.rnd, 0x3ffd, 68)] },
  fbstp: { values: (g) => [extendedNear(g.rnd, 0x3ffd, 62)] },
  fldcw: control,
  fldenv: { contents: environment },
  frstor: { contents: environment },
  fxrstor: { contents: fxrstorImage },
  ldmxcsr: { contents: (g) => bytesOf(g.rnd.chance(4) ? (integer(g.rnd, 32) & ~0x20000) >>> 0 : mxcsr(g.rnd), 4) },
  maskmovq: maskmov,
  maskmovdqu: maskmov,
};
