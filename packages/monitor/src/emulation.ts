/**
 * The emulator's turns: one instruction that settles an exit, or a stretch while the hardware cannot hold the guest's state.
 *
 * It keeps the account of both: what is retired for the guest, what forced a user instruction to be emulated, and the name
 * that an exit has in the report. After each turn the rest of the monitor follows what changed (follower.ts).
 * Which exits are settled this way is not its decision (monitor.ts); nor is when the hardware can hold the state (world.ts).
 */
import {
  CR0,
  CR0_PE,
  ECX,
  EFLAGS,
  EIP,
  FLAG_TF,
  STEP_FAULTED,
  STEP_RETIRED,
  STEP_SHUTDOWN,
  STOP_REQUESTED,
  STOP_SHUTDOWN,
  type Processor,
  type StepOutcome,
} from '@ringfence/sdk';
import type { Counters } from './counters.js';
import type { Follower } from './follower.js';
import type { Interrupts } from './interrupts.js';
import { instructionReason } from './reasons.js';
import { TrapDensity } from './trap-density.js';
import type { World } from './world.js';

/** A state that the hardware cannot hold for so many instructions may well last: from there on the emulator runs in stretches. */
const SINGLY = 8;
const FIRST_STRETCH = 32;
const LONGEST_STRETCH = 16384;

export class Emulation {
  /** What became of the last instruction or event that the emulator executed for the guest. */
  outcome: StepOutcome = 0;
  /** Whether the exit being settled has its name in the report; true between exits. */
  private named = true;
  /** The emulator's count when the turn in progress began; -1 between turns. */
  private stepFrom = -1;
  /** The last turn carried out a system instruction, and nothing else has happened since. */
  private continues = false;
  /** The emulator runs by itself at the moment. */
  private stretching = false;
  /** How many times in a row the hardware could not hold the guest's state. */
  private refusals = 0;
  /** How long the next stretch will be. */
  private length = FIRST_STRETCH;
  private readonly density = new TrapDensity();
  /** The last instruction emulated was an iteration on a device, and where it stands. */
  private repeats = false;
  private repeatAt = 0;
  private readonly g: Int32Array;

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
    private readonly world: World,
    private readonly interrupts: Interrupts,
    private readonly follower: Follower,
    private readonly counters: Counters,
  ) {
    this.g = emulator.state;
  }

  /** The guest's instructions retired, those of a turn in progress among them. */
  retired(): number {
    const { hardware, emulator } = this;
    return this.stepFrom < 0 ? hardware.retired() : hardware.retired() + emulator.retired() - this.stepFrom;
  }

  /** Ends a stretch in progress. */
  requestStop(): void {
    if (this.stretching) this.emulator.requestStop();
  }

  /**
   * Lets the emulator execute one instruction in the guest's view. `why` says what forced a user instruction to be emulated;
   * `exception` is the exit's name when the instruction turns out to fault.
   */
  one(why: string, exception = why): void {
    const { hardware: hw, emulator, counters } = this;
    const before = emulator.retired();
    const real = this.inRealMode;
    const at = this.g[EIP];
    this.stepFrom = before;
    this.outcome = emulator.step();
    this.stepFrom = -1;
    const done = emulator.retired() - before;
    if (done > 0) hw.addRetired(done);
    if (real) this.density.trapped(hw.retired());
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
    this.interrupts.noteShadow();
    this.follower.follow();
    const retired = this.outcome === STEP_RETIRED && done > 0;
    this.continues = retired && info.system;
    this.repeats = retired && why === 'device' && !info.system && this.g[EIP] === at;
    this.repeatAt = at;
  }

  /**
   * System instructions come in rows: a kernel's entry saves one segment register after the other. The one behind an emulated
   * one is emulated as well, without the way into the guest and out again; true when it was. Precondition: the guest would now be entered.
   */
  next(): boolean {
    if (!this.continues) return false;
    this.continues = false;
    if (this.emulator.peek()?.system !== true) return false;
    this.one('state-segments');
    return true;
  }

  /** Whether the guest stands in a string instruction on a device's memory, one iteration of which has been emulated. */
  get repeating(): boolean {
    return this.repeats && this.g[EIP] === this.repeatAt && (this.g[EFLAGS] & FLAG_TF) === 0;
  }

  /**
   * The iterations that are left of it, in one go: each would be an exit of its own. Comparing ones may end early; then a
   * few instructions behind them are emulated too. Whether to stop then.
   */
  finishRepeat(left: number): boolean {
    this.repeats = false;
    // With 16-bit addresses the count is in CX, and the upper half of ECX means nothing.
    const low = this.g[ECX] & 0xffff;
    return this.many(Math.min(left, low === 0 ? 0x10000 : low), 'device');
  }

  /** The hardware cannot hold the guest's state: one instruction, or a stretch when that has lasted. Whether to stop then. */
  refused(left: number): boolean {
    if (this.refusals++ < SINGLY) {
      this.one(`state-${this.world.refusal}`);
      return false;
    }
    const { length } = this;
    this.length = Math.min(length * 2, LONGEST_STRETCH);
    return this.many(Math.min(left, length), `state-${this.world.refusal}`);
  }

  /** Real-mode code that the hardware could hold, but which traps too often for that. */
  get trapsDensely(): boolean {
    return this.density.high && this.inRealMode;
  }

  /** A stretch of such code on the emulator. Whether to stop then. */
  dense(left: number): boolean {
    const stop = this.many(Math.min(left, this.density.stretch()), 'state-trap-dense');
    this.density.stretched(this.hardware.retired());
    return stop;
  }

  private get inRealMode(): boolean {
    return (this.emulator.state[CR0] & CR0_PE) === 0;
  }

  /** The hardware can hold the guest's state. */
  held(): void {
    this.refusals = 0;
    this.length = FIRST_STRETCH;
  }

  /**
   * Lets the emulator run by itself, in stretches that grow: a boot loader in "unreal" mode, a decompressor under a GDT that does
   * not describe its code segment. The hardware gets the guest back at the end of a stretch; where that is makes no difference to
   * the guest. All the stretch's instructions count as forced by the state, system instructions among them.
   */
  private many(count: number, why: string): boolean {
    const { hardware: hw, emulator, counters } = this;
    const before = emulator.retired();
    this.stepFrom = before;
    this.stretching = true;
    const stop = emulator.run(count);
    this.stretching = false;
    this.stepFrom = -1;
    const done = emulator.retired() - before;
    if (done > 0) hw.addRetired(done);
    counters.userEmulation(why, done);
    if (stop === STOP_SHUTDOWN) this.outcome = STEP_SHUTDOWN;
    this.interrupts.noteShadow();
    this.follower.follow();
    // A device asked for it, or the guest faults and faults and retires nothing.
    return stop === STOP_REQUESTED;
  }

  /** An exit is to be settled, and has no name yet. */
  beginExit(): void {
    this.continues = false;
    this.counters.exits++;
    this.named = false;
  }

  /** Gives the exit being settled its name in the report: the first one counts. */
  name(reason: string): void {
    if (this.named) return;
    this.named = true;
    this.counters.reason(reason);
  }
}
