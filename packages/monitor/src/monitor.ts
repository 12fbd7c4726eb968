/**
 * The monitor (VMM): runs a guest deprivileged on the hardware and settles every exit.
 *
 * Two states. In the *guest* state the hardware is live between two guest instructions. In the *monitor* state the nub has
 * stopped (or nothing ran yet) and the emulator's state is the guest's; everything the monitor does for the guest, it does there.
 * `run` alternates: enter the guest, run the hardware until the nub stops it or the budget is used up, leave, settle.
 *
 * Settling an exit: a page fault may be a missing shadow entry (filled), a touch of a virtualized structure (the policy's),
 * of the window (refused) or of a device (emulated). Everything else is settled by letting the emulator execute the
 * instruction in the guest's view: it completes what a deprivileged kernel could not do, and raises in the guest exactly
 * the fault that bare hardware would.
 */
import {
  AR_DB,
  CPL,
  CR2,
  CS,
  DR,
  EFLAGS,
  EIP,
  FLAG_IF,
  FLAG_TF,
  HALTED,
  RingfenceError,
  SEG,
  SEG_ACCESS,
  SEG_WORDS,
  SHADOW,
  SHUTDOWN,
  STEP_FAULTED,
  STEP_SHUTDOWN,
  STOP_BUDGET,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  VEC_DB,
  VEC_DF,
  VEC_PF,
  dumpProcessor,
  pageTableFrames,
  type GuestExecutor,
  type MonitorReport,
  type Mmu,
  type PhysicalSpace,
  type Processor,
  type StateRecord,
  type StepOutcome,
  type Stop,
} from '@ringfence/sdk';
import type { Counters } from './counters.js';
import type { Descriptors } from './descriptors.js';
import type { Follower } from './follower.js';
import type { GuestWalk } from './guest-walk.js';
import { HOST_INTERRUPT_VECTOR } from './layout.js';
import { DEVICE, FILLED, GUEST_FAULT, type Pager } from './pager.js';
import { exceptionReason, instructionReason } from './reasons.js';
import type { Stepper } from './stepper.js';
import { TRACE_DESCRIPTORS, TRACE_HIDDEN, TRACE_PAGE_TABLE } from './traces.js';
import type { Window } from './window.js';
import type { World } from './world.js';

/** A state that the hardware cannot hold for so many instructions may well last: from there on the emulator runs in stretches. */
const SINGLY = 8;
const FIRST_STRETCH = 32;
const LONGEST_STRETCH = 16384;
const SHADOW_MOV_SS = 2;
const DR6_BS = 0x4000;
const DR6_HITS = 0xf;
const DR6_QUIET = 0xffff0ff0 | 0;
/** Exits without an instruction retired after which `run` comes back: a guest may fault for ever. */
const MAX_BARREN = 100_000;
/** The monitor's parts, made and wired by assemble.ts. */
export interface MonitorParts {
  readonly hardware: Processor;
  readonly emulator: Processor;
  readonly guestMmu: Mmu;
  readonly guestSpace: PhysicalSpace;
  readonly window: Window;
  readonly walk: GuestWalk;
  readonly pager: Pager;
  readonly descriptors: Descriptors;
  readonly world: World;
  readonly follower: Follower;
  readonly counters: Counters;
  readonly policyName: string;
  readonly strategyName: string;
  makeStepper(monitor: Monitor): Stepper;
}

export class Monitor implements GuestExecutor {
  private readonly h: Int32Array;
  private readonly g: Int32Array;
  private readonly stepper: Stepper;
  /** True in the monitor state. */
  private inMonitor = true;
  private stopRequested = false;
  /** Whether the exit being settled has its name in the report; true between exits. */
  private named = true;
  private pin = false;
  /** `retired()` when the emulator last left an interrupt shadow behind; the shadow is over once the count moves on. */
  private shadowAt = -1;
  /** The hardware runs the guest with its INTR pin high, and takes the interrupt before the first instruction that may be interrupted. */
  private armed = false;
  private outcome: StepOutcome = 0;
  /** The emulator's count when the step in progress began; -1 between steps. */
  private stepFrom = -1;
  /** The emulator runs by itself at the moment. */
  private stretching = false;
  /** How many times in a row the hardware could not hold the guest's state. */
  private refusals = 0;
  private stretch = FIRST_STRETCH;

  constructor(private readonly parts: MonitorParts) {
    this.h = parts.hardware.state;
    this.g = parts.emulator.state;
    this.stepper = parts.makeStepper(this);
    parts.guestSpace.onWatchedWrite = (address, bytes) => this.guestBytesChanged(address, bytes);
    parts.world.revealLdt = (on) => parts.descriptors.reveal(on, parts.pager);
  }

  // ------------------------------------------------------------------------------------------ GuestExecutor

