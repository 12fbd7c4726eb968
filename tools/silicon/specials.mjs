/**
 * What single instructions want of their cases besides random operands: counts of shifts, quotients at the limit, bit offsets, stacks at
 * the edge of memory, string pointers, branch targets, selectors. By mnemonic; each part gets the generator of forms.mjs:
 * `prepare` before the operands are chosen, `bytes` and `contents` of the memory operand, `after` them, `immediate` bytes.
 */
import {
  CODE_BASE,
  DATA_BASE,
  LDT_ENTRIES,
  LONG_CS,
  ldtSelector,
} from '../../packages/cpu/dist/testing/user-environment.js';
import * as A from './address.mjs';
import { bytesOf, integer } from './operands.mjs';
import { floatSpecials } from './specials-float.mjs';

const { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI } = A;
const COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 40, 63, 64, 127, 128, 255]; // prettier-ignore
const DF = 0x400;

/** What stack segment and ESP a case has, for an instruction that touches `size` bytes from ESP + `from` on. */
function stack(g, size, from) {
  const { rnd } = g;
  const kind = g.index % 8;
  if (kind === 3 || kind === 6) {
    // A 16-bit stack, or one with limits: SP wraps, ESP's upper half stays.
    const { selector, offset } = A.segmentAndOffset(rnd, size, true);
    const limited = rnd.chance(2) ? selector : ldtSelector(rnd.pick(['stack16', 'data16']));
    g.seg[A.SS] = limited;
    const wide = LDT_ENTRIES[limited >> 3].wide;
    const sp = limited === selector ? offset - from : rnd.pick([0x800, 0x400, 2, 4, 0, 0xffe, 0x1000, size, 0xfffe]);
    g.set(ESP, (wide ? sp : (sp & 0xffff) | (rnd.next() & 0xffff0000)) >>> 0);
    g.stackAt = (A.baseOf(limited) + (wide ? g.regs[ESP] : g.regs[ESP] & 0xffff)) >>> 0;
    return;
  }
  const at = A.place(rnd, A.placeKind(rnd, g.index), Math.max(1, size));
  g.set(ESP, (at - from) >>> 0);
  g.stackAt = (at - from) >>> 0;
}

const pushes = (units) => ({ prepare: (g) => stack(g, g.bytes * units, -g.bytes * units) });
const pops = (units) => ({
  prepare(g) {
    stack(g, g.bytes * units, 0);
    for (let i = 0; i < units; i++) g.put(g.stackAt + i * g.bytes, bytesOf(integer(g.rnd, g.bytes * 8), g.bytes));
  },
});

/** An offset in the code segment `selector` where INT3 lies, usually. */
function target(g, selector = g.seg[A.CS]) {
  const linear = CODE_BASE + 0x800 + g.rnd.below(0x800);
  const offset = g.rnd.chance(12) ? integer(g.rnd, 32) : linear - A.baseOf(selector);
  return offset >>> 0;
}

/** A selector to load: mostly ones that exist. */
function selector(g, code = false) {
  const { rnd } = g;
  const pick = rnd.below(10);
  let value;
  if (pick < 6) value = rnd.below(LDT_ENTRIES.length) * 8 + 4 + rnd.pick([3, 3, 3, 0, 1, 2]);
  else if (pick < 8) value = rnd.pick([0x2b, 0x23, 0x28, 0x18, 0x1b, 0x10]);
  else if (pick === 8) value = rnd.below(4);
  else value = LDT_ENTRIES.length * 8 + 7 + rnd.below(3) * 8;
  if (code && pick < 8)
    value = ldtSelector(rnd.pick(['code32', 'code16', 'execOnly32', 'execOnly16', 'codeAbsent', 'code16Low']));
  // The 64-bit segment of the native side.
  return (value | 3) === LONG_CS ? 0x23 : value;
}

