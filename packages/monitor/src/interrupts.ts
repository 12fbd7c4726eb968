/**
 * When the guest takes an interrupt: its INTR pin, that of the hardware meanwhile, and the guest's interrupt shadows.
 *
 * With an interrupt waiting for a guest that would take it, the hardware runs with its own INTR high and traps before the first
 * instruction that may be interrupted; the monitor then has the emulator enter the guest's handler (monitor.ts, `run`).
 * A shadow that STI or MOV SS cast on the emulator is over once an instruction has retired, wherever that was executed; one
 * that the hardware stands in is made the guest's. Debug traps are not its business (debug-traps.ts).
 */
import { NMI_BLOCKED, SHADOW, VEC_DB, type Processor } from '@ringfence/sdk';
import { HOST_INTERRUPT_VECTOR } from './layout.js';
import type { World } from './world.js';

/** The values of the SHADOW word behind an STI and a MOV SS. */
const SHADOW_STI = 1;
export const SHADOW_MOV_SS = 2;

export class Interrupts {
  /** The guest's INTR pin. */
  pin = false;
  private readonly g: Int32Array;
  /** `retired()` when the emulator last left an interrupt shadow behind; the shadow is over once the count moves on. */
  private shadowAt = -1;
  /** The shadow that the hardware stood in when it was armed. */
  private armedShadow = 0;
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
    this.world.interruptWaiting = level;
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

  /**
   * The guest, on the hardware between two instructions, must be left first: its kernel could enable interrupts unnoticed, or an
   * NMI has come into the shadow of an STI that the hardware executed, which would hold off the hardware's INTR.
   */
  get overdue(): boolean {
    const { world, hardware, emulator } = this;
    if (world.stepping) return false;
    return world.missesInterrupt() || (emulator.nmiPending && hardware.state[SHADOW] === SHADOW_STI);
  }

  /** How far to run, and the level of the hardware's INTR pin meanwhile. */
  arm(left: number): number {
    const { hardware: hw, world } = this;
    const nmi = this.emulator.nmiPending && this.g[NMI_BLOCKED] === 0;
    const wanted = nmi || (this.pin && world.interruptsEnabled());
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
    this.armedShadow = this.hardware.state[SHADOW];
    return left;
  }

  /** The hardware has left the guest by `vector`. */
  exited(vector: number): void {
    this.expireShadow();
    // An instruction was tried although an interrupt was waiting: in a shadow. Whatever became of the trap, it is still there.
    if (this.armed && vector !== HOST_INTERRUPT_VECTOR && vector !== VEC_DB) this.castShadow(this.armedShadow);
  }

  /** The guest stands in a shadow that the hardware held: that of a MOV SS or STI which it executed directly. */
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
