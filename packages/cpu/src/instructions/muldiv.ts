/**
 * MUL, IMUL, DIV, IDIV (SDM Vol. 2). Numbers here are doubles: a 64-bit product is known exactly from its low half, which
 * Math.imul gives, and the rounded double product; a 64-by-32 division goes in two 48-bit steps, all of it below 2^53.
 * Undefined flags: after a multiply SF ZF PF are those of the low half and AF is 0 (sandpile.org "rFLAGS", family 15; the
 * P6 leaves them alone); DIV and IDIV leave all six alone, as the P6 does.
 */
import { EAX, EDX, VEC_DE } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { setShift } from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, sizedForms } from './rows.js';

const TWO32 = 0x100000000;
/** Indices into `Cpu.w` and `Cpu.b`. */
const AX = EAX * 2;
const DX = EDX * 2;
const AL = 0;
const AH = 1;

/** Multiplies into EDX:EAX; `product` is the double product of `low`'s operands, signed or unsigned. */
function put64(c: Cpu, low: number, product: number, signed: boolean): void {
  const high = Math.round((product - (low >>> 0)) / TWO32) | 0;
  const s = c.s;
  s[EAX] = low;
  s[EDX] = high;
  const overflow = high === (signed ? low >> 31 : 0) ? 0 : 1;
  setShift(c, low, overflow, overflow); // undefined: SF ZF AF PF
}

function mul8(c: Cpu, v: number): void {
  const product = c.b[AL] * v;
  c.w[AX] = product;
  const overflow = product > 0xff ? 1 : 0;
  setShift(c, (product << 24) >> 24, overflow, overflow); // undefined: SF ZF AF PF
}

function mul16(c: Cpu, v: number): void {
  const product = c.w[AX] * v;
  c.w[AX] = product & 0xffff;
  c.w[DX] = product >>> 16;
  const overflow = product > 0xffff ? 1 : 0;
  setShift(c, (product << 16) >> 16, overflow, overflow); // undefined: SF ZF AF PF
}

function mul32(c: Cpu, v: number): void {
  const a = c.s[EAX];
  put64(c, Math.imul(a, v), (a >>> 0) * (v >>> 0), false);
}

function imul8(c: Cpu, v: number): void {
  const product = ((c.b[AL] << 24) >> 24) * ((v << 24) >> 24);
  c.w[AX] = product;
  const low = (product << 24) >> 24;
  const overflow = low === product ? 0 : 1;
  setShift(c, low, overflow, overflow); // undefined: SF ZF AF PF
}

function imul16(c: Cpu, v: number): void {
  const product = ((c.w[AX] << 16) >> 16) * ((v << 16) >> 16);
  c.w[AX] = product;
  c.w[DX] = product >> 16;
  const low = (product << 16) >> 16;
  const overflow = low === product ? 0 : 1;
  setShift(c, low, overflow, overflow); // undefined: SF ZF AF PF
}

function imul32(c: Cpu, v: number): void {
  const a = c.s[EAX];
  put64(c, Math.imul(a, v), a * v, true);
}

/** Two- and three-operand IMUL: the truncated product. */
function imulLow16(c: Cpu, a: number, v: number): number {
  const product = ((a << 16) >> 16) * ((v << 16) >> 16);
  const low = (product << 16) >> 16;
  const overflow = low === product ? 0 : 1;
  setShift(c, low, overflow, overflow); // undefined: SF ZF AF PF
  return low;
}

function imulLow32(c: Cpu, a: number, v: number): number {
  const low = Math.imul(a, v);
  const overflow = low === a * v ? 0 : 1;
  setShift(c, low, overflow, overflow); // undefined: SF ZF AF PF
  return low;
}

function div8(c: Cpu, v: number): void {
  const n = c.w[AX];
  if (v === 0 || n >>> 8 >= v) c.fault(VEC_DE, -1);
  const q = (n / v) | 0;
  c.b[AL] = q;
  c.b[AH] = n - q * v;
}

function div16(c: Cpu, v: number): void {
  const n = c.w[DX] * 0x10000 + c.w[AX];
  if (v === 0 || c.w[DX] >= v) c.fault(VEC_DE, -1);
  const q = Math.floor(n / v);
  c.w[AX] = q;
  c.w[DX] = n - q * v;
}

