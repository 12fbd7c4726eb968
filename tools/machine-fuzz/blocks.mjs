/**
 * Blocks: the units a fuzzed program is made of. Each begins in ring 0 with flat segments (runtime.mjs, `next`), goes to its own level or
 * mode, and tries some random instructions there. Whatever happens, the next block follows.
 */
import { abs16, abs32, d16, d32, rel32 } from './assembler.mjs';
import { floatItems } from './float-items.mjs';
import * as L from './layout.mjs';
import { smallItem } from './small-items.mjs';
import { paeSwitch, systemItems } from './system-items.mjs';
import { integerItems } from './user-items.mjs';

const { SEL } = L;

function items(c, count, tables) {
  const choice = tables.flatMap(([weight, list]) =>
    list.filter(([, , , when]) => when === undefined || when(c)).map(([w, emit, name]) => [w * weight, [emit, name]]),
  );
  for (let i = 0; i < count; i++) {
    const [emit, name] = c.random.weighted(choice);
    c.used.add(name);
    emit(c);
  }
}

function kernel(c) {
  c.ring = 0;
  if (c.random.chance(60)) c.a.skippable(0xfb);
  items(c, 3 + c.random.below(12), [
    [2, integerItems],
    [c.floats, floatItems],
    [3, systemItems],
  ]);
  c.a.emit(0xe9, rel32('next'));
}

function floating(c) {
  c.ring = c.random.pick([0, 0, 3]);
  // CR4.OSFXSR and OSXMMEXCPT, or SSE is an invalid opcode and has no exceptions of its own.
  if (c.model.pae && c.random.chance(80)) c.a.emit(0x0f, 0x20, 0xe0, 0x0d, d32(0x600), 0x0f, 0x22, 0xe0);
  if (c.ring === 3) toRing(c, 3);
  else if (c.random.chance(60)) c.a.skippable(0xfb);
  items(c, 6 + c.random.below(16), [
    [1, integerItems],
    [8, floatItems],
  ]);
  endBlock(c);
}

const RINGS = {
  1: [SEL.code1 | 1, SEL.data1 | 1, L.STACK_INNER1],
  2: [SEL.code2 | 2, SEL.data2 | 2, L.STACK_INNER2],
  3: [SEL.code3 | 3, SEL.data3 | 3, L.STACK_USER],
};

/** EFLAGS for a new level: IF mostly, any IOPL, sometimes AC, NT or TF. */
function newFlags(r) {
  let flags = 2 | (r.chance(80) ? 0x200 : 0) | (r.below(4) << 12);
  if (r.chance(20)) flags |= 0x40000;
  if (r.chance(8)) flags |= 0x100;
  if (r.chance(20)) flags |= 0x80000;
  if (r.chance(5)) flags |= 0x100000;
  return flags;
}

function toRing(c, ring) {
  const { a, random: r } = c;
  const [code, data, stack] = RINGS[ring];
  const inside = a.fresh('ring');
  // Data segments first: what ring 0 could hold, IRET takes away from outer rings.
  if (r.chance(70)) a.emit(0xb8, d32(data), 0x8e, 0xd8, 0x8e, 0xc0);
  if (r.chance(30)) a.emit(0xb8, d32(SEL.data0), 0x8e, 0xe0);
  a.emit(0x68, d32(data), 0x68, d32(stack), 0x68, d32(newFlags(r)), 0x68, d32(code), 0x68, abs32(inside), 0xcf);
  a.label(inside);
}

function endBlock(c) {
  if (c.ring === 0) c.a.emit(0xe9, rel32('next'));
  else c.a.emit(0xcd, L.END_VECTOR, 0xf4);
}

function outerRing(c) {
  const r = c.random;
  c.ring = r.weighted([
    [6, 3],
    [2, 1],
    [2, 2],
  ]);
  if (r.chance(15)) c.a.emit(0x0f, 0x20, 0xc0, 0x0d, d32(0x40000), 0x0f, 0x22, 0xc0); // CR0.AM
  toRing(c, c.ring);
  items(c, 4 + r.below(14), [
    [6, integerItems],
    [c.floats, floatItems],
    [
      1,
      systemItems.filter(([, , name]) =>
        ['far-transfer', 'cr0', 'msr', 'cli-sti', 'table-registers', 'debug-registers'].includes(name),
      ),
    ],
  ]);
  endBlock(c);
}

