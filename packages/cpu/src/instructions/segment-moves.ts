/**
 * MOV to and from segment registers, PUSH and POP of them, LES LDS LSS LFS LGS (SDM Vol. 2). The checks of a load are in
 * segments/load.ts. Loading SS by MOV or POP opens the shadow that holds off interrupts and debug traps for one
 * instruction (Vol. 3A, 6.8.3 "Masking Exceptions and Interrupts When Switching Stacks"); LSS needs none.
 */
import { CS, DS, ES, ESP, FS, GS, SEG, SHADOW, SS } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Handler, Op } from '../op.js';
import { loadSegment } from '../segments/load.js';
import type { Operand, OpcodeRow } from '../table/row.js';
import { anySize, sized, sizedMemory } from './rows.js';

const SHADOW_MOV_SS = 2;

function selectorOf(c: Cpu, seg: number): number {
  return c.s[SEG + seg * 4];
}

/** The shadow does not extend itself: the second of two loads of SS in a row opens none. */
function openShadow(c: Cpu): void {
  if (c.oldShadow !== SHADOW_MOV_SS || c.attention === 0) c.s[SHADOW] = SHADOW_MOV_SS;
  c.refreshAttention();
  c.endBlock();
}

export function movE16S(c: Cpu, op: Op): void {
  if (op.src > GS) c.ud();
  c.w[op.dst] = selectorOf(c, op.src);
}
export function movE32S(c: Cpu, op: Op): void {
  if (op.src > GS) c.ud();
  c.s[op.dst] = selectorOf(c, op.src);
}
export function movM16S(c: Cpu, op: Op): void {
  if (op.src > GS) c.ud();
  c.write16(op.seg, c.ea(op), selectorOf(c, op.src));
}

function load(c: Cpu, seg: number, selector: number): void {
  loadSegment(c, seg, selector);
  if (seg === SS) openShadow(c);
}

export function movSE16(c: Cpu, op: Op): void {
  if (op.src === CS || op.src > GS) c.ud();
  load(c, op.src, c.w[op.dst]);
}
export function movSM16(c: Cpu, op: Op): void {
  if (op.src === CS || op.src > GS) c.ud();
  load(c, op.src, c.read16(op.seg, c.ea(op)));
}

function push(c: Cpu, op: Op, seg: number): void {
  // The 32-bit form writes the selector zero-extended; the SDM lets parts write 16 bits only, and some do.
  if (op.wide) c.push32(selectorOf(c, seg));
  else c.push16(selectorOf(c, seg));
}
export function pushES(c: Cpu, op: Op): void {
  push(c, op, ES);
}
export function pushCS(c: Cpu, op: Op): void {
  push(c, op, CS);
}
export function pushSS(c: Cpu, op: Op): void {
  push(c, op, SS);
}
export function pushDS(c: Cpu, op: Op): void {
  push(c, op, DS);
}
export function pushFS(c: Cpu, op: Op): void {
  push(c, op, FS);
}
export function pushGS(c: Cpu, op: Op): void {
  push(c, op, GS);
}

function pop(c: Cpu, op: Op, seg: number): void {
  const selector = (op.wide ? c.stackRead32(0) : c.stackRead16(0)) & 0xffff;
  const size = op.wide ? 4 : 2;
  // The old stack's width decides how ESP moves, also for POP SS.
  const mask = c.stackMask;
  loadSegment(c, seg, selector);
  const sp = c.s[ESP];
  c.s[ESP] = (sp & ~mask) | ((sp + size) & mask);
  if (seg === SS) openShadow(c);
}
export function popES(c: Cpu, op: Op): void {
  pop(c, op, ES);
}
export function popSS(c: Cpu, op: Op): void {
  pop(c, op, SS);
}
export function popDS(c: Cpu, op: Op): void {
  pop(c, op, DS);
}
export function popFS(c: Cpu, op: Op): void {
  pop(c, op, FS);
}
export function popGS(c: Cpu, op: Op): void {
  pop(c, op, GS);
}

function loadFar(c: Cpu, op: Op, seg: number): void {
  const at = c.ea(op);
  const offset = op.wide ? c.read32(op.seg, at) : c.read16(op.seg, at);
  const selector = c.read16(op.seg, (at + (op.wide ? 4 : 2)) & op.mask);
  loadSegment(c, seg, selector);
  if (op.wide) c.s[op.src] = offset;
  else c.w[op.src] = offset;
}
export function lesGM(c: Cpu, op: Op): void {
  loadFar(c, op, ES);
}
export function ldsGM(c: Cpu, op: Op): void {
  loadFar(c, op, DS);
}
export function lssGM(c: Cpu, op: Op): void {
  loadFar(c, op, SS);
}
export function lfsGM(c: Cpu, op: Op): void {
  loadFar(c, op, FS);
}
export function lgsGM(c: Cpu, op: Op): void {
  loadFar(c, op, GS);
}

function pushRow(map: 1 | 2, opcode: number, operand: Operand, handler: Handler): OpcodeRow {
  return {
    mnemonic: 'push',
    map,
    opcode,
    operands: [operand],
    handlers: sized(handler, handler),
    sensitive: true,
    system: true,
  };
}

function popRow(map: 1 | 2, opcode: number, operand: Operand, handler: Handler): OpcodeRow {
  const ends = operand === 'SS';
  return {
    mnemonic: 'pop',
    map,
    opcode,
    operands: [operand],
    handlers: sized(handler, handler),
    sensitive: true,
    system: true,
    ends,
  };
}

function farRow(mnemonic: string, map: 1 | 2, opcode: number, handler: Handler): OpcodeRow {
  return { mnemonic, map, opcode, operands: ['Gv', 'Mp'], handlers: sizedMemory(handler, handler), system: true };
}

export const segmentMoveRows: readonly OpcodeRow[] = [
  {
    mnemonic: 'mov',
    map: 1,
    opcode: 0x8c,
    operands: ['Ev', 'Sw'],
    handlers: { r16: movE16S, r32: movE32S, m16: movM16S, m32: movM16S },
    sensitive: true,
    system: true,
  },
  { mnemonic: 'mov', map: 1, opcode: 0x8e, operands: ['Sw', 'Ew'], handlers: anySize(movSE16, movSM16), system: true },
  pushRow(1, 0x06, 'ES', pushES),
  pushRow(1, 0x0e, 'CS', pushCS),
  pushRow(1, 0x16, 'SS', pushSS),
  pushRow(1, 0x1e, 'DS', pushDS),
  pushRow(2, 0xa0, 'FS', pushFS),
  pushRow(2, 0xa8, 'GS', pushGS),
  popRow(1, 0x07, 'ES', popES),
  popRow(1, 0x17, 'SS', popSS),
  popRow(1, 0x1f, 'DS', popDS),
  popRow(2, 0xa1, 'FS', popFS),
  popRow(2, 0xa9, 'GS', popGS),
  farRow('les', 1, 0xc4, lesGM),
  farRow('lds', 1, 0xc5, ldsGM),
  farRow('lss', 2, 0xb2, lssGM),
  farRow('lfs', 2, 0xb4, lfsGM),
  farRow('lgs', 2, 0xb5, lgsGM),
];
