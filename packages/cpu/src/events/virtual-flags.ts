/**
 * The virtual interrupt flag: CR4.VME in virtual-8086 mode, CR4.PVI at CPL 3. With IOPL below 3, CLI, STI, PUSHF, POPF and
 * IRET act on VIF instead of faulting, and INT n may go to the 8086 program's own handler by the redirection bitmap of the
 * TSS. SDM Vol. 3B, 20.2 "Virtual-8086 Mode", 20.3.3 "Class 3—Software Interrupt Handling in Virtual-8086 Mode" with the
 * table "Software Interrupt Handling Methods While in Virtual-8086 Mode", 20.4 "Protected-Mode Virtual Interrupts".
 * VIP is software's: nothing here sets or clears it.
 */
import {
  AR_UNUSABLE,
  CPL,
  CR4,
  CR4_PVI,
  CR4_VME,
  CS,
  EFLAGS,
  EIP,
  ESP,
  FLAG_DF,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_ARITH,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  TR,
} from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import { readLinearAs } from '../core/slow-access.js';
import { setV86 } from '../segments/load.js';
import { currentStack } from '../segments/stack.js';
import { TSS32_IO_BASE, TSS32_MIN_LIMIT } from '../tasks/tss.js';

/** Bytes of the redirection bitmap: they end where the I/O permission bitmap begins. */
const REDIRECTION_BYTES = 32;

/** Whether CLI and STI act on VIF. Precondition: CPL > IOPL. */
export function hasVirtualIf(c: Cpu): boolean {
  const s = c.s;
  return s[CPL] === 3 && (s[CR4] & ((s[EFLAGS] & FLAG_VM) !== 0 ? CR4_VME : CR4_PVI)) !== 0;
}

/** Whether PUSHF, POPF, IRET of 16 bits act on VIF. Precondition: virtual-8086 mode with IOPL < 3. */
export function hasVirtualFlags(c: Cpu): boolean {
  return (c.s[CR4] & CR4_VME) !== 0;
}

/** FLAGS as the 8086 program sees them: VIF in the place of IF, IOPL 3. */
export function virtualImage(c: Cpu): number {
  const flags = c.getEflags();
  return (flags & ~FLAG_IF) | FLAG_IOPL | ((flags & FLAG_VIF) !== 0 ? FLAG_IF : 0);
}

/** #GP(0) for an image that would start single-stepping, or let a pending virtual interrupt in. */
export function checkVirtualImage(c: Cpu, image: number): void {
  if ((image & FLAG_TF) !== 0 || ((image & FLAG_IF) !== 0 && (c.s[EFLAGS] & FLAG_VIP) !== 0)) c.gp(0);
}

/** EFLAGS after POPF or IRET took in a checked image: IF and IOPL stay, VIF takes the image's IF. */
export function withVirtualImage(c: Cpu, image: number): number {
  const mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;
  const flags = c.getEflags() & ~(mask | FLAG_VIF);
  return flags | (image & mask) | ((image & FLAG_IF) !== 0 ? FLAG_VIF : 0) | 2;
}

/**
 * INT n in virtual-8086 mode under CR4.VME: enters the 8086 program's handler when the bitmap's bit is 0 and answers true
 * (methods 5 and 6). False: the protected-mode handler's business (methods 3 and 4).
 */
export function redirectInterrupt(c: Cpu, vector: number): boolean {
  const s = c.s;
  const tr = SEG + TR * 4;
  const access = s[tr + SEG_ACCESS];
  const limit = s[tr + SEG_LIMIT] >>> 0;
  // Only a 32-bit TSS has the bitmap.
  if ((access & AR_UNUSABLE) !== 0 || (access & 8) === 0 || limit < TSS32_MIN_LIMIT) c.gp(0);
  const base = s[tr + SEG_BASE];
  const at = readLinearAs(c, (base + TSS32_IO_BASE) | 0, 2, 0) - REDIRECTION_BYTES + (vector >> 3);
  if (at < 0 || at > limit) c.gp(0);
  if ((readLinearAs(c, (base + at) | 0, 1, 0) & (1 << (vector & 7))) !== 0) return false;

  // The vector table is the program's data, at linear address 0 of its task.
  const entry = readLinearAs(c, vector * 4, 4, c.user);
  const own = (s[EFLAGS] & FLAG_IOPL) === FLAG_IOPL;
  const stack = currentStack(c);
  stack.reserve(3, 2);
  stack.push((own ? c.getEflags() : virtualImage(c)) & 0xffff, 2);
  stack.push(s[SEG + CS * 4 + SEG_SELECTOR], 2);
  stack.push(c.nextEip() & 0xffff, 2);
  c.loadEflags(c.getEflags() & ~(FLAG_TF | FLAG_RF | (own ? FLAG_IF : FLAG_VIF)));
  s[ESP] = stack.sp;
  setV86(c, CS, entry >>> 16);
  s[EIP] = entry & 0xffff;
  return true;
}
