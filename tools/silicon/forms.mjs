/**
 * Cases for the forms of the opcode table: `casesOf(form, count)` makes `UserCase`s, each one instruction of that form, from a seed
 * that is the form's own name. Operands are boundary values and random ones; places cross pages, are read-only, not mapped, or at the
 * edge of a segment; some cases run in 16-bit or based code segments, across the code's pages, or with alignment checks on.
 * What single instructions want besides is in specials.mjs. It executes nothing.
 */
import {
  CODE_BASE,
  CODE_BYTES,
  DATA_BASE,
  USER_CS,
  ldtSelector,
} from '../../packages/cpu/dist/testing/user-environment.js';
import { operationOf } from '../../packages/cpu/dist/testing/vector-compare.js';
import { BACKGROUND_REGS } from '../../packages/cpu/dist/testing/vector-file.js';
import { rowKey } from '../../packages/cpu/dist/testing/vector-forms.js';
import * as A from './address.mjs';
import {
  Random,
  bytesOf,
  controlWord,
  double,
  extended,
  extendedPair,
  integer,
  integerBytes,
  mxcsr,
} from './operands.mjs';
import { bcd, packed, packedDoubles, packedSingles, single } from './operands.mjs';
import { specials } from './specials.mjs';

/** Cases for each form; more where the operands decide, not the addressing: arithmetic between registers. */
export const CASES = 64;
const TRANSCENDENTAL = /^(f2xm1|fyl2x|fyl2xp1|fpatan|fptan|fsin|fcos|fsincos)$/;
export function caseCount({ row, memory }) {
  if (memory) return CASES;
  if (TRANSCENDENTAL.test(row.mnemonic)) return CASES * 8;
  if (row.map === 1 && (row.opcode & 0xf8) === 0xd8) return CASES * 4;
  return row.operands.some((operand) => /^[PQNVWU]/.test(operand)) ? CASES * 2 : CASES;
}
/** Changing it makes a whole new set. */
export const SEED = 'ringfence-1';

const ARITH = 0x8d5;
/** With LOCK, AMD's processors take MOV CR0 for MOV CR8. */
const CONTROL = /Cd/;
const DF = 0x400;
const AC = 0x40000;

/** Bytes of a memory operand by its code; `v` stands for the operand size. */
const SIZES = { Eb: 1, Ew: 2, Ed: 4, Mb: 1, Mw: 2, Md: 4, Mq: 8, Qq: 8, Qd: 4, Wdq: 16, Wps: 16, Wpd: 16, Wss: 4, Wsd: 8, Wq: 8, Mdq: 16, Ob: 1, Xb: 1, Yb: 1, Ms: 6 }; // prettier-ignore
const IMAGE = { fldenv: 28, fnstenv: 28, frstor: 108, fnsave: 108, fxsave: 512, fxrstor: 512 };

export class Gen {
  constructor(form, index, attempt = 0) {
    this.form = form;
    this.row = form.row;
    this.index = index;
    this.rnd = new Random(`${SEED} ${form.key} ${index}${attempt === 0 ? '' : ` ${attempt}`}`);
    this.regs = Uint32Array.from(BACKGROUND_REGS);
    /** Registers whose value is settled. */
    this.taken = new Set();
    this.seg = [A.FLAT, USER_CS, A.FLAT, A.FLAT, 0, 0];
    this.eflags = 0x202 | (this.rnd.next() & ARITH) | (this.rnd.chance(8) ? DF : 0);
    this.patches = [];
    this.fx = undefined;
    this.tail = [];
    this.wide = form.size === 32;
    /** Bytes of integer operands of the operand size. */
    this.bytes = this.wide ? 4 : 2;
    this.code16 = false;
    this.opcode = this.row.opcode;
  }

  set = (register, value) => {
    this.regs[register] = value;
    this.taken.add(register);
  };

  put(at, bytes) {
    this.patches.push(...A.patchesOf(at >>> 0, bytes));
  }

  /** Integer bytes of an operand. */
  int(size) {
    return integerBytes(this.rnd, size);
  }

  get mnemonic() {
    return this.row.mnemonic;
  }

  operandBytes() {
    const { row } = this;
    if (IMAGE[row.mnemonic] !== undefined)
      return row.map === 1 && !this.wide ? IMAGE[row.mnemonic] - 14 : IMAGE[row.mnemonic];
    for (const operand of row.operands) {
      if (SIZES[operand] !== undefined) return SIZES[operand];
      if (/^(Ev|Ov|Xv|Yv)$/.test(operand)) return this.bytes;
      if (operand === 'Mp') return this.bytes + 2;
      if (operand === 'Ma') return this.bytes * 2;
      if (operand === 'M') return (row.opcode & 0xf8) === 0xd8 && row.map === 1 ? 10 : this.bytes;
    }
    return this.bytes;
  }

