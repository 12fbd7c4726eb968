/**
 * FCOM FUCOM FICOM FTST FXAM into the condition codes, FCOMI FUCOMI into EFLAGS (SDM Vol. 1, 8.3.6 "Comparison and
 * Classification Instructions"; Vol. 2, "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating Point Values and Set EFLAGS").
 * With an unmasked exception codes and flags are set all the same (real parts do, whatever the manual says), but nothing is
 * popped.
 */
import { FLAG_CF, FLAG_PF, FLAG_ZF } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { setArith } from '../flags.js';
import { compare, examine, UNORDERED } from '../fpu/compare.js';
import { C0, C1, C2, C3, CONDITIONS, PRECOMPUTATION, type Fpu } from '../fpu/fpu.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { loadDouble, loadInt16, loadInt32, loadSingle, note, ready, type Load } from './x87-operands.js';

const CODES = CONDITIONS & ~C1;

/** Sets C3 C2 C0 to `codes` and pops. */
function finishCompare(c: Cpu, op: Op, f: Fpu, codes: number, pops: number): void {
  note(c, op, f);
  f.commit();
  f.setConditions((f.status & C1) | (codes & CODES));
  if (f.unmasked(PRECOMPUTATION)) return;
  for (let n = 0; n < pops; n++) f.pop();
}

const withMemory = (load: Load, pops: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    load(c, op, f, f.b);
    let codes = UNORDERED;
    if (f.isEmpty(0)) f.stackUnderflow(f.a);
    else {
      f.get(0, f.a);
      codes = compare(f, f.a, f.b, false);
    }
    finishCompare(c, op, f, codes, pops);
  };
};

/** Compares ST(0) with ST(i). */
function registers(c: Cpu, f: Fpu, i: number, quietly: boolean): number {
  if (f.isEmpty(0) || f.isEmpty(i)) {
    f.stackUnderflow(f.a);
    return UNORDERED;
  }
  f.get(0, f.a);
  f.get(i, f.b);
  return compare(f, f.a, f.b, quietly);
}

const withRegister = (quietly: boolean, pops: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    finishCompare(c, op, f, registers(c, f, op.dst, quietly), pops);
  };
};

/** FCOMPP and FUCOMPP: with ST(1). */
const withNext = (quietly: boolean): Handler => {
  return (c, op) => {
    const f = ready(c);
    finishCompare(c, op, f, registers(c, f, 1, quietly), 2);
  };
};

const intoFlags = (quietly: boolean, pops: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    const codes = registers(c, f, op.dst, quietly);
    note(c, op, f);
    f.commit();
    setArith(
      c,
      ((codes & C0) !== 0 ? FLAG_CF : 0) | ((codes & C2) !== 0 ? FLAG_PF : 0) | ((codes & C3) !== 0 ? FLAG_ZF : 0),
    );
    if (f.unmasked(PRECOMPUTATION)) return;
    for (let n = 0; n < pops; n++) f.pop();
  };
};

export function ftst(c: Cpu, op: Op): void {
  const f = ready(c);
  let codes = UNORDERED;
  if (f.isEmpty(0)) f.stackUnderflow(f.a);
  else {
    f.get(0, f.a);
    f.b.setZero(0);
    codes = compare(f, f.a, f.b, false);
  }
  finishCompare(c, op, f, codes, 0);
}

export function fxam(c: Cpu, op: Op): void {
  const f = ready(c);
  f.get(0, f.a);
  note(c, op, f);
  f.setConditions(examine(f.a, f.isEmpty(0)));
}

const memory = (load: Load, pops: number) => anySize(undefined, withMemory(load, pops));
const register = (quietly: boolean, pops: number) => anySize(withRegister(quietly, pops));

export const x87CompareRows: readonly OpcodeRow[] = [
  { mnemonic: 'fcom', map: 1, opcode: 0xd8, ext: 2, operands: ['Md'], handlers: memory(loadSingle, 0) },
  { mnemonic: 'fcomp', map: 1, opcode: 0xd8, ext: 3, operands: ['Md'], handlers: memory(loadSingle, 1) },
  { mnemonic: 'fcom', map: 1, opcode: 0xdc, ext: 2, operands: ['Mq'], handlers: memory(loadDouble, 0) },
  { mnemonic: 'fcomp', map: 1, opcode: 0xdc, ext: 3, operands: ['Mq'], handlers: memory(loadDouble, 1) },
  { mnemonic: 'ficom', map: 1, opcode: 0xda, ext: 2, operands: ['Md'], handlers: memory(loadInt32, 0) },
  { mnemonic: 'ficomp', map: 1, opcode: 0xda, ext: 3, operands: ['Md'], handlers: memory(loadInt32, 1) },
  { mnemonic: 'ficom', map: 1, opcode: 0xde, ext: 2, operands: ['Mw'], handlers: memory(loadInt16, 0) },
  { mnemonic: 'ficomp', map: 1, opcode: 0xde, ext: 3, operands: ['Mw'], handlers: memory(loadInt16, 1) },
  { mnemonic: 'fcom', map: 1, opcode: 0xd8, ext: 2, operands: ['ST'], handlers: register(false, 0) },
  { mnemonic: 'fcomp', map: 1, opcode: 0xd8, ext: 3, operands: ['ST'], handlers: register(false, 1) },
  { mnemonic: 'fcompp', map: 1, opcode: 0xde, ext: 3, rm: 1, operands: [], handlers: anySize(withNext(false)) },
  { mnemonic: 'fucom', map: 1, opcode: 0xdd, ext: 4, operands: ['ST'], handlers: register(true, 0) },
  { mnemonic: 'fucomp', map: 1, opcode: 0xdd, ext: 5, operands: ['ST'], handlers: register(true, 1) },
  { mnemonic: 'fucompp', map: 1, opcode: 0xda, ext: 5, rm: 1, operands: [], handlers: anySize(withNext(true)) },
  { mnemonic: 'ftst', map: 1, opcode: 0xd9, ext: 4, rm: 4, operands: [], handlers: anySize(ftst) },
  { mnemonic: 'fxam', map: 1, opcode: 0xd9, ext: 4, rm: 5, operands: [], handlers: anySize(fxam) },
  ...(
    [
      ['fcomi', 0xdb, 6, false, 0],
      ['fucomi', 0xdb, 5, true, 0],
      ['fcomip', 0xdf, 6, false, 1],
      ['fucomip', 0xdf, 5, true, 1],
    ] as const
  ).map(([mnemonic, opcode, ext, quietly, pops]): OpcodeRow => {
    const handlers = anySize(intoFlags(quietly, pops));
    return { mnemonic, map: 1, opcode, ext, operands: ['ST'], handlers, feature: 'cmov' };
  }),
  // Undocumented twins that every part has.
  { mnemonic: 'fcom', map: 1, opcode: 0xdc, ext: 2, operands: ['ST'], handlers: register(false, 0) },
  { mnemonic: 'fcomp', map: 1, opcode: 0xdc, ext: 3, operands: ['ST'], handlers: register(false, 1) },
  { mnemonic: 'fcomp', map: 1, opcode: 0xde, ext: 2, operands: ['ST'], handlers: register(false, 1) },
];
