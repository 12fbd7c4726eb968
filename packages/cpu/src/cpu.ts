/**
 * The reference interpreter: one IA-32 core. How the pieces fit:
 *
 *  decode/     bytes -> `Op`, by the opcode table of the model (table/index.ts)
 *  core/       the machine itself: fields (base.ts), memory accessors (access.ts, slow-access.ts), decoded blocks
 *              (block-cache.ts), the loop (run-loop.ts), what interrupts the loop (attention.ts)
 *  segments/   descriptors, segment loads, stacks, far transfers; what is derived from them
 *  events/     exceptions, interrupts, gates, breakpoints       tasks/  TSS and task switches
 *  system/     control registers, MSRs, reset, saved state      instructions/  handlers by family
 *  fpu/        the x87: state, 80-bit arithmetic
 *
 * The life of a block. `run` asks for the block at CS:EIP. Nearly always it is in the table of the current code page, one
 * load and one compare away; else `BlockCache.find` translates, finds the page's table, decodes. The loop executes
 * `ops[i].exec(cpu, ops[i])` while `i < end`. While a block runs, `state[EIP]` keeps the EIP of its first instruction;
 * `op.off` and `op.next` give an instruction's own place, so straight-line code never writes EIP. `end` is the single
 * handle on the loop: a branch sets it to END_BRANCHED (EIP is then set), a device access or anything that asks for
 * attention to 0 (stop after this instruction), a write into the running block to 0 (the rest is stale). The budget is the
 * initial `end`. CPL cannot change inside a block, so whether its instructions count is settled once.
 *
 * What invalidates what
 *  - bytes of a code page written, by this core, another, a device or a loader: `MachineMemory.codeWritten` -> the blocks
 *    with those bytes die (block-cache.ts). Between blocks nothing remembers a `Block`, only the tables do.
 *  - translation changed: any TLB flush moves the MMU's generation on, INVLPG calls the cache; CPL, CS or mode changes drop
 *    the current code page. Blocks themselves are keyed by physical address and stay.
 *  - a fault: thrown as one preallocated token through the handler, caught in `run` or `step`; `i` then tells how many
 *    instructions of the block retired, and EIP becomes the faulting instruction's.
 *
 * It knows no devices, no monitor and no clock: those are `bus`. So is the local APIC (device-lapic).
 */
import {
  CR0,
  CR0_AM,
  CR2,
  CR3,
  EFLAGS,
  EIP,
  FLAG_AC,
  FLAG_VM,
  GDTR_BASE,
  HALTED,
  IDTR_BASE,
  LAZY_OP,
  RingfenceError,
  SHUTDOWN,
  STEP_FAULTED,
  STEP_HALTED,
  STEP_SHUTDOWN,
  STOP_SHUTDOWN,
  type EventObserver,
  type InstructionInfo,
  type LinearFault,
  type Processor,
  type ProcessorInit,
  type StateRecord,
  type StepOutcome,
  type Stop,
} from '@ringfence/sdk';
import { CpuAccess } from './core/access.js';
import { PENDING_DEBUG } from './core/attention.js';
import { NO_OPS } from './core/base.js';
import { BlockCache } from './core/block-cache.js';
import { FAULT } from './core/fault.js';
import { executeOne, faulted, runBlocks, startBudget } from './core/run-loop.js';
import { readLinearAs, writeLinearAs } from './core/slow-access.js';
import { buildTable } from './decode/form.js';
import { noteIoAccess, refreshBreakpoints, writeDebugRegister } from './events/breakpoints.js';
import { deliverException, deliverPending, eventDeliverable } from './events/deliver.js';
import { getEflags, LAZY_NONE } from './flags.js';
import { sensitiveGates } from './instructions/sensitive.js';
import type { Op } from './op.js';
import { refreshAll, refreshPrivilege } from './segments/derived.js';
import { writableFlags, writeCr0, writeCr4 } from './system/control-registers.js';
import { writeMsr } from './system/msr.js';
import { resetState } from './system/reset.js';
import { loadCpuState, saveCpuState } from './system/saved-state.js';
import { loadLdtr, loadTr } from './system/table-registers.js';
import { rowsOf } from './table/index.js';
import { checkIoPermission } from './tasks/tss.js';