  /** What lies at the memory operand. */
  operandValue(size) {
    const { row, rnd } = this;
    const name = row.mnemonic;
    if (row.map === 1 && (row.opcode & 0xf8) === 0xd8) {
      if (/^fi(?!ncstp)/.test(name)) return integerBytes(rnd, size);
      if (name === 'fbld') return bcd(rnd);
      if (size === 4) return single(rnd);
      if (size === 8) return double(rnd);
      if (size === 10) return extended(rnd);
      return rnd.bytes(size);
    }
    if (this.simd) return this.vector(size);
    return integerBytes(rnd, size);
  }

  get simd() {
    return this.row.operands.some((operand) => /^[PQNVWU]/.test(operand));
  }

  /** An MMX or XMM value, or the part of one that a memory operand holds. */
  vector(size) {
    const name = this.mnemonic;
    const ints = /^p|^mov|^mask|dq2|cvtpi2|cvtsi2/.test(name);
    const pick = this.rnd.below(ints ? 4 : 8);
    if (pick === 0) return packed(this.rnd, size);
    if (ints && pick < 3) return packed(this.rnd, size);
    if (/[ps]d$|pd2|sd2/.test(name) && !/^cvt.*2[ps]d$/.test(name))
      return packedDoubles(this.rnd, Math.max(8, size)).slice(0, size);
    if (/^cvt(dq|pi|si)2/.test(name)) return packed(this.rnd, size);
    return packedSingles(this.rnd, size);
  }

  // --- x87, MMX and SSE state ---
  /** The FXSAVE image to begin with, made at the first use. */
  image() {
    if (this.fx !== undefined) return this.fx;
    this.fx = new Uint8Array(512);
    this.fx.set([0x7f, 0x03], 0);
    this.fx.set([0x80, 0x1f], 24);
    return this.fx;
  }

  word(at, value) {
    this.image().set([value & 0xff, (value >> 8) & 0xff], at);
  }

  /** x87 state: control and status word, TOP, and how many registers are filled with what. */
  x87() {
    const { rnd } = this;
    const control = controlWord(rnd);
    const top = rnd.below(8);
    // Exceptions already in the status word: usually masked ones, at times pending.
    const sticky = rnd.chance(5) ? rnd.next() & (rnd.chance(4) ? 0x7f : control & 0x3f) : 0;
    const pending = (sticky & ~control & 0x3f) !== 0 ? 0x8080 : 0;
    this.word(0, control);
    this.word(2, (top << 11) | (rnd.next() & 0x4700) | sticky | pending);
    const shape = rnd.below(12);
    const depth = shape === 0 ? 0 : shape === 1 ? 8 : shape < 4 ? 1 + rnd.below(8) : 2 + rnd.below(3);
    const values = Array.from({ length: 8 }, () => extended(rnd));
    if (rnd.chance(2)) values.splice(0, 2, ...extendedPair(rnd));
    // What this instruction is interesting with.
    const own = rnd.chance(4) ? undefined : specials[this.mnemonic]?.values?.(this);
    if (own !== undefined) values.splice(0, own.length, ...own);
    const holes = shape === 2 ? rnd.next() & 0xff : 0;
    let tags = 0;
    for (let i = 0; i < 8; i++) {
      if (i >= depth || (holes >> i) & 1) continue;
      tags |= 1 << ((top + i) & 7);
      this.fx.set(values[i], 32 + i * 16);
    }
    this.fx[4] = tags;
  }

  /** MMX and XMM registers that are operands, and MXCSR. */
  vectors(registers) {
    const { rnd, row } = this;
    const fx = this.image();
    const mmx = row.operands.some((operand) => /^[PQN]/.test(operand));
    const control = mxcsr(rnd);
    fx.set([control & 0xff, control >> 8], 24);
    if (mmx) {
      const top = rnd.below(8);
      this.word(2, top << 11);
      fx[4] = rnd.pick([0, 0xff, rnd.next() & 0xff]);
      for (const n of registers) fx.set([...this.vector(8), 0xff, rnd.pick([0xff, 0x3f])], 32 + ((n - top) & 7) * 16);
    }
    const xmm = row.operands.some((operand) => /^[VWU]/.test(operand));
    if (xmm) for (const n of registers) fx.set(this.vector(16), 160 + n * 16);
  }

