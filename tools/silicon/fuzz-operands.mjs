/**
 * Operands of the generator's instructions: addressing modes that lead into the arena because the registers are known, memory filled
 * with what an instruction understands, registers, selectors.
 */
import { DATA_BASE, DATA_BYTES } from '../../packages/cpu/dist/testing/user-environment.js';
import { baseOf, place } from './address.mjs';
import { State } from './fuzz-state.mjs';
import * as T from './fuzz-table.mjs';
import * as V from './operands.mjs';

const { ANY_DATA, DS, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, GOOD_DATA, OVERRIDE, SELECTORS, SS, le } = T;
const EFLAGS_AC = 0x40000;
const PAIRS = [[EBX, ESI], [EBX, EDI], [EBP, ESI], [EBP, EDI], [ESI], [EDI], [EBP], [EBX]]; // prettier-ignore

export class Operands extends State {
  /** ModR/M (no reg field), SIB, displacement and prefixes for `size` bytes; `linear` when it is known. */
  memory(size, align) {
    const { rnd, known } = this;
    const prefixes = [];
    let a16 = this.bits === 16;
    if (rnd.chance(12)) a16 = !a16;
    // 16-bit offsets reach the arena through segments of the LDT only.
    if (a16 && baseOf(this.knownSeg[DS] ?? 0) === 0 && !rnd.chance(40)) a16 = false;
    const wild = rnd.chance(400);
    const candidates = [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI].filter((r) => known[r] !== undefined);
    const mode = rnd.below(10);
    let base = candidates.length > 0 && mode > 1 ? rnd.pick(candidates) : undefined;
    let index;
    let rm16;
    const defaultSeg = (b) => (b === ESP || b === EBP ? SS : DS);
    let seg;
    if (a16) {
      const usable = [0, 1, 2, 3, 4, 5, 6, 7].filter((rm) => PAIRS[rm].every((r) => known[r] !== undefined));
      rm16 = usable.length > 0 && mode > 1 ? rnd.pick(usable) : undefined;
      seg = rm16 === 2 || rm16 === 3 || rm16 === 6 ? SS : DS;
    } else {
      const indexes = candidates.filter((r) => r !== ESP);
      if (mode > 6 && indexes.length > 0) index = rnd.pick(indexes);
      seg = defaultSeg(base);
    }
    const bad = (s) => this.knownSeg[s] === undefined || (this.knownSeg[s] & 0xfffc) === 0;
    if (rnd.chance(9) || (bad(seg) && !rnd.chance(30))) {
      const good = (s) => GOOD_DATA.includes(this.knownSeg[s]) || (!bad(s) && rnd.chance(20));
      const choice = [0, 1, 2, 3, 4, 5].filter((s) => good(s) || rnd.chance(200));
      const other = rnd.pick(choice.length > 0 ? choice : [DS]);
      if (other !== seg) prefixes.push(OVERRIDE[other]);
      seg = other;
    } else if (rnd.chance(40)) prefixes.push(OVERRIDE[seg]);
    if (a16 !== (this.bits === 16)) prefixes.push(0x67);

    const unknown = bad(seg);
    /** Where the operand lies, if the segment is known. */
    const told = () => (unknown ? undefined : linear);
    const segBase = unknown ? 0 : baseOf(this.knownSeg[seg]);
    const odd = rnd.chance(120);
    const kind = odd
      ? rnd.pick(['guard', 'intoGuard', 'fromGuard', 'readOnly', 'readOnlyEdge'])
      : rnd.pick(['aligned', 'aligned', 'any', 'aligned', 'cross', 'top']);
    let linear = place(rnd, size > 16 ? 'aligned' : kind, size);
    const baseLinear = base === undefined ? undefined : (known[base] + segBase) >>> 0;
    if (
      !a16 &&
      !odd &&
      base !== undefined &&
      index === undefined &&
      baseLinear > DATA_BASE + 0x100 &&
      baseLinear < DATA_BASE + DATA_BYTES - 0x100 - size &&
      !rnd.chance(4)
    ) {
      linear = baseLinear - 128 + rnd.below(256);
    }
    if (align > 1 && !rnd.chance(25)) linear = (linear & -align) >>> 0;
    else if (this.eflags & EFLAGS_AC) linear = (linear & -Math.min(8, size)) >>> 0;
    let offset = (linear - segBase) >>> 0;
    if (a16) {
      offset &= 0xffff;
      linear = (offset + segBase) >>> 0;
      if (rm16 === undefined) return { bytes: [6, ...le(offset, 2)], prefixes, linear: told() };
      const disp = (offset - PAIRS[rm16].reduce((sum, r) => sum + known[r], 0)) & 0xffff;
      if (disp === 0 && rm16 !== 6) return { bytes: [rm16], prefixes, linear: told() };
      if (disp < 0x80 || disp >= 0xff80) return { bytes: [0x40 | rm16, disp & 0xff], prefixes, linear: told() };
      return { bytes: [0x80 | rm16, ...le(disp, 2)], prefixes, linear: told() };
    }
    if (wild) base = rnd.below(8);
    if (base === undefined && index === undefined) return { bytes: [5, ...le(offset, 4)], prefixes, linear: told() };
    const scale = rnd.below(4);
    const part = (base === undefined ? 0 : (known[base] ?? 0)) + (index === undefined ? 0 : known[index] << scale);
    const disp = (offset - part) | 0;
    if (wild) linear = undefined;
    if (base === undefined)
      return {
        bytes: [4, (scale << 6) | (index << 3) | 5, ...le(disp, 4)],
        prefixes,
        linear: told(),
      };
    const [mod, tail] =
      disp === 0 && base !== EBP ? [0, []] : disp >= -128 && disp < 128 ? [0x40, [disp & 0xff]] : [0x80, le(disp, 4)];
    if (index === undefined && base !== ESP) return { bytes: [mod | base, ...tail], prefixes, linear: told() };
    return {
      bytes: [mod | 4, (scale << 6) | ((index ?? 4) << 3) | base, ...tail],
      prefixes,
      linear: told(),
    };
  }

