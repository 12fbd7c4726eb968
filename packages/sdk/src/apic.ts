/**
 * The APIC system of a board with one processor: the local APIC that is part of the processor, the I/O APIC beside the
 * chipset, and the serial bus between them (SDM Vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)";
 * 82093AA datasheet, order number 290566). Contracts only; the chips are `device-lapic` and `device-ioapic`, the wires
 * between them, the 8259s and the processor are the board's. No second processor, no x2APIC.
 */

/** Delivery modes of the bus: bits 8 to 10 of a redirection entry, a local vector and the command register. */
export const APIC_FIXED = 0;
export const APIC_LOWEST = 1;
export const APIC_SMI = 2;
export const APIC_NMI = 4;
export const APIC_INIT = 5;
export const APIC_STARTUP = 6;
export const APIC_EXTINT = 7;

/** What the processor's instructions see of its local APIC: IA32_APIC_BASE and CPUID's feature flag. */
export interface LocalApicBase {
  /** IA32_APIC_BASE.EN, which is also CPUID.01H:EDX.APIC. */
  readonly enabled: boolean;
  readonly baseLow: number;
  readonly baseHigh: number;
  /** WRMSR of IA32_APIC_BASE; false where that raises #GP(0). */
  writeBase(low: number, high: number): boolean;
}

/** The local APIC as the board sees it; `provides: ['local-apic']`. */
export interface LocalApic extends LocalApicBase {
  /** The level of a local interrupt pin: LINT0 (INTR of the 8259s) or LINT1 (NMI). */
  setLint(pin: 0 | 1, level: boolean): void;
  /** INTA cycle of the processor. */
  acknowledge(): number;
  /** A message on the bus; false when it is not for this APIC or cannot be accepted now. */
  accept(destination: number, logical: boolean, mode: number, vector: number, level: boolean): boolean;
  /** Whether a device's request can come as an NMI: a processor in HLT with IF = 0 may yet wake. */
  readonly routesNmi: boolean;
}

/** The I/O APIC as the board sees it; `provides: ['io-apic']`. */
export interface IoApic {
  setInput(pin: number, level: boolean): void;
  /** A local APIC has finished with a level-triggered vector. */
  endOfInterrupt(vector: number): void;
  /** A receiver may accept now what it refused before. */
  retry(): void;
  readonly routesNmi: boolean;
}

/** The bus between the two, as a capability of both. */
export interface ApicBus {
  /** Sends to the local APIC; false when nobody accepted. */
  send(destination: number, logical: boolean, mode: number, vector: number, level: boolean): boolean;
  endOfInterrupt(vector: number): void;
  receiverChanged(): void;
}

/** The processor's interrupt pins, and the external controller's INTA cycle: capabilities of a local APIC. */
export interface ProcessorPins {
  setIntr(level: boolean): void;
  /** A rising edge of NMI. */
  nmi(): void;
  /** INTA cycle on the bus: the 8259s answer. */
  acknowledgeExternal(): number;
}

/** What keeps the PC's NMI from the processor: bit 7 of the RTC's index port. */
export interface NmiGate {
  mask(masked: boolean): void;
}