  // --- the memory operand ---
  /**
   * Chooses segment and place for an operand of `size` bytes and an addressing mode that reaches it; answers the bytes from ModR/M on
   * (reg field zero). `this.linear` is where the operand lies. `contents` is put there.
   */
  memory(size, contents) {
    const { form, rnd } = this;
    const taken = new Set([...this.taken, ...(this.reserved ?? [])]);
    const mode = form.address16 ? A.mode16(rnd, taken, this.set) : A.mode32(rnd, taken, this.set);
    const offset = this.segmentAndPlace(size, mode.stack ? A.SS : A.DS);
    const bytes = mode.settle(offset);
    if (contents !== undefined) this.put(this.linear, contents);
    return bytes;
  }

  /** Settles the segment of a memory operand; answers the offset in it. */
  segmentAndPlace(size, standard) {
    const { form, rnd } = this;
    let seg = standard;
    if (form.override) {
      seg = rnd.pick([A.ES, A.CS, A.SS, A.DS, A.FS, A.GS, A.FS, A.GS]);
      this.override = seg;
    }
    let offset;
    const based = form.address16 || seg >= A.FS || this.index % 6 === 5;
    if (seg === A.CS) {
      offset = form.address16 ? rnd.below(0x2000) : A.place(rnd, A.placeKind(rnd, this.index), size);
    } else if (form.address16 && this.index % 6 !== 5) {
      // 64 KiB from the data's base: everything of the arena is within reach.
      this.seg[seg] = ldtSelector('data16');
      offset = (A.place(rnd, A.placeKind(rnd, this.index), size) - DATA_BASE) & 0xffff;
      if (rnd.chance(16)) offset = 0x10000 - 1 - rnd.below(size);
    } else if (based) {
      const chosen = A.segmentAndOffset(rnd, size, seg === A.SS);
      this.seg[seg] = chosen.selector;
      offset = chosen.offset;
    } else {
      offset = A.place(rnd, A.placeKind(rnd, this.index), size);
    }
    if (form.address16) offset &= 0xffff;
    const base = seg === A.CS ? (this.seg[A.CS] === USER_CS ? 0 : CODE_BASE) : A.baseOf(this.seg[seg]);
    this.linear = (base + offset) >>> 0;
    return offset;
  }

  // --- putting it together ---
  /** Values of integer registers named by the ModR/M fields and by the opcode. */
  register(operand, number) {
    const kind = operand[1];
    const bits = kind === 'b' ? 8 : kind === 'w' ? 16 : kind === 'd' ? 32 : this.bytes * 8;
    const full = kind === 'b' ? number & 3 : number;
    if (this.taken.has(full)) return;
    const value = integer(this.rnd, bits);
    const shift = kind === 'b' && number >= 4 ? 8 : 0;
    const mask = bits === 32 ? 0xffffffff : ((2 ** bits - 1) << shift) >>> 0;
    this.regs[full] = ((this.regs[full] & ~mask) | (value << shift)) >>> 0;
  }

  build() {
    const { form, row, rnd } = this;
    const special = specials[row.mnemonic];
    this.where();
    special?.prepare?.(this);
    if (row.map === 1 && (row.opcode & 0xf8) === 0xd8) this.x87();
    if (row.mnemonic === 'wait' || /^(fxsave|fxrstor|emms|ldmxcsr|stmxcsr)$/.test(row.mnemonic)) this.x87();
    const encoded = [];
    const { decoded } = form;
    const reg = row.ext ?? this.reg ?? rnd.below(8);
    let rm = row.rm ?? rnd.below(8);
    if (decoded.modrm) {
      const rmOperand = row.operands.find((operand) => /^[EMQNWU]|^ST$/.test(operand));
      const regOperand = row.operands.find((operand) => /^[GPV]/.test(operand));
      if (regOperand?.[0] === 'G') this.register(regOperand, reg);
      // MASKMOVQ and MASKMOVDQU have memory, but not by ModR/M.
      if (form.memory && decoded.m32 !== undefined) {
        const size = special?.bytes?.(this) ?? this.operandBytes();
        const contents = special?.contents?.(this, size) ?? this.operandValue(size);
        if (this.simd) this.vectors([reg]);
        const [modrm, ...rest] = this.memory(size, contents);
        encoded.push(modrm | (reg << 3), ...rest);
      } else {
        if (this.simd) this.vectors([reg, rm]);
        if (rmOperand?.[0] === 'E') this.register(rmOperand, rm);
        encoded.push(0xc0 | (reg << 3) | rm);
      }
      this.regField = reg;
      this.rmField = rm;
    } else if (decoded.opcodeReg !== 0) {
      if ((row.opcode & 7) === 0) this.opcode = row.opcode + rnd.below(8);
      this.register(
        row.operands.find((operand) => operand[0] === 'Z'),
        this.opcode & 7,
      );
    } else if (row.operands.some((operand) => operand[0] === 'O')) {
      const size = this.operandBytes();
      const offset = this.segmentAndPlace(size, A.DS);
      this.put(this.linear, this.int(size));
      encoded.push(...bytesOf(offset, form.address16 ? 2 : 4));
    }
    special?.after?.(this);
    encoded.push(...(special?.immediate?.(this) ?? this.immediates()));
    return this.finish([...this.prefixes(), ...(row.map === 2 ? [0x0f] : []), this.opcode, ...encoded]);
  }

