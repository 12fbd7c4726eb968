/**
 * A core in ring 3 under something that looks like Linux: the memory of user-environment.ts, Linux's GDT as ring 3 sees it, the
 * LDT, IOPL 0, an IDT whose every gate leads to a HLT in ring 0. `run` puts a case's state in place, lets the core go on until an
 * exception was delivered through memory, and reads from the ring-0 stack how the case ended, in the shape in which native
 * execution answers. With tools/silicon it stands against real processors; here it replays what was recorded there.
 *
 * Linear addresses are physical ones. Which MMU enforces the rights is the caller's choice: the default makes pages fault without
 * page tables; one that walks them finds them at PAGE_DIRECTORY. The system itself is in user-system.ts.
 */
import {
  CPL,
  CR0,
  CR0_AM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR2,
  CR3,
  CR4,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CS,
  EFLAGS,
  EIP,
  ESP,
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_REGISTER_WORDS,
  FPU_TAGS,
  HALTED,
  MXCSR,
  PF_PRESENT,
  PHYS_BASE,
  SEG,
  SHADOW,
  SHUTDOWN,
  STOP_HALT,
  VEC_PF,
  XMM,
  pushesErrorCode,
  type CpuModel,
} from '@ringfence/sdk';
import { FakeBus, makeMemory } from '@ringfence/testkit';
import { Cpu } from '../cpu.js';
import { PENDING_DEBUG } from '../core/attention.js';
import { PENTIUM4 } from '../models.js';
import {
  AREAS,
  CODE_BASE,
  CODE_BYTES,
  GDT_LIMIT,
  baseMemory,
  type UserCase,
  type UserOutcome,
} from './user-environment.js';
import {
  GDT,
  HANDLERS,
  IDT,
  LDT_SELECTOR,
  PAGE_DIRECTORY,
  RAM,
  SYSTEM,
  SYSTEM_END,
  TSS_SELECTOR,
  makeUserMmu,
  writeTables,
  type Loaded,
  type MakeMmu,
} from './user-system.js';

const CONTROL0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
const CONTROL4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
/** EFLAGS bits that a case sets: what POPF sets in ring 3, and no others. */
const CASE_FLAGS = 0x244dd5;
const FLAGS_IF = 0x200;
const FLAG_RF = 0x10000;
/** More than any case needs that ends. */
const BUDGET = 100_000;
const INT3 = 0xcc;

const WRITABLE = AREAS.filter((area) => area.writable);

/** Tells the instructions that retired from REP iterations, which count one each. */
class CountingCpu extends Cpu {
  iterations = 0;

  override countExtra(count: number): void {
    this.iterations += count;
    super.countExtra(count);
  }
}

export class UserMachine {
  readonly cpu: CountingCpu;
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  /** What the writable areas held when the case began. */
  private readonly initial: Int32Array;
  private readonly initialBytes: Uint8Array;
  private readonly base: Uint8Array;
  private readonly segments: ReadonlyMap<number, Loaded>;
  private readonly fpuBytes: Uint8Array;
  /** Instructions that the last case completed, a REP with all its iterations as one. */
  instructions = 0;

  constructor(makeMmu: MakeMmu = makeUserMmu, model: CpuModel = PENTIUM4) {
    const { memory, space } = makeMemory(RAM);
    this.bytes = memory.ram();
    this.words = new Int32Array(memory.buffer, PHYS_BASE, RAM / 4);
    this.segments = writeTables(this.bytes);
    const mmu = makeMmu(memory, space);
    const bus = new FakeBus();
    this.cpu = new CountingCpu({ memory, space, mmu, bus, slot: 0, model, assist: 'none' });
    bus.time = () => this.cpu.retired();
    const { s, fpu } = this.cpu;
    s[CR0] = CONTROL0;
    s[CR3] = PAGE_DIRECTORY;
    s[CR4] = CONTROL4;
    mmu.load(CONTROL0, PAGE_DIRECTORY, CONTROL4);
    this.cpu.lgdt(GDT, GDT_LIMIT);
    this.cpu.lidt(IDT, 0x7ff);
    this.cpu.stateChanged();
    this.cpu.lldt(LDT_SELECTOR);
    this.cpu.ltr(TSS_SELECTOR);
    this.fpuBytes = new Uint8Array(fpu.w.buffer, fpu.w.byteOffset, fpu.w.byteLength);
    const memoryBytes = baseMemory();
    let from = 0;
    for (const area of AREAS) {
      this.bytes.set(memoryBytes.subarray(from, from + area.bytes), area.at);
      from += area.bytes;
    }
    const writable = WRITABLE.reduce((sum, area) => sum + area.bytes, 0);
    this.base = memoryBytes;
    this.initial = new Int32Array(memoryBytes.slice(0, writable).buffer);
    this.initialBytes = new Uint8Array(this.initial.buffer);
    this.bytes.fill(INT3, CODE_BASE, CODE_BASE + CODE_BYTES);
  }

