/**
 * Doings of 16-bit code beyond plain instructions (small-items.mjs): segments anywhere in the first megabyte and above it, far
 * transfers, debug registers, HLT, the A20 gate, strings from ports and over video memory, code that changes itself, x87
 * images, and protected mode for a moment, which leaves segments behind that real mode cannot load.
 */
import { abs16, d16, d32 } from './assembler.mjs';
import * as L from './layout.mjs';

const CODE_SEGMENT = L.CODE >>> 4;
const PLAY_SEGMENT = L.PLAY_FRAMES >>> 4;
/** What it reaches above the first megabyte is the vector table and what follows while the A20 gate is shut. */
const HIGH_SEGMENT = 0xffff;
const BEHIND_VECTORS = 0x410;
const DATA_PREFIX = { 0: 0x26, 3: 0x3e, 4: 0x64, 5: 0x65 };
/** Within every segment tried here: what it writes must not be the program. */
const near = (r) => r.pick([0, 2, 0x10, 0x7e, 0xf0, 0xffe, r.below(0xf00)]);

/** mov ax, value; mov sreg, ax */
function loadSegment(a, register, value) {
  a.skippable(0xb8, d16(value));
  a.skippable(0x8e, 0xc0 | (register << 3));
}

/** Another segment, and accesses through it: RAM, video memory, ROM, the 64 KiB behind the first megabyte. */
function segments(c) {
  const { a, random: r } = c;
  const register = r.pick([0, 4, 5]);
  const value = r.pick([PLAY_SEGMENT, PLAY_SEGMENT + r.below(0x800), 0xb800, 0xf000, HIGH_SEGMENT]);
  loadSegment(a, register, value);
  for (let i = 1 + r.below(3); i > 0; i--) {
    a.skippable(
      DATA_PREFIX[register],
      r.pick([0x8b, 0x89, 0x01, 0x33, 0x86]),
      0x0e,
      d16(near(r) + (value === HIGH_SEGMENT ? BEHIND_VECTORS : 0)),
    );
  }
}

/** LES, then ES as before. */
function farPointer(c) {
  const { a, random: r } = c;
  a.skippable(r.pick([0xc4, [0x0f, 0xb4], [0x0f, 0xb5]]), 0x1e, d16(near(r)));
  for (const register of [0, 4, 5]) loadSegment(a, register, PLAY_SEGMENT);
}

function farTransfer(c) {
  const { a, random: r } = c;
  const behind = a.fresh('far');
  switch (r.below(3)) {
    case 0:
      a.skippable(0xea, abs16(behind), d16(CODE_SEGMENT));
      break;
    case 1:
      a.skippable(0x9a, abs16(behind), d16(CODE_SEGMENT));
      break;
    default:
      a.skippable(0x0e);
      a.skippable(0x68, abs16(behind));
      a.skippable(0xcb);
  }
  a.label(behind);
}

/** MOV SS, POP SS, LSS, with or without an interrupt due. */
function stack(c) {
  const { a, random: r } = c;
  if (r.chance(50)) a.skippable(0xfb);
  if (r.chance(50)) {
    loadSegment(a, 2, L.STACK_16 >>> 4);
  } else {
    a.skippable(0x16);
    a.skippable(0x17);
  }
  a.skippable(r.pick([0x90, 0xfa, 0x9c, 0x50, 0x40]));
}

function stringDoing(c) {
  const { a, random: r } = c;
  a.skippable(r.chance(80) ? 0xfc : 0xfd);
  a.skippable(0xb9, d16(r.pick([1, 3, 20, 120])));
  a.skippable(0xbf, d16(0x400 + near(r)));
  a.skippable(0xbe, d16(0x400 + near(r)));
  if (r.chance(40)) {
    a.skippable(0xba, d16(r.pick([0x61, 0x92, 0xe9, 0x70])));
    return a.skippable(0xf3, 0x6c);
  }
  if (r.chance(30)) loadSegment(a, 0, 0xb800);
  a.skippable(0xf3, r.chance(30) ? 0x66 : [], r.pick([0xa4, 0xa5, 0xaa, 0xab]));
  return loadSegment(a, 0, PLAY_SEGMENT);
}

/** The immediate of the next instruction but one. */
function selfModify(c) {
  const { a, random: r } = c;
  const ahead = a.fresh('smc');
  a.skippable(0x2e, 0xc6, 0x06, { ...abs16(ahead), plus: 1 }, r.byte());
  if (r.chance(50)) a.skippable(0x90);
  a.label(ahead);
  a.skippable(r.pick([0xb0, 0x04, 0x34]), r.byte());
}

