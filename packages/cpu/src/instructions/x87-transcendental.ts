/**
 * FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1 (SDM Vol. 1, 8.3.7 "Trigonometric Instructions", 8.3.9 "Logarithmic,
 * Exponential, and Scale"). Results are rounded to 64 bits by the rounding control; the precision control does not concern
 * them (SDM Vol. 1, 8.1.5.2 "Precision Control Field"). An angle of 2^63 or more sets C2 and changes nothing else.
 */
import type { Cpu } from '../cpu.js';
import { arctangent } from '../fpu/arctangent.js';
import type { Extended } from '../fpu/extended.js';
import { EXP_MAX } from '../fpu/extended.js';
import { C1, C2, PRECOMPUTATION, type Fpu } from '../fpu/fpu.js';
import { powerOf2Minus1, yLog2X, yLog2XPlus1 } from '../fpu/logarithm.js';
import { cosine, OUT_OF_RANGE, sine, sineCosine, tangent } from '../fpu/trigonometry.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { finish, note, ready } from './x87-operands.js';

/** Whether ST(0), in `f.a`, is an angle too large to reduce; says so in C2 then. Such an encoding without its integer bit is invalid instead. */
function outOfRange(c: Cpu, op: Op, f: Fpu): boolean {
  const { exp, hi } = f.a;
  if (exp < OUT_OF_RANGE || exp === EXP_MAX || hi >= 0) return false;
  note(c, op, f);
  f.setConditions((f.status & ~C1 & CODES) | C2);
  return true;
}
const CODES = 0x4700;

/** ST(0) = operate(ST(0)). */
const ofAngle = (operate: (f: Fpu, a: Extended, out: Extended) => void): Handler => {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0)) f.stackUnderflow(f.r);
    else {
      f.get(0, f.a);
      if (outOfRange(c, op, f)) return;
      operate(f, f.a, f.r);
    }
    finish(c, op, f, 0, 0);
    f.setConditions(f.status & CODES & ~C2);
  };
};

/** Replaces ST(0) by the first result and pushes the second. */
const ofAnglePush = (operate: (f: Fpu, a: Extended, first: Extended, second: Extended) => void): Handler => {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0)) f.stackUnderflow(f.r);
    else {
      f.get(0, f.a);
      if (!f.isEmpty(7)) f.stackOverflow(f.r);
      else if (outOfRange(c, op, f)) return;
    }
    if (f.raised !== 0) f.b.copy(f.r);
    else operate(f, f.a, f.r, f.b);
    note(c, op, f);
    if (!f.blockedBy(PRECOMPUTATION)) {
      f.put(0, f.r);
      f.push(f.b);
    }
    f.commit();
    f.setConditions(f.status & CODES & ~C2);
  };
};

/** ST(1) = operate(ST(0), ST(1)), then pops. */
const ofTwo = (operate: (f: Fpu, x: Extended, y: Extended, out: Extended) => void): Handler => {
  return (c, op) => {
    const f = ready(c);
    if (f.isEmpty(0) || f.isEmpty(1)) f.stackUnderflow(f.r);
    else {
      f.get(0, f.a);
      f.get(1, f.b);
      operate(f, f.a, f.b, f.r);
    }
    finish(c, op, f, 1, 1);
  };
};

export function f2xm1(c: Cpu, op: Op): void {
  const f = ready(c);
  if (f.isEmpty(0)) f.stackUnderflow(f.r);
  else {
    f.get(0, f.a);
    powerOf2Minus1(f, f.a, f.r);
  }
  finish(c, op, f, 0, 0);
}

const operation = (mnemonic: string, ext: number, rm: number, handler: Handler): OpcodeRow => {
  return { mnemonic, map: 1, opcode: 0xd9, ext, rm, operands: [], handlers: anySize(handler) };
};

export const x87TranscendentalRows: readonly OpcodeRow[] = [
  operation('f2xm1', 6, 0, f2xm1),
  operation('fyl2x', 6, 1, ofTwo(yLog2X)),
  operation('fptan', 6, 2, ofAnglePush(tangent)),
  operation('fpatan', 6, 3, ofTwo(arctangent)),
  operation('fyl2xp1', 7, 1, ofTwo(yLog2XPlus1)),
  operation('fsincos', 7, 3, ofAnglePush(sineCosine)),
  operation('fsin', 7, 6, ofAngle(sine)),
  operation('fcos', 7, 7, ofAngle(cosine)),
];
