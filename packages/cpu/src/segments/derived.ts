/**
 * Works out what the hot paths read from segment registers, CPL and control registers. Nothing here checks or loads
 * anything; whoever changes a segment register, CPL, CR0, CR4.x, EFLAGS.AC/VM or the assist MSR calls the matching
 * refresh. SDM Vol. 3A, 5.3 "Limit Checking", 6.15 "Interrupt 17: Alignment Check Exception".
 */
import {
  AR_CODE,
  AR_DB,
  AR_DC,
  AR_RW,
  AR_UNUSABLE,
  ASSIST_TRAP_SENSITIVE,
  ASSIST_VIRTUAL_IF,
  CPL,
  CR0,
  CR0_AM,
  CR0_PE,
  CR0_WP,
  CS,
  EFLAGS,
  FLAG_AC,
  FLAG_VM,
  GS,
  MSR_ASSIST,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SS,
  TLB_READ_SUPERVISOR,
  TLB_READ_USER,
  TLB_WRITE_SUPERVISOR,
  TLB_WRITE_UNPROTECTED,
  TLB_WRITE_USER,
} from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';

/** Forgets the current code page: the next block looks its translation up again. */
export function dropCodePage(c: CpuBase): void {
  c.codePage = -1;
}

/** After segment register `seg` changed. */
export function refreshSegment(c: CpuBase, seg: number): void {
  const s = c.s;
  const at = SEG + seg * 4;
  const access = s[at + SEG_ACCESS];
  let read = -1;
  let write = -1;
  if ((access & AR_UNUSABLE) === 0 && !c.alignOn) {
    const max = (s[at + SEG_LIMIT] >>> 0) - 3;
    if ((s[CR0] & CR0_PE) === 0 || (s[EFLAGS] & FLAG_VM) !== 0) {
      read = max;
      write = max;
    } else if ((access & AR_CODE) !== 0) {
      if ((access & AR_RW) !== 0) read = max;
    } else if ((access & AR_DC) === 0) {
      read = max;
      if ((access & AR_RW) !== 0) write = max;
    }
  }
  c.segReadMax[seg] = read;
  c.segWriteMax[seg] = write;
  if (seg === CS) {
    c.csBase = s[at + SEG_BASE];
    c.csLimit = s[at + SEG_LIMIT] >>> 0;
    c.codeMode = (access & AR_DB) !== 0 ? 1 : 0;
    dropCodePage(c);
  } else if (seg === SS) {
    c.stackMask = (access & AR_DB) !== 0 ? -1 : 0xffff;
  }
}

export function refreshSegments(c: CpuBase): void {
  for (let seg = 0; seg <= GS; seg++) refreshSegment(c, seg);
}

/** After CPL, CR0.WP or AM, EFLAGS.AC or VM, the assist MSR or the counted rings changed. */
export function refreshPrivilege(c: CpuBase): void {
  const s = c.s;
  const cpl = s[CPL];
  const user = cpl === 3 ? 1 : 0;
  c.user = user;
  c.readBank = user !== 0 ? TLB_READ_USER : TLB_READ_SUPERVISOR;
  c.writeBank = user !== 0 ? TLB_WRITE_USER : (s[CR0] & CR0_WP) !== 0 ? TLB_WRITE_SUPERVISOR : TLB_WRITE_UNPROTECTED;
  c.counting = ((c.countedRings >> cpl) & 1) !== 0;
  c.trapSensitive = cpl !== 0 && (s[MSR_ASSIST] & ASSIST_TRAP_SENSITIVE) !== 0;
  c.virtualIf = cpl === 1 && (s[MSR_ASSIST] & ASSIST_VIRTUAL_IF) !== 0;
  dropCodePage(c);
  const alignOn = user !== 0 && (s[CR0] & CR0_AM) !== 0 && (s[EFLAGS] & FLAG_AC) !== 0;
  if (alignOn !== c.alignOn) {
    c.alignOn = alignOn;
    refreshSegments(c);
  }
}

export function setCpl(c: CpuBase, cpl: number): void {
  if (c.s[CPL] === cpl) return;
  c.s[CPL] = cpl;
  refreshPrivilege(c);
}

/** After anything may have changed: state loaded, mode switched. */
export function refreshAll(c: CpuBase): void {
  refreshPrivilege(c);
  refreshSegments(c);
  c.refreshAttention();
}
