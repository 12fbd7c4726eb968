/**
 * Decimal adjustments: DAA DAS AAA AAS AAM AAD (SDM Vol. 2).
 * Undefined flags after sandpile.org "rFLAGS", P6 column: DAA and DAS leave OF; AAA and AAS leave OF, clear SF, take ZF
 * from AX and PF from AL; AAM and AAD clear OF, AF and CF.
 */
import { EAX, FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_ZF, VEC_DE } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { getAF, getCF, getOF, setArith, szpByte } from '../flags.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

const AX = EAX * 2;
const AL = 0;
const AH = 1;

function overflowBit(c: Cpu): number {
  return getOF(c) === 0 ? 0 : FLAG_OF;
}

export function daa(c: Cpu): void {
  const old = c.b[AL];
  let al = old;
  let flags = overflowBit(c); // undefined
  const carry = getCF(c);
  if ((al & 0x0f) > 9 || getAF(c) !== 0) {
    al += 6;
    flags |= FLAG_AF;
    if (al > 0xff) flags |= FLAG_CF;
  }
  if (old > 0x99 || carry !== 0) {
    al += 0x60;
    flags |= FLAG_CF;
  }
  c.b[AL] = al;
  setArith(c, flags | szpByte(al));
}

export function das(c: Cpu): void {
  const old = c.b[AL];
  let al = old;
  let flags = overflowBit(c); // undefined
  const carry = getCF(c);
  if ((al & 0x0f) > 9 || getAF(c) !== 0) {
    al -= 6;
    flags |= FLAG_AF;
    if (carry !== 0 || al < 0) flags |= FLAG_CF;
  }
  if (old > 0x99 || carry !== 0) {
    al -= 0x60;
    flags |= FLAG_CF;
  }
  c.b[AL] = al;
  setArith(c, flags | szpByte(al));
}

function ascii(c: Cpu, step: number): void {
  const adjust = (c.b[AL] & 0x0f) > 9 || getAF(c) !== 0;
  const flags = overflowBit(c); // undefined
  if (adjust) c.w[AX] += step;
  c.b[AL] &= 0x0f;
  const parity = szpByte(c.b[AL]) & FLAG_PF; // undefined
  const zero = c.w[AX] === 0 ? FLAG_ZF : 0; // undefined
  setArith(c, flags | parity | zero | (adjust ? FLAG_AF | FLAG_CF : 0));
}

export function aaa(c: Cpu): void {
  ascii(c, 0x106);
}

export function aas(c: Cpu): void {
  ascii(c, -0x106);
}

export function aam(c: Cpu, op: Op): void {
  const base = op.imm & 0xff;
  if (base === 0) c.fault(VEC_DE, -1);
  const al = c.b[AL];
  c.b[AH] = (al / base) | 0;
  c.b[AL] = al % base;
  setArith(c, szpByte(c.b[AL])); // undefined: OF AF CF
}

export function aad(c: Cpu, op: Op): void {
  c.w[AX] = (c.b[AL] + c.b[AH] * (op.imm & 0xff)) & 0xff;
  setArith(c, szpByte(c.b[AL])); // undefined: OF AF CF
}

export const bcdRows: readonly OpcodeRow[] = [
  { mnemonic: 'daa', map: 1, opcode: 0x27, operands: [], handlers: anySize(daa) },
  { mnemonic: 'das', map: 1, opcode: 0x2f, operands: [], handlers: anySize(das) },
  { mnemonic: 'aaa', map: 1, opcode: 0x37, operands: [], handlers: anySize(aaa) },
  { mnemonic: 'aas', map: 1, opcode: 0x3f, operands: [], handlers: anySize(aas) },
  { mnemonic: 'aam', map: 1, opcode: 0xd4, operands: ['Ib'], handlers: anySize(aam) },
  { mnemonic: 'aad', map: 1, opcode: 0xd5, operands: ['Ib'], handlers: anySize(aad) },
];
