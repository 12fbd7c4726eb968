/**
 * The tables a fuzzed kernel starts with: descriptors, gates, TSSs, page tables of both kinds, written into the image at
 * build time, so that the guest's own start only loads registers.
 */
import * as L from './layout.mjs';

const { SEL } = L;

/** `access` is bits 8-15, `flags` bits 20-23 of the high word. */
export function descriptor(base, limit, access, flags) {
  return [
    ((limit & 0xffff) | (base << 16)) >>> 0,
    (((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000)) >>> 0,
  ];
}

export function gate(selector, offset, access, words = 0) {
  return [((selector << 16) | (offset & 0xffff)) >>> 0, ((offset & 0xffff0000) | (access << 8) | words) >>> 0];
}

/** A descriptor of the program's own: anything that segment loads can be tried with. */
export function randomDescriptor(random) {
  const base = random.weighted([
    [4, 0],
    [3, L.PLAY],
    [3, L.PLAY_FRAMES],
  ]);
  const dpl = random.weighted([
    [5, 0],
    [1, 1],
    [1, 2],
    [5, 3],
  ]);
  const present = random.chance(90) ? 0x80 : 0;
  if (random.chance(12)) {
    const type = random.below(16);
    // Gates and TSSs that lead anywhere would end the program soon.
    return [random.next() & 0xffff, (present | (dpl << 5) | (type & 0xb ? type : 2)) << 8];
  }
  const type = random.weighted([
    [6, 2],
    [2, 0],
    [2, 6],
    [1, 4],
    [2, 10],
    [1, 8],
    [1, 14],
  ]);
  const accessed = random.chance(50) ? 1 : 0;
  const granular = random.chance(50) ? 8 : 0;
  const limit =
    granular !== 0 ? random.pick([0xfffff, 0, 0x7f, 0x3ff, 0x40f]) : random.pick([0xfffff, 0xfff, 0x7f, 0, 0x10]);
  const big = random.chance(70) ? 4 : 0;
  return descriptor(base, limit, present | 0x10 | (dpl << 5) | type | accessed, granular | big);
}

export class Image {
  constructor() {
    this.bytes = new Uint8Array(L.IMAGE_END - L.CODE);
    this.view = new DataView(this.bytes.buffer);
  }

  word(address, value) {
    this.view.setUint32(address - L.CODE, value >>> 0, true);
  }

  half(address, value) {
    this.view.setUint16(address - L.CODE, value & 0xffff, true);
  }

  pair(address, [low, high]) {
    this.word(address, low);
    this.word(address + 4, high);
  }

  copy(from, to, bytes) {
    this.bytes.copyWithin(to - L.CODE, from - L.CODE, from - L.CODE + bytes);
  }
}

export function writeDescriptors(image, code, random) {
  const flat = (access, flags = 0xc) => descriptor(0, 0xfffff, access, flags);
  const segment16 = (access) => descriptor(L.CODE, 0xffff, access, 0);
  const accessed = () => (random.chance(80) ? 1 : 0);
  const gdt = {
    [SEL.code0]: flat(0x9a | accessed()),
    [SEL.data0]: flat(0x92 | accessed()),
    [SEL.code3]: flat(0xfa | accessed()),
    [SEL.data3]: flat(0xf2 | accessed()),
    [SEL.tss]: descriptor(L.TSS_MAIN, L.TSS_MAIN_LIMIT, 0x89, 0),
    [SEL.tssDf]: descriptor(L.TSS_DF, 0x67, 0x89, 0),
    [SEL.ldt]: descriptor(L.LDT, L.LDT_LIMIT, 0x82, 0),
    [SEL.code16]: segment16(0x9b),
    [SEL.code16user]: segment16(0xfb),
    [SEL.stack16]: descriptor(L.STACK_16, 0xfff, 0x93, 0),
    [SEL.code1]: flat(0xbb),
    [SEL.data1]: flat(0xb3),
    [SEL.code2]: flat(0xdb),
    [SEL.data2]: flat(0xd3),
    [SEL.tssA]: descriptor(L.TSS_A, 0x67, 0x89 | 0x60, 0),
    [SEL.tssB]: descriptor(L.TSS_B, 0x67, 0x89, 0),
    [SEL.tss16]: descriptor(L.TSS_16, 0x2b, 0x81, 0),
    [SEL.gate]: gate(SEL.code0, code.address('gateTarget'), 0xec),
    [SEL.gateWords]: gate(SEL.code0, code.address('gateTargetWords'), 0xec, 2),
    [SEL.taskGate]: gate(SEL.tssA, 0, 0xe5),
    [SEL.conforming]: flat(0x9f),
    [SEL.gate1]: gate(SEL.code1, code.address('gateTarget'), 0xec),
    [SEL.data16]: descriptor(L.PLAY_FRAMES, 0xffff, 0xf3, 0),
    [SEL.real16]: descriptor(0, 0xffff, 0x93, 0),
  };
  for (const [selector, words] of Object.entries(gdt)) image.pair(L.GDT + Number(selector), words);
  for (let at = L.FIRST_PLAY_SELECTOR; at < L.GDT_LIMIT; at += 8) image.pair(L.GDT + at, randomDescriptor(random));
  for (let at = 0; at < L.LDT_LIMIT; at += 8) image.pair(L.LDT + at, randomDescriptor(random));
  image.pair(L.LDT + 8, flat(0x9b));
  image.pair(L.LDT + 16, flat(0x93));
  image.pair(L.LDT + 24, flat(0xfb));
  image.pair(L.LDT + 32, flat(0xf3));

  for (let vector = 0; vector < 256; vector++) {
    const handler = code.address(`vector${vector}`);
    const open = vector === 3 || vector === 4 || vector >= 0x30 ? 0x60 : random.chance(10) ? 0x60 : 0;
    const kind = vector >= 0x30 && random.chance(50) ? 0x8f : 0x8e;
    image.pair(L.IDT + vector * 8, gate(SEL.code0, handler, kind | open));
  }
  image.pair(L.IDT + 8 * 8, gate(SEL.tssDf, 0, 0x85));
  if (random.chance(30)) image.pair(L.IDT + 0x40 * 8, gate(SEL.tssB, 0, 0xe5));
  // A 16-bit gate: its handler lies in the first 64 KiB of a segment that begins at 0, so it cannot be in CODE; conforming code can.
  if (random.chance(50)) image.pair(L.IDT + 0x41 * 8, gate(SEL.conforming, code.address('vector65'), 0xee));
  if (random.chance(50)) image.pair(L.IDT + 0x42 * 8, gate(SEL.code1, code.address('vector66ring1'), 0xee));
  image.copy(L.GDT, L.GDT_COPY, L.GDT_LIMIT + 1);
}

export function writeTasks(image, code, root, random) {
  const task = (at, { entry, esp, ldt = SEL.ldt, flags = 2 }) => {
    image.word(at + 4, L.STACK0);
    image.word(at + 8, SEL.data0);
    image.word(at + 12, L.STACK_INNER1);
    image.word(at + 16, SEL.data1 | 1);
    image.word(at + 20, L.STACK_INNER2);
    image.word(at + 24, SEL.data2 | 2);
    image.word(at + 28, root);
    image.word(at + 32, entry);
    image.word(at + 36, flags);
    image.word(at + 56, esp);
    for (const [i, selector] of [SEL.data0, SEL.code0, SEL.data0, SEL.data0, 0, 0].entries()) {
      image.word(at + 72 + i * 4, selector);
    }
    image.word(at + 96, ldt);
    image.word(at + 100, 0x680000);
  };
  task(L.TSS_MAIN, { entry: 0, esp: L.STACK0 });
  image.word(L.TSS_MAIN + 100, (L.TSS_IOMAP << 16) | 0);
  for (let at = L.TSS_MAIN + 0x68; at < L.TSS_MAIN + L.TSS_IOMAP; at++)
    image.bytes[at - L.CODE] = random.chance(60) ? 0 : random.byte();
  for (let port = 0; port < 0x100; port++)
    image.bytes[L.TSS_MAIN + L.TSS_IOMAP + port - L.CODE] = random.chance(70) ? 0 : random.byte();
  task(L.TSS_DF, { entry: code.address('doubleFault'), esp: L.STACK_DF });
  task(L.TSS_A, { entry: code.address('taskA'), esp: L.STACK_TASK, flags: random.chance(30) ? 0x202 : 2 });
  task(L.TSS_B, { entry: code.address('taskB'), esp: L.STACK_TASK, ldt: random.pick([SEL.ldt, 0]) });
  if (random.chance(25)) {
    // A selector that the switch trips over, in the new task's context.
    const at = random.pick([L.TSS_A, L.TSS_B]);
    image.word(at + 72 + random.pick([0, 8, 12, 16, 20]) * 1, random.pick([0x140, 0x3c, 0x0b, 0xc0, 0xfff8]));
  }
  if (random.chance(20)) image.word(random.pick([L.TSS_A, L.TSS_B]) + 100, 0x680001);
  // 80286 task: IP, FLAGS, general registers, ES CS SS DS, LDT.
  image.half(L.TSS_16 + 2, L.STACK0 & 0xffff);
  image.half(L.TSS_16 + 4, SEL.data0);
  image.half(L.TSS_16 + 14, code.address('task16') - L.CODE);
  image.half(L.TSS_16 + 16, 2);
  image.half(L.TSS_16 + 26, 0xf00);
  for (const [i, selector] of [SEL.data0, SEL.code16, SEL.stack16, SEL.data0, SEL.ldt].entries()) {
    image.half(L.TSS_16 + 34 + i * 2, selector);
  }
  image.copy(L.TSS_MAIN, L.TSS_COPY, 0x1000);
}

/** Rights of the first 512 KiB: what user code needs is the user's. */
function lowRights(page) {
  const at = page << 12;
  if (at < L.CODE || (at >= L.CODE && at < L.LENGTHS)) return 7;
  if (at === (L.STACK_USER & 0xfffff000) || at === (L.STACK_INNER1 & 0xfffff000)) return 7;
  return at >= L.PLAY_FRAMES && at < L.IMAGE_END ? 7 : at >= 0xa0000 ? 7 : 3;
}

export function randomEntry(random, globals) {
  const frame = random.weighted([
    [20, L.PLAY_FRAMES + (random.below(L.PLAY_PAGES) << 12)],
    [2, L.LDT],
    [2, L.VIDEO],
    [1, L.ROM],
    [1, 0x10000000],
    [1, L.GDT],
  ]);
  let bits = random.chance(88) ? 1 : 0;
  if (random.chance(70)) bits |= 2;
  if (random.chance(70)) bits |= 4;
  if (random.chance(50)) bits |= 0x20;
  if (random.chance(40)) bits |= 0x40;
  if (random.chance(10)) bits |= random.pick([8, 0x10, 0x200, 0x800]);
  if (globals && random.chance(30)) bits |= 0x100;
  // The GDT's page is for reading: a stray write would end most programs.
  if (frame === L.GDT) bits &= ~2;
  return (frame | bits) >>> 0;
}

export function writePages(image, random, { globals, window }) {
  const table = (at, size, from, count, rights) => {
    for (let i = 0; i < count; i++) image.word(at + i * size, ((from + i) << 12) | rights(from + i));
  };
  table(L.PT_LOW, 4, 0, 512, lowRights);
  table(L.PAE_PT_LOW, 8, 0, 512, lowRights);
  for (const [two, pae] of [
    [L.PT_PLAY_A, L.PAE_PT_PLAY_A],
    [L.PT_PLAY_B, L.PAE_PT_PLAY_B],
  ]) {
    for (let i = 0; i < L.PLAY_PAGES; i++) {
      const entry = i < 3 ? ((L.PLAY_FRAMES + (i << 12)) | 7) >>> 0 : randomEntry(random, globals);
      image.word(two + i * 4, entry);
      image.word(pae + i * 8, entry);
    }
  }
  for (const [pd, play, paePd, paePlay, pdpt] of [
    [L.PD_A, L.PT_PLAY_A, L.PAE_PD_A, L.PAE_PT_PLAY_A, L.PDPT_A],
    [L.PD_B, L.PT_PLAY_B, L.PAE_PD_B, L.PAE_PT_PLAY_B, L.PDPT_B],
  ]) {
    image.word(pd, L.PT_LOW | 7);
    image.word(pd + 4, play | 7);
    image.word(pd + 8, 0x83 | (random.chance(50) ? 4 : 0));
    if (random.chance(50)) image.word(pd + 1023 * 4, L.PT_TOP | 7);
    if (window) image.word(pd + 1022 * 4, L.PT_PLAY_A | 7);
    image.word(paePd, L.PAE_PT_LOW | 7);
    image.word(paePd + 2 * 8, paePlay | 7);
    image.word(paePd + 4 * 8, 0x83 | (random.chance(50) ? 4 : 0));
    image.word(pdpt, paePd | 1);
    if (window || random.chance(50)) image.word(pdpt + 24, L.PAE_PD_TOP | 1);
  }
  image.word(L.PT_TOP + 1023 * 4, (L.PLAY_FRAMES + 0x3000) | 7);
  if (window) image.word(L.PAE_PD_TOP + 508 * 8, L.PAE_PT_PLAY_A | 7);
  image.word(L.PAE_PD_TOP + 511 * 8, L.PAE_PT_TOP | 7);
  image.word(L.PAE_PT_TOP + 511 * 8, (L.PLAY_FRAMES + 0x3000) | 7);
}
