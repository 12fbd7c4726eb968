/**
 * What a machine drives: something that executes the guest. A bare processor is one; a monitor with the hardware below
 * it is another. The machine's run loop, timers and reports cannot tell which.
 */
import type { Processor, Stop } from './processor.js';
import type { StateRecord } from './state.js';

export interface GuestExecutor {
  /** Runs the guest for at most `budget` counted instructions; STOP_HALT: the guest waits for an interrupt. */
  run(budget: number): Stop;
  requestStop(): void;
  /** Level of the guest's INTR pin. */
  setIntr(level: boolean): void;
  /** A rising edge of the guest's NMI pin: remembered until it is delivered. */
  raiseNmi(): void;
  /** The guest's IF as the guest sees it: whether INTR could wake it from HLT. */
  interruptsEnabled(): boolean;
  /** Guest instructions retired, exact also in the middle of one (that one not counted). */
  retired(): number;
  /** The guest-visible processor state, as a bare processor's `saveState` would give it, whoever executes. */
  guestState(): StateRecord;
  loadGuestState(record: StateRecord): void;
  /** The guest-physical frames whose A and D bits `stateHash` masks: directories and tables the guest ever used. */
  pageTableFrames(): ReadonlySet<number>;
  /** The guest MMU's live set of directories (`Mmu.roots`), so that a snapshot can carry it along. */
  readonly pageTableRoots?: Set<number>;
  /** Any bytes of guest RAM that are not the guest's at the moment: called before RAM is read from outside. */
  settle(): void;
  /**
   * As `settle`, and writes from outside may reach watched pages of the guest's space. Called between two instructions,
   * for bus masters.
   */
  release(): void;
  /** The processor whose state is the guest's: up to date after `settle`, and whenever it calls its observer. */
  readonly guest: Processor;
  /** A dump of registers and stack for people. */
  dump(): string;
  /** Monitor figures for the report; undefined on a bare processor. */
  monitorReport(): MonitorReport | undefined;
}

/** The `monitor` member of a run's report. All counts are events since power-on. */
export interface MonitorReport {
  readonly policy: string;
  readonly exits: { readonly total: number; readonly byReason: Readonly<Record<string, number>> };
  /** Instructions single-stepped by a policy. */
  readonly steps: number;
  /** Byte ranges swapped in and back by a policy. */
  readonly swaps: number;
  /** Instructions completed by the emulator on a policy's or a trap's behalf. */
  readonly emulations: number;
  /** Emulated instructions that were not system instructions, by what forced it (mmio, structure, state). */
  readonly userEmulations: Readonly<Record<string, number>>;
  /** Guest accesses to the monitor's window that were refused. */
  readonly windowFaults: number;
  readonly relocations: number;
  readonly shadow: {
    readonly strategy: string;
    readonly rootSwitches: number;
    readonly hits: number;
    readonly misses: number;
    readonly fills: number;
    readonly evictions: number;
    readonly traceWrites: number;
  };
}
