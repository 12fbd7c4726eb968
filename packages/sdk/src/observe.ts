/**
 * Looking on while a guest runs: what a tracer or a debugger is told, and what it may look at. Watching changes nothing
 * the guest can see, and costs nothing while nobody watches: every call here stands on a slow path (an event is
 * delivered, a device is accessed). There is no call per instruction; who wants one runs slices of one instruction.
 * It is no debugger: nothing here stops or changes a guest.
 */
import type { Processor } from './processor.js';

/** Told of exceptions and interrupts by the processor that delivers them, in the guest's own view. */
export interface EventObserver {
  /**
   * An exception, NMI or interrupt is about to be delivered: the state is the guest's as the instruction left it, CR2 and
   * DR6 are set. `errorCode` -1: none. Called again when the delivery itself faults. Not for INT n, INT3, INTO and INT1
   * that enter their handler without a fault: those are instructions.
   */
  delivering(vector: number, errorCode: number, exception: boolean): void;
  /** CS:EIP is the handler's first instruction. Not called after a triple fault. */
  delivered(): void;
}

/** Told of what the guest exchanges with devices. `size` is 1, 2 or 4; `value` as the contract of the access has it. */
export interface DeviceObserver {
  portAccess(write: boolean, port: number, size: number, value: number): void;
  mmioAccess(write: boolean, address: number, size: number, value: number): void;
}

export interface GuestObserver extends EventObserver, DeviceObserver {}

/** What can be looked at between slices and inside an observer's calls. */
export interface GuestView {
  /**
   * The processor as the guest sees it, whoever executes: read its state words, `getEflags()`, and memory through
   * `mmu.probe` and `space`. For reading only.
   */
  readonly processor: Processor;
  /** Brings `processor` and guest RAM up to date; needed between slices, not inside an observer's calls. */
  settle(): void;
  /** Instructions retired since power-on, exact inside an observer's calls too. */
  retired(): number;
}
