/**
 * The token thrown when an instruction faults. What the fault is stands in the core (`faultVector`, `faultError`): one
 * preallocated object, so that a page fault costs no allocation and no stack trace. Caught in exactly three places:
 * the run loop, `step`, and event delivery (where it makes a double fault). Never let it leave a public method.
 */
export class GuestFault extends Error {}

const limit = Error.stackTraceLimit;
Error.stackTraceLimit = 0;
export const FAULT = new GuestFault('a guest instruction faulted');
Error.stackTraceLimit = limit;

/** `Cpu.end` after a handler that transferred control: EIP is set. */
export const END_BRANCHED = -1;
/** `Cpu.end` after a handler that faulted without throwing: vector and error code are recorded, nothing committed. */
export const END_FAULTED = -2;

/** No error code is pushed. */
export const NO_CODE = -1;
