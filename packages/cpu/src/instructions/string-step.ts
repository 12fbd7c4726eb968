/**
 * One iteration of MOVS STOS LODS SCAS CMPS at each size (SDM Vol. 2): access, then move (E)SI and (E)DI by the element
 * size in the direction of DF, at the address size. A fault leaves the registers alone.
 */
import { EAX, EDI, EFLAGS, ES, ESI, FLAG_DF } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { LAZY_SUB16, LAZY_SUB32, LAZY_SUB8, setCompare } from '../flags.js';
import type { Op } from '../op.js';

/** Adds `step` to (E)SI. */
export function moveSource(c: Cpu, op: Op, step: number): void {
  const s = c.s;
  s[ESI] = (s[ESI] & ~op.mask) | ((s[ESI] + step) & op.mask);
}

/** Adds `step` to (E)DI. */
export function moveTarget(c: Cpu, op: Op, step: number): void {
  const s = c.s;
  s[EDI] = (s[EDI] & ~op.mask) | ((s[EDI] + step) & op.mask);
}

/** `size`, or minus `size` when DF is set. */
export function direction(c: Cpu, size: number): number {
  return (c.s[EFLAGS] & FLAG_DF) === 0 ? size : -size;
}

export function movsStep8(c: Cpu, op: Op): void {
  const s = c.s;
  c.write8(ES, s[EDI] & op.mask, c.read8(op.seg, s[ESI] & op.mask));
  const step = direction(c, 1);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}
export function movsStep16(c: Cpu, op: Op): void {
  const s = c.s;
  c.write16(ES, s[EDI] & op.mask, c.read16(op.seg, s[ESI] & op.mask));
  const step = direction(c, 2);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}
export function movsStep32(c: Cpu, op: Op): void {
  const s = c.s;
  c.write32(ES, s[EDI] & op.mask, c.read32(op.seg, s[ESI] & op.mask));
  const step = direction(c, 4);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}

export function stosStep8(c: Cpu, op: Op): void {
  c.write8(ES, c.s[EDI] & op.mask, c.b[EAX]);
  moveTarget(c, op, direction(c, 1));
}
export function stosStep16(c: Cpu, op: Op): void {
  c.write16(ES, c.s[EDI] & op.mask, c.w[EAX * 2]);
  moveTarget(c, op, direction(c, 2));
}
export function stosStep32(c: Cpu, op: Op): void {
  c.write32(ES, c.s[EDI] & op.mask, c.s[EAX]);
  moveTarget(c, op, direction(c, 4));
}

export function lodsStep8(c: Cpu, op: Op): void {
  c.b[EAX] = c.read8(op.seg, c.s[ESI] & op.mask);
  moveSource(c, op, direction(c, 1));
}
export function lodsStep16(c: Cpu, op: Op): void {
  c.w[EAX * 2] = c.read16(op.seg, c.s[ESI] & op.mask);
  moveSource(c, op, direction(c, 2));
}
export function lodsStep32(c: Cpu, op: Op): void {
  c.s[EAX] = c.read32(op.seg, c.s[ESI] & op.mask);
  moveSource(c, op, direction(c, 4));
}

export function scasStep8(c: Cpu, op: Op): void {
  compare8(c, c.b[EAX], c.read8(ES, c.s[EDI] & op.mask));
  moveTarget(c, op, direction(c, 1));
}
export function scasStep16(c: Cpu, op: Op): void {
  compare16(c, c.w[EAX * 2], c.read16(ES, c.s[EDI] & op.mask));
  moveTarget(c, op, direction(c, 2));
}
export function scasStep32(c: Cpu, op: Op): void {
  compare32(c, c.s[EAX], c.read32(ES, c.s[EDI] & op.mask));
  moveTarget(c, op, direction(c, 4));
}

export function cmpsStep8(c: Cpu, op: Op): void {
  const s = c.s;
  const first = c.read8(op.seg, s[ESI] & op.mask);
  compare8(c, first, c.read8(ES, s[EDI] & op.mask));
  const step = direction(c, 1);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}
export function cmpsStep16(c: Cpu, op: Op): void {
  const s = c.s;
  const first = c.read16(op.seg, s[ESI] & op.mask);
  compare16(c, first, c.read16(ES, s[EDI] & op.mask));
  const step = direction(c, 2);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}
export function cmpsStep32(c: Cpu, op: Op): void {
  const s = c.s;
  const first = c.read32(op.seg, s[ESI] & op.mask);
  compare32(c, first, c.read32(ES, s[EDI] & op.mask));
  const step = direction(c, 4);
  moveSource(c, op, step);
  moveTarget(c, op, step);
}

/** Sets the flags of first - second; values signed or unsigned. */
export function compare8(c: Cpu, first: number, second: number): void {
  const d = (first << 24) >> 24;
  const v = (second << 24) >> 24;
  setCompare(c, LAZY_SUB8, d, v, ((d - v) << 24) >> 24);
}
export function compare16(c: Cpu, first: number, second: number): void {
  const d = (first << 16) >> 16;
  const v = (second << 16) >> 16;
  setCompare(c, LAZY_SUB16, d, v, ((d - v) << 16) >> 16);
}
export function compare32(c: Cpu, first: number, second: number): void {
  setCompare(c, LAZY_SUB32, first, second, (first - second) | 0);
}
