/**
 * What the generator has in mind while it writes a sequence: the state the sequence begins in, what is known for sure of registers
 * and segments, which flags are undefined, branches that have not landed yet. fuzz-operands.mjs and what follows it extend this.
 * Nothing here chooses instructions.
 */
import {
  DATA_BASE,
  DATA_BYTES,
  LDT_ENTRIES,
  USER_CS,
  USER_DS,
  ldtSelector as L,
} from '../../packages/cpu/dist/testing/user-environment.js';
import { baseOf } from './address.mjs';
import { ARITH } from './fuzz-semantics.mjs';
import { ANY_DATA, CODE16, CODE32, DS, EBP, EBX, EDI, ES, ESI, ESP, GOOD_DATA, le } from './fuzz-table.mjs';
import * as V from './operands.mjs';

export const NT = 0x4000;

export class State {
  constructor(seed, number) {
    this.rnd = new V.Random(`${seed}:${number}`);
    this.items = [];
    this.patches = [];
    this.ignore = [];
    this.final = undefined;
    this.pending = [];
    /** Where in memory targets of indirect transfers lie. */
    this.slots = [];
    this.taint = 0;
    /** C1 is open. */
    this.c1 = false;
    this.start();
  }

  pointer() {
    return DATA_BASE + 0x100 + this.rnd.below(DATA_BYTES - 0x300);
  }

  start() {
    const { rnd } = this;
    const flavour = rnd.below(100);
    this.flavour =
      flavour < 45 ? 'integer' : flavour < 65 ? 'x87' : flavour < 72 ? 'mmx' : flavour < 90 ? 'simd' : 'mixed';
    /** The code lies in writable memory and changes itself. */
    this.inData = rnd.chance(25);
    const cs = !this.inData && rnd.chance(8) ? rnd.pick([...CODE32, ...CODE16, ...CODE16]) : USER_CS;
    this.cs = cs;
    const plain = this.inData || !rnd.chance(4);
    const data = () => (plain ? USER_DS : rnd.pick(GOOD_DATA));
    const ss = plain ? USER_DS : rnd.pick([USER_DS, L('data32'), L('flat'), L('data16'), L('stack16')]);
    this.seg = [data(), cs, ss, rnd.chance(30) ? rnd.pick(ANY_DATA) : data(), rnd.pick(ANY_DATA), rnd.pick(ANY_DATA)];
    this.regs = Array.from({ length: 8 }, (_, r) => {
      const likely = r === EBP || r === ESI || r === EDI || r === EBX;
      const is = rnd.below(10) < (likely ? 8 : 3);
      return is ? this.pointer() : V.integer(rnd, 32);
    });
    const stack = 0x400 + rnd.below(0xa00);
    this.regs[ESP] = (DATA_BASE - baseOf(ss) + (rnd.chance(20) ? stack : stack & ~3)) >>> 0;
    if (ss !== USER_DS && rnd.chance(2)) this.regs[EBP] = (this.regs[EBP] - baseOf(ss)) >>> 0;
    for (const [r, s] of [
      [ESI, DS],
      [EDI, ES],
    ])
      if (baseOf(this.seg[s]) !== 0 && rnd.chance(2)) this.regs[r] = (this.regs[r] - baseOf(this.seg[s])) >>> 0;
    this.eflags =
      2 |
      (rnd.next() & ARITH) |
      (rnd.chance(4) ? 0x400 : 0) |
      (rnd.chance(40) ? 0x40000 : 0) |
      (rnd.chance(20) ? NT : 0) |
      (rnd.chance(8) ? 0x200000 : 0) |
      (rnd.chance(80) && LDT_ENTRIES[ss >> 3]?.wide !== false ? 0x100 : 0);
    this.nt = (this.eflags & NT) !== 0;
    this.known = [...this.regs];
    this.knownSeg = [...this.seg];
    if (this.flavour !== 'integer' && !rnd.chance(8)) this.fx = this.image();
    const spread = rnd.below(10);
    this.count = spread < 3 ? 1 + rnd.below(4) : spread < 8 ? 5 + rnd.below(12) : 17 + rnd.below(48);
  }

  /** An FXSAVE image of interesting values. */
  image() {
    const { rnd } = this;
    const fx = new Uint8Array(512);
    const view = new DataView(fx.buffer);
    const cw = V.controlWord(rnd);
    view.setUint16(0, cw, true);
    const flags = rnd.chance(3) ? rnd.next() & 0x3f & cw : 0;
    view.setUint16(2, (rnd.next() & 0x7f00) | flags, true);
    fx[4] = rnd.pick([0xff, 0x00, rnd.next() & 0xff, rnd.next() & 0xff, 0xff]);
    for (let i = 0; i < 8; i++) fx.set(V.extended(rnd), 32 + i * 16);
    view.setUint32(24, V.mxcsr(rnd), true);
    for (let i = 0; i < 8; i++) {
      const kind = rnd.below(3);
      const make = kind === 0 ? V.packed : kind === 1 ? V.packedSingles : V.packedDoubles;
      fx.set(make(rnd, 16), 160 + i * 16);
    }
    return fx;
  }

  get bits() {
    return LDT_ENTRIES[this.cs >> 3]?.wide === false && (this.cs & 4) !== 0 ? 16 : 32;
  }

  patch(at, bytes) {
    if (at >= DATA_BASE && at + bytes.length <= DATA_BASE + DATA_BYTES)
      this.patches.push({ at, bytes: Uint8Array.from(bytes) });
  }

  kill(r) {
    this.known[r] = undefined;
    for (const branch of this.pending) branch.killed |= 1 << r;
  }

  setKnown(r, value) {
    this.kill(r);
    this.known[r] = value >>> 0;
  }

  /** Lands branches that lead here: never into what is generated as a group. */
  arrive() {
    this.pending = this.pending.filter((branch) => {
      if (branch.left-- > 0) return true;
      this.land(branch);
      for (let r = 0; r < 8; r++) if ((branch.killed >> r) & 1) this.known[r] = undefined;
      for (let s = 0; s < 6; s++) if (branch.seg[s] !== this.knownSeg[s]) this.knownSeg[s] = undefined;
      this.taint |= branch.taint;
      this.nt ||= branch.nt;
      this.c1 ||= branch.c1;
      return false;
    });
  }

  /** Here is where a branch leads, or where an instruction lies that another one changes. */
  land({ item }) {
    (item.fix ?? item.memoryFix).target = this.items.length;
  }

  emit(bytes, extra = {}) {
    const item = { bytes, cs: this.cs, taint: this.taint, c1: this.c1, ...extra };
    this.items.push(item);
    return item;
  }

  /** Prefixes and opcode of `mov r32, imm32`, in any mode. */
  movImm(r, value) {
    this.emit([...(this.bits === 16 ? [0x66] : []), 0xb8 | r, ...le(value, 4)], { key: 'mov b8 Zv,Iz' });
    this.setKnown(r, value);
  }

  /** Makes sure that register `r` holds a pointer through segment `seg`; answers false if the segment is no good. */
  aim(r, seg) {
    const selector = this.knownSeg[seg];
    if (selector === undefined || (selector & 0xfffc) === 0) return false;
    const base = baseOf(selector);
    const linear = this.known[r] === undefined ? -1 : (this.known[r] + base) >>> 0;
    if (linear < DATA_BASE + 0x80 || linear > DATA_BASE + DATA_BYTES - 0x100)
      this.movImm(r, (this.pointer() - base) >>> 0);
    return true;
  }
}
