/**
 * FXSAVE and FXRSTOR: the x87, MMX and SSE state in 512 bytes (SDM Vol. 1, 10.5 "FXSAVE and FXRSTOR Instructions"; Vol. 2,
 * "FXSAVE", table 3-47 "Non-64-Bit-Mode Layout of FXSAVE and FXRSTOR Memory Region"). They wait for no pending exception and change
 * nothing of what they save. Without CR4.OSFXSR the XMM registers and MXCSR are left alone on both sides. FXSAVE writes the first
 * 160 or 288 bytes, not what is reserved behind them; FXRSTOR reads as many, but rights are checked for all 512. Pointers
 * follow the x87's rule: selectors outside protected mode only (`note` in x87-operands.ts).
 */
import * as layout from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { checkSegment, translate } from '../core/slow-access.js';
import type { Op } from '../op.js';
import { loadSlow, storeSlow } from '../sse/operands.js';
import type { OpcodeRow } from '../table/row.js';
import { anySize } from './rows.js';

// Compiled code loads an imported binding at every use; a constant of the module itself becomes part of the code.
const {
  ACCESS_READ,
  ACCESS_WRITE,
  CR0,
  CR0_EM,
  CR0_TS,
  CR4,
  CR4_OSFXSR,
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_TAGS,
  FPU_TOP,
  MXCSR,
  SEG,
  SEG_BASE,
  SEG_WORDS,
  XMM,
} = layout;
const UNAVAILABLE = CR0_EM | CR0_TS;
const IMAGE_BYTES = 512;
// Places in the image, in words
const IMAGE_MXCSR = 6;
const IMAGE_REGISTERS = 8;
const IMAGE_XMM = 40;
const BYTES_X87 = 160;
const BYTES_SSE = 288;

const image = new Int32Array(IMAGE_BYTES / 4);

/** #NM with EM or TS (the manual of the Pentium III; later ones say #UD for EM). Answers whether XMM and MXCSR belong to it. */
function withSse(c: Cpu): boolean {
  if ((c.s[CR0] & UNAVAILABLE) !== 0) c.nm();
  return (c.s[CR4] & CR4_OSFXSR) !== 0;
}

/**
 * Segment, alignment and pages of the whole image; processors look at its first and last bytes, and CR2 says which. Answers where
 * it lies in the machine's memory, -1 when it has to be accessed the slow way.
 */
function checkImage(c: Cpu, op: Op, at: number, write: boolean): number {
  // An image that begins beyond the limit is #SS(0) or #GP(0) before its alignment is looked at (so the recorded processor).
  checkSegment(c, op.seg, at, 1, write, 1);
  const misaligned = (c.s[SEG + SEG_BASE + op.seg * SEG_WORDS] + at) & 15;
  if (misaligned !== 0 && !(c.alignOn && (misaligned & 3) !== 0)) c.gp(0);
  const linear = checkSegment(c, op.seg, at, IMAGE_BYTES, write, 4);
  if ((linear & 0xfff) + IMAGE_BYTES <= 4096) {
    const place = write ? c.fastWriteAddress(linear) : c.fastReadAddress(linear);
    if (place >= 0) return place;
  }
  const access = write ? ACCESS_WRITE : ACCESS_READ;
  translate(c, linear, access, c.user);
  translate(c, (linear + IMAGE_BYTES - 1) | 0, access, c.user);
  return -1;
}

export function fxsave(c: Cpu, op: Op): void {
  const sse = withSse(c);
  const at = c.ea(op);
  const place = checkImage(c, op, at, true);
  const w = c.fpu.w;
  image[0] = w[FPU_CONTROL] | (c.fpu.status << 16);
  image[1] = w[FPU_TAGS] | (w[FPU_OPCODE] << 16);
  image[2] = w[FPU_IP];
  image[3] = w[FPU_CS];
  image[4] = w[FPU_DP];
  image[5] = w[FPU_DS];
  for (let i = 0; i < 8; i++) {
    const from = FPU_REGISTERS + ((w[FPU_TOP] + i) & 7) * 4;
    const to = IMAGE_REGISTERS + i * 4;
    image[to] = w[from];
    image[to + 1] = w[from + 1];
    image[to + 2] = w[from + 2];
    image[to + 3] = 0;
  }
  if (!sse) {
    storeSlow(c, op.seg, at, IMAGE_MXCSR * 4, 15, image, 0);
    storeSlow(c, op.seg, (at + IMAGE_REGISTERS * 4) | 0, BYTES_X87 - IMAGE_REGISTERS * 4, 15, image, IMAGE_REGISTERS);
    return;
  }
  image[IMAGE_MXCSR] = w[MXCSR];
  image[IMAGE_MXCSR + 1] = c.sse.mxcsrMask;
  for (let i = 0; i < 32; i++) image[IMAGE_XMM + i] = w[XMM + i];
  if (place < 0) storeSlow(c, op.seg, at, BYTES_SSE, 15, image, 0);
  else for (let i = 0; i < BYTES_SSE / 4; i++) c.view.setInt32(place + i * 4, image[i], true);
}

export function fxrstor(c: Cpu, op: Op): void {
  const sse = withSse(c);
  const at = c.ea(op);
  const place = checkImage(c, op, at, false);
  if (place < 0) loadSlow(c, op.seg, at, sse ? BYTES_SSE : BYTES_X87, 15, image, 0);
  else for (let i = 0; i < BYTES_SSE / 4; i++) image[i] = c.view.getInt32(place + i * 4, true);
  if (sse && (image[IMAGE_MXCSR] & ~c.sse.mxcsrMask) !== 0) c.gp(0);
  const f = c.fpu;
  const w = f.w;
  f.setControl(image[0] & 0xffff);
  f.setStatus(image[0] >>> 16);
  w[FPU_TAGS] = image[1] & 0xff;
  w[FPU_OPCODE] = (image[1] >>> 16) & 0x7ff;
  w[FPU_IP] = image[2];
  w[FPU_CS] = image[3] & 0xffff;
  w[FPU_DP] = image[4];
  w[FPU_DS] = image[5] & 0xffff;
  for (let i = 0; i < 8; i++) {
    const to = FPU_REGISTERS + ((w[FPU_TOP] + i) & 7) * 4;
    const from = IMAGE_REGISTERS + i * 4;
    w[to] = image[from];
    w[to + 1] = image[from + 1];
    w[to + 2] = image[from + 2] & 0xffff;
  }
  if (!sse) return;
  w[MXCSR] = image[IMAGE_MXCSR];
  for (let i = 0; i < 32; i++) w[XMM + i] = image[IMAGE_XMM + i];
}

const group15 = { map: 2, opcode: 0xae, prefix: 0, operands: ['M'], feature: 'fxsr' } as const;

export const fxsaveRows: readonly OpcodeRow[] = [
  { ...group15, mnemonic: 'fxsave', ext: 0, handlers: anySize(undefined, fxsave) },
  { ...group15, mnemonic: 'fxrstor', ext: 1, handlers: anySize(undefined, fxrstor) },
];