export class Cpu extends CpuAccess implements Processor {
  readonly cache: BlockCache;
  /** The instruction that `step` or single-instruction mode last executed. */
  last: Op = NO_OPS[0];
  /** A task switch has committed: EIP is the new task's, whatever instruction still runs. */
  eipSettled = false;
  /** Told of every event delivered (events/deliver.ts). */
  observer: EventObserver | undefined = undefined;
  /** EFLAGS bits this model has. */
  readonly flagsMask: number;
  /** CR3 bits this model keeps: with PAE the table may stand at any multiple of 32 bytes. */
  readonly cr3Mask: number;
  private readonly info = { mnemonic: '', length: 0, system: false };

  constructor(init: ProcessorInit) {
    super(init);
    this.cache = new BlockCache(this, buildTable(rowsOf(init.model), init.model), sensitiveGates(init.assist));
    this.flagsMask = writableFlags(init.model, init.assist);
    this.cr3Mask = init.model.features.pae ? 0xfffffff8 | 0 : 0xfffff018 | 0;
    init.memory.addCodeListener(this.cache);
    this.reset();
  }

  // --- counting ---
  retired(): number {
    return this.total - this.left + (this.blockCounting ? this.i : 0);
  }

  addRetired(count: number): void {
    this.total += count;
  }

  setCountedRings(mask: number): void {
    this.countedRings = mask;
    refreshPrivilege(this);
  }

  // --- running ---
  run(budget: number): Stop {
    startBudget(this, budget);
    this.running = true;
    try {
      for (;;) {
        try {
          return runBlocks(this);
        } catch (thrown) {
          if (thrown !== FAULT) throw thrown;
          if (!faulted(this)) return STOP_SHUTDOWN;
        }
      }
    } finally {
      this.i = 0;
      this.running = false;
    }
  }

  step(): StepOutcome {
    if (this.s[SHUTDOWN] !== 0) return STEP_SHUTDOWN;
    this.s[HALTED] = 0;
    try {
      return executeOne(this, true);
    } catch (thrown) {
      if (thrown !== FAULT) throw thrown;
      if (!faulted(this)) return STEP_SHUTDOWN;
      return this.s[HALTED] !== 0 ? STEP_HALTED : STEP_FAULTED;
    } finally {
      this.i = 0;
    }
  }

  requestStop(): void {
    this.stopRequested = true;
    this.refreshAttention();
  }

  setIntr(level: boolean): void {
    if (this.intr === level) return;
    this.intr = level;
    this.refreshAttention();
  }

  raiseNmi(): void {
    this.nmiPending = true;
    this.refreshAttention();
  }

  reset(): void {
    resetState(this);
    this.stopRequested = false;
    this.nmiPending = false;
    this.mmu.load(this.s[CR0], 0, 0);
    refreshBreakpoints(this);
    this.stateChanged();
  }

  raise(vector: number, errorCode: number): StepOutcome {
    return deliverException(this, vector, errorCode) ? STEP_FAULTED : STEP_SHUTDOWN;
  }

  takeInterrupt(): boolean {
    if (!eventDeliverable(this)) return false;
    deliverPending(this);
    return true;
  }

  get trapPending(): boolean {
    return this.s[PENDING_DEBUG] !== 0;
  }

  interruptDeliverable(): boolean {
    return eventDeliverable(this);
  }

  get lastInstruction(): InstructionInfo {
    return this.describe(this.last);
  }

  peek(): InstructionInfo | undefined {
    const op = this.cache.peek((this.csBase + this.s[EIP]) | 0, this.user, this.codeMode);
    return op === undefined ? undefined : this.describe(op);
  }

  private describe(op: Op): InstructionInfo {
    const info = this.info;
    info.mnemonic = op.row.mnemonic;
    info.length = op.length;
    info.system = op.row.system ?? false;
    return info;
  }

  // --- flags ---
  getEflags(): number {
    return getEflags(this) | 2;
  }

  setEflags(value: number): void {
    this.loadEflags((value & this.flagsMask) | 2);
  }

