/**
 * Makes a failing sequence small: fewer instructions, then a plainer state, then plainer operands, as long as `fails` says that the two
 * sides still differ. Sequences are those of fuzz-generate.mjs. Undefined flags are not looked at again: a sequence whose taint no
 * longer fits (because the instruction that defined the flags was removed) must be refused by `fails`.
 */
import { Decoder } from 'iced-x86';
import { LDT_ENTRIES } from '../../packages/cpu/dist/testing/user-environment.js';
import { ARITH } from './fuzz-semantics.mjs';

/** Whether other bytes in the place of an item's are the same instruction still. */
function sameInstruction(item, bytes) {
  const bits = (item.cs & 4) !== 0 && LDT_ENTRIES[item.cs >> 3]?.wide === false ? 16 : 32;
  const code = (each) => {
    const decoder = new Decoder(bits, Uint8Array.from(each), 0);
    const instruction = decoder.decode();
    const found = instruction.length === each.length ? instruction.mnemonic : -1;
    instruction.free();
    decoder.free();
    return found;
  };
  const found = code(bytes);
  return found > 0 && found === code(item.bytes);
}

/** The sequence without items [from, to); branch targets move along. */
export function without(sequence, from, to) {
  const move = (fix) => {
    if (fix === undefined) return undefined;
    const { target } = fix;
    return { ...fix, target: target <= from ? target : Math.max(from, target - (to - from)) };
  };
  const items = sequence.items
    .filter((_, i) => i < from || i >= to)
    .map((item) => ({
      ...item,
      ...(item.fix ? { fix: move(item.fix) } : {}),
      ...(item.memoryFix ? { memoryFix: move(item.memoryFix) } : {}),
    }));
  return { ...sequence, items };
}

/** Candidates for fewer instructions, halves first. */
function* fewer(sequence) {
  const count = sequence.items.length;
  for (let length = count >> 1; length >= 1; length >>= 1) {
    for (let from = count - length; from >= 0; from -= length) yield without(sequence, from, from + length);
  }
}

function* plainerState(sequence) {
  for (let i = 0; i < sequence.patches.length; i++)
    yield { ...sequence, patches: sequence.patches.filter((_, k) => k !== i) };
  if (sequence.fx) {
    yield { ...sequence, fx: undefined };
    for (const [at, bytes] of [
      [0, 2],
      [2, 2],
      [4, 1],
      [24, 4],
      ...Array.from({ length: 8 }, (_, i) => [32 + i * 16, 10]),
      ...Array.from({ length: 32 }, (_, i) => [160 + i * 4, 4]),
    ]) {
      const fx = sequence.fx.slice();
      const plain = at === 0 ? [0x7f, 0x03] : at === 24 ? [0x80, 0x1f, 0, 0] : [];
      for (let i = 0; i < bytes; i++) fx[at + i] = plain[i] ?? 0;
      if (fx.some((value, i) => value !== sequence.fx[i])) yield { ...sequence, fx };
    }
  }
  const flags = [
    2,
    sequence.eflags & ~ARITH,
    ...Array.from({ length: 22 }, (_, i) => (sequence.eflags & ~(1 << i)) | 2),
  ];
  for (const eflags of flags)
    if (eflags !== sequence.eflags && popcount(eflags) < popcount(sequence.eflags)) yield { ...sequence, eflags };
  for (let r = 0; r < 8; r++) {
    for (const value of [
      0,
      1,
      sequence.regs[r] & 0xff,
      sequence.regs[r] & 0xffff,
      (sequence.regs[r] & 0x80000000) >>> 0,
    ]) {
      if (popcount(value) >= popcount(sequence.regs[r])) continue;
      const regs = sequence.regs.slice();
      regs[r] = value;
      yield { ...sequence, regs };
    }
  }
  for (const s of [0, 2, 3, 4, 5]) {
    for (const selector of s < 4 ? [0x2b] : [0, 0x2b]) {
      if (sequence.seg[s] === selector || (sequence.seg[s] === 0 && selector !== 0)) continue;
      const seg = sequence.seg.slice();
      seg[s] = selector;
      yield { ...sequence, seg };
    }
  }
  if (sequence.codeAt !== 0x110100 && !sequence.inData) yield { ...sequence, codeAt: 0x110100 };
}

/** Bytes of single instructions made zero, from the end: immediates and displacements. Prefixes dropped. */
function* plainerOperands(sequence) {
  for (let i = 0; i < sequence.items.length; i++) {
    const item = sequence.items[i];
    const replaced = (bytes) =>
      sameInstruction(item, bytes) && {
        ...sequence,
        items: sequence.items.map((each, k) => (k === i ? { ...each, bytes } : each)),
      };
    if ([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0x66, 0x67].includes(item.bytes[0]) && !item.fix?.at)
      yield* some(replaced(item.bytes.slice(1)));
    for (let k = item.bytes.length - 1; k > 0; k--) {
      if (item.bytes[k] !== 0) yield* some(replaced(item.bytes.map((byte, n) => (n === k ? 0 : byte))));
    }
  }
  for (let i = 0; i < sequence.patches.length; i++) {
    const patch = sequence.patches[i];
    for (let k = 0; k < patch.bytes.length; k++) {
      if (patch.bytes[k] === 0) continue;
      const bytes = patch.bytes.slice();
      bytes[k] = 0;
      yield { ...sequence, patches: sequence.patches.map((each, n) => (n === i ? { ...each, bytes } : each)) };
    }
  }
}

function* some(candidate) {
  if (candidate !== false) yield candidate;
}

function popcount(value) {
  let n = 0;
  for (let v = value >>> 0; v !== 0; v &= v - 1) n++;
  return n;
}

/** `fails(sequence)` resolves to true while the two sides differ. At most `budget` attempts. */
export async function shrink(sequence, fails, budget = 3000) {
  let best = sequence;
  let left = budget;
  const improve = async (candidates) => {
    for (let again = true; again && left > 0;) {
      again = false;
      for (const candidate of candidates(best)) {
        if (left-- <= 0) break;
        if (!(await fails(candidate))) continue;
        best = candidate;
        again = true;
        break;
      }
    }
  };
  await improve(fewer);
  await improve(plainerState);
  await improve(fewer);
  await improve(plainerOperands);
  await improve(plainerState);
  return best;
}
