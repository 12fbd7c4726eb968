/**
 * Control instructions: FNINIT FNCLEX FLDCW FNSTCW FNSTSW FNSTENV FLDENV FNSAVE FRSTOR FWAIT, and those that only turn the stack:
 * FINCSTP FDECSTP FFREE FNOP (SDM Vol. 1, 8.3.11 "x87 FPU Control Instructions", 8.3.12 "Waiting vs. Non-Waiting Instructions"). The
 * waiting forms FINIT, FCLEX, FSTCW, ... are a WAIT followed by these. Images are laid out in fpu/image.ts.
 */
import { CR0, CR0_MP, CR0_TS, EAX } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { EXCEPTIONS } from '../fpu/fpu.js';
import {
  environmentBytes,
  imageBytes,
  loadEnvironment,
  loadRegisters,
  saveEnvironment,
  saveRegisters,
} from '../fpu/image.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';
import { checkPending, loadWords, note, ready, readyNoWait, storeWords } from './x87-operands.js';

const AX = EAX * 2;
const image = new Uint16Array(54);

export function fwait(c: Cpu): void {
  const both = CR0_MP | CR0_TS;
  if ((c.s[CR0] & both) === both) c.nm();
  checkPending(c);
}

export function fninit(c: Cpu): void {
  readyNoWait(c).init();
}

export function fnclex(c: Cpu): void {
  readyNoWait(c).clearExceptions();
}

/** FENI, FDISI, FSETPM: meant something to the 8087 and 287 only. */
export function ignored(c: Cpu): void {
  readyNoWait(c);
}

export function fldcw(c: Cpu, op: Op): void {
  const f = ready(c);
  f.setControl(c.read16(op.seg, c.ea(op)));
}

export function fnstcw(c: Cpu, op: Op): void {
  const f = readyNoWait(c);
  c.write16(op.seg, c.ea(op), f.control);
}

export function fnstswM16(c: Cpu, op: Op): void {
  const f = readyNoWait(c);
  c.write16(op.seg, c.ea(op), f.status);
}

export function fnstswAx(c: Cpu): void {
  c.w[AX] = readyNoWait(c).status;
}

/** Masks every exception afterwards. */
export function fnstenv(c: Cpu, op: Op): void {
  const f = readyNoWait(c);
  saveEnvironment(f, image, op.wide, c.isProtected);
  storeWords(c, op, image, environmentBytes(op.wide) / 2);
  f.setControl(f.control | EXCEPTIONS);
}

export function fldenv(c: Cpu, op: Op): void {
  const f = ready(c);
  loadWords(c, op, image, environmentBytes(op.wide) / 2);
  loadEnvironment(f, image, op.wide, c.isProtected);
}

/** Initializes the FPU afterwards. */
export function fnsave(c: Cpu, op: Op): void {
  const f = readyNoWait(c);
  saveEnvironment(f, image, op.wide, c.isProtected);
  saveRegisters(f, image, op.wide);
  storeWords(c, op, image, imageBytes(op.wide) / 2);
  f.init();
}

export function frstor(c: Cpu, op: Op): void {
  const f = ready(c);
  loadWords(c, op, image, imageBytes(op.wide) / 2);
  loadEnvironment(f, image, op.wide, c.isProtected);
  loadRegisters(f, image, op.wide);
}

const turn = (by: number): Handler => {
  return (c, op) => {
    const f = ready(c);
    note(c, op, f);
    f.rotate(by);
    f.commit();
  };
};
export const fincstp = turn(1);
export const fdecstp = turn(-1);

export function ffree(c: Cpu, op: Op): void {
  const f = ready(c);
  note(c, op, f);
  f.free(op.dst);
  f.commit();
}

export function ffreep(c: Cpu, op: Op): void {
  const f = ready(c);
  note(c, op, f);
  f.free(op.dst);
  f.pop();
  f.commit();
}

export function fnop(c: Cpu, op: Op): void {
  const f = ready(c);
  note(c, op, f);
}

const memory = (handler: Handler) => anySize(undefined, handler);

export const x87ControlRows: readonly OpcodeRow[] = [
  { mnemonic: 'wait', map: 1, opcode: 0x9b, operands: [], handlers: anySize(fwait) },
  { mnemonic: 'fnclex', map: 1, opcode: 0xdb, ext: 4, rm: 2, operands: [], handlers: anySize(fnclex) },
  { mnemonic: 'fninit', map: 1, opcode: 0xdb, ext: 4, rm: 3, operands: [], handlers: anySize(fninit) },
  { mnemonic: 'feni', map: 1, opcode: 0xdb, ext: 4, rm: 0, operands: [], handlers: anySize(ignored) },
  { mnemonic: 'fdisi', map: 1, opcode: 0xdb, ext: 4, rm: 1, operands: [], handlers: anySize(ignored) },
  { mnemonic: 'fsetpm', map: 1, opcode: 0xdb, ext: 4, rm: 4, operands: [], handlers: anySize(ignored) },
  { mnemonic: 'fldcw', map: 1, opcode: 0xd9, ext: 5, operands: ['Mw'], handlers: memory(fldcw) },
  { mnemonic: 'fnstcw', map: 1, opcode: 0xd9, ext: 7, operands: ['Mw'], handlers: memory(fnstcw) },
  { mnemonic: 'fnstsw', map: 1, opcode: 0xdd, ext: 7, operands: ['Mw'], handlers: memory(fnstswM16) },
  { mnemonic: 'fnstsw', map: 1, opcode: 0xdf, ext: 4, rm: 0, operands: ['AX'], handlers: anySize(fnstswAx) },
  { mnemonic: 'fldenv', map: 1, opcode: 0xd9, ext: 4, operands: ['M'], handlers: memory(fldenv) },
  { mnemonic: 'fnstenv', map: 1, opcode: 0xd9, ext: 6, operands: ['M'], handlers: memory(fnstenv) },
  { mnemonic: 'frstor', map: 1, opcode: 0xdd, ext: 4, operands: ['M'], handlers: memory(frstor) },
  { mnemonic: 'fnsave', map: 1, opcode: 0xdd, ext: 6, operands: ['M'], handlers: memory(fnsave) },
  { mnemonic: 'fdecstp', map: 1, opcode: 0xd9, ext: 6, rm: 6, operands: [], handlers: anySize(fdecstp) },
  { mnemonic: 'fincstp', map: 1, opcode: 0xd9, ext: 6, rm: 7, operands: [], handlers: anySize(fincstp) },
  { mnemonic: 'fnop', map: 1, opcode: 0xd9, ext: 2, rm: 0, operands: [], handlers: anySize(fnop) },
  { mnemonic: 'ffree', map: 1, opcode: 0xdd, ext: 0, operands: ['ST'], handlers: anySize(ffree) },
  // Undocumented, on every part.
  { mnemonic: 'ffreep', map: 1, opcode: 0xdf, ext: 0, operands: ['ST'], handlers: anySize(ffreep) },
];