  /** All of EFLAGS at once; the caller has settled which bits may change. */
  loadEflags(value: number): void {
    const s = this.s;
    const changed = s[EFLAGS] ^ value;
    s[EFLAGS] = value;
    s[LAZY_OP] = LAZY_NONE;
    if ((changed & (FLAG_AC | FLAG_VM)) !== 0 && ((changed & FLAG_VM) !== 0 || (s[CR0] & CR0_AM) !== 0)) {
      refreshPrivilege(this);
    }
    this.refreshAttention();
  }

  /** EFLAGS as a TSS may load them. */
  legalFlags(value: number, wide: boolean): number {
    return (value & this.flagsMask & (wide ? -1 : 0xffff)) | 2;
  }

  // --- I/O ---
  /** False, with #GP(0) recorded, when the port may not be accessed: the handler must return at once. Notes I/O breakpoints. */
  checkIo(port: number, size: number): boolean {
    if (!checkIoPermission(this, port, size)) return false;
    if (this.ioBreaks !== 0) noteIoAccess(this, port, size);
    return true;
  }

  // --- ring-0 software's doings, for the monitor ---
  readLinear(linear: number, size: number): number {
    const cr2 = this.s[CR2];
    try {
      return readLinearAs(this, linear | 0, size, 0);
    } catch (thrown) {
      throw this.monitorFault(thrown, cr2);
    }
  }

  writeLinear(linear: number, size: number, value: number): void {
    const cr2 = this.s[CR2];
    try {
      writeLinearAs(this, linear | 0, size, value, 0);
    } catch (thrown) {
      throw this.monitorFault(thrown, cr2);
    }
  }

  writeCr0(value: number): void {
    this.asSupervisor(() => writeCr0(this, value));
  }

  writeCr3(value: number): void {
    this.asSupervisor(() => this.setCr3(value));
  }

  writeCr4(value: number): void {
    this.asSupervisor(() => writeCr4(this, value));
  }

  writeDr(index: number, value: number): void {
    writeDebugRegister(this, index, value);
  }

  invlpg(linear: number): void {
    this.mmu.invlpg(linear);
    this.cache.invalidateTranslations();
    this.endBlock();
  }

  wrmsr(index: number, low: number, high: number): void {
    this.asSupervisor(() => writeMsr(this, index, low, high));
  }

  lgdt(base: number, limit: number): void {
    this.setTable(GDTR_BASE, base, limit);
  }

  lidt(base: number, limit: number): void {
    this.setTable(IDTR_BASE, base, limit);
  }

  lldt(selector: number): void {
    this.asSupervisor(() => loadLdtr(this, selector));
  }

  ltr(selector: number): void {
    this.asSupervisor(() => loadTr(this, selector));
  }

  /** Word index of the base in the state, limit after it. */
  setTable(word: number, base: number, limit: number): void {
    this.s[word] = base;
    this.s[word + 1] = limit & 0xffff;
  }

  /** Raises #GP(0), and changes nothing, when PAE paging finds a reserved bit in a PDPTE. */
  setCr3(value: number): void {
    if (!this.loadCr3(value)) this.gp(0);
  }

  /** False where `setCr3` would fault. */
  loadCr3(value: number): boolean {
    const cr3 = value & this.cr3Mask;
    if (!this.mmu.writeCr3(cr3)) return false;
    this.s[CR3] = cr3;
    this.endBlock();
    return true;
  }

  stateChanged(): void {
    refreshAll(this);
  }

  saveState(): StateRecord {
    return saveCpuState(this);
  }

  loadState(record: StateRecord): void {
    loadCpuState(this, record);
  }

  /** Runs ring-0 work on the monitor's behalf. */
  private asSupervisor(work: () => void): void {
    const cr2 = this.s[CR2];
    try {
      work();
    } catch (thrown) {
      throw this.monitorFault(thrown, cr2);
    }
  }

  /** A fault of ring-0 work is the monitor's mistake: an error that says where. CR2 becomes what it was. */
  private monitorFault(thrown: unknown, cr2: number): unknown {
    if (thrown !== FAULT) return thrown;
    const linear = this.s[CR2] >>> 0;
    this.s[CR2] = cr2;
    const value: LinearFault = { vector: this.faultVector, errorCode: this.faultError, linear };
    return new RingfenceError('RF_MONITOR_FAULT', {
      message: `the monitor's own access faulted: vector ${value.vector}, error code ${value.errorCode}`,
      value,
    });
  }
}
