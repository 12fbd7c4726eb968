/**
 * Random x87, MMX and SSE instructions, state images and control words: what is valid on some model only is tried on all.
 */
import { d32 } from './assembler.mjs';
import * as L from './layout.mjs';
import { address, memory, register } from './operands.mjs';

const mem = (c, at) => memory(c.a, c.random, at ?? address(c.random));

function x87(c) {
  const { a, random: r } = c;
  const op = 0xd8 | r.below(8);
  if (r.chance(55)) return a.skippable(op, 0xc0 | r.below(64));
  const m = mem(c);
  // Not the state images here: they are long and have an item of their own.
  const reg = op === 0xdd ? r.pick([0, 1, 2, 3, 7]) : op === 0xd9 ? r.pick([0, 2, 3, 5, 7]) : r.below(8);
  a.skippable(m.prefix, op, m.rm(reg));
}

function x87Control(c) {
  const { a, random: r } = c;
  const at = L.PLAY + 0x20 + r.below(0x40);
  switch (r.below(7)) {
    case 0:
      return a.skippable(0xdb, 0xe3); // fninit
    case 1:
      return a.skippable(0xdb, 0xe2); // fnclex
    case 2:
      return a.skippable(0x9b);
    case 3:
      a.skippable(
        0xc7,
        0x05,
        d32(at),
        d32(r.pick([0x37f, 0x27f, 0x340, 0x37a, 0x372, 0x300, 0xf7f, r.next() & 0xffff])),
      );
      return a.skippable(0xd9, 0x2d, d32(at)); // fldcw
    case 4:
      return a.skippable(0xdf, 0xe0); // fnstsw ax
    default: {
      // fldz; fld1; fdiv: an exception that is easy to have
      a.skippable(0xd9, r.pick([0xee, 0xe8, 0xeb]));
      a.skippable(0xd9, r.pick([0xee, 0xe8]));
      return a.skippable(r.pick([0xd8, 0xdc, 0xde]), 0xf0 | r.below(2));
    }
  }
}

/** FNSTENV, FLDENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR: 16- and 32-bit forms, aligned or not. */
function images(c) {
  const { a, random: r } = c;
  const at = (r.chance(60) ? L.PLAY + 0x200 + r.below(8) * 16 : address(r)) >>> 0;
  const aligned = r.chance(80) ? (at & ~15) >>> 0 : at;
  const small = r.chance(25) ? [0x66] : [];
  switch (r.below(6)) {
    case 0:
      return a.skippable(small, 0xd9, 0x35, d32(at));
    case 1:
      return a.skippable(small, 0xd9, 0x25, d32(at));
    case 2:
      return a.skippable(small, 0xdd, 0x35, d32(at));
    case 3:
      return a.skippable(small, 0xdd, 0x25, d32(at));
    case 4:
      return a.skippable(0x0f, 0xae, 0x05, d32(aligned));
    default:
      return a.skippable(0x0f, 0xae, 0x0d, d32(aligned));
  }
}

function mmx(c) {
  const { a, random: r } = c;
  const op = r.weighted([
    [4, 0x60 + r.below(0x10)],
    [6, 0xd0 + r.below(0x30)],
    [1, 0x74 + r.below(4)],
    [1, 0xe7],
  ]);
  if (r.chance(10)) return a.skippable(0x0f, 0x77); // emms
  if (r.chance(50)) return a.skippable(0x0f, op, 0xc0 | r.below(64));
  const m = mem(c);
  a.skippable(m.prefix, 0x0f, op, m.rm(r.below(8)));
}

const SSE = [0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f];
function sse(c) {
  const { a, random: r } = c;
  const prefix = r.weighted([
    [4, []],
    [3, [0x66]],
    [3, [0xf3]],
    [2, [0xf2]],
  ]);
  const op = r.weighted([
    [4, r.pick(SSE)],
    [6, 0x50 + r.below(16)],
    [3, 0x60 + r.below(16)],
    [1, 0x70],
    [1, 0xc2],
    [1, 0xc6],
    [5, 0xd0 + r.below(0x30)],
  ]);
  const immediate = op === 0x70 || op === 0xc2 || op === 0xc6 ? [r.below(8)] : [];
  if (r.chance(50)) return a.skippable(prefix, 0x0f, op, 0xc0 | r.below(64), immediate);
  const at = address(r);
  const m = mem(c, r.chance(70) ? (at & ~15) >>> 0 : at);
  a.skippable(m.prefix, prefix, 0x0f, op, m.rm(r.below(8)), immediate);
}

function mxcsr(c) {
  const { a, random: r } = c;
  const at = L.PLAY + 0x60;
  if (r.chance(40)) return a.skippable(0x0f, 0xae, 0x1d, d32(address(r))); // stmxcsr
  a.skippable(0xc7, 0x05, d32(at), d32(r.pick([0x1f80, 0x9f80, 0x1f00, 0, 0, 0x1fc0, 0x7f80, 0x0f80, 0x10000])));
  a.skippable(0x0f, 0xae, 0x15, d32(at)); // ldmxcsr
}

function misc(c) {
  const { a, random: r } = c;
  switch (r.below(4)) {
    case 0:
      return a.skippable(0x0f, 0xae, r.pick([0xf8, 0xe8, 0xf0]));
    case 1: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x0f, 0xae, m.rm(7)); // clflush
    }
    case 2: {
      const m = mem(c);
      return a.skippable(m.prefix, 0x0f, 0x18, m.rm(r.below(4))); // prefetch
    }
    default:
      a.skippable(0xbf, d32(address(r)));
      return a.skippable(r.chance(50) ? 0x66 : [], 0x0f, 0xf7, 0xc0 | (register(r) << 3) | 1); // maskmovq
  }
}

export const floatItems = [
  [8, x87, 'x87'],
  [5, x87Control, 'x87-control'],
  [4, images, 'fpu-image'],
  [5, mmx, 'mmx'],
  [8, sse, 'sse'],
  [2, mxcsr, 'mxcsr'],
  [1, misc, 'sse-misc'],
];
