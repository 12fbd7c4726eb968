/**
 * Operands of random instructions in 32-bit code. Memory operands name only addresses from the layout, loaded right before
 * the instruction that uses them: an address made of chance would sooner or later be one in the monitor's window, where a guest may
 * see what bare hardware does not have (the stated leak of SPECIFICATION.md).
 */
import { d32 } from './assembler.mjs';
import * as L from './layout.mjs';

const WITHIN = [0, 1, 2, 3, 4, 7, 8, 0x10, 0x40, 0x7fc, 0xff0, 0xff8, 0xffc, 0xffd, 0xffe, 0xfff];

/** A linear address that may be read and written, whatever becomes of the access. */
export function address(random) {
  const within = random.chance(30) ? random.below(0x1000) : random.pick(WITHIN);
  return random.weighted([
    [30, L.PLAY + (random.below(L.PLAY_PAGES) << 12) + within],
    [8, L.PLAY_FRAMES + (random.below(L.PLAY_PAGES) << 12) + within],
    [4, L.LARGE + L.PLAY_FRAMES + (random.below(L.PLAY_PAGES) << 12) + within],
    [3, L.LDT + 0x100 + random.below(0xe00)],
    [2, L.GDT + 0x200 + random.below(0x500)],
    [2, L.VIDEO + random.below(0xf00)],
    [1, L.ROM + random.below(0xf00)],
    [2, random.pick(L.UNMAPPED) + random.below(16)],
    [1, 0xfffff000 + within],
  ]);
}

/** One that may be read only: tables of every kind besides. */
export function readAddress(random) {
  if (random.chance(80)) return address(random);
  return random.weighted([
    [4, L.GDT + random.below(L.GDT_LIMIT)],
    [4, L.LDT + random.below(L.LDT_LIMIT)],
    [2, L.IDT + random.below(0x400)],
    [2, L.TSS_MAIN + random.below(0x68)],
    [1, L.CODE + random.below(0x8000)],
    [1, 0x400 + random.below(0x100)],
  ]);
}

const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
/** EAX..EDI without ESP. */
export const REGISTERS = [0, 1, 2, 3, 5, 6, 7];

export const register = (random) => random.pick(REGISTERS);

/**
 * A memory operand: emits what loads its base, answers `{ prefix, rm }` where `rm(reg)` gives ModRM and what follows it.
 */
export function memory(a, random, at) {
  const prefix = random.chance(12) ? [random.pick(SEGMENTS)] : [];
  const kind = random.below(4);
  if (kind === 0) return { prefix, rm: (reg) => [0x05 | (reg << 3), d32(at)] };
  const base = random.pick([1, 2, 3, 6, 7]);
  const disp = kind === 1 ? 0 : random.pick([0, 4, -4, 0x7f, -0x80]);
  a.skippable(0xb8 | base, d32(at - disp)); // mov base, at - disp
  if (kind === 1) return { prefix, rm: (reg) => [(reg << 3) | base] };
  if (kind === 2) return { prefix, rm: (reg) => [0x40 | (reg << 3) | base, disp & 255] };
  return { prefix, rm: (reg) => [0x84 | (reg << 3), 0x20 | base, d32(disp)] };
}

/** A selector: of a descriptor that exists mostly, any RPL. */
export function selector(random) {
  const rpl = random.weighted([
    [6, 0],
    [1, 1],
    [1, 2],
    [6, 3],
  ]);
  return random.weighted([
    [6, L.FIRST_PLAY_SELECTOR + (random.below(16) << 3) + rpl],
    [6, 4 + (random.below(32) << 3) + rpl],
    [4, random.below(24) * 8 + rpl],
    [2, rpl],
    [1, random.next() & 0xffff],
  ]);
}

/** One that a data segment register may well take at level `ring`. */
export function dataSelector(random, ring) {
  if (random.chance(40)) return selector(random);
  return ring === 3 ? random.pick([0x23, 0x24 | 3, 0xbb, 0x23]) : random.pick([0x10, 0x23, 0x14, 0x50, 0xbb]);
}
