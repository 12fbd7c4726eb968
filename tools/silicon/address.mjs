/**
 * Where a vector's operands lie, and how an instruction says so: linear places (aligned, misaligned, across pages, read-only, not
 * mapped), segments of the LDT with their edges, and ModR/M, SIB and displacement bytes that reach them. See
 * packages/cpu/src/testing/user-environment.ts for the map. It knows no instructions.
 */
import {
  AREAS,
  DATA_BASE,
  DATA_BYTES,
  LDT_ENTRIES,
  PAGE,
  READ_ONLY_BASE,
  TOP_BASE,
  ldtSelector,
} from '../../packages/cpu/dist/testing/user-environment.js';

export const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];
export const OVERRIDE = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [0, 1, 2, 3, 4, 5, 6, 7];
export const FLAT = 0x2b;
const DATA_END = DATA_BASE + DATA_BYTES;

/** Base of the segment that a selector names. */
export function baseOf(selector) {
  if ((selector & 4) === 0) return 0;
  return LDT_ENTRIES[selector >> 3]?.base ?? 0;
}

/** Whether the segment that a selector names is a 32-bit one. */
export function isWide(selector) {
  return (selector & 4) === 0 || LDT_ENTRIES[selector >> 3]?.wide === true;
}

/** A linear place for an operand of `size` bytes. `kind`: what is special about it. */
export function place(rnd, kind, size) {
  const align = Math.min(16, size & -size || 1);
  const inside = DATA_BASE + 64 + rnd.below(DATA_BYTES - 128 - size);
  const cut = 1 + rnd.below(Math.max(1, size - 1));
  switch (kind) {
    case 'aligned':
      return inside - (inside % Math.max(align, size >= 16 ? 16 : align));
    case 'any':
      return inside;
    case 'cross':
      return DATA_BASE + PAGE - cut;
    case 'top':
      return TOP_BASE + PAGE - size - rnd.below(32);
    case 'guard':
      return rnd.pick([
        DATA_END + rnd.below(0x1000),
        0x00300000 + rnd.below(64) * 4,
        0xfffffff0 - rnd.below(16) * 4,
        rnd.below(0x800),
      ]);
    case 'intoGuard':
      return rnd.pick([DATA_END, TOP_BASE + PAGE]) - cut;
    case 'fromGuard':
      return rnd.pick([DATA_BASE, TOP_BASE]) - cut;
    case 'readOnly':
      return READ_ONLY_BASE + (rnd.below(PAGE - size) & ~(align - 1));
    case 'readOnlyEdge':
      return rnd.pick([READ_ONLY_BASE, READ_ONLY_BASE + PAGE]) - cut;
    default:
      throw new Error(`place ${kind}`);
  }
}

/** Most cases reach memory; about one in four does not, or only half. */
export function placeKind(rnd, i) {
  const usual = ['aligned', 'aligned', 'any', 'aligned', 'any', 'cross', 'aligned', 'top'];
  const special = ['guard', 'intoGuard', 'fromGuard', 'readOnly', 'readOnly', 'readOnlyEdge'];
  return i % 5 === 4 ? special[((i / 5) % special.length) | 0] : rnd.pick(usual);
}

const WRITABLE = ['data32', 'data16', 'down32', 'down16', 'tiny', 'pageEdge', 'flat'];
const READABLE = ['readOnly', 'code32', 'downPages'];

/** An LDT data segment, and an offset within it or at its edge, for an operand of `size` bytes. */
export function segmentAndOffset(rnd, size, stack) {
  const name = rnd.pick(stack ? WRITABLE : [...WRITABLE, ...WRITABLE, ...READABLE, 'null']);
  if (name === 'null') return { selector: rnd.below(4), offset: rnd.below(0x10000) };
  const { limit, contents, wide, pages } = LDT_ENTRIES.find((each) => each?.name === name);
  const selector = ldtSelector(name);
  const last = pages ? limit * 4096 + 4095 : limit;
  const edge = rnd.chance(3);
  let offset;
  if (name === 'flat') offset = place(rnd, rnd.pick(['aligned', 'any', 'guard']), size);
  else if (contents === 1) {
    if (edge)
      offset = rnd.pick([last + 1 - rnd.below(size + 1), wide ? -rnd.below(size + 2) : 0x10000 - rnd.below(size + 2)]);
    else offset = last + 1 + rnd.below(0x600);
  } else if (edge) offset = last + 1 - rnd.below(size + 2);
  else offset = rnd.below(Math.max(1, Math.min(last, 0x1f00) + 1 - size));
  if (size >= 16 && !rnd.chance(4)) offset &= ~15;
  return { selector, offset: offset >>> 0 };
}

