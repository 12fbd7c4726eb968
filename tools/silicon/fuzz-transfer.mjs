/**
 * Transfers of control in generated sequences: branches, calls, returns, near and far, all leading forward; where a branch lands is
 * settled when the sequence gets there. Code that changes its own later instructions, where code lies in writable memory.
 */
import { DATA_BASE, USER_DS, ldtSelector as L } from '../../packages/cpu/dist/testing/user-environment.js';
import { baseOf } from './address.mjs';
import { Operands } from './fuzz-operands.mjs';
import { ARITH } from './fuzz-semantics.mjs';
import { CODE16, CODE32, CS, DS, EAX, EBX, ECX, EDX, ESI, ESP, GOOD_DATA, le } from './fuzz-table.mjs';

/** Bytes of the longest target in memory. */
const FAR_POINTER = 6;

export class Transfers extends Operands {
  /** Branches, calls, returns: all lead forward. */
  transfer(row, key, size) {
    const { rnd } = this;
    const name = row.mnemonic;
    const base = baseOf(this.cs);
    if (size === 16 && base === 0) size = 32;
    const prefix = size === this.bits ? [] : [0x66];
    const skip = rnd.below(4);
    const full = `${key} ${size}`;
    if (/^(jmpf|callf|retf|iret)$/.test(name)) return this.farTransfer(row, full, size);
    if (name === 'jecxz' && rnd.chance(2)) this.movImm(ECX, rnd.below(2));
    if (row.operands[0] === 'Jb' || row.operands[0] === 'Jz') {
      const length = row.operands[0] === 'Jb' ? 1 : size / 8;
      const bytes = [...prefix, ...(row.map === 2 ? [0x0f] : []), row.opcode, ...le(0, length)];
      if (name === 'call') this.kill(ESP);
      if (/^loop/.test(name)) this.kill(ECX);
      this.branch(this.emit(bytes, { key: full, fix: { length, relative: true } }), skip);
      return true;
    }
    if (name === 'ret') {
      // The address is pushed just before.
      const item = this.emit([...prefix, 0x68, ...le(0, size / 8)], {
        key: `push 68 Iz ${size}`,
        fix: { length: size / 8 },
      });
      this.kill(ESP);
      this.emit([...prefix, row.opcode, ...(row.opcode === 0xc2 ? le(rnd.below(16) * 4, 2) : [])], { key: full });
      this.branch(item, skip);
      return true;
    }
    const data = this.dataSlot();
    if (data !== undefined && rnd.chance(2)) {
      // JMP or CALL through memory.
      if (name === 'call') this.kill(ESP);
      const item = this.emit([...prefix, 0xff, data.modrm[0] | (row.ext << 3), ...data.modrm.slice(1)], {
        key: `${key} m${size}`,
        memoryFix: { at: data.at, length: size / 8, base },
      });
      this.branch(item, skip);
      return true;
    }
    // Through a register.
    const r = rnd.pick([EAX, ECX, EDX, EBX, ESI]);
    const item = this.emit([...(this.bits === 16 ? [0x66] : []), 0xb8 | r, ...le(0, 4)], {
      key: 'mov b8 Zv,Iz',
      fix: { length: 4 },
    });
    this.kill(r);
    if (name === 'call') this.kill(ESP);
    this.emit([...prefix, 0xff, 0xc0 | (row.ext << 3) | r], { key: `${key} r${size}` });
    this.branch(item, skip);
    return true;
  }

  /** What was just emitted may go on behind the next `skip` groups: at the address that `item` names. */
  branch(item, left) {
    this.pending.push({ item, left, killed: 0, seg: [...this.knownSeg], taint: this.taint, nt: this.nt, c1: this.c1 });
  }

  /** A place below what operands use, where the sequence's own addresses can wait; undefined if DS does not reach it. */
  dataSlot() {
    const ds = this.knownSeg[DS];
    if (!GOOD_DATA.includes(ds)) return undefined;
    const at = DATA_BASE + this.rnd.below(0x30);
    const offset = (at - baseOf(ds)) >>> 0;
    if (this.bits === 16 && offset > 0xffff) return undefined;
    // Two targets that overlapped would lead one of them past what makes flags defined again.
    if (this.slots.some((slot) => Math.abs(slot - at) < FAR_POINTER)) return undefined;
    this.slots.push(at);
    return { at, modrm: this.bits === 16 ? [6, ...le(offset, 2)] : [5, ...le(offset, 4)] };
  }

  /** MOV r32, imm32, and before it an instruction that changes the immediate or a byte of it. */
  modifyAhead() {
    const { rnd } = this;
    if (this.knownSeg[DS] !== USER_DS) return false;
    const byte = rnd.chance(2);
    const value = le(rnd.next(), byte ? 1 : 4);
    const add = 1 + (byte ? rnd.below(4) : 0);
    const item = this.emit([byte ? 0xc6 : 0xc7, 5, 0, 0, 0, 0, ...value], {
      key: byte ? 'mov c6/0 Eb,Ib m' : 'mov c7/0 Ev,Iz m32',
      fix: { length: 4, at: 2, base: 0, add },
    });
    // Right behind it, or some instructions later; where nothing branches between them.
    for (let n = rnd.below(4); n > 0; n--) this.emit([rnd.pick([0x90, 0xfc, 0x90])], { key: 'nop 90' });
    this.land({ item });
    const r = rnd.pick([EAX, ECX, EDX, EBX]);
    this.emit([0xb8 | r, ...le(rnd.next(), 4)], { key: 'mov b8 Zv,Iz' });
    this.kill(r);
    return true;
  }

  farTransfer(row, key, size) {
    const { rnd } = this;
    const name = row.mnemonic;
    // Another code segment only where no branch jumps across the change.
    if (this.pending.length > 0 || this.inData) return false;
    if (name === 'iret' && this.nt) return false;
    let cs = rnd.pick(rnd.chance(2) ? [this.cs] : [...CODE32, ...CODE16]);
    if (size === 16 && baseOf(cs) === 0) cs = L('code32');
    const prefix = size === this.bits ? [] : [0x66];
    const base = baseOf(cs);
    const next = this.items.length;
    const push = (value, fix) =>
      this.emit([...prefix, 0x68, ...le(value, size / 8)], { key: `push 68 Iz ${size}`, ...(fix ? { fix } : {}) });
    if (name === 'jmpf' || name === 'callf') {
      if (row.operands[0] === 'Ap') {
        this.emit([...prefix, row.opcode, ...le(0, size / 8), ...le(cs, 2)], {
          key,
          fix: { length: size / 8, target: next + 1, at: prefix.length + 1, base },
        });
      } else {
        const data = this.dataSlot();
        if (data === undefined) return false;
        const { at, modrm } = data;
        this.emit([...prefix, 0xff, modrm[0] | (row.ext << 3), ...modrm.slice(1)], {
          key,
          memoryFix: { at, length: size / 8, target: next + 1, base, selector: cs },
        });
      }
      if (name === 'callf') this.kill(ESP);
    } else {
      const flags = (rnd.next() & (ARITH | 0x400 | 0x202)) | 2;
      const extra = name === 'iret' ? 1 : 0;
      if (extra) push(flags);
      push(cs);
      push(0, { length: size / 8, target: next + 3 + extra, base });
      this.emit([...prefix, row.opcode, ...(row.opcode === 0xca ? le(rnd.below(8) * 4, 2) : [])], { key });
      this.kill(ESP);
      if (extra) this.taint = 0;
    }
    this.cs = cs;
    this.knownSeg[CS] = cs;
    return true;
  }
}