  run(budget: number): Stop {
    const { hardware: hw, emulator } = this.parts;
    const target = hw.retired() + budget;
    this.stopRequested = false;
    let from = hw.retired();
    for (let barren = 0; ; barren++) {
      const now = hw.retired();
      const left = target - now;
      if (now !== from) {
        from = now;
        barren = 0;
      } else if (barren >= MAX_BARREN) {
        return STOP_REQUESTED;
      }
      if (this.outcome === STEP_SHUTDOWN) return STOP_SHUTDOWN;
      this.expireShadow();
      if (this.inMonitor) {
        if (left <= 0) return STOP_BUDGET;
        if (emulator.trapPending) {
          this.deliverTrap();
          continue;
        }
        if (this.pin || this.g[HALTED] !== 0) {
          if (emulator.interruptDeliverable() && emulator.takeInterrupt()) this.parts.follower.follow();
          if (this.g[SHUTDOWN] !== 0) {
            // The way into the handler was a triple fault.
            this.outcome = STEP_SHUTDOWN;
            continue;
          }
          if (this.g[HALTED] !== 0) return STOP_HALT;
        }
        if (this.stopRequested) return STOP_REQUESTED;
        if (!this.enter(left)) continue;
      } else {
        if (left <= 0) return STOP_BUDGET;
        if (this.stopRequested) return STOP_REQUESTED;
        this.parts.descriptors.enterPrivate();
      }
      const stop = hw.run(this.armInterrupt(left));
      if (stop === STOP_HALT) this.exit();
      else if (stop === STOP_SHUTDOWN) throw internal('the hardware shut down under the monitor', this.dump());
    }
  }

  requestStop(): void {
    this.stopRequested = true;
    this.parts.hardware.requestStop();
    if (this.stretching) this.parts.emulator.requestStop();
  }

  setIntr(level: boolean): void {
    this.pin = level;
    this.parts.emulator.setIntr(level);
  }

  interruptsEnabled(): boolean {
    return (this.g[EFLAGS] & FLAG_IF) !== 0;
  }

  get guest(): Processor {
    return this.parts.emulator;
  }

  retired(): number {
    const { hardware, emulator } = this.parts;
    return this.stepFrom < 0 ? hardware.retired() : hardware.retired() + emulator.retired() - this.stepFrom;
  }

  guestState(): StateRecord {
    this.settle();
    return this.parts.emulator.saveState();
  }

  loadGuestState(record: StateRecord): void {
    const { emulator, follower, world } = this.parts;
    this.drain();
    emulator.loadState(record);
    this.inMonitor = true;
    this.outcome = 0;
    world.forget();
    follower.followAll();
  }

  pageTableFrames(): ReadonlySet<number> {
    return pageTableFrames(this.parts.guestMmu.roots, this.parts.guestSpace);
  }

  get pageTableRoots(): Set<number> {
    return this.parts.guestMmu.roots;
  }

  settle(): void {
    this.drain();
    if (this.inMonitor) {
      this.stepper.abandon();
      return;
    }
    this.parts.world.peek();
    this.expireShadow();
    if (this.h[SHADOW] !== 0) this.takeShadow();
  }

  /** Takes the hardware out of the guest, as an interrupt of the host would: only then may shadow tables be edited. */
  release(): void {
    this.settle();
    if (this.inMonitor) return;
    const { hardware: hw, emulator } = this.parts;
    // The trap must come before the next instruction, whatever the last one was; the guest's shadow outlives it.
    const shadow = this.h[SHADOW];
    this.h[SHADOW] = 0;
    hw.stateChanged();
    hw.setIntr(true);
    this.parts.descriptors.enterPrivate();
    let stop;
    do stop = hw.run(1);
    while (stop === STOP_REQUESTED);
    if (stop !== STOP_HALT) throw internal('the hardware did not take an interrupt', this.dump());
    this.exit();
    if (shadow === 0 || this.g[SHADOW] !== 0) return;
    this.g[SHADOW] = shadow;
    this.shadowAt = hw.retired();
    emulator.stateChanged();
  }

  dump(): string {
    this.settle();
    return dumpProcessor(this.parts.emulator);
  }

  monitorReport(): MonitorReport {
    const { counters, pager, window, policyName, strategyName } = this.parts;
    return counters.report(policyName, strategyName, pager, window.relocations);
  }

  // ------------------------------------------------------------------------------------------ in and out

  /** Into the guest; or, where the hardware cannot hold the guest's state, one instruction or a stretch on the emulator. */
  private enter(left: number): boolean {
    const { world, pager, window, follower } = this.parts;
    pager.reap();
    if (!world.stepping) pager.dropFlooded();
    const slot = window.slot;
    if (!world.canHold()) {
      this.stepper.abandon();
      if (this.refusals++ < SINGLY) this.emulate(`state-${world.refusal}`);
      else this.runEmulator(left);
      return false;
    }
    this.refusals = 0;
    this.stretch = FIRST_STRETCH;
    // Debug registers that aimed at the window's new place must go.
    if (window.slot !== slot) follower.follow();
    world.enter();
    this.inMonitor = false;
    return true;
  }