const relative = {
  prepare(g) {
    // 16-bit branches leave the low 64 KiB only in segments that lie there.
    // (Not at the segment's last bytes: the recorded processor then raises #GP(0) now and then, whatever the target.)
    if (g.form.size === 16 && !g.code16 && g.index % 4 !== 3 && g.index !== 40) g.seg[A.CS] = ldtSelector('code32');
    g.set(ECX, g.rnd.pick([0, 1, 2, 0x10000, 0x10001, integer(g.rnd, 32)]));
  },
  immediate(g) {
    const { rnd } = g;
    // Never into the instruction's own bytes.
    if (g.row.operands.includes('Jb')) return [rnd.pick([0, rnd.below(128), 0x80 + rnd.below(96)])];
    const near = rnd.pick([rnd.below(0x800), -0x60 - rnd.below(0x80), rnd.below(128)]);
    return bytesOf(rnd.chance(10) ? integer(rnd, g.bytes * 8) : near, g.bytes);
  },
};

const shift = {
  prepare: (g) => {
    g.reserved = [ECX];
    g.regs[ECX] = ((g.regs[ECX] & 0xffffff00) | COUNTS[g.index % COUNTS.length]) >>> 0;
    if (g.row.operands.includes('CL')) g.taken.add(ECX);
  },
  immediate: (g) => (g.row.operands.includes('Ib') ? [COUNTS[(g.index * 7) % COUNTS.length]] : []),
};

/** Dividends whose quotients lie at the limit, signed and unsigned, and plain random ones. */
function dividend(g) {
  const { rnd } = g;
  const bits = g.row.operands[0] === 'Eb' ? 8 : g.bytes * 8;
  const divisor = integer(rnd, bits);
  const limit = rnd.pick([
    2 ** (bits - 1),
    2 ** bits - 1,
    2 ** (bits - 1) - 1,
    integer(rnd, bits),
    integer(rnd, bits),
    2 ** bits,
  ]);
  const sign = rnd.chance(3) ? -1n : 1n;
  const signed = g.mnemonic === 'idiv' ? BigInt.asIntN(bits, BigInt(divisor)) : BigInt(divisor);
  const rest = BigInt(integer(rnd, bits)) % (signed === 0n ? 1n : signed < 0n ? -signed : signed);
  const value = BigInt.asUintN(2 * bits, sign * (BigInt(limit) * signed + rest));
  if (bits === 8) g.set(EAX, Number(value) | 0x5a5a0000);
  else {
    const mask = 2n ** BigInt(bits) - 1n;
    const keep = bits === 16 ? 0x5a5a0000 : 0;
    g.set(EAX, (Number(value & mask) | keep) >>> 0);
    g.set(EDX, (Number(value >> BigInt(bits)) | keep) >>> 0);
  }
  g.divisor = divisor;
}

const divide = {
  prepare: dividend,
  contents: (g, size) => bytesOf(g.divisor, size),
  after(g) {
    if (g.form.memory) return;
    const byte = g.row.operands[0] === 'Eb';
    const register = byte ? g.rmField & 3 : g.rmField;
    if (g.taken.has(register)) return;
    const shifted = byte && g.rmField >= 4 ? 8 : 0;
    const mask = byte ? 0xff << shifted : g.bytes === 2 ? 0xffff : 0xffffffff;
    g.regs[register] = ((g.regs[register] & ~mask) | ((g.divisor << shifted) & mask)) >>> 0;
  },
};

const multiply = {
  prepare(g) {
    if (g.row.operands.length !== 1) return;
    g.set(EAX, integer(g.rnd, 32));
  },
};

const bitString = {
  after(g) {
    if (!g.form.memory || !g.row.operands.includes('Gv') || g.taken.has(g.regField)) return;
    const bit = g.rnd.pick([g.rnd.below(32), g.rnd.below(1024) - 512, g.rnd.below(128), g.rnd.next() | 0]);
    g.regs[g.regField] = bit >>> 0;
  },
};