  private loadSegment(seg: number, selector: number): boolean {
    const { s } = this.cpu;
    const at = SEG + seg * 4;
    s[at] = selector;
    const loaded = this.segments.get(selector);
    if ((selector & 0xfffc) === 0) {
      s[at + 1] = 0;
      s[at + 2] = 0;
      s[at + 3] = 0x10000;
      return true;
    }
    if (loaded === undefined) return false;
    s[at + 1] = loaded.base;
    s[at + 2] = loaded.limit;
    s[at + 3] = loaded.access;
    return true;
  }

  /** FXSAVE's image into the state. */
  private loadFx(fx: Uint8Array): void {
    const { fpu, sse } = this.cpu;
    const view = new DataView(fx.buffer, fx.byteOffset, fx.byteLength);
    const w = fpu.w;
    fpu.powerUp();
    fpu.init();
    fpu.setControl(view.getUint16(0, true));
    fpu.setStatus(view.getUint16(2, true));
    w[FPU_TAGS] = fx[4];
    const top = fpu.w[2];
    for (let i = 0; i < 8; i++) {
      const at = FPU_REGISTERS + ((top + i) & 7) * FPU_REGISTER_WORDS;
      w[at] = view.getInt32(32 + i * 16, true);
      w[at + 1] = view.getInt32(36 + i * 16, true);
      w[at + 2] = view.getUint16(40 + i * 16, true);
    }
    sse.powerUp();
    this.fpuBytes.set(fx.subarray(160, 288), XMM * 4);
    w[MXCSR] = view.getInt32(24, true);
  }

  private saveFx(): Uint8Array {
    const fx = new Uint8Array(512);
    const view = new DataView(fx.buffer);
    const { fpu } = this.cpu;
    const w = fpu.w;
    view.setUint16(0, w[FPU_CONTROL], true);
    view.setUint16(2, fpu.status, true);
    fx[4] = w[FPU_TAGS];
    const top = w[2];
    for (let i = 0; i < 8; i++) {
      const at = FPU_REGISTERS + ((top + i) & 7) * FPU_REGISTER_WORDS;
      view.setInt32(32 + i * 16, w[at], true);
      view.setInt32(36 + i * 16, w[at + 1], true);
      view.setUint16(40 + i * 16, w[at + 2], true);
    }
    view.setInt32(24, w[MXCSR], true);
    fx.set(this.fpuBytes.subarray(XMM * 4, XMM * 4 + 128), 160);
    return fx;
  }

  /** Puts a case's state in place, without running it. False when a segment register cannot hold what it says. */
  private prepare(c: UserCase): boolean {
    const { cpu } = this;
    const { s } = cpu;
    cpu.memory.writeBytes(c.codeAt, c.code);
    for (const patch of c.patches) {
      const place = this.place(patch.at);
      cpu.memory.writeBytes(patch.at, patch.bytes);
      if (place < this.initialBytes.length) this.initialBytes.set(patch.bytes, place);
    }
    for (let i = 0; i < 8; i++) s[i] = c.regs[i] | 0;
    s[EIP] = c.eip | 0;
    s[CPL] = 3;
    s[CR2] = 0;
    s[HALTED] = 0;
    s[SHADOW] = 0;
    s[SHUTDOWN] = 0;
    s[PENDING_DEBUG] = 0;
    s[EFLAGS] = 2;
    let legal = true;
    for (let seg = 0; seg < 6; seg++) legal = this.loadSegment(seg, c.seg[seg]) && legal;
    if (c.fx !== undefined) this.loadFx(c.fx);
    else {
      cpu.fpu.powerUp();
      cpu.fpu.init();
      cpu.sse.powerUp();
    }
    const { w } = cpu.fpu;
    for (const word of [FPU_OPCODE, FPU_IP, FPU_CS, FPU_DP, FPU_DS]) w[word] = 0;
    cpu.loadEflags((c.eflags & CASE_FLAGS) | FLAGS_IF | 2);
    cpu.stateChanged();
    return legal;
  }