  /** How far to run, and the level of the hardware's INTR pin meanwhile. */
  private armInterrupt(left: number): number {
    const { hardware: hw, world } = this.parts;
    const wanted = this.pin && (this.g[EFLAGS] & FLAG_IF) !== 0;
    this.armed = false;
    if (!wanted || world.stepping) {
      hw.setIntr(false);
      return left;
    }
    if (this.g[SHADOW] !== 0) {
      // One instruction in the shadow of STI or MOV SS first.
      hw.setIntr(false);
      return 1;
    }
    hw.setIntr(true);
    this.armed = true;
    return left;
  }

  /** A data breakpoint was hit while an event was delivered, or in the shadow of MOV SS: nothing of it is in the hardware. */
  private deliverTrap(): void {
    if (this.g[SHADOW] === SHADOW_MOV_SS) {
      this.stepper.abandon();
      this.emulate('state-debug');
      return;
    }
    if (this.parts.emulator.run(0) === STOP_SHUTDOWN) this.outcome = STEP_SHUTDOWN;
    this.parts.follower.follow();
  }

  /** The hardware stands, or stood when it trapped, in the shadow of a MOV SS that the guest executed directly. */
  private takeShadow(): void {
    this.g[SHADOW] = SHADOW_MOV_SS;
    this.shadowAt = this.parts.hardware.retired();
    this.parts.emulator.stateChanged();
  }

  /** An interrupt shadow lasts for one instruction, wherever that was executed. */
  private expireShadow(): void {
    if (this.g[SHADOW] === 0) return;
    if (this.parts.hardware.retired() > this.shadowAt) {
      this.g[SHADOW] = 0;
      this.parts.emulator.stateChanged();
    }
  }

  /** Brings the hardware to rest either between two guest instructions or in the monitor state. */
  private drain(): void {
    if (this.inMonitor) return;
    if (this.h[CPL] !== 0 && !this.parts.world.stepping) return;
    this.parts.hardware.setIntr(false);
    let stop;
    do stop = this.parts.hardware.run(1);
    while (stop === STOP_REQUESTED);
    if (stop === STOP_HALT) this.exit();
  }

  // ------------------------------------------------------------------------------------------ exits

  private exit(): void {
    const { world, counters } = this.parts;
    world.leave();
    this.inMonitor = true;
    counters.exits++;
    this.named = false;
    this.expireShadow();
    // An instruction was tried although an interrupt was waiting: MOV SS went before it. Whatever became of the trap, it still does.
    if (this.armed && world.vector !== HOST_INTERRUPT_VECTOR && world.vector !== VEC_DB) this.takeShadow();
    switch (world.vector) {
      case VEC_PF:
        this.pageFault(this.h[CR2], world.errorCode);
        break;
      case VEC_DB:
        this.debugTrap();
        break;
      case HOST_INTERRUPT_VECTOR:
        this.parts.hardware.setIntr(false);
        this.name('interrupt');
        break;
      case VEC_DF:
        throw internal('the hardware raised a double fault under the monitor', this.dump());
      default:
        this.stepper.abandon();
        this.emulate('state-segments', exceptionReason(world.vector));
    }
  }

  private pageFault(linear: number, errorCode: number): void {
    const { window, pager, counters, walk } = this.parts;
    const write = (errorCode & 2) !== 0;
    if (window.contains(linear) && !pager.guestUsesSlot(window.slot)) {
      counters.windowFaults++;
      this.stepper.abandon();
      this.emulate('window', 'window');
      return;
    }
    const kind = pager.fault(linear, write, this.g[CPL] === 3);
    if (kind === FILLED) {
      this.name('shadow-fill');
    } else if (kind === GUEST_FAULT || kind === DEVICE) {
      this.stepper.abandon();
      this.emulate('device', kind === DEVICE ? 'device' : 'page-fault');
    } else {
      this.structure(linear, walk.frame, write);
    }
  }

  private structure(linear: number, frame: number, write: boolean): void {
    const { pager, emulator } = this.parts;
    const traces = pager.traces;
    const inPlace = traces.has(frame, TRACE_HIDDEN);
    // What loads a segment register from the hidden table is a system instruction: no policy steps those.
    if (inPlace && emulator.peek()?.system === true) {
      this.stepper.abandon();
      this.emulate('structure', 'structure-load');
      return;
    }
    if (write) pager.noteWrite(frame);
    this.name(write ? 'structure-write' : 'structure-read');
    this.stepper.structureAccess({
      linear,
      frame,
      write,
      kind: traces.has(frame, TRACE_PAGE_TABLE) ? 'page-table' : 'descriptor-table',
      placement: inPlace ? 'in-place' : 'shadowed',
    });
  }

