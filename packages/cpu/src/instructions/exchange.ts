/**
 * Exchanges and flag moves: XCHG, CMPXCHG, CMPXCHG8B, XADD, LAHF SAHF, CLC STC CMC CLD STD, SALC, BOUND (SDM Vol. 2).
 * XCHG with memory, CMPXCHG and XADD read with write rights checked, so a fault leaves no trace; CMPXCHG writes its
 * destination back also when the comparison fails, as the hardware does.
 */
import { EAX, EBX, ECX, EDX, EFLAGS, FLAG_DF, VEC_BR } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { checkSegment } from '../core/slow-access.js';
import { LAZY_ADD16, LAZY_ADD32, LAZY_ADD8, LAZY_SUB16, LAZY_SUB32, LAZY_SUB8 } from '../flags.js';
import { changeArith, getArith, getCF, setCF, setCompare, setZF } from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, eightRows, sized, sizedForms, sizedMemory } from './rows.js';

/** SF ZF AF PF CF: what LAHF and SAHF move. */
const AH_FLAGS = 0xd5;
const AX = EAX * 2;
const AL = 0;
const AH = 1;

function sign8(v: number): number {
  return (v << 24) >> 24;
}

function sign16(v: number): number {
  return (v << 16) >> 16;
}

export function xchgE8G8(c: Cpu, op: Op): void {
  const b = c.b;
  const v = b[op.dst];
  b[op.dst] = b[op.src];
  b[op.src] = v;
}
export function xchgE16G16(c: Cpu, op: Op): void {
  const w = c.w;
  const v = w[op.dst];
  w[op.dst] = w[op.src];
  w[op.src] = v;
}
export function xchgE32G32(c: Cpu, op: Op): void {
  const s = c.s;
  const v = s[op.dst];
  s[op.dst] = s[op.src];
  s[op.src] = v;
}
export function xchgM8G8(c: Cpu, op: Op): void {
  const v = c.readRmw8(op.seg, c.ea(op));
  c.writeRmw8(c.b[op.src]);
  c.b[op.src] = v;
}
export function xchgM16G16(c: Cpu, op: Op): void {
  const v = c.readRmw16(op.seg, c.ea(op));
  c.writeRmw16(c.w[op.src]);
  c.w[op.src] = v;
}
export function xchgM32G32(c: Cpu, op: Op): void {
  const v = c.readRmw32(op.seg, c.ea(op));
  c.writeRmw32(c.s[op.src]);
  c.s[op.src] = v;
}

/** Compares the accumulator with `v`, setting the flags; true when equal. All values sign-extended. */
function compare(c: Cpu, kind: number, accumulator: number, v: number, result: number): boolean {
  setCompare(c, kind, accumulator, v, result);
  return result === 0;
}

export function cmpxchgE8G8(c: Cpu, op: Op): void {
  const b = c.b;
  const a = sign8(b[AL]);
  const v = sign8(b[op.dst]);
  if (compare(c, LAZY_SUB8, a, v, sign8(a - v))) b[op.dst] = b[op.src];
  else b[AL] = v;
}
export function cmpxchgE16G16(c: Cpu, op: Op): void {
  const w = c.w;
  const a = sign16(w[AX]);
  const v = sign16(w[op.dst]);
  if (compare(c, LAZY_SUB16, a, v, sign16(a - v))) w[op.dst] = w[op.src];
  else w[AX] = v;
}
export function cmpxchgE32G32(c: Cpu, op: Op): void {
  const s = c.s;
  const a = s[EAX];
  const v = s[op.dst];
  if (compare(c, LAZY_SUB32, a, v, (a - v) | 0)) s[op.dst] = s[op.src];
  else s[EAX] = v;
}
export function cmpxchgM8G8(c: Cpu, op: Op): void {
  const a = sign8(c.b[AL]);
  const v = sign8(c.readRmw8(op.seg, c.ea(op)));
  c.writeRmw8(a === v ? c.b[op.src] : v);
  if (!compare(c, LAZY_SUB8, a, v, sign8(a - v))) c.b[AL] = v;
}
export function cmpxchgM16G16(c: Cpu, op: Op): void {
  const a = sign16(c.w[AX]);
  const v = sign16(c.readRmw16(op.seg, c.ea(op)));
  c.writeRmw16(a === v ? c.w[op.src] : v);
  if (!compare(c, LAZY_SUB16, a, v, sign16(a - v))) c.w[AX] = v;
}
export function cmpxchgM32G32(c: Cpu, op: Op): void {
  const s = c.s;
  const a = s[EAX];
  const v = c.readRmw32(op.seg, c.ea(op));
  c.writeRmw32(a === v ? s[op.src] : v);
  if (!compare(c, LAZY_SUB32, a, v, (a - v) | 0)) s[EAX] = v;
}