function div32(c: Cpu, divisor: number): void {
  const s = c.s;
  const v = divisor >>> 0;
  const high = s[EDX] >>> 0;
  const low = s[EAX] >>> 0;
  if (high >= v) c.fault(VEC_DE, -1); // also v === 0
  if (high === 0) {
    const q = Math.floor(low / v);
    s[EAX] = q;
    s[EDX] = low - q * v;
    return;
  }
  const n1 = high * 0x10000 + (low >>> 16);
  const q1 = Math.floor(n1 / v);
  const n2 = (n1 - q1 * v) * 0x10000 + (low & 0xffff);
  const q2 = Math.floor(n2 / v);
  s[EAX] = q1 * 0x10000 + q2;
  s[EDX] = n2 - q2 * v;
}

function idiv8(c: Cpu, divisor: number): void {
  const v = (divisor << 24) >> 24;
  const n = (c.w[AX] << 16) >> 16;
  if (v === 0) c.fault(VEC_DE, -1);
  const q = (n / v) | 0;
  if (q !== (q << 24) >> 24) c.fault(VEC_DE, -1);
  c.b[AL] = q;
  c.b[AH] = n - q * v;
}

function idiv16(c: Cpu, divisor: number): void {
  const v = (divisor << 16) >> 16;
  const n = (c.w[DX] << 16) | c.w[AX];
  if (v === 0) c.fault(VEC_DE, -1);
  const q = Math.trunc(n / v);
  if (q < -0x8000 || q > 0x7fff) c.fault(VEC_DE, -1);
  c.w[AX] = q;
  c.w[DX] = n - q * v;
}

function idiv32(c: Cpu, v: number): void {
  const s = c.s;
  let low = s[EAX];
  let high = s[EDX];
  const negative = high < 0;
  if (negative) {
    low = -low | 0;
    high = ~high + (low === 0 ? 1 : 0);
  }
  const size = v < 0 ? -v : v;
  const top = high >>> 0;
  if (top >= size) c.fault(VEC_DE, -1); // also v === 0
  const n1 = top * 0x10000 + (low >>> 16);
  const q1 = Math.floor(n1 / size);
  const n2 = (n1 - q1 * size) * 0x10000 + (low & 0xffff);
  const q2 = Math.floor(n2 / size);
  const q = q1 * 0x10000 + q2;
  const r = n2 - q2 * size;
  const minus = negative !== v < 0;
  if (q > (minus ? 0x80000000 : 0x7fffffff)) c.fault(VEC_DE, -1);
  s[EAX] = minus ? -q : q;
  s[EDX] = negative ? -r : r;
}

export function mulE8(c: Cpu, op: Op): void {
  mul8(c, c.b[op.dst]);
}
export function mulE16(c: Cpu, op: Op): void {
  mul16(c, c.w[op.dst]);
}
export function mulE32(c: Cpu, op: Op): void {
  mul32(c, c.s[op.dst]);
}
export function mulM8(c: Cpu, op: Op): void {
  mul8(c, c.read8(op.seg, c.ea(op)));
}
export function mulM16(c: Cpu, op: Op): void {
  mul16(c, c.read16(op.seg, c.ea(op)));
}
export function mulM32(c: Cpu, op: Op): void {
  mul32(c, c.read32(op.seg, c.ea(op)));
}
export function imulE8(c: Cpu, op: Op): void {
  imul8(c, c.b[op.dst]);
}
export function imulE16(c: Cpu, op: Op): void {
  imul16(c, c.w[op.dst]);
}
export function imulE32(c: Cpu, op: Op): void {
  imul32(c, c.s[op.dst]);
}
export function imulM8(c: Cpu, op: Op): void {
  imul8(c, c.read8(op.seg, c.ea(op)));
}
export function imulM16(c: Cpu, op: Op): void {
  imul16(c, c.read16(op.seg, c.ea(op)));
}
export function imulM32(c: Cpu, op: Op): void {
  imul32(c, c.read32(op.seg, c.ea(op)));
}
export function divE8(c: Cpu, op: Op): void {
  div8(c, c.b[op.dst]);
}
export function divE16(c: Cpu, op: Op): void {
  div16(c, c.w[op.dst]);
}
export function divE32(c: Cpu, op: Op): void {
  div32(c, c.s[op.dst]);
}
export function divM8(c: Cpu, op: Op): void {
  div8(c, c.read8(op.seg, c.ea(op)));
}
export function divM16(c: Cpu, op: Op): void {
  div16(c, c.read16(op.seg, c.ea(op)));
}
export function divM32(c: Cpu, op: Op): void {
  div32(c, c.read32(op.seg, c.ea(op)));
}
export function idivE8(c: Cpu, op: Op): void {
  idiv8(c, c.b[op.dst]);
}
export function idivE16(c: Cpu, op: Op): void {
  idiv16(c, c.w[op.dst]);
}
export function idivE32(c: Cpu, op: Op): void {
  idiv32(c, c.s[op.dst]);
}
export function idivM8(c: Cpu, op: Op): void {
  idiv8(c, c.read8(op.seg, c.ea(op)));
}
export function idivM16(c: Cpu, op: Op): void {
  idiv16(c, c.read16(op.seg, c.ea(op)));
}
export function idivM32(c: Cpu, op: Op): void {
  idiv32(c, c.read32(op.seg, c.ea(op)));
}