/** ESI, EDI and ECX of string instructions. */
const strings = {
  prepare(g) {
    const { rnd, form, row } = g;
    const size = g.operandBytes();
    const count = form.rep === 0 ? integer(rnd, 32) : rnd.pick([0, 1, 2, 3, 4, 5, 7, 9, 16, 33]);
    g.set(ECX, form.address16 && form.rep !== 0 ? (count | (rnd.next() & 0xffff0000)) >>> 0 : count >>> 0);
    if (rnd.chance(2)) g.eflags |= DF;
    const reads = row.operands.some((operand) => operand[0] === 'X');
    const writes = row.operands.some((operand) => operand[0] === 'Y');
    const high = form.address16 ? rnd.pick([0, rnd.next() & 0xffff0000]) : 0;
    if (reads) {
      g.set(ESI, (g.segmentAndPlace(size, A.DS) | high) >>> 0);
      if (rnd.chance(2)) g.put(g.linear, g.int(size));
      g.source = g.linear;
    }
    if (writes) {
      // ES takes no override.
      let offset;
      if (form.address16) {
        g.seg[A.ES] = ldtSelector('data16');
        offset = (A.place(rnd, A.placeKind(rnd, g.index + (reads ? 2 : 0)), size) - DATA_BASE) & 0xffff;
      } else offset = A.place(rnd, A.placeKind(rnd, g.index + (reads ? 2 : 0)), size);
      if (reads && rnd.chance(4)) {
        // Overlapping by a little.
        offset = (g.regs[ESI] + (rnd.below(9) - 4)) >>> 0;
        if (form.address16) offset &= 0xffff;
      }
      g.set(EDI, (offset | high) >>> 0);
      const at = (A.baseOf(g.seg[A.ES]) + offset) >>> 0;
      // Something to be equal for a while.
      const run = Array.from({ length: 24 }, (_, i) => (i < 12 ? 0x55 : 0x50 + (i & 7)));
      if (!/^(movs|stos|ins)$/.test(g.mnemonic) && rnd.chance(2)) {
        g.put(at, run);
        if (reads)
          g.put(g.source, run.map((v, i) => (i === 9 && rnd.chance(2) ? 0x54 : v))); // prettier-ignore
        else g.set(EAX, rnd.pick([0x55555555, 0x55555554]));
      }
    }
    if (/^(scas|stos)$/.test(g.mnemonic) && !g.taken.has(EAX)) g.set(EAX, integer(rnd, 32));
    if (/^(ins|outs)$/.test(g.mnemonic)) g.set(EDX, integer(rnd, 16));
  },
};

const WRITABLE = ['data32', 'data16', 'down32', 'down16', 'tiny', 'pageEdge', 'flat', 'stack16'];

const segmentLoad = {
  bytes: (g) => g.bytes + 2,
  contents(g) {
    const to = g.mnemonic === 'lss' && g.rnd.chance(2) ? ldtSelector(g.rnd.pick(WRITABLE)) : selector(g);
    return [...bytesOf(integer(g.rnd, g.bytes * 8), g.bytes), ...bytesOf(to, 2)];
  },
};

/** A selector as the operand of an instruction that takes one. */
const selectorOperand = {
  contents: (g) => bytesOf(selector(g), 2),
  after(g) {
    if (g.form.memory || g.taken.has(g.rmField)) return;
    g.regs[g.rmField] = ((g.regs[g.rmField] & 0xffff0000) | selector(g)) >>> 0;
  },
};

const farMemory = {
  bytes: (g) => g.bytes + 2,
  prepare(g) {
    if (g.mnemonic === 'callf') stack(g, g.bytes * 2, -g.bytes * 2);
  },
  contents(g) {
    const to = selector(g, true);
    return [...bytesOf(target(g, to), g.bytes), ...bytesOf(to, 2)];
  },
  immediate(g) {
    if (!g.row.operands.includes('Ap')) return [];
    return farMemory.contents(g);
  },
};

