/**
 * Debug traps: those the hardware raised while it ran the guest, and those that wait in the emulator.
 *
 * A trap of the hardware may be the monitor's own single step, the guest's (TF, breakpoints), both, or an INT1 in disguise.
 * What is the guest's goes into its DR6 and through its IDT. What the guest's debug registers look like in the hardware is
 * debug-registers.ts's and follower.ts's business.
 */
import {
  AR_DB,
  CS,
  DR,
  EFLAGS,
  EIP,
  FLAG_TF,
  SEG,
  SEG_ACCESS,
  SEG_WORDS,
  SHADOW,
  STEP_SHUTDOWN,
  STOP_SHUTDOWN,
  VEC_DB,
  type Processor,
} from '@ringfence/sdk';
import type { Emulation } from './emulation.js';
import type { Follower } from './follower.js';
import { SHADOW_MOV_SS } from './interrupts.js';
import type { Stepper } from './stepper.js';
import type { World } from './world.js';

const DR6_BS = 0x4000;
const DR6_HITS = 0xf;
const DR6_QUIET = 0xffff0ff0 | 0;

export class DebugTraps {
  private readonly h: Int32Array;
  private readonly g: Int32Array;

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
    private readonly world: World,
    private readonly stepper: Stepper,
    private readonly emulation: Emulation,
    private readonly follower: Follower,
  ) {
    this.h = hardware.state;
    this.g = emulator.state;
  }

  /** A data breakpoint was hit while an event was delivered, or in the shadow of MOV SS: nothing of it is in the hardware. */
  deliverPending(): void {
    if (this.g[SHADOW] === SHADOW_MOV_SS) {
      this.stepper.abandon();
      this.emulation.one('state-debug');
      return;
    }
    if (this.emulator.run(0) === STOP_SHUTDOWN) this.emulation.outcome = STEP_SHUTDOWN;
    this.follower.follow();
  }

  /** Settles the exit by a debug trap of the hardware. */
  trapped(): void {
    const { hardware: hw, emulation } = this;
    const dr6 = this.h[DR + 6];
    hw.writeDr(6, DR6_QUIET);
    let bits = dr6 & DR6_HITS;
    const single = (dr6 & DR6_BS) !== 0;
    if (single && this.world.stepping) {
      emulation.name('single-step');
      this.stepper.completed();
    } else {
      emulation.name('debug');
    }
    if (single && (this.g[EFLAGS] & FLAG_TF) !== 0) bits |= DR6_BS;
    if ((dr6 & (DR6_HITS | DR6_BS)) === 0) {
      this.emulateInt1();
      return;
    }
    if (bits === 0 || ((bits & DR6_BS) === 0 && (this.h[DR + 7] & 0xff) === 0)) return;
    this.g[DR + 6] |= bits;
    emulation.outcome = this.emulator.raise(VEC_DB, -1);
    this.follower.follow();
  }

  /**
   * A debug trap without a cause is INT1 (opcode F1), which the hardware has completed: once more, by the emulator, which
   * enters the guest's handler as the instruction does, or has it fault where it stands.
   */
  private emulateInt1(): void {
    this.stepper.abandon();
    this.g[EIP] = (this.g[EIP] - 1) & ((this.g[SEG + CS * SEG_WORDS + SEG_ACCESS] & AR_DB) !== 0 ? -1 : 0xffff);
    this.hardware.addRetired(-1);
    this.emulation.one('state-segments', 'debug');
  }
}
