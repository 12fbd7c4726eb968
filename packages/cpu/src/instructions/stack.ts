/**
 * PUSH POP PUSHA POPA ENTER LEAVE (SDM Vol. 2); segment registers and flags are the core's. The operand size says what is
 * moved, SS.B whether SP or ESP addresses it. PUSH ESP pushes the value before; POP ESP ends with the popped value; an
 * ESP-based memory operand of POP is addressed after ESP moved. ESP and EBP change only when every access has succeeded.
 */
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP, SEG, SEG_BASE, SS } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { sized, sizedForms } from './rows.js';

export function pushE16(c: Cpu, op: Op): void {
  c.push16(c.w[op.dst]);
}
export function pushE32(c: Cpu, op: Op): void {
  c.push32(c.s[op.dst]);
}
export function pushM16(c: Cpu, op: Op): void {
  c.push16(c.read16(op.seg, c.ea(op)));
}
export function pushM32(c: Cpu, op: Op): void {
  c.push32(c.read32(op.seg, c.ea(op)));
}
export function pushI16(c: Cpu, op: Op): void {
  c.push16(op.imm & 0xffff);
}
export function pushI32(c: Cpu, op: Op): void {
  c.push32(op.imm);
}
export function popE16(c: Cpu, op: Op): void {
  const v = c.pop16();
  c.w[op.dst] = v;
}
export function popE32(c: Cpu, op: Op): void {
  const v = c.pop32();
  c.s[op.dst] = v;
}

/** Offset of POP's memory operand, with ESP as it will be after popping `size` bytes. */
function popOffset(c: Cpu, op: Op, size: number): number {
  const at = c.ea(op);
  if (op.base !== ESP) return at;
  const sp = c.s[ESP];
  const next = (sp & ~c.stackMask) | ((sp + size) & c.stackMask);
  return (at + next - sp) & op.mask;
}

export function popM16(c: Cpu, op: Op): void {
  const v = c.stackRead16(0);
  c.write16(op.seg, popOffset(c, op, 2), v);
  c.setSp(c.s[ESP] + 2);
}
export function popM32(c: Cpu, op: Op): void {
  const v = c.stackRead32(0);
  c.write32(op.seg, popOffset(c, op, 4), v);
  c.setSp(c.s[ESP] + 4);
}

/**
 * Both ends of the frame are checked for writing first, so that a fault leaves memory alone too: here the upper end, by the first
 * write of the caller the lower one. Where the frame lies in two pages the fault must tell of the first push that fails, from EAX down.
 */
function checkEightPushes(c: Cpu, size: 2 | 4): void {
  const esp = c.s[ESP];
  const base = c.s[SEG + SS * 4 + SEG_BASE];
  const split = (((esp - 8 * size + base) ^ (esp - 1 + base)) & ~0xfff) !== 0;
  for (let i = 1; i <= (split ? 8 : 1); i++) {
    const at = (esp - i * size) & c.stackMask;
    if (size === 2) c.readRmw16(SS, at);
    else c.readRmw32(SS, at);
  }
}

export function pusha16(c: Cpu): void {
  const w = c.w;
  checkEightPushes(c, 2);
  c.stackWrite16(-16, w[EDI * 2]);
  c.stackWrite16(-14, w[ESI * 2]);
  c.stackWrite16(-12, w[EBP * 2]);
  c.stackWrite16(-10, w[ESP * 2]);
  c.stackWrite16(-8, w[EBX * 2]);
  c.stackWrite16(-6, w[EDX * 2]);
  c.stackWrite16(-4, w[ECX * 2]);
  c.stackWrite16(-2, w[EAX * 2]);
  c.setSp(c.s[ESP] - 16);
}
export function pusha32(c: Cpu): void {
  const s = c.s;
  checkEightPushes(c, 4);
  c.stackWrite32(-32, s[EDI]);
  c.stackWrite32(-28, s[ESI]);
  c.stackWrite32(-24, s[EBP]);
  c.stackWrite32(-20, s[ESP]);
  c.stackWrite32(-16, s[EBX]);
  c.stackWrite32(-12, s[EDX]);
  c.stackWrite32(-8, s[ECX]);
  c.stackWrite32(-4, s[EAX]);
  c.setSp(s[ESP] - 32);
}

export function popa16(c: Cpu): void {
  const w = c.w;
  const di = c.stackRead16(0);
  const si = c.stackRead16(2);
  const bp = c.stackRead16(4);
  const bx = c.stackRead16(8);
  const dx = c.stackRead16(10);
  const cx = c.stackRead16(12);
  const ax = c.stackRead16(14);
  w[EDI * 2] = di;
  w[ESI * 2] = si;
  w[EBP * 2] = bp;
  w[EBX * 2] = bx;
  w[EDX * 2] = dx;
  w[ECX * 2] = cx;
  w[EAX * 2] = ax;
  c.setSp(c.s[ESP] + 16);
}
export function popa32(c: Cpu): void {
  const s = c.s;
  const edi = c.stackRead32(0);
  const esi = c.stackRead32(4);
  const ebp = c.stackRead32(8);
  const ebx = c.stackRead32(16);
  const edx = c.stackRead32(20);
  const ecx = c.stackRead32(24);
  const eax = c.stackRead32(28);
  s[EDI] = edi;
  s[ESI] = esi;
  s[EBP] = ebp;
  s[EBX] = ebx;
  s[EDX] = edx;
  s[ECX] = ecx;
  s[EAX] = eax;
  c.setSp(s[ESP] + 32);
}