function breakpoint(c) {
  const { a, random: r } = c;
  const index = r.below(4);
  const kind = r.pick([0, 1, 3]);
  const at = L.PLAY_FRAMES + 0x100 + r.below(8);
  const ahead = a.fresh('bp');
  if (kind === 0) a.skippable(0x66, 0xb8, abs16(ahead), d16(CODE_SEGMENT >>> 12));
  else a.skippable(0x66, 0xb8, d32(at));
  a.skippable(0x0f, 0x23, 0xc0 | (index << 3));
  a.skippable(0x66, 0xb8, d32((1 << (index * 2)) | (((kind === 0 ? 0 : 0xc) | kind) << (16 + index * 4))));
  a.skippable(0x0f, 0x23, 0xf8);
  a.skippable(r.pick([0x8b, 0x89, 0x01]), 0x0e, d16((at & 0xfff) + r.pick([-1, 0, 1, 4])));
  a.label(ahead);
  a.skippable(r.pick([[0x90], [0x41], [0x9c], [0x0f, 0xa2]]));
}

/** TF by POPF: a trap behind each of the next few instructions. */
function singleStep(c) {
  const { a } = c;
  a.skippable(0x9c);
  a.skippable(0x89, 0xe5);
  a.skippable(0x81, 0x4e, 0x00, d16(0x100));
  a.skippable(0x9d);
}

function halt(c) {
  const { a, random: r } = c;
  a.skippable(0xb0, 0);
  a.skippable(0xe6, 0x21);
  a.skippable(0xfb);
  if (r.chance(80)) a.skippable(0xf4);
}

function gateA20(c) {
  const { a, random: r } = c;
  a.skippable(0xb0, r.chance(50) ? 2 : 0);
  a.skippable(0xe6, 0x92);
  loadSegment(a, 0, HIGH_SEGMENT);
  a.skippable(0x26, r.pick([0x8b, 0x89]), 0x0e, d16(BEHIND_VECTORS + 0x100 * r.below(0xfb)));
  loadSegment(a, 0, PLAY_SEGMENT);
}

function coprocessor(c) {
  const { a, random: r } = c;
  a.skippable(
    r.pick([
      [0xd9, 0xe8],
      [0xd9, 0xee],
      [0xde, 0xf9],
      [0xdb, 0xe3],
      [0xd9, 0xfa],
    ]),
  );
  a.skippable(
    r.pick([
      [0xd9, 0x36],
      [0xdd, 0x36],
      [0x66, 0xd9, 0x36],
      [0xdf, 0x3e],
      [0xdd, 0x16],
    ]),
    d16(near(r)),
  );
}

function reveal(c) {
  const { a, random: r } = c;
  a.skippable(0x0f, 0x01, r.pick([0x06, 0x0e, 0x26]), d16(near(r)));
  a.skippable(
    r.pick([
      [0x0f, 0x31],
      [0x0f, 0xa2],
      [0x0f, 0x01, 0xe0],
      [0x0f, 0x21, 0xf8],
      [0x0f, 0x20, 0xe0],
    ]),
  );
}

/** Protected mode without a far jump, a segment or two of its own, and back: "unreal" until the next far jump and loads. */
function unreal(c) {
  const { a, random: r } = c;
  // A trap would find the vector table of real mode in the place of the IDT.
  a.emit(0x6a, 2, 0x9d, 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf8); // push 2; popf; dr7 = 0
  a.emit(0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0); // cr0 |= PE
  const register = r.pick([0, 3, 4, 5]);
  a.emit(0xbb, d16(r.pick([L.SEL.data0, L.SEL.data16, 0])), 0x8e, 0xc3 | (register << 3));
  a.emit(0x24, 0xfe, 0x0f, 0x22, 0xc0);
  if (r.chance(60)) {
    a.skippable(0x66, 0xbe, d32(L.PLAY_FRAMES + r.below(0x1000)));
    a.skippable(DATA_PREFIX[register], 0x67, 0x8b, 0x06);
  }
  if (r.chance(70)) loadSegment(a, register, PLAY_SEGMENT);
  if (r.chance(40)) loadSegment(a, 3, PLAY_SEGMENT);
  if (r.chance(60)) a.skippable(0xfb);
}

const service = (c) => c.a.skippable(0xcd, c.random.pick([0x30, 0x31, 0x40, 0x21, 0x03, 0x42]));

const isReal = (c) => c.mode === 'real';
/** Weight, doing, name, when. */
export const realItems = [
  [5, segments, 'real-segments'],
  [2, farPointer, 'real-far-pointer'],
  [4, farTransfer, 'real-far-transfer'],
  [4, stack, 'real-stack'],
  [5, stringDoing, 'real-string'],
  [3, selfModify, 'real-self-modify'],
  [3, breakpoint, 'real-breakpoint', isReal],
  [2, singleStep, 'real-single-step'],
  [2, halt, 'real-hlt', isReal],
  [2, gateA20, 'real-a20', isReal],
  [3, coprocessor, 'real-x87'],
  [4, reveal, 'real-tables'],
  [3, unreal, 'unreal', isReal],
  [5, service, 'real-service'],
];

export function realItem(c) {
  const [emit, name] = c.random.weighted(
    realItems.filter(([, , , when]) => when === undefined || when(c)).map(([w, emit, name]) => [w, [emit, name]]),
  );
  c.used.add(name);
  emit(c);
}
