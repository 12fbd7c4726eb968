/**
 * Loads, stores, exchanges and conditional moves: FLD FST FSTP FILD FIST FISTP FBLD FBSTP FXCH FCMOVcc and the constants (SDM
 * Vol. 1, 8.3.3 "Data Transfer Instructions", 8.3.4 "Load Constant Instructions"). A store in a narrower format that raises an
 * unmasked exception before delivering writes nothing and does not pop.
 */
import type { Cpu } from '../cpu.js';
import { cc } from '../flags.js';
import { fromBcd, toBcd } from '../fpu/bcd.js';
import { LN_2, loadConstant, LOG10_2, LOG2_10, LOG2_E, PI } from '../fpu/constants.js';
import { toDouble, toInteger, toSingle } from '../fpu/convert.js';
import { BIAS, EXP_MAX, MIN_HI, SNAN, type Extended } from '../fpu/extended.js';
import { IE, STORE_BLOCKING, type Fpu } from '../fpu/fpu.js';
import { noteDenormalSource, quiet } from '../fpu/nan.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import {
  checkStore,
  finish,
  loadDouble,
  loadExtended,
  loadInt16,
  loadInt32,
  loadInt64,
  loadSingle,
  note,
  ready,
  storeQword,
  storeTenBytes,
  type Load,
} from './x87-operands.js';

// --- loads ---
/** Pushes `f.r`, or what a stack overflow pushes. */
function finishPush(c: Cpu, op: Op, f: Fpu): void {
  if (!f.isEmpty(7)) {
    f.raised = 0;
    f.stackOverflow(f.r);
  }
  note(c, op, f);
  if (!f.unmasked(IE)) f.push(f.r);
  f.commit();
}

/** FLD of a narrower format: a signaling NaN is invalid. */
const fldNarrow = (load: Load): Handler => {
  return (c, op) => {
    const f = ready(c);
    load(c, op, f, f.r);
    if (f.r.exp === EXP_MAX && f.r.kind() === SNAN) {
      f.raise(IE);
      quiet(f.r);
    }
    noteDenormalSource(f);
    finishPush(c, op, f);
  };
};

/** FLD m80 and FILD: nothing but the stack can go wrong. */
const loadAny = (load: Load): Handler => {
  return (c, op) => {
    const f = ready(c);
    load(c, op, f, f.r);
    finishPush(c, op, f);
  };
};

export function fldST(c: Cpu, op: Op): void {
  const f = ready(c);
  if (f.isEmpty(op.dst)) f.stackUnderflow(f.r);
  else f.get(op.dst, f.r);
  if (f.raised === 0) {
    finishPush(c, op, f);
    return;
  }
  note(c, op, f);
  if (!f.unmasked(IE)) f.push(f.r);
  f.commit();
}

const bcdBytes = new Uint8Array(10);
const bcdView = new DataView(bcdBytes.buffer);

const loadBcd: Load = (c, op, f, out) => {
  loadExtended(c, op, f, out);
  bcdView.setInt32(0, out.lo, true);
  bcdView.setInt32(4, out.hi, true);
  bcdView.setUint16(8, (out.sign << 15) | out.exp, true);
  fromBcd(bcdBytes, out);
};

const constant = (load: (f: Fpu, out: Extended) => void): Handler => {
  return (c, op) => {
    const f = ready(c);
    load(f, f.r);
    finishPush(c, op, f);
  };
};

// --- stores ---
/** Converts `f.a` and writes it to `size` bytes, unless that raised what blocks a store; then pops. */
function store(
  c: Cpu,
  op: Op,
  pops: number,
  size: number,
  convert: (f: Fpu) => void,
  write: (c: Cpu, op: Op, f: Fpu) => void,
): void {
  const f = ready(c);
  if (f.isEmpty(0)) f.stackUnderflow(f.a);
  else f.get(0, f.a);
  convert(f);
  const deliver = !f.blockedBy(STORE_BLOCKING);
  if (deliver) write(c, op, f);
  else checkStore(c, op, size);
  note(c, op, f);
  if (deliver && pops !== 0) f.pop();
  f.commit();
}

const single = (f: Fpu): void => toSingle(f, f.a);
const double = (f: Fpu): void => toDouble(f, f.a);
const int16 = (f: Fpu): void => toInteger(f, f.a, 2);
const int32 = (f: Fpu): void => toInteger(f, f.a, 4);
const int64 = (f: Fpu): void => toInteger(f, f.a, 8);