/** EFLAGS images to load: everything but TF and NT, which this comparison of single instructions cannot take. */
const flagsImage = (g) => bytesOf((integer(g.rnd, 32) & ~0x4100) >>> 0, g.bytes);

const farReturn = {
  prepare(g) {
    const iret = g.mnemonic === 'iret';
    stack(g, g.bytes * (iret ? 3 : 2), 0);
    const to = selector(g, true);
    const parts = [...bytesOf(target(g, to), g.bytes), ...bytesOf(to, g.bytes), ...(iret ? flagsImage(g) : [])];
    g.put(g.stackAt, parts);
  },
};

const indirect = {
  prepare(g) {
    if (g.form.size === 16 && !g.code16 && g.index !== 40) g.seg[A.CS] = ldtSelector('code32');
    if (g.mnemonic === 'call') stack(g, g.bytes, -g.bytes);
    if (g.mnemonic !== 'ret') return;
    stack(g, g.bytes, 0);
    g.put(g.stackAt, bytesOf(target(g), g.bytes));
  },
  contents: (g, size) => bytesOf(target(g), size),
  after(g) {
    if (g.form.memory || g.mnemonic === 'ret' || !g.form.decoded.modrm || g.taken.has(g.rmField)) return;
    g.regs[g.rmField] = target(g);
  },
  immediate: (g) => (g.row.operands.length > 0 && g.row.operands[0][0] === 'J' ? relative.immediate(g) : undefined),
};

const decimal = {
  prepare(g) {
    const value = g.index % 3 === 0 ? g.rnd.next() & 0xffff : ((g.rnd.next() & 0xff00) | integer(g.rnd, 8)) >>> 0;
    g.set(EAX, (0x33440000 | value) >>> 0);
  },
};

