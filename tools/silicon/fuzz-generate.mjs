/**
 * Random but valid instruction sequences with the state they begin in, for fuzz.mjs. Everything follows from (seed, number). The
 * generator keeps in mind what it knows for sure while it writes (fuzz-state.mjs), so that most instructions complete and nothing
 * consumes what is undefined. A sequence is a list of encoded instructions that shrink.mjs can thin out; fuzz-assemble.mjs makes a
 * case of it.
 */
import { CODE_BASE, CODE_BYTES, TOP_BASE } from '../../packages/cpu/dist/testing/user-environment.js';
import { looseOf } from '../../packages/cpu/dist/testing/undefined.js';
import { baseOf, place } from './address.mjs';
import * as K from './fuzz-semantics.mjs';
import { NT } from './fuzz-state.mjs';
import * as T from './fuzz-table.mjs';
import { Transfers } from './fuzz-transfer.mjs';
import * as V from './operands.mjs';

const { ANY_DATA, DS, EAX, EBP, EBX, ECX, EDI, EDX, ES, ESI, ESP, OVERRIDE, SELECTORS, SS, families, le } = T;
const { ARITH } = K;

class Writer extends Transfers {
  pick() {
    const { rnd } = this;
    if (rnd.chance(250)) return rnd.pick(families.faulting);
    if (rnd.chance(5)) return rnd.pick(families.integer);
    if (this.flavour === 'mixed') return rnd.pick(rnd.pick([families.integer, families.x87, families.simd]));
    return rnd.pick(families[this.flavour]);
  }

  /** Appends one chosen instruction, with what must come before it; answers false if it does not fit here. */
  instruction() {
    const { rnd } = this;
    this.arrive();
    if (this.inData && rnd.chance(4)) return this.modifyAhead();
    const chosen = this.pick();
    const { row, key } = chosen;
    const name = row.mnemonic;
    if ((K.readsFlags(name) & this.taint) !== 0) {
      if (rnd.chance(2)) return false;
      this.define();
      if ((K.readsFlags(name) & this.taint) !== 0) return false;
    }
    if (this.c1 && K.STORES_STATUS.has(name)) return false;
    const size = row.fixedSize ?? (rnd.chance(4) ? 48 - this.bits : this.bits);
    if (/^(j|call|ret|loop|iret)/.test(name)) return this.transfer(row, key, size);
    if (row.string === true) return this.stringOperation(row, key, size);
    if (name === 'popf') return this.popFlags(size);
    if (name === 'pop' && /S$/.test(row.operands[0])) {
      // Something that can be loaded, mostly; SS only with what keeps the stack where it is.
      const selector = row.operands[0] === 'SS' ? this.seg[SS] : rnd.pick(rnd.chance(8) ? SELECTORS : ANY_DATA);
      this.emit([...this.operandPrefix(row, size), 0x68, ...le(selector, size / 8)], { key: `push 68 Iz ${size}` });
    }
    if (name === 'int' && rnd.chance(2)) return false;
    if (name === 'bswap' && size === 16) return false;
    if (name === 'enter' || name === 'leave') this.aim(EBP, SS);
    if (name === 'xlatb') this.aim(EBX, DS);
    if (/^maskmov/.test(name)) this.aim(EDI, DS);
    if (name === 'div' || name === 'idiv') this.dividend(name, row, size);
    return this.encode(chosen, size);
  }

  /** Makes every flag defined. */
  define() {
    const { rnd } = this;
    const r = rnd.below(8);
    const s = rnd.below(8);
    this.emit([0x39, 0xc0 | (r << 3) | s], { key: 'cmp 39 Ev,Gv' });
    this.taint = 0;
  }

  dividend(name, row, size) {
    const { rnd } = this;
    if (rnd.chance(6)) return;
    if (row.operands[0] === 'Eb') this.movImm(EAX, rnd.below(0x60));
    else if (name === 'idiv') this.emit([...(this.bits === size ? [] : [0x66]), 0x99], { key: 'cwd 99' });
    else this.movImm(EDX, rnd.below(3));
    if (name === 'idiv' && row.operands[0] !== 'Eb') this.kill(EDX);
  }

