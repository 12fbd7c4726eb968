/**
 * A random kernel from a seed: `generate(seed)` answers a flat image, how to run it, and what it is made of, so that a run
 * can tell how much of it was reached. The same seed is the same program for as long as these files stay the same.
 */
import { Assembler, d16 } from './assembler.mjs';
import { blocks } from './blocks.mjs';
import * as L from './layout.mjs';
import { Random } from './random.mjs';
import { emitHandlers, emitNext, emitStart, emitTargets } from './runtime.mjs';
import { Image, writeDescriptors, writePages, writeTasks } from './tables.mjs';

const MODELS = {
  i486: { cr4: false, pae: false, sep: false, invlpg: true, pge: false },
  pentium: { cr4: true, pae: false, sep: false, invlpg: true, pge: false, cr4Bits: 0x1f },
  p6: { cr4: true, pae: true, sep: true, invlpg: true, pge: true, cr4Bits: 0x79f },
  pentium4: { cr4: true, pae: true, sep: true, invlpg: true, pge: true, cr4Bits: 0x79f },
};
const MAX_EVENTS = 3000;

export function generate(seed, { blockCount = 40 } = {}) {
  const random = new Random(seed);
  const name = random.weighted([
    [5, 'p6'],
    [3, 'pentium4'],
    [2, 'pentium'],
    [1, 'i486'],
  ]);
  const model = MODELS[name];
  const pae = model.pae && random.chance(45);
  const globals = model.pge && random.chance(40);
  const window = !globals && random.chance(25);
  const a = new Assembler(L.CODE);
  const cr4 = model.cr4
    ? (random.next() & model.cr4Bits & ~0x24) | (random.chance(70) ? 0x10 : 0) | (globals ? 0x80 : 0)
    : 0;
  let cr0 = 0x80000011 | (random.chance(75) ? 0x20 : 0) | (random.chance(60) ? 0x10000 : 0);
  if (random.chance(30)) cr0 |= 0x40000;
  emitStart(a, {
    model,
    pae,
    cr0,
    cr4: cr4 & (model.cr4Bits ?? 0),
    divisor: random.pick([4, 6, 10, 17, 40, 100]),
    masks: random.chance(80) ? [0xb8, 0] : [0, 0],
  });
  emitHandlers(a);
  emitNext(a, { blocks: blockCount });
  emitTargets(a);

  const context = {
    a,
    random,
    model,
    pae,
    globals,
    window,
    ring: 0,
    mode: 'flat',
    floats: random.below(4),
    used: new Set(),
  };
  const made = [];
  for (let i = 0; i < blockCount; i++) {
    a.align(16);
    a.label(`block${i}`);
    context.mode = 'flat';
    context.used = new Set();
    const [emit, kind] = random.weighted(
      blocks.filter(([, , , when]) => when === undefined || when(context)).map(([w, e, k]) => [w, [e, k]]),
    );
    emit(context);
    made.push({ kind, items: [...context.used] });
  }
  const bytes = a.finish();
  if (bytes.length > L.CODE_BYTES) throw new Error(`the program is too long: ${bytes.length} bytes`);
  return {
    seed,
    model: name,
    blocks: made,
    address: L.CODE,
    entry: a.address('start'),
    labels: a.labels,
    bytes: image(a, bytes, { random, globals, window, pae, blockCount }),
  };
}

function image(a, code, { random, globals, window, pae, blockCount }) {
  const image = new Image();
  image.bytes.set(code);
  for (const { at, length } of a.instructions) image.bytes[L.LENGTHS - L.CODE + at] = length;
  const root = pae ? L.PDPT_A : L.PD_A;
  writeDescriptors(image, a, random);
  writeTasks(image, a, root, random);
  writePages(image, random, { globals, window });
  for (let i = 0; i < L.PLAY_PAGES << 12; i += 4) {
    if (i % 0x1000 < 0x80) image.word(L.PLAY_FRAMES + i, random.value());
  }
  image.word(L.LOG_AT, L.LOG);
  image.word(L.EVENTS, MAX_EVENTS);
  image.word(L.ROOT, root);
  const register = (at, base, limit) => {
    for (const [i, byte] of [...d16(limit), ...d16(base), ...d16(base >>> 16)].entries())
      image.bytes[at + i - L.CODE] = byte;
  };
  register(L.GDTR_IMAGE, L.GDT, L.GDT_LIMIT);
  register(L.IDTR_IMAGE, L.IDT, 0x7ff);
  register(L.GDTR_SHORT, L.GDT, random.pick([0x3f, 0x8f, 0xbf, 0xc3]));
  register(L.IDTR_SHORT, L.IDT, random.pick([0x17f, 0x3ff, 0x187]));
  register(L.GDTR_OTHER, L.GDT_COPY + (random.chance(25) ? L.LARGE : 0), random.pick([0xbf, 0x8f, 0xffff]));
  register(L.IDTR_OTHER, L.IDT, random.pick([0x7ff, 0x407, 0xffff]));
  register(L.IDTR_REAL, 0, 0x3ff);
  for (let i = 0; i < blockCount; i++) image.word(L.BLOCK_TABLE + i * 4, a.address(`block${i}`));
  return image.bytes;
}