const writeWord = (c: Cpu, op: Op, f: Fpu): void => c.write16(op.seg, c.ea(op), f.r.lo & 0xffff);
const writeDword = (c: Cpu, op: Op, f: Fpu): void => c.write32(op.seg, c.ea(op), f.r.lo);
const writeQword = (c: Cpu, op: Op, f: Fpu): void => storeQword(c, op, f.r.hi, f.r.lo);

export const fstM32: Handler = (c, op) => store(c, op, 0, 4, single, writeDword);
export const fstpM32: Handler = (c, op) => store(c, op, 1, 4, single, writeDword);
export const fstM64: Handler = (c, op) => store(c, op, 0, 8, double, writeQword);
export const fstpM64: Handler = (c, op) => store(c, op, 1, 8, double, writeQword);
export const fistM16: Handler = (c, op) => store(c, op, 0, 2, int16, writeWord);
export const fistpM16: Handler = (c, op) => store(c, op, 1, 2, int16, writeWord);
export const fistM32: Handler = (c, op) => store(c, op, 0, 4, int32, writeDword);
export const fistpM32: Handler = (c, op) => store(c, op, 1, 4, int32, writeDword);
export const fistpM64: Handler = (c, op) => store(c, op, 1, 8, int64, writeQword);

export function fstpM80(c: Cpu, op: Op): void {
  store(
    c,
    op,
    1,
    10,
    () => {},
    (_c, _op, { a }) => storeTenBytes(c, op, (a.sign << 15) | a.exp, a.hi, a.lo),
  );
}

export function fbstp(c: Cpu, op: Op): void {
  const convert = (f: Fpu): void => toBcd(f, f.a, bcdBytes);
  store(c, op, 1, 10, convert, () => {
    storeTenBytes(c, op, bcdView.getUint16(8, true), bcdView.getInt32(4, true), bcdView.getInt32(0, true));
  });
}

const storeRegister = (pops: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0)) f.stackUnderflow(f.r);
    else f.get(0, f.r);
    finish(c, op, f, op.dst, pops);
  };
};
export const fstST = storeRegister(0);
export const fstpST = storeRegister(1);

/** Undocumented, on every part: an empty ST(0) is popped without a stack fault, and nothing is stored then. */
export function fstpnce(c: Cpu, op: Op): void {
  const f = ready(c);
  if (!f.isEmpty(0)) {
    f.get(0, f.r);
    f.put(op.dst, f.r);
  }
  note(c, op, f);
  f.pop();
  f.commit();
}

// --- between registers ---
/** An empty register is exchanged as the indefinite value. */
export function fxch(c: Cpu, op: Op): void {
  const f = ready(c);
  if (f.isEmpty(0)) f.stackUnderflow(f.a);
  else f.get(0, f.a);
  if (f.isEmpty(op.dst)) f.stackUnderflow(f.r);
  else f.get(op.dst, f.r);
  const blocked = f.unmasked(IE);
  if (!blocked) {
    f.put(op.dst, f.a);
    f.put(0, f.r);
  }
  note(c, op, f);
  f.commit();
}

/** Conditions of FCMOVcc by opcode and reg field: B, E, BE, U and their opposites. */
const MOVE_CONDITIONS = [2, 4, 6, 10];

const fcmov = (condition: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0) || f.isEmpty(op.dst)) {
      f.stackUnderflow(f.r);
      finish(c, op, f, 0, 0);
      return;
    }
    if (cc(c, condition)) {
      f.get(op.dst, f.r);
      f.put(0, f.r);
    }
    note(c, op, f);
  };
};

const NAMES = ['b', 'e', 'be', 'u'];
const moveRows: OpcodeRow[] = MOVE_CONDITIONS.flatMap((condition, ext): OpcodeRow[] => [
  {
    mnemonic: `fcmov${NAMES[ext]}`,
    map: 1,
    opcode: 0xda,
    ext,
    operands: ['ST'],
    handlers: anySize(fcmov(condition)),
    feature: 'cmov',
  },
  {
    mnemonic: `fcmovn${NAMES[ext]}`,
    map: 1,
    opcode: 0xdb,
    ext,
    operands: ['ST'],
    handlers: anySize(fcmov(condition + 1)),
    feature: 'cmov',
  },
]);

const CONSTANTS: readonly (readonly [string, (f: Fpu, out: Extended) => void])[] = [
  ['fld1', (_f, out) => out.set(0, BIAS, MIN_HI, 0)],
  ['fldl2t', (f, out) => loadConstant(f, LOG2_10, out)],
  ['fldl2e', (f, out) => loadConstant(f, LOG2_E, out)],
  ['fldpi', (f, out) => loadConstant(f, PI, out)],
  ['fldlg2', (f, out) => loadConstant(f, LOG10_2, out)],
  ['fldln2', (f, out) => loadConstant(f, LN_2, out)],
  ['fldz', (_f, out) => out.setZero(0)],
];