  operandPrefix(row, size) {
    return row.fixedSize === undefined && size !== this.bits ? [0x66] : [];
  }

  encode(chosen, size) {
    const { rnd } = this;
    const { row, form, key } = chosen;
    const name = row.mnemonic;
    const isFinal = K.final.has(name);
    const hasReg = form.r32 !== undefined || form.r16 !== undefined;
    const hasMem = form.m32 !== undefined || form.m16 !== undefined;
    const sizePrefix =
      row.prefix === undefined && !chosen.simd && !(chosen.x87 && !/env|save|rstor/.test(name))
        ? this.operandPrefix(row, size)
        : [];
    const prefixes = [...sizePrefix];
    if (row.prefix) prefixes.push(row.prefix);
    const opcode = [...(row.map === 2 ? [0x0f] : []), row.opcode];
    let tail = [];
    let rmReg;
    let reg = 0;
    let mem;
    if (form.modrm) {
      const useMemory = hasMem && (!hasReg || rnd.below(10) < 4);
      reg = row.ext ?? this.chooseRegister(chosen);
      if (row.operands.includes('Sw') && row.operands[0] === 'Sw') reg = rnd.pick([0, 2, 3, 3, 4, 5, rnd.below(8)]);
      if (row.operands.includes('Sw') && row.operands[0] !== 'Sw') reg = rnd.below(rnd.chance(20) ? 8 : 6);
      if (useMemory) {
        const operand = row.operands.find((each) => T.RM_OPERAND.test(each)) ?? 'M';
        const memBytes = T.operandBytes(chosen, operand, size);
        const strict = (/^(Wdq|Wps|Wpd|Mdq)$/.test(operand) && !/^mov[ud]|^movdqu/.test(name)) || /^fx/.test(name);
        if (/^bt/.test(name) && row.operands[1] === 'Gv') this.bitIndex(reg);
        mem = this.memory(memBytes, strict ? 16 : rnd.chance(2) ? Math.min(16, memBytes & -memBytes) : 1);
        if (name === 'lea') mem.linear = undefined;
        this.prepareOperand(chosen, mem.linear, memBytes, size);
        prefixes.push(...mem.prefixes);
        if (row.lockable === true && rnd.chance(4)) prefixes.push(0xf0);
        tail = [mem.bytes[0] | (reg << 3), ...mem.bytes.slice(1)];
      } else {
        rmReg = row.rm ?? this.chooseRegister(chosen);
        if (row.operands[0] === 'Sw' || /^(lar|lsl|verr|verw)$/.test(name))
          this.selectorInto(rmReg, row.operands[0] === 'Sw' && reg === SS);
        tail = [0xc0 | (reg << 3) | rmReg];
      }
    }
    if (form.opcodeReg !== 0) {
      // Rows that name their register by the opcode itself (XCHG) end in it.
      rmReg = row.opcode & 7 || this.chooseRegister(chosen);
      opcode[opcode.length - 1] |= rmReg;
    }
    // Immediates, and what they say about undefined results.
    let count = row.operands.includes('1') ? 1 : row.operands.includes('CL') ? this.known[ECX] : undefined;
    for (const operand of row.operands) {
      if (operand === 'Ib' || operand === 'Ibs') {
        const value =
          name === 'enter'
            ? rnd.below(4)
            : name === 'int'
              ? rnd.below(0x30)
              : rnd.chance(2)
                ? rnd.below(40)
                : V.integer(rnd, 8);
        count ??= value;
        tail.push(value);
      } else if (operand === 'Iw') tail.push(...le(name === 'enter' ? rnd.below(64) : V.integer(rnd, 16), 2));
      else if (operand === 'Iz') tail.push(...le(V.integer(rnd, 32), size / 8));
      else if (operand === 'Ob' || operand === 'Ov') {
        // 16-bit offsets reach the arena through segments of the LDT only.
        const other = rnd.chance(6) && (this.bits === 16 || baseOf(this.knownSeg[DS] ?? 0) !== 0);
        if (other) prefixes.push(0x67);
        const a16 = (this.bits === 16) !== other;
        const selector = this.knownSeg[DS];
        const at = place(rnd, rnd.chance(30) ? 'guard' : 'any', 4) - (selector === undefined ? 0 : baseOf(selector));
        tail.push(...le(at >>> 0, a16 ? 2 : 4));
      }
    }
    if (/^sh[lr]d$/.test(name) && size === 16 && (count === undefined || (count & 31) > 16)) return false;
    if (isFinal && /save|env/.test(name)) {
      if (mem?.linear === undefined) return false;
      this.ignorePointers(name, mem.linear, size);
    }
    this.emit([...prefixes, ...opcode, ...tail], {
      key: `${key} ${form.modrm ? (mem ? 'm' : 'r') : ''}${chosen.sized ? size : ''}`.trim(),
    });
    this.after(row, size, count, rmReg, reg, mem);
    if (isFinal) this.final = name;
    return true;
  }

