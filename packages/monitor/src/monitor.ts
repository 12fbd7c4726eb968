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
 *
 * How the emulator has its turns is in emulation.ts; when an interrupt is taken, in interrupts.ts; debug traps, in debug-traps.ts.
 */
import {
  CPL,
  CR2,
  EFLAGS,
  FLAG_IF,
  HALTED,
  RingfenceError,
  SHADOW,
  SHUTDOWN,
  STEP_SHUTDOWN,
  STOP_BUDGET,
  STOP_HALT,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  VEC_DB,
  VEC_DF,
  VEC_GP,
  VEC_PF,
  VEC_SS,
  dumpProcessor,
  pageTableFrames,
  type GuestExecutor,
  type MonitorReport,
  type Mmu,
  type PhysicalSpace,
  type Processor,
  type StateRecord,
  type Stop,
} from '@ringfence/sdk';
import type { Counters } from './counters.js';
import type { DebugTraps } from './debug-traps.js';
import type { Descriptors } from './descriptors.js';
import type { Emulation } from './emulation.js';
import type { Follower } from './follower.js';
import type { GuestWalk } from './guest-walk.js';
import type { Interrupts } from './interrupts.js';
import { HOST_INTERRUPT_VECTOR } from './layout.js';
import { DEVICE, FILLED, GUEST_FAULT, type Pager } from './pager.js';
import { exceptionReason } from './reasons.js';
import type { Stepper } from './stepper.js';
import { TRACE_HIDDEN, TRACE_PAGE_TABLE } from './traces.js';
import type { Window } from './window.js';
import type { World } from './world.js';

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
  readonly interrupts: Interrupts;
  readonly emulation: Emulation;
  readonly stepper: Stepper;
  readonly debugTraps: DebugTraps;
  readonly counters: Counters;
  readonly policyName: string;
  readonly strategyName: string;
}

export class Monitor implements GuestExecutor {
  private readonly h: Int32Array;
  private readonly g: Int32Array;
  private readonly interrupts: Interrupts;
  private readonly emulation: Emulation;
  private readonly stepper: Stepper;
  /** True in the monitor state. */
  private inMonitor = true;
  private stopRequested = false;

  constructor(private readonly parts: MonitorParts) {
    this.h = parts.hardware.state;
    this.g = parts.emulator.state;
    this.interrupts = parts.interrupts;
    this.emulation = parts.emulation;
    this.stepper = parts.stepper;
  }

  // ------------------------------------------------------------------------------------------ GuestExecutor

