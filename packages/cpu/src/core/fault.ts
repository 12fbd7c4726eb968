/**
 * The token thrown when an instruction faults. What the fault is stands in the core (`faultVector`, `faultError`): one
 * preallocated object, so that a page fault costs no allocation. Not an Error: V8 takes twice as long to throw one.
 * Caught in exactly three places: `run`, `step`, and event delivery (where it makes a double fault); and by the monitor's
 * supervisor accesses. It never leaves a public method.
 */
export class GuestFault {
  readonly name = 'GuestFault';
}

export const FAULT = new GuestFault();

/** `Cpu.end` after a handler that transferred control: EIP is set. */
export const END_BRANCHED = -1;
/** `Cpu.end` after a handler that faulted without throwing: vector and error code are recorded, nothing committed. */
export const END_FAULTED = -2;

/** In the place of a vector: nothing is delivered; the processor waits before the instruction until an interrupt takes it elsewhere. */
export const HOLD = -3;

/** No error code is pushed. */
export const NO_CODE = -1;
