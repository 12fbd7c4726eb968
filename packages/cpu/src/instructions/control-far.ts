/**
 * Handlers of far JMP, CALL, RET and of INT n, INT3, INTO, INT1, IRET; the work is in segments/far.ts and events/. A
 * software interrupt goes through the IDT gate's DPL like any other; in virtual-8086 mode INT n needs IOPL 3, unless CR4.VME
 * redirects it to the 8086 program's own handler (events/virtual-flags.ts). INT3 and INTO are not redirected and ask no IOPL.
 */
import { CR4, CR4_VME, EFLAGS, FLAG_IOPL, FLAG_RF, VEC_BP, VEC_DB, VEC_GP, VEC_OF } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { END_BRANCHED, NO_CODE } from '../core/fault.js';
import { enterHandler } from '../events/gate.js';
import { interruptReturn } from '../events/iret.js';
import { redirectInterrupt } from '../events/virtual-flags.js';
import { getOF } from '../flags.js';
import type { Op } from '../op.js';
import { callFar, jumpFar, returnFar } from '../segments/far.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize, sized, sizedMemory } from './rows.js';

export function jmpFarAp(c: Cpu, op: Op): void {
  jumpFar(c, op.imm2, op.imm);
}
export function callFarAp(c: Cpu, op: Op): void {
  callFar(c, op, op.imm2, op.imm);
}
export function jmpFarM(c: Cpu, op: Op): void {
  const at = c.ea(op);
  const offset = op.wide ? c.read32(op.seg, at) : c.read16(op.seg, at);
  jumpFar(c, c.read16(op.seg, (at + (op.wide ? 4 : 2)) & op.mask), offset);
}
export function callFarM(c: Cpu, op: Op): void {
  const at = c.ea(op);
  const offset = op.wide ? c.read32(op.seg, at) : c.read16(op.seg, at);
  callFar(c, op, c.read16(op.seg, (at + (op.wide ? 4 : 2)) & op.mask), offset);
}
export function retFar(c: Cpu, op: Op): void {
  returnFar(c, op, 0);
}
export function retFarI(c: Cpu, op: Op): void {
  returnFar(c, op, op.imm);
}

function softInterrupt(c: Cpu, vector: number): void {
  enterHandler(c, vector, NO_CODE, true, false, c.nextEip());
  entered(c);
}

function entered(c: Cpu): void {
  c.end = END_BRANCHED;
  c.noTrap = true;
  c.refreshAttention();
}

export function intI8(c: Cpu, op: Op): void {
  if (c.isV86) {
    if ((c.s[CR4] & CR4_VME) !== 0 && redirectInterrupt(c, op.imm)) {
      entered(c);
      return;
    }
    if ((c.s[EFLAGS] & FLAG_IOPL) !== FLAG_IOPL) {
      c.softFault(VEC_GP, 0);
      return;
    }
  }
  softInterrupt(c, op.imm);
}
export function int3(c: Cpu): void {
  softInterrupt(c, VEC_BP);
}
export function into(c: Cpu): void {
  if (getOF(c) !== 0) softInterrupt(c, VEC_OF);
}
/** INT1 (ICEBP): a trap through vector 1 that no gate's DPL restricts. */
export function int1(c: Cpu): void {
  c.s[EFLAGS] &= ~FLAG_RF;
  c.ext = 1;
  try {
    enterHandler(c, VEC_DB, NO_CODE, false, false, c.nextEip());
  } finally {
    c.ext = 0;
  }
  entered(c);
}

export function iret(c: Cpu, op: Op): void {
  interruptReturn(c, op);
}

export const controlFarRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'jmpf',
    map: 1,
    opcode: 0xea,
    operands: ['Ap'],
    handlers: anySize(jmpFarAp),
    ends: true,
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'jmpf',
    map: 1,
    opcode: 0xff,
    ext: 5,
    operands: ['Mp'],
    handlers: sizedMemory(jmpFarM, jmpFarM),
    ends: true,
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'callf',
    map: 1,
    opcode: 0x9a,
    operands: ['Ap'],
    handlers: anySize(callFarAp),
    ends: true,
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'callf',
    map: 1,
    opcode: 0xff,
    ext: 3,
    operands: ['Mp'],
    handlers: sizedMemory(callFarM, callFarM),
    ends: true,
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'retf',
    map: 1,
    opcode: 0xcb,
    operands: [],
    handlers: sized(retFar, retFar),
    ends: true,
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'retf',
    map: 1,
    opcode: 0xca,
    operands: ['Iw'],
    handlers: sized(retFarI, retFarI),
    ends: true,
    system: true,
    sensitive: true,
  },
  { mnemonic: 'int1', map: 1, opcode: 0xf1, operands: [], handlers: anySize(int1), ends: true, system: true },
  { mnemonic: 'int3', map: 1, opcode: 0xcc, operands: [], handlers: anySize(int3), ends: true, system: true },
  { mnemonic: 'int', map: 1, opcode: 0xcd, operands: ['Ib'], handlers: anySize(intI8), ends: true, system: true },
  { mnemonic: 'into', map: 1, opcode: 0xce, operands: [], handlers: anySize(into), ends: true, system: true },
  {
    mnemonic: 'iret',
    map: 1,
    opcode: 0xcf,
    operands: [],
    handlers: sized(iret, iret),
    ends: true,
    system: true,
    sensitive: true,
  },
];
