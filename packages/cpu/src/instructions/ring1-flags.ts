/**
 * The assist `vif`: CLI, STI, PUSHF, POPF and IRET of a kernel deprivileged to ring 1, on EFLAGS.VIF instead of IF. What
 * CR4.PVI does for ring 3 (SDM Vol. 3B, 20.4 "Protected-Mode Virtual Interrupts"), carried to ring 1 and made whole: the
 * kernel reads VIF where it looks for IF, IRET takes a return selector of ring 0 for one of ring 1, and STI casts the
 * shadow it casts in ring 0. Which doing stays an exit, and why, is ADR 0022; in short: whatever starts or ends a single step,
 * touches IOPL, NT, RF, VM, VIF or VIP, or would let in an interrupt that VIP says is waiting. Each of those raises #GP(0) and changes nothing.
 *
 * VIP is the monitor's: nothing here sets or clears it. The interrupts that IF itself governs are not touched.
 */
import {
  ASSIST_VIRTUAL_RETURN,
  CS,
  EFLAGS,
  EIP,
  ESP,
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_ARITH,
  MSR_ASSIST,
  SHADOW,
  VEC_GP,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { END_BRANCHED } from '../core/fault.js';
import type { Handler, Op } from '../op.js';
import { isConforming, markAccessed } from '../segments/descriptor.js';
import { checkOffset, readReturnStack, readReturnTarget, returnOuter } from '../segments/far.js';
import { setFromDescriptor } from '../segments/load.js';

const SHADOW_STI = 1;
/** With any of these set the flags are not the kernel's own to handle. */
const FOREIGN = FLAG_TF | FLAG_NT | FLAG_IOPL;
/** Not in an image that POPF takes in (of VM, VIF and VIP it takes nothing anyway). */
const POPF_REFUSED = FLAG_TF | FLAG_NT | FLAG_IOPL;
/** RF: the frame of a fault shows RF = 1 whatever it was, so a monitor could not tell that this IRET had set it. */
const IRET_REFUSED = POPF_REFUSED | FLAG_RF | FLAG_VM | FLAG_VIF | FLAG_VIP;
const LOADED = FLAGS_ARITH | FLAG_DF | FLAG_AC | FLAG_ID;

/** Whether the flag instructions act on VIF now. */
export function actsOnVif(c: Cpu): boolean {
  return c.virtualIf && (c.s[EFLAGS] & FOREIGN) === 0;
}

/** CLI; false when it is not this file's. */
export function clearVirtualIf(c: Cpu): boolean {
  if (!actsOnVif(c)) return false;
  c.s[EFLAGS] &= ~FLAG_VIF;
  return true;
}

/** STI; false when it is not this file's, or an interrupt waits for it. */
export function setVirtualIf(c: Cpu): boolean {
  if (!actsOnVif(c)) return false;
  const s = c.s;
  if ((s[EFLAGS] & FLAG_VIF) !== 0) return true;
  if ((s[EFLAGS] & FLAG_VIP) !== 0) return false;
  s[EFLAGS] |= FLAG_VIF;
  s[SHADOW] = SHADOW_STI;
  c.refreshAttention();
  return true;
}

function pushf(c: Cpu, op: Op): void {
  const flags = c.getEflags();
  const image =
    (flags & ~(FLAG_IF | FLAG_VM | FLAG_RF | FLAG_VIF | FLAG_VIP)) | ((flags & FLAG_VIF) !== 0 ? FLAG_IF : 0);
  if (op.wide) c.push32(image);
  else c.push16(image & 0xffff);
}

/** The image may not be taken in without the monitor. */
function refused(c: Cpu, image: number, bits: number): boolean {
  return (image & bits) !== 0 || ((image & FLAG_IF) !== 0 && (c.s[EFLAGS] & FLAG_VIP) !== 0);
}

function load(c: Cpu, op: Op, image: number, mask: number): void {
  const allowed = mask & c.flagsMask & (op.wide ? -1 : 0xffff);
  const kept = c.getEflags() & ~(allowed | FLAG_VIF);
  c.loadEflags(kept | (image & allowed) | ((image & FLAG_IF) !== 0 ? FLAG_VIF : 0) | 2);
}

function popf(c: Cpu, op: Op): void {
  const image = op.wide ? c.stackRead32(0) : c.stackRead16(0);
  if (refused(c, image, POPF_REFUSED)) {
    c.softFault(VEC_GP, 0);
    return;
  }
  c.setSp(c.s[ESP] + (op.wide ? 4 : 2));
  // The 32-bit form clears RF, which no instruction but the first behind an IRET can find set.
  load(c, op, image & ~FLAG_RF, op.wide ? LOADED | FLAG_RF : LOADED);
}

function pop(c: Cpu, op: Op, index: number): number {
  return op.wide ? c.stackRead32(index * 4) : c.stackRead16(index * 2);
}

function iret(c: Cpu, op: Op): void {
  const s = c.s;
  const offset = pop(c, op, 0);
  const selector = pop(c, op, 1) & 0xffff;
  const flags = pop(c, op, 2);
  const rpl = selector & 3;
  const may = rpl === 0 || (rpl === 3 && (s[MSR_ASSIST] & ASSIST_VIRTUAL_RETURN) !== 0);
  if (!may || refused(c, flags, IRET_REFUSED)) {
    c.softFault(VEC_GP, 0);
    return;
  }
  const d = readReturnTarget(c, rpl === 0 ? selector | 1 : selector);
  // Conforming code has no level of its own.
  if (isConforming(d.high)) c.gp(0);
  if (rpl === 0) {
    checkOffset(c, d, offset);
    markAccessed(c, d);
    c.setSp(s[ESP] + (op.wide ? 12 : 6));
    setFromDescriptor(c, CS, selector | 1, d);
    s[EIP] = offset;
    c.end = END_BRANCHED;
  } else {
    const esp = pop(c, op, 3);
    const stack = readReturnStack(c, pop(c, op, 4) & 0xffff, 3);
    checkOffset(c, d, offset);
    markAccessed(c, stack);
    markAccessed(c, d);
    returnOuter(c, d, offset, stack, esp);
  }
  load(c, op, flags, LOADED | FLAG_RF);
  c.rfLoaded = true;
  c.refreshAttention();
}

/** What these instructions do while `actsOnVif`, by mnemonic. CLI and STI are not sensitive and ask for themselves. */
export const ring1Handlers: Readonly<Record<string, Handler>> = { pushf, popf, iret };
