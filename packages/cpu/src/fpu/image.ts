/**
 * The FPU's state as FSTENV, FSAVE, FLDENV and FRSTOR lay it out in memory, as an array of 16-bit words: 7 or 14 words of
 * environment, by operand size, in two styles (SDM Vol. 1, 8.1.10 "Saving the x87 FPU's State with FSTENV/FNSTENV and
 * FSAVE/FNSAVE", figures 8-9 to 8-12), then 40 of registers. It touches no memory.
 */
import {
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_REGISTER_WORDS,
  FPU_TAGS,
  FPU_TOP,
} from '@ringfence/sdk';
import { Extended, NORMAL, ZERO } from './extended.js';
import type { Fpu } from './fpu.js';

const x = new Extended();
const REGISTER_BYTES = 10;

/** Bytes of an environment. */
export function environmentBytes(wide: boolean): number {
  return wide ? 28 : 14;
}

/** Bytes of a whole state. */
export function imageBytes(wide: boolean): number {
  return environmentBytes(wide) + 8 * REGISTER_BYTES;
}

/** The tag word, two bits a register: 0 valid, 1 zero, 2 special, 3 empty. */
export function tagWord(f: Fpu): number {
  let tags = 0;
  for (let register = 0; register < 8; register++) {
    const i = (register - f.w[FPU_TOP]) & 7;
    f.get(i, x);
    const kind = x.kind();
    const tag = f.isEmpty(i) ? 3 : kind === NORMAL ? 0 : kind === ZERO ? 1 : 2;
    tags |= tag << (register * 2);
  }
  return tags;
}

/** Only empty and not empty are believed; the other tags follow from the registers. */
export function setTagWord(f: Fpu, tags: number): void {
  let occupied = 0;
  for (let register = 0; register < 8; register++) {
    if (((tags >> (register * 2)) & 3) !== 3) occupied |= 1 << register;
  }
  f.w[FPU_TAGS] = occupied;
}

/** Writes the environment into `words`. `protectedStyle`: protected mode outside virtual-8086 mode. */
export function saveEnvironment(f: Fpu, words: Uint16Array, wide: boolean, protectedStyle: boolean): void {
  const w = f.w;
  const step = wide ? 2 : 1;
  if (wide) words.fill(0xffff, 0, 14);
  words[0] = f.control;
  words[step] = f.status;
  words[2 * step] = tagWord(f);
  if (protectedStyle) {
    saveDword(words, 3 * step, w[FPU_IP], wide);
    saveDword(words, 5 * step, w[FPU_DP], wide);
    words[4 * step] = w[FPU_CS];
    if (wide) words[4 * step + 1] = w[FPU_OPCODE];
    words[6 * step] = w[FPU_DS];
    return;
  }
  const ip = w[FPU_IP] + (w[FPU_CS] << 4);
  const dp = w[FPU_DP] + (w[FPU_DS] << 4);
  words[3 * step] = ip;
  words[5 * step] = dp;
  if (wide) {
    saveDword(words, 8, ((ip >>> 16) << 12) | w[FPU_OPCODE], true);
    saveDword(words, 12, (dp >>> 16) << 12, true);
  } else {
    words[4] = ((ip >>> 4) & 0xf000) | w[FPU_OPCODE];
    words[6] = (dp >>> 4) & 0xf000;
  }
}

export function loadEnvironment(f: Fpu, words: Uint16Array, wide: boolean, protectedStyle: boolean): void {
  const w = f.w;
  const step = wide ? 2 : 1;
  f.setControl(words[0]);
  f.setStatus(words[step]);
  setTagWord(f, words[2 * step]);
  if (protectedStyle) {
    w[FPU_IP] = loadDword(words, 3 * step, wide);
    w[FPU_DP] = loadDword(words, 5 * step, wide);
    w[FPU_CS] = words[4 * step];
    w[FPU_OPCODE] = wide ? words[4 * step + 1] & 0x7ff : 0;
    w[FPU_DS] = words[6 * step];
    return;
  }
  const high = loadDword(words, 4 * step, wide);
  const dataHigh = loadDword(words, 6 * step, wide);
  w[FPU_OPCODE] = high & 0x7ff;
  w[FPU_CS] = 0;
  w[FPU_DS] = 0;
  w[FPU_IP] = words[3 * step] | ((high & (wide ? 0x0ffff000 : 0xf000)) << 4);
  w[FPU_DP] = words[5 * step] | ((dataHigh & (wide ? 0x0ffff000 : 0xf000)) << 4);
}

/** Registers ST(0)..ST(7), after the environment. */
export function saveRegisters(f: Fpu, words: Uint16Array, wide: boolean): void {
  let at = environmentBytes(wide) / 2;
  for (let i = 0; i < 8; i++, at += REGISTER_BYTES / 2) {
    f.get(i, x);
    saveDword(words, at, x.lo, true);
    saveDword(words, at + 2, x.hi, true);
    words[at + 4] = (x.sign << 15) | x.exp;
  }
}

/** After `loadEnvironment`, which sets TOP. */
export function loadRegisters(f: Fpu, words: Uint16Array, wide: boolean): void {
  let at = environmentBytes(wide) / 2;
  for (let i = 0; i < 8; i++, at += REGISTER_BYTES / 2) {
    const place = FPU_REGISTERS + ((f.w[FPU_TOP] + i) & 7) * FPU_REGISTER_WORDS;
    f.w[place] = loadDword(words, at, true);
    f.w[place + 1] = loadDword(words, at + 2, true);
    f.w[place + 2] = words[at + 4];
  }
}

function saveDword(words: Uint16Array, at: number, value: number, wide: boolean): void {
  words[at] = value;
  if (wide) words[at + 1] = value >>> 16;
}

function loadDword(words: Uint16Array, at: number, wide: boolean): number {
  return wide ? words[at] | (words[at + 1] << 16) : words[at];
}
