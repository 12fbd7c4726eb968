/**
 * The fields of the core: registers in the shared state words, and everything derived from them that the hot paths read.
 * Methods here are the small ones every family uses: faults, branches, counting, REP budgets. Memory access is in
 * access.ts, which extends this; the public face is cpu.ts. It delivers nothing and decodes nothing.
 *
 * Derived fields and who refreshes them: segReadMax/segWriteMax, csBase, csLimit, codeMode, stackMask (segments/derived.ts);
 * readBank/writeBank, user, counting, trapSensitive, virtualIf (`refreshPrivilege` there); attention (`refreshAttention`).
 */
import {
  CPL,
  CR0,
  CR0_PE,
  CR2,
  EFLAGS,
  EIP as EIP_WORD,
  FLAG_RF,
  FLAG_VM,
  TLB_READ_SUPERVISOR,
  TLB_WRITE_SUPERVISOR,
  VEC_GP,
  VEC_NM,
  VEC_PF,
  VEC_SS,
  VEC_UD,
  type Assist,
  type Bus,
  type CpuModel,
  type MachineMemory,
  type Mmu,
  type PhysicalSpace,
  type ProcessorInit,
} from '@ringfence/sdk';
import { Fpu } from '../fpu/fpu.js';
import { type Block, Op } from '../op.js';
import { SseState } from '../sse/state.js';
import type { OpcodeRow } from '../table/row.js';
import { refreshAttention } from './attention.js';
import { END_BRANCHED, END_FAULTED, FAULT, NO_CODE } from './fault.js';

const NOTHING_ROW: OpcodeRow = { mnemonic: '(none)', map: 1, opcode: 0x90, operands: [], handlers: {} };
export const NO_OPS: Op[] = [new Op(NOTHING_ROW, () => {})];
export const NO_BLOCKS: (Block | undefined)[] = new Array<Block | undefined>(4096).fill(undefined);
const UNLIMITED = 0x3fffffff;
// Constants of this module become part of compiled code; imported bindings are loaded at every use.
const EIP = EIP_WORD;
const BRANCHED = END_BRANCHED;

export class CpuBase {
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
  readonly mmu: Mmu;
  readonly bus: Bus;
  readonly model: CpuModel;
  readonly assist: Assist;
  readonly slot: number;
  /** State words; `s` is the name the handlers use. */
  readonly state: Int32Array;
  readonly s: Int32Array;
  /** The same bytes as 16-bit and 8-bit registers: register n of 16 bits is `w[n * 2]`. */
  readonly w: Uint16Array;
  readonly b: Uint8Array;
  readonly view: DataView;
  readonly tlb: Int32Array;
  /** The machine's one FPU, whichever slot this core is in. */
  readonly fpu: Fpu;
  /** XMM registers and MXCSR, in the same words. */
  readonly sse: SseState;

  // --- the running block ---
  /** The loop runs while `i < end`. 0: stop after this instruction. END_BRANCHED, END_FAULTED: see fault.ts. */
  end = 0;
  /** Index of the running instruction; 0 outside blocks. */
  i = 0;
  ops: Op[] = NO_OPS;
  /** Whether the running block's instructions count. */
  blockCounting = true;
  /** Most REP iterations for one execution of an instruction: 1 while stepping. */
  repMax = UNLIMITED;
  /** The interrupt shadow that was in force when the running instruction began (single-instruction mode only). */
  oldShadow = 0;
  /** The running instruction loaded RF itself (IRET, task switch, REP between iterations): do not clear it. */
  rfLoaded = false;
  /** The running instruction replaced the context whose TF began it (INT, task switch): no single-step trap. */
  noTrap = false;
  /** Inside `run`, between its entry and exit. */
  running = false;

  // --- counting: retired() = total - left + (i of a counting block) ---
  total = 0;
  left = 0;
  /** What remains of `run`'s budget beyond `left`. */
  budgetRest = 0;
  countedRings = 15;
  counting = true;

  // --- what makes the loop look up: see attention.ts ---
  attention = 0;
  stopRequested = false;
  /** Events delivered since the count last moved (events/deliver.ts), and the count then. */
  barren = 0;
  barrenAt = -1;
  intr = false;
  nmiPending = false;

  // --- derived from segments, CPL and control registers ---
  csBase = 0;
  csLimit = 0xffff;
  /** 1 when CS is a 32-bit segment. */
  codeMode = 0;
  stackMask = 0xffff;
  /** 1 at CPL 3. */
  user = 0;
  readBank = TLB_READ_SUPERVISOR;
  writeBank = TLB_WRITE_SUPERVISOR;
  /** Largest offset at which a 4-byte access surely obeys limit and rights; -1 sends every access the slow way. */
  readonly segReadMax = new Float64Array(8).fill(-1);
  readonly segWriteMax = new Float64Array(8).fill(-1);
  /** Alignment is checked: CPL 3, CR0.AM, EFLAGS.AC. */
  alignOn = false;
  /** Sensitive instructions fault now (assist). */
  trapSensitive = false;
  /** The flag instructions may act on VIF in this ring (assist `vif`). */
  virtualIf = false;

  // --- the current code page: see block-cache.ts ---
  /** Linear page number of the page `codeBlocks` belongs to, -1 when none. */
  codePage = -1;
  codeGeneration = 0;
  codeBlocks: (Block | undefined)[] = NO_BLOCKS;