  ignorePointers(name, at, size) {
    if (name === 'fxsave') this.ignore.push({ at: at + 6, bytes: 18 }, { at: at + 28, bytes: 4 });
    else this.ignore.push(size === 16 ? { at: at + 6, bytes: 8 } : { at: at + 12, bytes: 16 });
  }

  /** Settles knowledge after an instruction. */
  after(row, size, count, rmReg, reg, mem) {
    const name = row.mnemonic;
    const changed = K.changesRegisters(
      name === 'imul' && row.operands[0] !== 'Eb' && row.operands[0] !== 'Ev' ? 'imul2' : name,
    );
    for (let r = 0; r < 8; r++) if ((changed >> r) & 1) this.kill(r);
    const byteRegister = (operand, r) => (/b$/.test(operand) ? r & 3 : r);
    row.operands.forEach((operand, i) => {
      if (i > 0 && !K.BOTH.has(name)) return;
      if (K.READ_ONLY.has(name)) return;
      if (/^E|^Z/.test(operand) && rmReg !== undefined) this.kill(byteRegister(operand, rmReg));
      if (/^G/.test(operand)) this.kill(byteRegister(operand, reg));
      if (/^(AL|eAX|AX)$/.test(operand)) this.kill(EAX);
    });
    if (row.operands[0] === 'Sw') this.knownSeg[reg] = undefined;
    const loaded = { les: 0, lss: 2, lds: 3, lfs: 4, lgs: 5 }[name];
    if (loaded !== undefined) this.knownSeg[loaded] = undefined;
    if (name === 'pop' && row.operands[0].endsWith('S'))
      this.knownSeg[['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].indexOf(row.operands[0])] = undefined;
    if (name === 'lss' || reg === SS) this.kill(ESP);
    if (K.OPENS_C1.has(name)) this.c1 = true;
    else if (K.setsC1(name)) this.c1 = false;
    this.settleFlags(row, size, count, mem);
  }

  settleFlags(row, size, count) {
    const name = row.mnemonic;
    const width = /b$/.test(row.operands[0] ?? '') && row.operands[0] !== 'Ib' ? 8 : size;
    if (/^(sh[lr]d?|sar|ro[lr]|rc[lr])$/.test(name)) {
      const all = ARITH & (/^r/.test(name) ? K.CF | K.OF : ARITH);
      if (count === undefined) {
        for (let n = 1; n < 32; n++) this.taint |= looseOf(row, width, n, false).flags;
        return;
      }
      const open = looseOf(row, width, count, false).flags;
      if ((count & 31) !== 0) this.taint &= ~(all & ~open);
      // A rotation by a multiple of its size changes no result, and the manual leaves CF alone then.
      this.taint |= open;
      return;
    }
    const open = looseOf(row, width, count ?? 0, true).flags | looseOf(row, width, count ?? 0, false).flags;
    this.taint = (this.taint & ~K.definesFlags(name)) | open;
  }

  popFlags(size) {
    const { rnd } = this;
    const value =
      (rnd.next() & (ARITH | 0x400 | 0x3202)) |
      (rnd.chance(12) ? 0x40000 : 0) |
      (rnd.chance(40) ? 0x100 : 0) |
      (rnd.chance(12) ? NT : 0) |
      (rnd.next() & 0x200000);
    this.emit([...(this.bits === size ? [] : [0x66]), 0x68, ...le(value, size / 8)], { key: `push 68 Iz ${size}` });
    this.emit([...(this.bits === size ? [] : [0x66]), 0x9d], { key: `popf 9d Fv ${size}` });
    this.kill(ESP);
    this.nt ||= (value & NT) !== 0;
    this.taint = 0;
    return true;
  }

  stringOperation(row, key, size) {
    const { rnd } = this;
    const name = row.mnemonic;
    if (/^(ins|outs)$/.test(name)) {
      this.emit([row.opcode], { key });
      return true;
    }
    const prefixes = this.operandPrefix(row, size);
    const wide = !row.operands.includes('AL') && !row.operands.includes('Yb');
    const repeated = rnd.chance(2);
    const usesSource = /^(movs|cmps|lods)$/.test(name);
    const usesTarget = name !== 'lods';
    if (usesSource) this.aim(ESI, DS);
    if (usesTarget) this.aim(EDI, ES);
    if (repeated) {
      this.movImm(ECX, rnd.chance(12) ? 0 : rnd.below(24));
      prefixes.push(rnd.pick([0xf2, 0xf3]));
    }
    if (rnd.chance(20) && usesSource) prefixes.push(rnd.pick(OVERRIDE));
    if (rnd.chance(25)) prefixes.push(0x67);
    this.emit([...prefixes, row.opcode], { key: `${key}${repeated ? ' rep' : ''}${wide ? ` ${size}` : ''}` });
    if (name === 'lods') this.kill(EAX);
    for (const r of [ESI, EDI, ...(repeated ? [ECX] : [])]) this.kill(r);
    // A count of zero leaves the flags as they are.
    if (!repeated) this.taint &= ~K.definesFlags(name);
    return true;
  }

  write() {
    let tries = 0;
    while (this.items.length < this.count && this.final === undefined && tries++ < this.count * 3) {
      this.instruction();
    }
    // Branches beyond the end lead to the end.
    this.arrive();
    let { taint, c1 } = this;
    for (const branch of this.pending) {
      taint |= branch.taint;
      c1 ||= branch.c1;
      this.land(branch);
    }
    return {
      items: this.items,
      endTaint: taint,
      endC1: c1,
      endCs: this.cs,
      regs: Uint32Array.from(this.regs),
      eflags: this.eflags,
      seg: Uint16Array.from(this.seg),
      patches: this.patches,
      ignore: this.ignore,
      inData: this.inData,
      ...(this.fx ? { fx: this.fx } : {}),
      ...(this.final ? { final: this.final } : {}),
    };
  }
}

/** Sequence `number` of `seed`. */
export function generate(seed, number) {
  const sequence = new Writer(seed, number).write();
  const rnd = new V.Random(`${seed}/${number}`);
  // Mostly anywhere; at times so that the code crosses a page or runs into the end of its pages.
  const low = 0x40 + rnd.below(0xa00);
  sequence.codeAt =
    CODE_BASE + (rnd.chance(12) ? 0x1000 - 1 - rnd.below(64) : rnd.chance(60) ? CODE_BYTES - 1 - rnd.below(120) : low);
  if (sequence.inData) sequence.codeAt = TOP_BASE + 0x80 + rnd.below(0x400);
  return sequence;
}
