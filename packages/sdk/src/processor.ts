/**
 * The processor core's contract. A core executes IA-32 instructions from the state words in its slot; it knows no monitor.
 * The same contract serves three uses: the bare guest's processor, the hardware under a monitor (whose TypeScript plays
 * the part of ring-0 code through the `supervisor` methods), and the monitor's own one-instruction emulator.
 */
import type { Bus } from './bus.js';
import type { MachineMemory } from './memory.js';
import type { Mmu } from './mmu.js';
import type { EventObserver } from './observe.js';
import type { PhysicalSpace } from './physical-space.js';
import type { Stateful } from './state.js';

/** Why `run` came back. */
export const STOP_BUDGET = 0;
/** `requestStop` was called (an I/O access moved a deadline, say). */
export const STOP_REQUESTED = 1;
/** The processor sits in HLT and nothing deliverable is pending. Under a monitor: the nub handed over. */
export const STOP_HALT = 2;
/** Triple fault. */
export const STOP_SHUTDOWN = 3;
export type Stop = typeof STOP_BUDGET | typeof STOP_REQUESTED | typeof STOP_HALT | typeof STOP_SHUTDOWN;

/** What became of one `step`. */
export const STEP_RETIRED = 0;
/** The instruction faulted and the fault was delivered (retires nothing). */
export const STEP_FAULTED = 1;
/** The processor now waits: the instruction was HLT and retired, or it holds before it executes (`Bus.floatError`). */
export const STEP_HALTED = 2;
/** The fault could not be delivered: triple fault. */
export const STEP_SHUTDOWN = 3;
export type StepOutcome = typeof STEP_RETIRED | typeof STEP_FAULTED | typeof STEP_HALTED | typeof STEP_SHUTDOWN;

/** How much help the processor gives a monitor (design, section 4). */
export type Assist = 'none' | 'trap' | 'vif';
/**
 * The assist control MSR; RDMSR/WRMSR of it raise #GP where `assist` is `none`. Reset value 0: a guest that does not
 * know of it sees an ordinary processor.
 */
export const MSR_ASSIST_INDEX = 0x52460001;
/** The seventeen sensitive instructions raise #GP(0) at CPL 1, 2 and 3, and CPL 1 and 2 count as deprivileged. */
export const ASSIST_TRAP_SENSITIVE = 1;
/** CPUID raises #GP(0) at CPL > 0 (as MISC_FEATURES_ENABLES bit 0 does on later parts). */
export const ASSIST_TRAP_CPUID = 2;
/**
 * CLI, STI, PUSHF, POPF and IRET at CPL 1 act on EFLAGS.VIF, and raise #GP(0) where that is not enough: VIP is set and the
 * instruction would set VIF, or it has to do with TF, NT, IOPL, RF, VM (ADR 0022). Only where `assist` is `vif`.
 */
export const ASSIST_VIRTUAL_IF = 4;
/** With ASSIST_VIRTUAL_IF: IRET at CPL 1 may go to ring 3 as well. */
export const ASSIST_VIRTUAL_RETURN = 8;

/** A fault as `readLinear`, `writeLinear` report it. */
export interface LinearFault {
  readonly vector: number;
  readonly errorCode: number;
  readonly linear: number;
}

export interface Processor extends Stateful {
  /** The state words of this core's slot, indexed by the constants of layout.ts. */
  readonly state: Int32Array;
  readonly mmu: Mmu;
  readonly space: PhysicalSpace;
  readonly model: CpuModel;
  /** Undefined unless someone looks on. */
  observer?: EventObserver;

  /**
   * Counted instructions retired so far (whole number below 2^53), exact also during an instruction: the instruction in
   * progress is not yet counted.
   */
  retired(): number;
  /** Adds to the count: what a monitor completed on the guest's behalf. */
  addRetired(count: number): void;
  /** Which privilege levels count: bit n for CPL n. 0b1111 (everything) after construction. */
  setCountedRings(mask: number): void;

  /**
   * Runs until `budget` counted instructions retired or something stops it. Deliverable interrupts, NMIs and traps are
   * taken before each instruction, at exact counts. Guest faults are delivered inside. Never throws for a guest's doing.
   */
  run(budget: number): Stop;
  /** Makes a `run` in progress return at the next instruction boundary. */
  requestStop(): void;
  /** Level of the INTR pin. */
  setIntr(level: boolean): void;
  raiseNmi(): void;
  /** An NMI waits to be delivered. */
  readonly nmiPending: boolean;
  /** RESET#: power-up register values; the model's CPUID signature in EDX. */
  reset(): void;