/** By mnemonic. */
export const specials = {
  ...Object.fromEntries(['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar', 'shld', 'shrd'].map((name) => [name, shift])),
  div: divide,
  idiv: divide,
  mul: multiply,
  imul: multiply,
  bt: bitString,
  bts: bitString,
  btr: bitString,
  btc: bitString,
  ...Object.fromEntries(['movs', 'cmps', 'stos', 'lods', 'scas', 'ins', 'outs'].map((name) => [name, strings])),
  ...Object.fromEntries(['daa', 'das', 'aaa', 'aas', 'aam', 'aad'].map((name) => [name, decimal])),
  aam: { ...decimal, immediate: (g) => [g.rnd.pick([10, 10, 0, 1, 16, 255, integer(g.rnd, 8)])] },
  cbw: decimal,
  cwd: { prepare: (g) => g.set(EAX, integer(g.rnd, 32)) },
  sahf: decimal,
  lahf: decimal,
  cmpxchg: {
    prepare: (g) => g.set(EAX, integer(g.rnd, 32)),
    contents: (g, size) => (g.rnd.chance(2) ? bytesOf(g.regs[EAX], size) : g.int(size)),
  },
  cmpxchg8b: {
    prepare: (g) => [EAX, EDX, EBX, ECX].forEach((r) => g.set(r, integer(g.rnd, 32))),
    contents: (g) => (g.rnd.chance(2) ? [...bytesOf(g.regs[EAX], 4), ...bytesOf(g.regs[EDX], 4)] : g.int(8)),
  },
  bound: {
    contents(g) {
      g.low = integer(g.rnd, g.bytes * 8);
      g.span = g.rnd.chance(4) ? 0 : g.rnd.below(99);
      const high = g.rnd.chance(4) ? integer(g.rnd, g.bytes * 8) : g.low + g.span;
      return [...bytesOf(g.low, g.bytes), ...bytesOf(high, g.bytes)];
    },
    after(g) {
      // Mostly within: the bounds are signed, and so wide that most are.
      if (g.taken.has(g.regField) || g.rnd.chance(3)) return;
      g.regs[g.regField] = (g.low + g.rnd.below(g.span + 1)) >>> 0;
    },
  },
  xlatb: {
    prepare(g) {
      const al = integer(g.rnd, 8);
      g.set(EAX, (0x77665500 | al) >>> 0);
      const offset = g.segmentAndPlace(1, A.DS);
      const high = g.form.address16 ? g.rnd.next() & 0xffff0000 : 0;
      const base = g.form.address16 ? (offset - al) & 0xffff : offset - al;
      g.set(EBX, (base | high) >>> 0);
      g.put(g.linear, [integer(g.rnd, 8)]);
    },
  },
  push: pushes(1),
  pop: pops(1),
  pusha: pushes(8),
  popa: pops(8),
  pushf: pushes(1),
  popf: {
    prepare(g) {
      stack(g, g.bytes, 0);
      g.put(g.stackAt, flagsImage(g));
    },
  },
  enter: {
    prepare(g) {
      stack(g, 64, -64);
      g.set(EBP, (A.place(g.rnd, A.placeKind(g.rnd, g.index + 1), 16) + 64) >>> 0);
      if (g.seg[A.SS] !== A.FLAT) g.set(EBP, g.rnd.pick([0x400, 0x100, 0x800, 0xfff]));
    },
    immediate: (g) => [
      ...bytesOf(g.rnd.pick([0, 4, 16, 100, 0x800, integer(g.rnd, 16)]), 2),
      g.rnd.pick([0, 0, 1, 1, 2, 3, 5, 8, 31, 32, 33, integer(g.rnd, 8)]),
    ],
  },
  leave: {
    prepare(g) {
      stack(g, g.bytes, 0);
      const esp = g.regs[ESP];
      g.set(EBP, esp);
      g.set(ESP, g.rnd.next());
      g.put(g.stackAt, g.int(g.bytes));
    },
  },
  ...Object.fromEntries(['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'].map((cc) => [`j${cc}`, relative])), // prettier-ignore
  loop: relative,
  loope: relative,
  loopne: relative,
  jecxz: relative,
  jmp: {
    ...indirect,
    prepare(g) {
      if (g.row.operands[0][0] === 'J') relative.prepare(g);
      else indirect.prepare(g);
    },
  },
  call: {
    ...indirect,
    prepare(g) {
      indirect.prepare(g);
    },
  },
  ret: indirect,
  jmpf: farMemory,
  callf: farMemory,
  retf: {
    ...farReturn,
    immediate: (g) => (g.row.operands.length > 0 ? bytesOf(g.rnd.pick([0, 4, 8, integer(g.rnd, 16)]), 2) : []),
  },
  iret: farReturn,
  int: { immediate: (g) => [g.rnd.pick([0, 1, 5, 8, 13, 14, 0x20, 0x21, 0x2f, 0x40, 0x7f, 0x81, 0xc8, 0xff, 3, 4])] },
  les: segmentLoad,
  lds: segmentLoad,
  lss: segmentLoad,
  lfs: segmentLoad,
  lgs: segmentLoad,
  verr: selectorOperand,
  verw: selectorOperand,
  lar: selectorOperand,
  lsl: selectorOperand,
  arpl: {
    contents: (g) => bytesOf(integer(g.rnd, 16), 2),
  },
  ...floatSpecials,
};

/** MOV to a segment register is one of many MOVs: known by its operand. */
specials.mov = {
  contents: (g, size) => (g.row.operands[0] === 'Sw' ? bytesOf(selector(g), 2) : g.int(size)),
  after(g) {
    if (g.row.operands[0] === 'Sw') selectorOperand.after(g);
  },
};
const popAny = specials.pop;
specials.pop = {
  prepare(g) {
    popAny.prepare(g);
    if (/^[CDEFGS]S$/.test(g.row.operands[0])) g.put(g.stackAt, bytesOf(selector(g), 2));
  },
};