/** Cuts a run of bytes to what lies in the arena: patches as the executor takes them. */
export function patchesOf(at, bytes) {
  const found = [];
  for (const area of AREAS) {
    const from = Math.max(at, area.at);
    const to = Math.min(at + bytes.length, area.at + area.bytes);
    if (from < to) found.push({ at: from, bytes: Uint8Array.from(bytes.slice(from - at, to - at)) });
  }
  return found;
}

const dword = (v) => [v & 0xff, (v >>> 8) & 0xff, (v >>> 16) & 0xff, v >>> 24];
const signed8 = (v) => v >= -128 && v <= 127;

/**
 * Chooses a 32-bit addressing mode among registers that are not `taken`. Answers `{ stack, settle }`: whether SS is the default,
 * and a function that, given the offset, sets registers and answers ModR/M (without reg field), SIB and displacement.
 */
export function mode32(rnd, taken, set) {
  const free = [EAX, ECX, EDX, EBX, EBP, ESI, EDI].filter((r) => !taken.has(r));
  if (!taken.has(ESP) && rnd.chance(6)) free.push(ESP);
  const kind = free.length === 0 ? 0 : rnd.below(8);
  if (kind === 0) return { stack: false, settle: (offset) => [5, ...dword(offset)] };
  const base = rnd.pick(free);
  const indexes = free.filter((r) => r !== base && r !== ESP);
  const stack = base === ESP || base === EBP;
  const disp = rnd.pick([0, rnd.below(128), -rnd.below(128) - 1, rnd.next() | 0, rnd.below(0x10000)]);
  const tail = () => {
    if (disp === 0 && base !== EBP) return [0];
    if (signed8(disp) && !rnd.chance(4)) return [0x40, disp & 0xff];
    return [0x80, ...dword(disp)];
  };
  const sum = (values) => values.reduce((a, b) => (a + b) | 0, 0);
  if (kind <= 3 || indexes.length === 0) {
    return {
      stack,
      settle: (offset) => {
        set(base, (offset - disp) >>> 0);
        const [mod, ...bytes] = tail();
        return base === ESP ? [mod | 4, 0x24, ...bytes] : [mod | base, ...bytes];
      },
    };
  }
  const index = rnd.pick(indexes);
  const scale = rnd.below(4);
  if (kind === 7) {
    // No base: the register is an index only.
    return {
      stack: false,
      settle: (offset) => {
        const value = rnd.below(0x1000) - 0x800;
        set(index, value >>> 0);
        return [4, (scale << 6) | (index << 3) | 5, ...dword(sum([offset, -(value << scale)]))];
      },
    };
  }
  return {
    stack,
    settle: (offset) => {
      const value = rnd.pick([rnd.next(), rnd.below(256)]);
      set(index, value);
      set(base, sum([offset, -disp, -(value << scale)]) >>> 0);
      const [mod, ...bytes] = tail();
      return [mod | 4, (scale << 6) | (index << 3) | base, ...bytes];
    },
  };
}

const PAIRS16 = [[EBX, ESI], [EBX, EDI], [EBP, ESI], [EBP, EDI], [ESI], [EDI], [EBP], [EBX]]; // prettier-ignore

/** The same for 16-bit addressing; the upper halves of the registers hold what must not matter. */
export function mode16(rnd, taken, set) {
  const possible = PAIRS16.map((_, rm) => rm).filter((rm) => PAIRS16[rm].every((r) => !taken.has(r)));
  const word = (v) => [v & 0xff, (v >> 8) & 0xff];
  if (possible.length === 0 || rnd.chance(7)) return { stack: false, settle: (offset) => [6, ...word(offset)] };
  const rm = rnd.pick(possible);
  const [base, index] = PAIRS16[rm];
  const disp = rnd.pick([0, rnd.below(128), -rnd.below(128) - 1, rnd.below(0x10000)]);
  return {
    stack: rm === 2 || rm === 3 || rm === 6,
    settle: (offset) => {
      const high = () => rnd.pick([0, rnd.next() & 0xffff0000]);
      let rest = offset - disp;
      if (index !== undefined) {
        const value = rnd.below(0x10000);
        set(index, (high() | value) >>> 0);
        rest -= value;
      }
      set(base, (high() | (rest & 0xffff)) >>> 0);
      if (disp === 0 && rm !== 6) return [rm];
      if (signed8(disp) && !rnd.chance(4)) return [0x40 | rm, disp & 0xff];
      return [0x80 | rm, ...word(disp)];
    },
  };
}