  /** Fills a memory operand with something its instruction understands. */
  prepareOperand({ row, x87, simd }, linear, bytes, size) {
    const { rnd } = this;
    if (linear === undefined) return;
    const name = row.mnemonic;
    if (name === 'fldcw') this.patch(linear, le(V.controlWord(rnd), 2));
    else if (name === 'ldmxcsr') this.patch(linear, le(V.mxcsr(rnd), 4));
    else if (name === 'fldenv' || name === 'frstor') {
      const fields = [V.controlWord(rnd), rnd.next() & 0x7f00, rnd.next() & 0xffff, 0, 0, 0, 0];
      this.patch(
        linear,
        fields.flatMap((v) => le(v, size === 16 ? 2 : 4)),
      );
      if (name === 'frstor')
        for (let i = 0; i < 8; i++) this.patch(linear + (size === 16 ? 14 : 28) + i * 10, V.extended(rnd));
    } else if (name === 'fxrstor') {
      this.patch(linear, this.image().subarray(0, 288));
    } else if (row.operands[0] === 'Sw' || /^(lar|lsl|verr|verw)$/.test(name)) {
      this.patch(linear, le(rnd.pick(rnd.chance(8) ? SELECTORS : GOOD_DATA), 2));
    } else if (row.operands.includes('Mp')) {
      const wide = size === 16 ? 2 : 4;
      this.patch(linear, [
        ...le(V.integer(rnd, 32), wide),
        ...le(this.rnd.pick(row.mnemonic === 'lss' ? [this.seg[SS], ...GOOD_DATA] : ANY_DATA), 2),
      ]);
    } else if (x87) {
      const float = !/^f(i|b|n)/.test(name);
      if (float) this.patch(linear, bytes === 4 ? V.single(rnd) : bytes === 8 ? V.double(rnd) : V.extended(rnd));
      else if (name === 'fbld') this.patch(linear, V.bcd(rnd));
      else this.patch(linear, V.integerBytes(rnd, Math.min(bytes, 8)));
    } else if (simd) {
      const make = rnd.pick([V.packed, V.packedSingles, V.packedDoubles]);
      this.patch(linear, make(rnd, bytes));
    } else if (rnd.chance(3) && bytes <= 4) this.patch(linear, le(V.integer(rnd, 32), bytes));
  }

  /** Bit strings reach far: keep the offset near. */
  bitIndex(reg) {
    if (this.rnd.chance(20)) return;
    this.movImm(reg, this.rnd.below(512));
  }

  chooseRegister({ x87, simd }) {
    const { rnd } = this;
    if (x87 || simd) return rnd.below(8);
    const r = rnd.below(8);
    if (r === ESP && !rnd.chance(12)) return rnd.below(4);
    if (r > 4 && rnd.chance(2)) return rnd.below(4);
    return r;
  }

  selectorInto(r, forStack) {
    const { rnd } = this;
    if (r === ESP) return;
    this.movImm(
      r,
      forStack && !rnd.chance(4) ? this.seg[SS] : rnd.chance(3) ? rnd.pick(SELECTORS) : rnd.pick(ANY_DATA),
    );
  }
}
