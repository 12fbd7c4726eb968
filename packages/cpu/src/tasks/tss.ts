/**
 * The two layouts of a task-state segment and what of it the I/O instructions read. SDM Vol. 3A, 7.2.1 "Task-State Segment
 * (TSS)", 7.6 "16-Bit Task-State Segment"; Vol. 1, 19.5.2 "I/O Permission Bit Map".
 */
import {
  AR_UNUSABLE,
  CPL,
  CR0,
  CR0_PE,
  EFLAGS,
  FLAG_VM,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  TR,
  VEC_GP,
} from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';
import { readLinearAs } from '../core/slow-access.js';

export const TSS32_CR3 = 0x1c;
export const TSS32_EIP = 0x20;
export const TSS32_EFLAGS = 0x24;
/** EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, 4 bytes each. */
export const TSS32_REGISTERS = 0x28;
/** ES, CS, SS, DS, FS, GS, 4 bytes each. */
export const TSS32_SEGMENTS = 0x48;
export const TSS32_LDT = 0x60;
/** Bit 0: debug trap on entry. */
export const TSS32_TRAP = 0x64;
export const TSS32_IO_BASE = 0x66;
export const TSS32_MIN_LIMIT = 0x67;

export const TSS16_IP = 0x0e;
export const TSS16_FLAGS = 0x10;
/** AX .. DI, 2 bytes each. */
export const TSS16_REGISTERS = 0x12;
/** ES, CS, SS, DS, 2 bytes each. */
export const TSS16_SEGMENTS = 0x22;
export const TSS16_LDT = 0x2a;
export const TSS16_MIN_LIMIT = 0x2b;

/** #GP(0) unless the port may be accessed: CPL <= IOPL outside virtual-8086 mode, or the TSS's bitmap says so. */
export function checkIoPermission(c: CpuBase, port: number, size: number): boolean {
  const s = c.s;
  if ((s[CR0] & CR0_PE) === 0) return true;
  const flags = s[EFLAGS];
  if ((flags & FLAG_VM) === 0 && s[CPL] <= ((flags >> 12) & 3)) return true;
  const tr = SEG + TR * 4;
  const access = s[tr + SEG_ACCESS];
  const limit = s[tr + SEG_LIMIT] >>> 0;
  // Only a 32-bit TSS has a bitmap.
  if ((access & AR_UNUSABLE) !== 0 || (access & 8) === 0 || limit < TSS32_MIN_LIMIT) return refuse(c);
  const base = s[tr + SEG_BASE];
  const at = readLinearAs(c, (base + TSS32_IO_BASE) | 0, 2, 0) + (port >>> 3);
  // The processor reads two bytes always, so both must lie within the limit.
  if (at + 1 > limit) return refuse(c);
  const bits = readLinearAs(c, (base + at) | 0, 2, 0) >> (port & 7);
  return (bits & ((1 << size) - 1)) === 0 || refuse(c);
}

/** #GP(0) without a throw: under a monitor every port access of a deprivileged kernel comes this way. */
function refuse(c: CpuBase): false {
  c.softFault(VEC_GP, 0);
  return false;
}