  private debugTrap(): void {
    const { hardware: hw, emulator, world } = this.parts;
    const dr6 = this.h[DR + 6];
    hw.writeDr(6, DR6_QUIET);
    let bits = dr6 & DR6_HITS;
    const single = (dr6 & DR6_BS) !== 0;
    if (single && world.stepping) {
      this.name('single-step');
      this.stepper.completed();
    } else {
      this.name('debug');
    }
    if (single && (this.g[EFLAGS] & FLAG_TF) !== 0) bits |= DR6_BS;
    if ((dr6 & (DR6_HITS | DR6_BS)) === 0) {
      this.emulateInt1();
      return;
    }
    if (bits === 0 || ((bits & DR6_BS) === 0 && (this.h[DR + 7] & 0xff) === 0)) return;
    this.g[DR + 6] |= bits;
    this.outcome = emulator.raise(VEC_DB, -1);
    this.parts.follower.follow();
  }

  /**
   * A debug trap without a cause is INT1 (opcode F1), which the hardware has completed: once more, by the emulator, which
   * enters the guest's handler as the instruction does, or has it fault where it stands.
   */
  private emulateInt1(): void {
    const { hardware: hw } = this.parts;
    this.stepper.abandon();
    this.g[EIP] = (this.g[EIP] - 1) & ((this.g[SEG + CS * SEG_WORDS + SEG_ACCESS] & AR_DB) !== 0 ? -1 : 0xffff);
    hw.addRetired(-1);
    this.emulate('state-segments', 'debug');
  }

  /**
   * Lets the emulator execute one instruction in the guest's view. `why` says what forced a user instruction to be emulated;
   * `exception` is the exit's name when the instruction turns out to fault.
   */
  emulate(why: string, exception = why): void {
    const { hardware: hw, emulator, counters } = this.parts;
    const before = emulator.retired();
    this.stepFrom = before;
    this.outcome = emulator.step();
    this.stepFrom = -1;
    const done = emulator.retired() - before;
    if (done > 0) hw.addRetired(done);
    const info = emulator.lastInstruction;
    if (this.outcome === STEP_FAULTED || this.outcome === STEP_SHUTDOWN || done === 0) {
      this.name(exception);
    } else if (info.system) {
      counters.emulations++;
      this.name(instructionReason(info.mnemonic));
    } else {
      if (why === 'structure') counters.emulations++;
      counters.userEmulation(why);
      this.name(why);
    }
    if (this.g[SHADOW] !== 0) this.shadowAt = hw.retired();
    this.parts.follower.follow();
  }

  /**
   * Lets the emulator run by itself, in stretches that grow: a boot loader in real mode, a decompressor under a GDT that does
   * not describe its code segment. The hardware gets the guest back at the end of a stretch; where that is makes no difference to
   * the guest. All the stretch's instructions count as forced by the state, system instructions among them.
   */
  private runEmulator(left: number): void {
    const { hardware: hw, emulator, counters, world } = this.parts;
    const before = emulator.retired();
    this.stepFrom = before;
    this.stretching = true;
    const stop = emulator.run(Math.min(left, this.stretch));
    this.stretching = false;
    this.stepFrom = -1;
    this.stretch = Math.min(this.stretch * 2, LONGEST_STRETCH);
    const done = emulator.retired() - before;
    if (done > 0) hw.addRetired(done);
    counters.userEmulation(`state-${world.refusal}`, done);
    if (stop === STOP_SHUTDOWN) this.outcome = STEP_SHUTDOWN;
    // A device asked for it, or the guest faults and faults and retires nothing.
    if (stop === STOP_REQUESTED) this.stopRequested = true;
    if (this.g[SHADOW] !== 0) this.shadowAt = hw.retired();
    this.parts.follower.follow();
  }

  /** Gives the exit being settled its name in the report: the first one counts. */
  private name(reason: string): void {
    if (this.named) return;
    this.named = true;
    this.parts.counters.reason(reason);
  }

  /** Guest bytes of a traced page changed, by the emulator or in a step. */
  guestBytesChanged(address: number, bytes: number): void {
    const { pager, descriptors } = this.parts;
    const traces = pager.traces;
    if (traces.has(address, TRACE_PAGE_TABLE)) pager.tableWritten(address, bytes);
    if (traces.has(address, TRACE_DESCRIPTORS)) descriptors.written(address, bytes);
  }
}

function internal(message: string, dump: string): RingfenceError {
  return new RingfenceError('RF_MONITOR_FAULT', {
    message: `${message}\n${dump}`,
    fix: 'this is a defect of Ringfence: please report it with the guest',
  });
}
