/**
 * When the guest takes an interrupt: its INTR pin, that of the hardware meanwhile, and the guest's interrupt shadows.
 *
 * With an interrupt waiting for a guest that would take it, the hardware runs with its own INTR high and traps before the first
 * instruction that may be interrupted; the monitor then has the emulator enter the guest's handler (monitor.ts, `run`).
 * A shadow that STI or MOV SS cast on the emulator is over once an instruction has retired, wherever that was executed; one
 * that the hardware stands in is made the guest's. Debug traps are not its business (debug-traps.ts).
 */
import { EFLAGS, FLAG_IF, NMI_BLOCKED, SHADOW, VEC_DB, type Processor } from '@ringfence/sdk';
import { HOST_INTERRUPT_VECTOR } from './layout.js';
import type { World } from './world.js';

/** The value of the SHADOW word behind a MOV SS. */
export const SHADOW_MOV_SS = 2;

export class Interrupts {
  /** The guest's INTR pin. */
  pin = false;
  private readonly g: Int32Array;
  /** `retired()` when the emulator last left an interrupt shadow behind; the shadow is over once the count moves on. */
  private shadowAt = -1;
  /** The hardware runs the guest with its INTR pin high, and takes the interrupt before the first instruction that may be interrupted. */
  private armed = false;

  constructor(
    private readonly hardware: Processor,
    private readonly emulator: Processor,
    private readonly world: World,
  ) {
    this.g = emulator.state;
  }

  setIntr(level: boolean): void {
    this.pin = level;
    this.emulator.setIntr(level);
  }

  /** The emulator keeps it until it is delivered. While NMIs are blocked the guest runs on the hardware in its 16-bit modes only (world.ts). */
  raiseNmi(): void {
    this.emulator.raiseNmi();
  }

  /** Something asks for the guest's attention, whether the guest's state lets it through now or not. */
  get waiting(): boolean {
    return this.pin || this.emulator.nmiPending;
  }

  /** How far to run, and the level of the hardware's INTR pin meanwhile. */
  arm(left: number): number {
    const { hardware: hw, world } = this;
    const nmi = this.emulator.nmiPending && this.g[NMI_BLOCKED] === 0;
    const wanted = nmi || (this.pin && (this.g[EFLAGS] & FLAG_IF) !== 0);
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

  /** The hardware has left the guest by `vector`. */
  exited(vector: number): void {
    this.expireShadow();
    // An instruction was tried although an interrupt was waiting: MOV SS went before it. Whatever became of the trap, it still does.
    if (this.armed && vector !== HOST_INTERRUPT_VECTOR && vector !== VEC_DB) this.castShadow(SHADOW_MOV_SS);
  }

  /** The guest stands in a shadow that the hardware held: that of a MOV SS which the guest executed directly, as a rule. */
  castShadow(shadow: number): void {
    this.g[SHADOW] = shadow;
    this.shadowAt = this.hardware.retired();
    this.emulator.stateChanged();
  }

  /** The emulator has executed for the guest, and may have left a shadow. */
  noteShadow(): void {
    if (this.g[SHADOW] !== 0) this.shadowAt = this.hardware.retired();
  }

  /** An interrupt shadow lasts for one instruction, wherever that was executed. */
  expireShadow(): void {
    if (this.g[SHADOW] === 0) return;
    if (this.hardware.retired() > this.shadowAt) {
      this.g[SHADOW] = 0;
      this.emulator.stateChanged();
    }
  }
}