  run(budget: number): Stop {
    const { hardware: hw, emulator, interrupts, emulation } = this.parts;
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
      if (emulation.outcome === STEP_SHUTDOWN) return STOP_SHUTDOWN;
      interrupts.expireShadow();
      if (this.inMonitor) {
        if (left <= 0) return STOP_BUDGET;
        if (emulator.trapPending) {
          this.parts.debugTraps.deliverPending();
          continue;
        }
        if (interrupts.waiting || this.g[HALTED] !== 0) {
          if (emulator.interruptDeliverable() && emulator.takeInterrupt()) this.parts.follower.follow();
          if (this.g[SHUTDOWN] !== 0) {
            // The way into the handler was a triple fault.
            emulation.outcome = STEP_SHUTDOWN;
            continue;
          }
          if (this.g[HALTED] !== 0) return STOP_HALT;
        }
        if (this.stopRequested) return STOP_REQUESTED;
        if (emulation.next()) continue;
        if (!this.enter(left)) continue;
      } else {
        if (left <= 0) return STOP_BUDGET;
        if (this.stopRequested) return STOP_REQUESTED;
        if (interrupts.overdue) {
          this.release();
          continue;
        }
        this.parts.descriptors.enterPrivate();
      }
      const stop = hw.run(interrupts.arm(left));
      if (stop === STOP_HALT) this.exit();
      else if (stop === STOP_SHUTDOWN) throw internal('the hardware shut down under the monitor', this.dump());
    }
  }

  requestStop(): void {
    this.stopRequested = true;
    this.parts.hardware.requestStop();
    this.emulation.requestStop();
  }

  setIntr(level: boolean): void {
    this.interrupts.setIntr(level);
  }

  raiseNmi(): void {
    this.interrupts.raiseNmi();
  }

  interruptsEnabled(): boolean {
    return this.inMonitor ? (this.g[EFLAGS] & FLAG_IF) !== 0 : this.parts.world.interruptsEnabled();
  }

  get guest(): Processor {
    return this.parts.emulator;
  }

  retired(): number {
    return this.emulation.retired();
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
    this.emulation.outcome = 0;
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
    this.interrupts.expireShadow();
    if (this.h[SHADOW] !== 0) this.interrupts.castShadow(this.h[SHADOW]);
  }

  /** Takes the hardware out of the guest, as an interrupt of the host would: only then may shadow tables be edited. */
  release(): void {
    this.settle();
    if (this.inMonitor) return;
    const { hardware: hw } = this.parts;
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
    if (shadow !== 0 && this.g[SHADOW] === 0) this.interrupts.castShadow(shadow);
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
      if (this.emulation.refused(left)) this.stopRequested = true;
      return false;
    }
    this.emulation.held();
    if (!world.stepping && this.emulation.trapsDensely) {
      if (this.emulation.dense(left)) this.stopRequested = true;
      return false;
    }
    if (this.emulation.repeating && !world.stepping) {
      if (this.emulation.finishRepeat(left)) this.stopRequested = true;
      return false;
    }
    // Debug registers that aimed at the window's new place must go.
    if (window.slot !== slot) follower.follow();
    world.enter();
    this.inMonitor = false;
    return true;
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
    const { world } = this.parts;
    world.leave();
    this.inMonitor = true;
    this.emulation.beginExit();
    this.interrupts.exited(world.vector);
    switch (world.vector) {
      case VEC_PF:
        this.pageFault(this.h[CR2], world.errorCode);
        break;
      case VEC_DB:
        this.parts.debugTraps.trapped();
        break;
      case HOST_INTERRUPT_VECTOR:
        this.parts.hardware.setIntr(false);
        this.emulation.name('interrupt');
        break;
      case VEC_DF:
        throw internal('the hardware raised a double fault under the monitor', this.dump());
      default:
        if ((world.vector === VEC_GP || world.vector === VEC_SS) && world.restoresLimit()) {
          this.emulation.name('segment-limit');
          break;
        }
        this.stepper.abandon();
        this.emulation.one('state-segments', exceptionReason(world.vector));
    }
  }

  private pageFault(linear: number, errorCode: number): void {
    const { window, pager, counters, walk } = this.parts;
    const write = (errorCode & 2) !== 0;
    if (window.contains(linear) && !walk.usesSlot(window.slot)) {
      counters.windowFaults++;
      this.stepper.abandon();
      this.emulation.one('window', 'window');
      return;
    }
    const kind = pager.fault(linear, write, this.g[CPL] === 3);
    if (kind === FILLED) {
      this.emulation.name('shadow-fill');
    } else if (kind === GUEST_FAULT || kind === DEVICE) {
      this.stepper.abandon();
      this.emulation.one('device', kind === DEVICE ? 'device' : 'page-fault');
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
      this.emulation.one('structure', 'structure-load');
      return;
    }
    if (write) pager.noteWrite(frame);
    this.emulation.name(write ? 'structure-write' : 'structure-read');
    this.stepper.structureAccess({
      linear,
      frame,
      write,
      kind: traces.has(frame, TRACE_PAGE_TABLE) ? 'page-table' : 'descriptor-table',
      placement: inPlace ? 'in-place' : 'shadowed',
    });
  }
}

function internal(message: string, dump: string): RingfenceError {
  return new RingfenceError('RF_MONITOR_FAULT', {
    message: `${message}\n${dump}`,
    fix: 'this is a defect of Ringfence: please report it with the guest',
  });
}