  /** Index into the areas' bytes in a row. */
  private place(at: number): number {
    let from = 0;
    for (const area of AREAS) {
      if (at >= area.at && at < area.at + area.bytes) return from + at - area.at;
      from += area.bytes;
    }
    throw new Error(`no memory at ${at.toString(16)}`);
  }

  run(c: UserCase): UserOutcome {
    const legal = this.prepare(c);
    const { cpu } = this;
    const before = cpu.retired();
    cpu.iterations = 0;
    const stop = legal ? cpu.run(BUDGET) : -1;
    // INT3 and faults retire nothing; the handler's HLT does.
    this.instructions = Math.max(0, cpu.retired() - before - cpu.iterations - 1);
    const outcome = this.outcome(legal, stop);
    this.clean(c, outcome);
    return outcome;
  }

  private outcome(legal: boolean, stop: number): UserOutcome {
    const { s } = this.cpu;
    const at = (value: number) => this.words[value >> 2];
    const outcome: UserOutcome = {
      kind: legal ? 'hang' : 'setup',
      vector: 0,
      errorCode: 0,
      cr2: s[CR2] >>> 0,
      regs: new Uint32Array(8),
      eip: s[EIP] >>> 0,
      eflags: 0,
      seg: new Uint16Array(6),
      fx: this.saveFx(),
      changes: new Uint32Array(0),
    };
    for (let i = 0; i < 8; i++) outcome.regs[i] = s[i];
    for (let seg = 0; seg < 6; seg++) outcome.seg[seg] = s[SEG + seg * 4];
    if (legal && stop === STOP_HALT) {
      outcome.kind = 'trap';
      outcome.vector = (s[EIP] - 1 - HANDLERS) >> 2;
      let frame = s[ESP];
      if (pushesErrorCode(outcome.vector)) {
        outcome.errorCode = at(frame);
        frame += 4;
      }
      // The system's own pages are this machine's affair: a case finds nothing mapped there.
      if (outcome.vector === VEC_PF && outcome.cr2 >= SYSTEM && outcome.cr2 < SYSTEM_END)
        outcome.errorCode &= ~PF_PRESENT;
      outcome.eip = at(frame) >>> 0;
      outcome.seg[CS] = at(frame + 4);
      outcome.eflags = at(frame + 8) & ~FLAG_RF;
      outcome.regs[ESP] = at(frame + 12);
      outcome.seg[2] = at(frame + 16);
    }
    return outcome;
  }

  /** Notes what memory changed and makes it what it is between cases. */
  private clean(c: UserCase, outcome: UserOutcome): void {
    const { memory } = this.cpu;
    const changes: number[] = [];
    let from = 0;
    for (const area of WRITABLE) {
      const first = area.at >> 2;
      for (let i = 0; i < area.bytes >> 2; i++) {
        const value = this.words[first + i];
        if (value === this.initial[from + i]) continue;
        changes.push(area.at + i * 4, value >>> 0);
        // Not by `words`: code may have run here.
        memory.writeBytes(area.at + i * 4, this.initialBytes.subarray((from + i) * 4, (from + i) * 4 + 4));
      }
      from += area.bytes >> 2;
    }
    outcome.changes = Uint32Array.from(changes);
    for (const patch of c.patches) {
      const place = this.place(patch.at);
      const was = this.base.subarray(place, place + patch.bytes.length);
      memory.writeBytes(patch.at, was);
      if (place < this.initialBytes.length) this.initialBytes.set(was, place);
    }
    memory.writeBytes(c.codeAt, new Uint8Array(c.code.length).fill(INT3));
  }
}
