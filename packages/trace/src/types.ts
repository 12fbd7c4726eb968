/**
 * What a trace is made of: one record per retired instruction, per instruction that faulted, per event delivered, and one
 * for the end of the run. Plain data, the same for a person's text and for JSON lines; numbers are kept as hexadecimal
 * text of their full width, so that records compare as they print.
 * A record says nothing of the monitor: the same guest gives the same records bare and under every policy.
 */
import type { GuestObserver, GuestView, StateRecord } from '@ringfence/sdk';

/** Old and new value, hexadecimal. */
export type Change = readonly [before: string, after: string];

/** Memory that an instruction named, by linear address. */
export interface MemoryTouch {
  readonly op: 'r' | 'w' | 'rw';
  readonly addr: string;
  readonly size: number;
  /** Absent for device memory (see `io`), for what is not mapped, and for what a faulting instruction did not do. */
  readonly value?: string;
  /** What a write replaced; absent for a pure read. */
  readonly old?: string;
}

/** One access to a port or to a device's memory. */
export interface DeviceTouch {
  readonly op: 'in' | 'out' | 'mmio-r' | 'mmio-w';
  readonly addr: string;
  readonly size: number;
  readonly value: string;
}

export interface InstructionRecord {
  readonly kind: 'insn';
  /** Instructions retired before this one: the virtual time at which it ran. */
  readonly n: number;
  readonly cs: string;
  readonly eip: string;
  /** `real`, `v86`, `16/CPL` or `32/CPL`. */
  readonly mode: string;
  readonly bytes: string;
  readonly text: string;
  /** `<name+offset>` of the instruction, when symbols were given. */
  readonly symbol?: string;
  /** Present when it raised a fault and so did not retire: the event follows. */
  readonly faulted?: true;
  readonly regs: Readonly<Record<string, Change>>;
  readonly mem: readonly MemoryTouch[];
  readonly io: readonly DeviceTouch[];
}

export interface EventRecord {
  readonly kind: 'event';
  readonly n: number;
  readonly event: 'exception' | 'interrupt' | 'nmi';
  readonly vector: number;
  readonly error?: string;
  readonly cr2?: string;
  /** CS:EIP that was interrupted. */
  readonly at: string;
  /** CS:EIP of the handler; absent when the delivery itself faulted. */
  readonly to?: string;
  readonly regs: Readonly<Record<string, Change>>;
}

export interface EndRecord {
  readonly kind: 'end';
  readonly n: number;
  readonly outcome: string;
  readonly detail?: string;
}

export type TraceRecord = InstructionRecord | EventRecord | EndRecord;

/** First line of a trace file. Never compared. */
export interface TraceHeader {
  readonly kind: 'ringfence-trace';
  readonly version: 1;
  readonly kernel: string;
  readonly monitor: string;
}

/** What the tracer needs of a machine; `Machine` of @ringfence/machine is one. */
export interface TraceableMachine {
  readonly retired: number;
  readonly end: { readonly outcome: string; readonly detail?: string } | undefined;
  readonly view: GuestView;
  runSlice(maxInstructions: number): 'budget' | 'idle' | 'asleep' | 'ended';
  observe(observer: GuestObserver | undefined): void;
}

/** What finding a divergence needs besides. */
export interface ComparableMachine extends TraceableMachine {
  stateHash(): string;
  serialSha256(): string;
  saveState(): SavedState;
  loadState(saved: SavedState): void;
}

export interface SavedState {
  readonly version: 1;
  readonly components: Readonly<Record<string, StateRecord>>;
}