/** ESP or, on a 16-bit stack, ESP with SP moved by `delta`. */
function moved(c: Cpu, delta: number): number {
  const sp = c.s[ESP];
  return (sp & ~c.stackMask) | ((sp + delta) & c.stackMask);
}

/** Every access is checked before the first write; the new top of stack too, though nothing is written there (SDM: #PF, #SS). */
export function enter16(c: Cpu, op: Op): void {
  const { s, w } = c;
  const level = op.imm2 & 31;
  const mask = c.stackMask;
  const delta = -2 - 2 * level - (op.imm & 0xffff);
  c.readRmw16(SS, (s[ESP] - 2) & mask);
  for (let i = 1; i < level; i++) {
    c.read16(SS, (s[EBP] - 2 * i) & mask);
    c.readRmw16(SS, (s[ESP] - 2 - 2 * i) & mask);
  }
  if (level > 0) c.readRmw16(SS, (s[ESP] - 2 - 2 * level) & mask);
  c.readRmw16(SS, (s[ESP] + delta) & mask);

  const frame = moved(c, -2);
  c.stackWrite16(-2, w[EBP * 2]);
  for (let i = 1; i < level; i++) c.stackWrite16(-2 - 2 * i, c.read16(SS, (s[EBP] - 2 * i) & mask));
  if (level > 0) c.stackWrite16(-2 - 2 * level, frame & 0xffff);
  w[EBP * 2] = frame;
  c.setSp(s[ESP] + delta);
}
export function enter32(c: Cpu, op: Op): void {
  const s = c.s;
  const level = op.imm2 & 31;
  const mask = c.stackMask;
  const delta = -4 - 4 * level - (op.imm & 0xffff);
  c.readRmw32(SS, (s[ESP] - 4) & mask);
  for (let i = 1; i < level; i++) {
    c.read32(SS, (s[EBP] - 4 * i) & mask);
    c.readRmw32(SS, (s[ESP] - 4 - 4 * i) & mask);
  }
  if (level > 0) c.readRmw32(SS, (s[ESP] - 4 - 4 * level) & mask);
  c.readRmw32(SS, (s[ESP] + delta) & mask);

  const frame = moved(c, -4);
  c.stackWrite32(-4, s[EBP]);
  for (let i = 1; i < level; i++) c.stackWrite32(-4 - 4 * i, c.read32(SS, (s[EBP] - 4 * i) & mask));
  if (level > 0) c.stackWrite32(-4 - 4 * level, frame);
  s[EBP] = frame;
  c.setSp(s[ESP] + delta);
}

export function leave16(c: Cpu): void {
  const bp = c.s[EBP];
  const v = c.read16(SS, bp & c.stackMask);
  c.setSp(bp + 2);
  c.w[EBP * 2] = v;
}
export function leave32(c: Cpu): void {
  const ebp = c.s[EBP];
  const v = c.read32(SS, ebp & c.stackMask);
  c.setSp(ebp + 4);
  c.s[EBP] = v;
}

export const stackRows: readonly OpcodeRow[] = [
  { mnemonic: 'push', map: 1, opcode: 0x50, operands: ['Zv'], handlers: sized(pushE16, pushE32) },
  { mnemonic: 'pop', map: 1, opcode: 0x58, operands: ['Zv'], handlers: sized(popE16, popE32) },
  { mnemonic: 'pusha', map: 1, opcode: 0x60, operands: [], handlers: sized(pusha16, pusha32) },
  { mnemonic: 'popa', map: 1, opcode: 0x61, operands: [], handlers: sized(popa16, popa32) },
  { mnemonic: 'push', map: 1, opcode: 0x68, operands: ['Iz'], handlers: sized(pushI16, pushI32) },
  { mnemonic: 'push', map: 1, opcode: 0x6a, operands: ['Ibs'], handlers: sized(pushI16, pushI32) },
  {
    mnemonic: 'push',
    map: 1,
    opcode: 0xff,
    ext: 6,
    operands: ['Ev'],
    handlers: sizedForms(pushE16, pushE32, pushM16, pushM32),
  },
  {
    mnemonic: 'pop',
    map: 1,
    opcode: 0x8f,
    ext: 0,
    operands: ['Ev'],
    handlers: sizedForms(popE16, popE32, popM16, popM32),
  },
  { mnemonic: 'enter', map: 1, opcode: 0xc8, operands: ['Iw', 'Ib'], handlers: sized(enter16, enter32) },
  { mnemonic: 'leave', map: 1, opcode: 0xc9, operands: [], handlers: sized(leave16, leave32) },
];