function virtual(c) {
  const { a, random: r } = c;
  c.ring = 3;
  c.mode = 'v86';
  const inside = a.fresh('v86');
  if (c.model.cr4 && r.chance(50)) a.emit(0x0f, 0x20, 0xe0, 0x34, 1, 0x0f, 0x22, 0xe0); // CR4.VME
  const play = L.PLAY_FRAMES >>> 4;
  for (const selector of [play, play, play, play, L.STACK_16 >>> 4]) a.emit(0x68, d32(selector));
  a.emit(0x68, d32(0xe00), 0x68, d32(0x20000 | newFlags(r)), 0x68, d32(L.CODE >>> 4), 0x68, abs16(inside), 0, 0, 0xcf);
  a.label(inside);
  for (let i = 4 + r.below(20); i > 0; i--) smallItem(c);
  a.emit(0xcd, L.END_VECTOR, 0xf4);
}

/** 16-bit protected mode, ring 0 or 3. */
function small(c) {
  const { a, random: r } = c;
  c.mode = 'segment';
  const inside = a.fresh('small');
  const user = r.chance(40);
  a.emit(0xb8, d32(SEL.data16 | 3), 0x8e, 0xd8, 0x8e, 0xc0);
  if (user) {
    a.emit(
      0x68,
      d32(SEL.data3 | 3),
      0x68,
      d32(L.STACK_USER),
      0x68,
      d32(newFlags(r)),
      0x68,
      d32(SEL.code16user | 3),
      0x68,
      abs16(inside),
      0,
      0,
      0xcf,
    );
  } else {
    if (r.chance(50)) a.emit(0xbc, d32(0xe00), 0xb8, d32(SEL.stack16), 0x8e, 0xd0);
    a.emit(0xea, abs16(inside), 0, 0, d16(SEL.code16));
  }
  a.label(inside);
  for (let i = 4 + r.below(10); i > 0; i--) smallItem(c);
  if (user) a.emit(0xcd, L.END_VECTOR, 0xf4);
  else a.emit(0x66, 0xea, abs32('next'), d16(SEL.code0));
}

function real(c) {
  const { a, random: r } = c;
  c.mode = 'real';
  const [wide, inside] = [a.fresh('wide'), a.fresh('real')];
  a.emit(0xfa, 0x0f, 0x01, 0x1d, d32(L.IDTR_REAL));
  // Else some of them keep 4 GiB and 32 bits: unreal mode.
  const plain = r.chance(75);
  if (plain)
    a.emit(
      0xb8,
      d32(SEL.real16),
      [2, 3, 0, 4, 5].map((register) => [0x8e, 0xc0 | (register << 3)]),
    );
  a.emit(0xea, abs16(wide), 0, 0, d16(SEL.code16));
  a.label(wide);
  a.emit(0x0f, 0x20, 0xc0, 0x66, 0x25, d32(0x7ffffffe), 0x0f, 0x22, 0xc0); // and eax; mov cr0,eax
  a.emit(0xea, abs16(inside), d16(L.CODE >>> 4));
  a.label(inside);
  a.emit(0xb8, d16(L.STACK_16 >>> 4), 0x8e, 0xd0, 0x66, 0xbc, d32(0xe00));
  if (plain || r.chance(60)) {
    a.emit(
      0xb8,
      d16(L.PLAY_FRAMES >>> 4),
      [3, 0, 4, 5].map((register) => [0x8e, 0xc0 | (register << 3)]),
    );
  }
  if (r.chance(50)) a.emit(0xfb);
  for (let i = 4 + r.below(24); i > 0; i--) smallItem(c);
  a.emit(0xe9, { label: 'realVector', plus: 0, size: 2, relative: true });
}

function paeBlock(c) {
  c.ring = 0;
  paeSwitch(c);
  items(c, 2 + c.random.below(6), [
    [2, integerItems],
    [3, systemItems],
  ]);
  c.a.emit(0xe9, rel32('next'));
}

export const blocks = [
  [10, kernel, 'ring-0'],
  [7, outerRing, 'outer-ring'],
  [4, floating, 'float'],
  [3, virtual, 'v86'],
  [2, small, '16-bit'],
  [3, real, 'real-mode'],
  [1, paeBlock, 'pae-switch', (c) => c.model.pae],
];