const constantRows = CONSTANTS.map(([mnemonic, load], rm): OpcodeRow => {
  return { mnemonic, map: 1, opcode: 0xd9, ext: 5, rm, operands: [], handlers: anySize(constant(load)) };
});

const memory = (handler: Handler) => anySize(undefined, handler);

export const x87TransferRows: readonly OpcodeRow[] = [
  { mnemonic: 'fld', map: 1, opcode: 0xd9, ext: 0, operands: ['Md'], handlers: memory(fldNarrow(loadSingle)) },
  { mnemonic: 'fld', map: 1, opcode: 0xdd, ext: 0, operands: ['Mq'], handlers: memory(fldNarrow(loadDouble)) },
  { mnemonic: 'fld', map: 1, opcode: 0xdb, ext: 5, operands: ['M'], handlers: memory(loadAny(loadExtended)) },
  { mnemonic: 'fld', map: 1, opcode: 0xd9, ext: 0, operands: ['ST'], handlers: anySize(fldST) },
  { mnemonic: 'fild', map: 1, opcode: 0xdf, ext: 0, operands: ['Mw'], handlers: memory(loadAny(loadInt16)) },
  { mnemonic: 'fild', map: 1, opcode: 0xdb, ext: 0, operands: ['Md'], handlers: memory(loadAny(loadInt32)) },
  { mnemonic: 'fild', map: 1, opcode: 0xdf, ext: 5, operands: ['Mq'], handlers: memory(loadAny(loadInt64)) },
  { mnemonic: 'fbld', map: 1, opcode: 0xdf, ext: 4, operands: ['M'], handlers: memory(loadAny(loadBcd)) },
  ...constantRows,
  { mnemonic: 'fst', map: 1, opcode: 0xd9, ext: 2, operands: ['Md'], handlers: memory(fstM32) },
  { mnemonic: 'fstp', map: 1, opcode: 0xd9, ext: 3, operands: ['Md'], handlers: memory(fstpM32) },
  { mnemonic: 'fst', map: 1, opcode: 0xdd, ext: 2, operands: ['Mq'], handlers: memory(fstM64) },
  { mnemonic: 'fstp', map: 1, opcode: 0xdd, ext: 3, operands: ['Mq'], handlers: memory(fstpM64) },
  { mnemonic: 'fstp', map: 1, opcode: 0xdb, ext: 7, operands: ['M'], handlers: memory(fstpM80) },
  { mnemonic: 'fist', map: 1, opcode: 0xdf, ext: 2, operands: ['Mw'], handlers: memory(fistM16) },
  { mnemonic: 'fistp', map: 1, opcode: 0xdf, ext: 3, operands: ['Mw'], handlers: memory(fistpM16) },
  { mnemonic: 'fist', map: 1, opcode: 0xdb, ext: 2, operands: ['Md'], handlers: memory(fistM32) },
  { mnemonic: 'fistp', map: 1, opcode: 0xdb, ext: 3, operands: ['Md'], handlers: memory(fistpM32) },
  { mnemonic: 'fistp', map: 1, opcode: 0xdf, ext: 7, operands: ['Mq'], handlers: memory(fistpM64) },
  { mnemonic: 'fbstp', map: 1, opcode: 0xdf, ext: 6, operands: ['M'], handlers: memory(fbstp) },
  { mnemonic: 'fst', map: 1, opcode: 0xdd, ext: 2, operands: ['ST'], handlers: anySize(fstST) },
  { mnemonic: 'fstp', map: 1, opcode: 0xdd, ext: 3, operands: ['ST'], handlers: anySize(fstpST) },
  { mnemonic: 'fxch', map: 1, opcode: 0xd9, ext: 1, operands: ['ST'], handlers: anySize(fxch) },
  ...moveRows,
  // Undocumented twins that every part has.
  { mnemonic: 'fxch', map: 1, opcode: 0xdd, ext: 1, operands: ['ST'], handlers: anySize(fxch) },
  { mnemonic: 'fxch', map: 1, opcode: 0xdf, ext: 1, operands: ['ST'], handlers: anySize(fxch) },
  { mnemonic: 'fstp', map: 1, opcode: 0xdf, ext: 2, operands: ['ST'], handlers: anySize(fstpST) },
  { mnemonic: 'fstpnce', map: 1, opcode: 0xd9, ext: 3, operands: ['ST'], handlers: anySize(fstpnce) },
  { mnemonic: 'fstp', map: 1, opcode: 0xdf, ext: 3, operands: ['ST'], handlers: anySize(fstpST) },
];