export function imulG16E16(c: Cpu, op: Op): void {
  c.w[op.src] = imulLow16(c, c.w[op.src], c.w[op.dst]);
}
export function imulG32E32(c: Cpu, op: Op): void {
  c.s[op.src] = imulLow32(c, c.s[op.src], c.s[op.dst]);
}
export function imulG16M16(c: Cpu, op: Op): void {
  c.w[op.src] = imulLow16(c, c.w[op.src], c.read16(op.seg, c.ea(op)));
}
export function imulG32M32(c: Cpu, op: Op): void {
  c.s[op.src] = imulLow32(c, c.s[op.src], c.read32(op.seg, c.ea(op)));
}
export function imulG16E16I16(c: Cpu, op: Op): void {
  c.w[op.src] = imulLow16(c, c.w[op.dst], op.imm);
}
export function imulG32E32I32(c: Cpu, op: Op): void {
  c.s[op.src] = imulLow32(c, c.s[op.dst], op.imm);
}
export function imulG16M16I16(c: Cpu, op: Op): void {
  c.w[op.src] = imulLow16(c, c.read16(op.seg, c.ea(op)), op.imm);
}
export function imulG32M32I32(c: Cpu, op: Op): void {
  c.s[op.src] = imulLow32(c, c.read32(op.seg, c.ea(op)), op.imm);
}

const imulG = sizedForms(imulG16E16, imulG32E32, imulG16M16, imulG32M32);
const imulGI = sizedForms(imulG16E16I16, imulG32E32I32, imulG16M16I16, imulG32M32I32);

export const muldivRows: readonly OpcodeRow[] = [
  { mnemonic: 'mul', map: 1, opcode: 0xf6, ext: 4, operands: ['Eb'], handlers: anySize(mulE8, mulM8) },
  {
    mnemonic: 'mul',
    map: 1,
    opcode: 0xf7,
    ext: 4,
    operands: ['Ev'],
    handlers: sizedForms(mulE16, mulE32, mulM16, mulM32),
  },
  { mnemonic: 'imul', map: 1, opcode: 0xf6, ext: 5, operands: ['Eb'], handlers: anySize(imulE8, imulM8) },
  {
    mnemonic: 'imul',
    map: 1,
    opcode: 0xf7,
    ext: 5,
    operands: ['Ev'],
    handlers: sizedForms(imulE16, imulE32, imulM16, imulM32),
  },
  { mnemonic: 'div', map: 1, opcode: 0xf6, ext: 6, operands: ['Eb'], handlers: anySize(divE8, divM8) },
  {
    mnemonic: 'div',
    map: 1,
    opcode: 0xf7,
    ext: 6,
    operands: ['Ev'],
    handlers: sizedForms(divE16, divE32, divM16, divM32),
  },
  { mnemonic: 'idiv', map: 1, opcode: 0xf6, ext: 7, operands: ['Eb'], handlers: anySize(idivE8, idivM8) },
  {
    mnemonic: 'idiv',
    map: 1,
    opcode: 0xf7,
    ext: 7,
    operands: ['Ev'],
    handlers: sizedForms(idivE16, idivE32, idivM16, idivM32),
  },
  { mnemonic: 'imul', map: 2, opcode: 0xaf, operands: ['Gv', 'Ev'], handlers: imulG },
  { mnemonic: 'imul', map: 1, opcode: 0x69, operands: ['Gv', 'Ev', 'Iz'], handlers: imulGI },
  { mnemonic: 'imul', map: 1, opcode: 0x6b, operands: ['Gv', 'Ev', 'Ibs'], handlers: imulGI },
];
