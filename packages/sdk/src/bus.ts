/**
 * What a core sees of the board besides memory: I/O ports, the interrupt acknowledge cycle, and the clock that RDTSC
 * reads. A bare core gets the machine's bus; under a monitor the hardware's core gets a bus without devices and the
 * monitor's emulator gets the machine's.
 */

import type { LocalApicBase } from './apic.js';

export interface Bus {
  /** Reads 1, 2 or 4 bytes from an I/O port; unclaimed ports float high. Unsigned below 4 bytes, signed 32 bits else. */
  ioRead(port: number, size: number): number;
  ioWrite(port: number, size: number, value: number): void;
  /** INTA: the vector of the interrupt the controller wants served; clears its request as the controller does. */
  acknowledge(): number;
  /**
   * FERR#: with CR0.NE = 0 and an exception that no handler has served yet, the processor asserts it before a waiting x87 instruction.
   * `again`: the pin has stayed asserted since the last call. Answers IGNNE#, whether the processor is to go on regardless.
   */
  floatError(again: boolean): boolean;
  /** The processor's local APIC; absent where it has none. */
  readonly localApic?: LocalApicBase;
  /** Virtual time in ticks, for the TSC. Exact during an instruction of the core that asks. */
  now(): number;
}
