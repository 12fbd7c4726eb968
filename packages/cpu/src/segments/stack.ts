/**
 * A stack that is not (yet) SS:ESP: the inner stack of a gate, or the current one while a frame is built whose commit
 * comes last. Checks the segment limit, writes with the rights of the level that will own the stack. #SS carries the new
 * selector, or 0 for the current stack, plus EXT. A frame is written whole or not at all: `reserve` comes first. SDM Vol. 3A, 5.8.5 "Stack Switching", 6.12.1.
 */
import {
  ACCESS_WRITE,
  AR_DB,
  AR_DC,
  CPL,
  CR0,
  CR0_PE,
  EFLAGS,
  ESP,
  FLAG_VM,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SS,
  TR,
  VEC_AC,
  VEC_SS,
  VEC_TS,
} from '@ringfence/sdk';
import type { CpuBase } from '../core/base.js';
import { readLinearAs, translate, writeLinearAs } from '../core/slow-access.js';
import { noteDataAccess } from '../events/breakpoints.js';
import { accessOf, baseOf, isNull, limitOf, readDescriptor, type Descriptor } from './descriptor.js';
import { checkStackDescriptor } from './load.js';

export class StackView {
  constructor(
    private readonly c: CpuBase,
    private readonly base: number,
    private readonly limit: number,
    private readonly access: number,
    public sp: number,
    private readonly user: number,
    private readonly errorCode: number,
  ) {}

  get mask(): number {
    return (this.access & AR_DB) !== 0 ? -1 : 0xffff;
  }

  push(value: number, size: number): void {
    const off = (this.sp - size) & this.mask;
    const linear = this.check(off, size);
    writeLinearAs(this.c, linear, size, value, this.user);
    if (this.c.dataBreaks !== 0) noteDataAccess(this.c, linear, size, true);
    this.sp = (this.sp & ~this.mask) | off;
  }

  /** Raises what `count` pushes of `size` bytes would raise, in their order. */
  reserve(count: number, size: number): void {
    const { c, mask } = this;
    const bytes = count * size;
    const top = (this.sp & mask) >>> 0;
    const low = top - bytes;
    // Nearly always one page, and then the first push raises it all.
    if (low >= 0 && (((this.base + low) ^ (this.base + top - 1)) & -4096) === 0 && this.within(low, bytes)) return;
    let sp = this.sp;
    for (let i = 0; i < count; i++) {
      sp = (sp - size) & mask;
      const linear = this.check(sp, size);
      translate(c, linear, ACCESS_WRITE, this.user);
      const last = (linear + size - 1) | 0;
      if (((linear ^ last) & -4096) !== 0) translate(c, last & -4096, ACCESS_WRITE, this.user);
    }
  }

  private within(first: number, size: number): boolean {
    const last = first + size - 1;
    const limit = this.limit >>> 0;
    return (this.access & AR_DC) !== 0 ? first > limit && last <= this.mask >>> 0 : last <= limit;
  }

  private check(off: number, size: number): number {
    if (!this.within(off >>> 0, size)) this.c.fault(VEC_SS, this.errorCode | this.c.ext);
    const linear = (this.base + off) | 0;
    // Frames on a stack of CPL 3 are its own accesses (SDM Vol. 2A, "INT n": #AC(EXT)); inner stacks are a supervisor's.
    if (this.user !== 0 && this.c.alignOn && (linear & (size - 1)) !== 0) this.c.fault(VEC_AC, this.c.ext);
    return linear;
  }
}

/** The current stack, for a frame at the current privilege level. */
export function currentStack(c: CpuBase): StackView {
  const s = c.s;
  const at = SEG + SS * 4;
  const checked = (s[CR0] & CR0_PE) !== 0 && (s[EFLAGS] & FLAG_VM) === 0;
  const access = checked ? s[at + SEG_ACCESS] : s[at + SEG_ACCESS] & ~AR_DC;
  return new StackView(c, s[at + SEG_BASE], s[at + SEG_LIMIT], access, s[ESP], s[CPL] === 3 ? 1 : 0, 0);
}

/** SS:ESP for privilege level `cpl` from the current TSS, with every check a gate makes. */
export interface InnerStack {
  readonly selector: number;
  readonly descriptor: Descriptor;
  readonly view: StackView;
}

export function innerStack(c: CpuBase, cpl: number): InnerStack {
  const tr = SEG + TR * 4;
  const s = c.s;
  const code = (s[tr + SEG_SELECTOR] & 0xfffc) | c.ext;
  const base = s[tr + SEG_BASE];
  const limit = s[tr + SEG_LIMIT] >>> 0;
  let esp: number;
  let selector: number;
  if ((s[tr + SEG_ACCESS] & 8) !== 0) {
    const at = 4 + cpl * 8;
    if (at + 5 > limit) c.fault(VEC_TS, code);
    esp = readLinearAs(c, (base + at) | 0, 4, 0);
    selector = readLinearAs(c, (base + at + 4) | 0, 2, 0);
  } else {
    const at = 2 + cpl * 4;
    if (at + 3 > limit) c.fault(VEC_TS, code);
    esp = readLinearAs(c, (base + at) | 0, 2, 0);
    selector = readLinearAs(c, (base + at + 2) | 0, 2, 0);
  }
  if (isNull(selector)) c.fault(VEC_TS, c.ext);
  const d = readDescriptor(c, selector, VEC_TS);
  checkStackDescriptor(c, d, cpl, VEC_TS);
  const view = new StackView(
    c,
    baseOf(d.low, d.high),
    limitOf(d.low, d.high),
    accessOf(d.high),
    esp,
    cpl === 3 ? 1 : 0,
    selector & 0xfffc,
  );
  return { selector, descriptor: d, view };
}