export function cmpxchg8b(c: Cpu, op: Op): void {
  const s = c.s;
  const at = c.ea(op);
  const above = (at + 4) | 0;
  // Limit and alignment are those of all eight bytes, before any page is looked at.
  if (c.alignOn || (at >>> 0) + 4 > c.segWriteMax[op.seg]) checkSegment(c, op.seg, at, 8, true);
  const low = c.readRmw32(op.seg, at);
  const high = c.readRmw32(op.seg, above);
  // Both halves may be written from here on: no write below can fault.
  const equal = low === s[EAX] && high === s[EDX];
  c.writeRmw32(equal ? s[ECX] : high);
  c.write32(op.seg, at, equal ? s[EBX] : low);
  if (!equal) {
    s[EAX] = low;
    s[EDX] = high;
  }
  setZF(c, equal);
}

export function xaddE8G8(c: Cpu, op: Op): void {
  const b = c.b;
  const d = sign8(b[op.dst]);
  const v = sign8(b[op.src]);
  const r = sign8(d + v);
  b[op.src] = d;
  b[op.dst] = r;
  setCompare(c, LAZY_ADD8, d, v, r);
}
export function xaddE16G16(c: Cpu, op: Op): void {
  const w = c.w;
  const d = sign16(w[op.dst]);
  const v = sign16(w[op.src]);
  const r = sign16(d + v);
  w[op.src] = d;
  w[op.dst] = r;
  setCompare(c, LAZY_ADD16, d, v, r);
}
export function xaddE32G32(c: Cpu, op: Op): void {
  const s = c.s;
  const d = s[op.dst];
  const v = s[op.src];
  const r = (d + v) | 0;
  s[op.src] = d;
  s[op.dst] = r;
  setCompare(c, LAZY_ADD32, d, v, r);
}
export function xaddM8G8(c: Cpu, op: Op): void {
  const d = sign8(c.readRmw8(op.seg, c.ea(op)));
  const v = sign8(c.b[op.src]);
  const r = sign8(d + v);
  c.writeRmw8(r);
  c.b[op.src] = d;
  setCompare(c, LAZY_ADD8, d, v, r);
}
export function xaddM16G16(c: Cpu, op: Op): void {
  const d = sign16(c.readRmw16(op.seg, c.ea(op)));
  const v = sign16(c.w[op.src]);
  const r = sign16(d + v);
  c.writeRmw16(r);
  c.w[op.src] = d;
  setCompare(c, LAZY_ADD16, d, v, r);
}
export function xaddM32G32(c: Cpu, op: Op): void {
  const s = c.s;
  const d = c.readRmw32(op.seg, c.ea(op));
  const v = s[op.src];
  const r = (d + v) | 0;
  c.writeRmw32(r);
  s[op.src] = d;
  setCompare(c, LAZY_ADD32, d, v, r);
}

export function lahf(c: Cpu): void {
  c.b[AH] = (getArith(c) & AH_FLAGS) | 2;
}
export function sahf(c: Cpu): void {
  changeArith(c, AH_FLAGS, c.b[AH]);
}
export function clc(c: Cpu): void {
  setCF(c, 0);
}
export function stc(c: Cpu): void {
  setCF(c, 1);
}
export function cmc(c: Cpu): void {
  setCF(c, getCF(c) ^ 1);
}
export function cld(c: Cpu): void {
  c.s[EFLAGS] &= ~FLAG_DF;
}
export function std(c: Cpu): void {
  c.s[EFLAGS] |= FLAG_DF;
}
/** Undocumented since the 8086: AL = CF ? FF : 0. */
export function salc(c: Cpu): void {
  c.b[AL] = -getCF(c);
}