  immediates() {
    const out = [];
    for (const operand of this.row.operands) {
      if (operand === 'Ib') out.push(integer(this.rnd, 8));
      else if (operand === 'Ibs') out.push(integer(this.rnd, 8));
      else if (operand === 'Iw') out.push(...bytesOf(integer(this.rnd, 16), 2));
      else if (operand === 'Iz') out.push(...bytesOf(integer(this.rnd, this.bytes * 8), this.bytes));
    }
    return out;
  }

  prefixes() {
    const { form, row, rnd } = this;
    const out = [];
    const size66 = (form.size === 16) !== this.code16;
    if (row.fixedSize !== undefined || row.prefix !== undefined) {
      if (row.prefix !== undefined && row.prefix !== 0) out.push(row.prefix);
    } else if (size66) out.push(0x66);
    if (form.address16 !== this.code16) out.push(0x67);
    if (this.override !== undefined) {
      // Of several overrides the last one counts.
      if (rnd.chance(12)) out.push(A.OVERRIDE[rnd.below(6)]);
      out.push(A.OVERRIDE[this.override]);
    }
    if (form.lock) out.push(0xf0);
    // LOCK where it is not allowed: #UD, before anything else is looked at.
    else if (this.index === 57 && !(row.lockable && form.memory) && !CONTROL.test(row.operands.join())) out.push(0xf0);
    if (form.rep !== 0) out.push(form.rep === 1 ? 0xf3 : 0xf2);
    // Their order is free, but for segment overrides among themselves.
    if (out.length > 1 && rnd.chance(3) && this.override === undefined) out.reverse();
    return out;
  }

  /** Where the code lies, and in what code segment. */
  where() {
    const { rnd, index } = this;
    this.codeAt = CODE_BASE + 0x100 + rnd.below(0x600);
    if (index % 16 === 9) this.seg[A.CS] = ldtSelector('code32');
    else if (index % 16 === 13) {
      this.seg[A.CS] = ldtSelector('code16');
      this.code16 = true;
    }
    // Memory operands of forms with fixed operand size would need another encoding in 16-bit code.
    if (this.code16 && this.only32) this.code16 = false;
    if (index === 24) this.codeAt = CODE_BASE + 0x1000 - 1 - rnd.below(3);
    if (index % 12 === 7 && this.form.memory) this.eflags |= AC;
    if (index === 33) this.eflags |= 0x200000;
  }

  finish(bytes) {
    let code = bytes;
    // At the end of the pages: what follows the instruction, or its own last byte, cannot be fetched.
    if (this.index === 40) this.codeAt = CODE_BASE + CODE_BYTES - code.length;
    if (this.index === 56 && code.length > 1) {
      this.codeAt = CODE_BASE + CODE_BYTES - code.length + 1;
      code = code.slice(0, -1);
    }
    if (code.length > 15) code = code.slice(0, 15);
    // A single step: #DB behind the instruction. Not on 16-bit stacks, where entering the case so would spoil the upper half of ESP.
    if (this.index === 49 && A.isWide(this.seg[A.SS])) this.eflags |= 0x100;
    const based = this.seg[A.CS] !== USER_CS;
    return {
      code: Uint8Array.from(code),
      codeAt: this.codeAt,
      regs: this.regs,
      eip: (based ? this.codeAt - CODE_BASE : this.codeAt) >>> 0,
      eflags: this.eflags,
      seg: Uint16Array.from(this.seg),
      patches: this.patches,
      ...(this.fx === undefined ? {} : { fx: this.fx }),
    };
  }
}

/**
 * A case that is of its form. Rows may share an opcode, told apart by fields that are chosen at random here; then another try
 * is made.
 */
function makeCase(form, index) {
  for (let attempt = 0; attempt < 32; attempt++) {
    const made = new Gen(form, index, attempt).build();
    const row = operationOf(made)?.row;
    if (row === undefined || row.mnemonic === '(bad)' || rowKey(row) === rowKey(form.row)) return made;
  }
  throw new Error(`cannot make ${form.key}`);
}

/** The cases of a form. */
export function casesOf(form, count = caseCount(form)) {
  return Array.from({ length: count }, (_, index) => makeCase(form, index));
}
