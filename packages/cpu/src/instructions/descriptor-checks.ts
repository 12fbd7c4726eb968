/**
 * LAR LSL VERR VERW ARPL (SDM Vol. 2): questions about selectors that answer in ZF and never fault for what they find.
 * #UD outside protected mode.
 */
import { CPL } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { setZF } from '../flags.js';
import type { Op } from '../op.js';
import {
  dplOf,
  isCode,
  isConforming,
  isNull,
  isReadable,
  isSegment,
  isWritableData,
  limitOf,
  systemType,
  tryReadDescriptor,
  type Descriptor,
} from '../segments/descriptor.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

/** System types LAR and LSL know, as bit sets: TSSs, LDT; LAR also call and task gates. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LSL_TYPES = 0b0000_1010_0000_1110;

function selectorOperand(c: Cpu, op: Op): number {
  if (!c.isProtected) c.ud();
  return op.mem ? c.read16(op.seg, c.ea(op)) : c.w[op.dst];
}

/** The descriptor if the current and requested levels may see it. */
function visible(c: Cpu, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const d = tryReadDescriptor(c, selector);
  if (d === undefined) return undefined;
  if (isCode(d.high) && isConforming(d.high)) return d;
  const dpl = dplOf(d.high);
  return dpl >= c.s[CPL] && dpl >= (selector & 3) ? d : undefined;
}

function known(d: Descriptor, types: number): boolean {
  return isSegment(d.high) || ((types >> systemType(d.high)) & 1) !== 0;
}

function answer(c: Cpu, op: Op, value: number | undefined): void {
  if (value !== undefined) {
    if (op.wide) c.s[op.src] = value;
    else c.w[op.src] = value;
  }
  setZF(c, value !== undefined);
}

/** Bits 16-19 of the result are undefined; silicon gives the limit's. */
export function lar(c: Cpu, op: Op): void {
  const d = visible(c, selectorOperand(c, op));
  answer(c, op, d !== undefined && known(d, LAR_TYPES) ? d.high & (op.wide ? 0x00ffff00 : 0xff00) : undefined);
}

export function lsl(c: Cpu, op: Op): void {
  const d = visible(c, selectorOperand(c, op));
  answer(c, op, d !== undefined && known(d, LSL_TYPES) ? limitOf(d.low, d.high) : undefined);
}

export function verr(c: Cpu, op: Op): void {
  const d = visible(c, selectorOperand(c, op));
  setZF(c, d !== undefined && isReadable(d.high));
}

export function verw(c: Cpu, op: Op): void {
  const d = visible(c, selectorOperand(c, op));
  setZF(c, d !== undefined && isWritableData(d.high));
}

/** Raises the RPL of the destination to the source's. */
export function arplE16(c: Cpu, op: Op): void {
  if (!c.isProtected) c.ud();
  const rpl = c.w[op.src] & 3;
  const value = c.w[op.dst];
  const less = (value & 3) < rpl;
  if (less) c.w[op.dst] = (value & ~3) | rpl;
  setZF(c, less);
}
export function arplM16(c: Cpu, op: Op): void {
  if (!c.isProtected) c.ud();
  const rpl = c.w[op.src] & 3;
  const at = c.ea(op);
  // Not a read-modify-write: nothing is written, and no right to write is asked for, unless the RPL is raised (so do real parts).
  const value = c.read16(op.seg, at);
  const less = (value & 3) < rpl;
  if (less) c.write16(op.seg, at, (value & ~3) | rpl);
  setZF(c, less);
}

export const descriptorCheckRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'verr',
    map: 2,
    opcode: 0x00,
    ext: 4,
    operands: ['Ew'],
    handlers: anySize(verr, verr),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'verw',
    map: 2,
    opcode: 0x00,
    ext: 5,
    operands: ['Ew'],
    handlers: anySize(verw, verw),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'lar',
    map: 2,
    opcode: 0x02,
    operands: ['Gv', 'Ew'],
    handlers: anySize(lar, lar),
    system: true,
    sensitive: true,
  },
  {
    mnemonic: 'lsl',
    map: 2,
    opcode: 0x03,
    operands: ['Gv', 'Ew'],
    handlers: anySize(lsl, lsl),
    system: true,
    sensitive: true,
  },
  { mnemonic: 'arpl', map: 1, opcode: 0x63, operands: ['Ew', 'Gw'], handlers: anySize(arplE16, arplM16), system: true },
];