export function bound16(c: Cpu, op: Op): void {
  const at = c.ea(op);
  const index = sign16(c.w[op.src]);
  const lower = sign16(c.read16(op.seg, at));
  const upper = sign16(c.read16(op.seg, (at + 2) & op.mask));
  if (index < lower || index > upper) c.fault(VEC_BR, -1);
}
export function bound32(c: Cpu, op: Op): void {
  const at = c.ea(op);
  const index = c.s[op.src];
  const lower = c.read32(op.seg, at);
  const upper = c.read32(op.seg, (at + 4) & op.mask);
  if (index < lower || index > upper) c.fault(VEC_BR, -1);
}

const xchg = sizedForms(xchgE16G16, xchgE32G32, xchgM16G16, xchgM32G32);
const cmpxchg = sizedForms(cmpxchgE16G16, cmpxchgE32G32, cmpxchgM16G16, cmpxchgM32G32);
const xadd = sizedForms(xaddE16G16, xaddE32G32, xaddM16G16, xaddM32G32);

export const exchangeRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'xchg',
    map: 1,
    opcode: 0x86,
    operands: ['Eb', 'Gb'],
    handlers: anySize(xchgE8G8, xchgM8G8),
    lockable: true,
  },
  { mnemonic: 'xchg', map: 1, opcode: 0x87, operands: ['Ev', 'Gv'], handlers: xchg, lockable: true },
  // 90 is NOP. The other operand, eAX, is register 0 in `src`.
  ...eightRows({
    mnemonic: 'xchg',
    map: 1,
    opcode: 0x90,
    operands: ['Zv', 'eAX'],
    handlers: sized(xchgE16G16, xchgE32G32),
  }).slice(1),
  {
    mnemonic: 'cmpxchg',
    map: 2,
    opcode: 0xb0,
    operands: ['Eb', 'Gb'],
    handlers: anySize(cmpxchgE8G8, cmpxchgM8G8),
    isa: 4,
    lockable: true,
  },
  { mnemonic: 'cmpxchg', map: 2, opcode: 0xb1, operands: ['Ev', 'Gv'], handlers: cmpxchg, isa: 4, lockable: true },
  {
    mnemonic: 'cmpxchg8b',
    map: 2,
    opcode: 0xc7,
    ext: 1,
    operands: ['Mq'],
    handlers: anySize(undefined, cmpxchg8b),
    isa: 5,
    feature: 'cx8',
    lockable: true,
  },
  {
    mnemonic: 'xadd',
    map: 2,
    opcode: 0xc0,
    operands: ['Eb', 'Gb'],
    handlers: anySize(xaddE8G8, xaddM8G8),
    isa: 4,
    lockable: true,
  },
  { mnemonic: 'xadd', map: 2, opcode: 0xc1, operands: ['Ev', 'Gv'], handlers: xadd, isa: 4, lockable: true },
  { mnemonic: 'lahf', map: 1, opcode: 0x9f, operands: [], handlers: anySize(lahf) },
  { mnemonic: 'sahf', map: 1, opcode: 0x9e, operands: [], handlers: anySize(sahf) },
  { mnemonic: 'clc', map: 1, opcode: 0xf8, operands: [], handlers: anySize(clc) },
  { mnemonic: 'stc', map: 1, opcode: 0xf9, operands: [], handlers: anySize(stc) },
  { mnemonic: 'cmc', map: 1, opcode: 0xf5, operands: [], handlers: anySize(cmc) },
  { mnemonic: 'cld', map: 1, opcode: 0xfc, operands: [], handlers: anySize(cld) },
  { mnemonic: 'std', map: 1, opcode: 0xfd, operands: [], handlers: anySize(std) },
  { mnemonic: 'salc', map: 1, opcode: 0xd6, operands: [], handlers: anySize(salc) },
  { mnemonic: 'bound', map: 1, opcode: 0x62, operands: ['Gv', 'Ma'], handlers: sizedMemory(bound16, bound32) },
];