  // --- debug registers, decoded ---
  /** Enabled data, I/O and instruction breakpoints, as DR6 bits. */
  dataBreaks = 0;
  ioBreaks = 0;
  codeBreaks = 0;

  // --- the fault being raised ---
  faultVector = 0;
  faultError = 0;
  /** EXT bit of selector error codes while an event is delivered. */
  ext = 0;

  // --- place of a read-modify-write between its two halves ---
  /** Byte offset in memory as int32; -1 when the slow path keeps the place. */
  rmwAt = -1;
  rmwLinear = 0;
  rmwFirst = 0;
  rmwSecond = 0;

  constructor(init: ProcessorInit) {
    this.memory = init.memory;
    this.space = init.space;
    this.mmu = init.mmu;
    this.bus = init.bus;
    this.model = init.model;
    this.assist = init.assist;
    this.slot = init.slot;
    this.state = init.memory.stateWords(init.slot);
    this.s = this.state;
    this.w = new Uint16Array(this.s.buffer, this.s.byteOffset, this.s.length * 2);
    this.b = new Uint8Array(this.s.buffer, this.s.byteOffset, this.s.length * 4);
    this.view = init.memory.view;
    this.tlb = init.mmu.tlb;
    this.fpu = new Fpu(init.memory.fpuWords());
    this.sse = new SseState(this.fpu.w, init.model.features.sse2);
  }

  // --- faults ---
  /** Raises an exception that pushes `errorCode`, or none when it is -1. The handler must not have committed anything. */
  fault(vector: number, errorCode: number): never {
    this.faultVector = vector;
    this.faultError = errorCode;
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- see fault.ts
    throw FAULT;
  }

  ud(): never {
    this.fault(VEC_UD, NO_CODE);
  }

  gp(errorCode: number): never {
    this.fault(VEC_GP, errorCode);
  }

  nm(): never {
    this.fault(VEC_NM, NO_CODE);
  }

  /** Limit or rights violation through segment `seg`: #SS(0) for the stack, else #GP(0). */
  segmentFault(seg: number): never {
    this.fault(seg === 2 ? VEC_SS : VEC_GP, 0);
  }

  pageFault(linear: number, errorCode: number): never {
    this.s[CR2] = linear;
    this.fault(VEC_PF, errorCode);
  }

  /**
   * As `fault`, but without the cost of a throw: the handler must return at once afterwards. For checks that monitored
   * guests run into all the time.
   */
  softFault(vector: number, errorCode: number): void {
    this.faultVector = vector;
    this.faultError = errorCode;
    this.end = END_FAULTED;
  }

  /** Answers true at CPL 0; otherwise records #GP(0), and the handler must return at once. */
  privileged(): boolean {
    if (this.s[CPL] === 0) return true;
    this.softFault(VEC_GP, 0);
    return false;
  }

  /** Protected mode outside virtual-8086 mode. */
  get isProtected(): boolean {
    return (this.s[CR0] & CR0_PE) !== 0 && (this.s[EFLAGS] & FLAG_VM) === 0;
  }

  get isV86(): boolean {
    return (this.s[EFLAGS] & FLAG_VM) !== 0;
  }

  // --- control flow ---
  /** Near transfer to `target`, which the caller masked to the operand size. #GP(0) beyond the CS limit. */
  branch(target: number): void {
    if (target >>> 0 > this.csLimit) this.gp(0);
    this.s[EIP] = target;
    this.end = BRANCHED;
  }

  /** EIP of the running instruction. */
  instructionEip(): number {
    return (this.s[EIP] + this.ops[this.i].off) | 0;
  }

  /** EIP of the instruction after the running one. */
  nextEip(): number {
    return (this.s[EIP] + this.ops[this.i].next) | 0;
  }

  /** Makes the running block stop after the running instruction; keeps a branch that was already made. */
  endBlock(): void {
    if (this.end > 0) this.end = 0;
  }

  // --- counting ---
  /** Iterations a REP instruction may execute now, at least 1. */
  repBudget(): number {
    const room = this.blockCounting ? this.left - this.i : UNLIMITED;
    const most = room < this.repMax ? room : this.repMax;
    return most < 1 || this.dataBreaks !== 0 ? 1 : most;
  }

  /** Counts `count` retired instructions beyond the running one. */
  countExtra(count: number): void {
    if (count === 0 || !this.blockCounting) return;
    this.left -= count;
    if (this.end > this.left) this.end = this.left;
  }

  /**
   * Ends a REP instruction after `iterations` (at least 1) of its iterations while more remain: counts them and leaves
   * EIP on the instruction. RF stays set between iterations (SDM Vol. 3B, 17.3.1.1 "Instruction-Breakpoint Exception
   * Condition"): an interrupt taken here pushes it, and an instruction breakpoint does not hit again.
   */
  repeatInstruction(op: Op, iterations: number): void {
    this.countExtra(iterations - 1);
    this.s[EIP] = (this.s[EIP] + op.off) | 0;
    this.s[EFLAGS] |= FLAG_RF;
    this.rfLoaded = true;
    this.end = END_BRANCHED;
    this.refreshAttention();
  }

  refreshAttention(): void {
    this.attention = refreshAttention(this);
    if (this.attention !== 0) this.endBlock();
  }
}