  // --- one instruction at a time: the monitor's emulator ---
  /**
   * Executes exactly one instruction or REP iteration at CS:EIP, without taking interrupts first, with all its side
   * effects including TF and data-breakpoint traps and delivery of a fault it raises. Adds to `retired` as run does.
   */
  step(): StepOutcome;
  /** Delivers an exception at the current CS:EIP as the hardware would after a fault. errorCode -1: none pushed. */
  raise(vector: number, errorCode: number): StepOutcome;
  /** Delivers a pending NMI or INTR if the state lets it through now. True when one was delivered (HLT is left). */
  takeInterrupt(): boolean;
  /** Whether `takeInterrupt` would deliver something now. */
  interruptDeliverable(): boolean;
  /**
   * A debug trap waits that no instruction of its own will deliver: a data breakpoint hit by the frame of an event, or
   * one held off by MOV SS. `run(0)` delivers it, unless MOV SS still holds it off.
   */
  readonly trapPending: boolean;
  /** About the instruction that `step` last decoded; valid until the next step. */
  readonly lastInstruction: InstructionInfo;
  /** Decodes the instruction at CS:EIP without executing; undefined when its bytes cannot be fetched. */
  peek(): InstructionInfo | undefined;

  // --- ring-0 software's doings, for the monitor; each obeys paging and CR0.WP at CPL 0 like an instruction would ---
  /** Reads 1, 2 or 4 bytes at a linear address as a supervisor; throws RF_MONITOR_FAULT when it would fault. */
  readLinear(linear: number, size: number): number;
  writeLinear(linear: number, size: number, value: number): void;
  writeCr0(value: number): void;
  writeCr3(value: number): void;
  writeCr4(value: number): void;
  writeDr(index: number, value: number): void;
  invlpg(linear: number): void;
  wrmsr(index: number, low: number, high: number): void;
  /** LGDT, LIDT, LLDT, LTR as ring-0 instructions; LTR sets the busy bit in the descriptor. */
  lgdt(base: number, limit: number): void;
  lidt(base: number, limit: number): void;
  lldt(selector: number): void;
  ltr(selector: number): void;

  /** EFLAGS with the lazy arithmetic flags worked out. */
  getEflags(): number;
  setEflags(value: number): void;
  /** Must be called after writing segment words or CPL in `state` directly (not general registers, EIP or HALTED): refreshes what the core derives. */
  stateChanged(): void;
}

export interface InstructionInfo {
  readonly mnemonic: string;
  /** Bytes, prefixes included. */
  readonly length: number;
  /** Privileged, sensitive or segment-loading: what a deprivileged kernel cannot do directly. */
  readonly system: boolean;
}

/** A processor model is data. */
export interface CpuModel {
  readonly name: string;
  readonly summary: string;
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** CPUID exists (EFLAGS.ID can be toggled). */
  readonly cpuid: boolean;
  /** CPUID leaf 1 EDX feature bits that the core implements for this model. */
  readonly features: {
    readonly fpu: boolean;
    readonly vme: boolean;
    readonly de: boolean;
    readonly pse: boolean;
    readonly tsc: boolean;
    readonly msr: boolean;
    readonly pae: boolean;
    readonly cx8: boolean;
    /** There is a local APIC; CPUID says so while IA32_APIC_BASE.EN is set. */
    readonly apic: boolean;
    readonly sep: boolean;
    readonly pge: boolean;
    readonly cmov: boolean;
    readonly clfsh: boolean;
    readonly mmx: boolean;
    readonly fxsr: boolean;
    readonly sse: boolean;
    readonly sse2: boolean;
  };
  /** Instruction set level: 3 = 386, 4 = 486 (BSWAP, CMPXCHG, XADD, INVLPG), 5 = Pentium, 6 = P6. */
  readonly isa: number;
  readonly brand?: string;
  /** Index into Intel's brand table, CPUID leaf 1 EBX; 0 or absent where there is none. */
  readonly brandIndex?: number;
}

export interface ProcessorInit {
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
  readonly mmu: Mmu;
  readonly bus: Bus;
  readonly slot: number;
  readonly model: CpuModel;
  readonly assist: Assist;
}

/** Makes cores: the hardware's and, from the interpreter, the monitor's emulator. */
export interface ProcessorFactory {
  create(init: ProcessorInit): Processor;
}
