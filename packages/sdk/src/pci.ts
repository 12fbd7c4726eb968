/**
 * PCI as a chip sees it (PCI Local Bus Specification 2.1): a function with its configuration space, the bus it is attached
 * to, its interrupt pin, windows that software moves, and bus mastering. `PciConfig` (pci-config.ts) is a header of type 0
 * that most functions can be made with. No bridges to further buses, no MSI, no parity or SERR#.
 */
import type { IrqLine, PortDevice } from './device.js';
import type { MmioHandler } from './physical-space.js';

/** One function on the PCI bus: its 256 bytes of configuration space. */
export interface PciFunction {
  readonly name: string;
  configRead(register: number, size: number): number;
  configWrite(register: number, size: number, value: number): void;
}

/** The PCI bus a host bridge offers; `provides: ['pci-bus']`. */
export interface PciBus {
  /** Throws RF_RESOURCE_CONFLICT when the place is taken. */
  attach(device: number, fn: number, pci: PciFunction): PciSlot;
  /** The chip to whose PIRQ inputs the slots' interrupt pins are wired. One; the last one set wins. */
  routeInterrupts(router: PciInterruptRouter): void;
}

/** What a function has of the bus besides configuration cycles. */
export interface PciSlot {
  /** The level of the function's interrupt pin: 1 is INTA#, 4 is INTD#; `true` is asserted. Pins of a wire are ORed. */
  setInterrupt(pin: number, asserted: boolean): void;
}

/** PIRQ 0 to 3 are PIRQA# to PIRQD#; `true` is asserted. */
export interface PciInterruptRouter {
  setPirq(pirq: number, asserted: boolean): void;
}

/** A device's registers at an address that software chooses. */
export interface AddressWindow {
  /** Answers at `base` from now on; below 0: nowhere. */
  place(base: number): void;
}

/**
 * The capability to stand at moving addresses. Whatever the board has at a fixed place wins: RAM, ROM, a port of an ISA
 * chip. A window over such a place answers only where it sticks out, so no guest can lay a device over memory.
 */
export interface AddressWindows {
  /** As `PortRange`: `range` and `width` mean the same, `owner` is for messages. */
  ports(owner: string, range: string, count: number, width: 1 | 2 | 4, device: PortDevice): AddressWindow;
  memory(bytes: number, handler: MmioHandler): AddressWindow;
}

/**
 * Bus mastering: physical memory past the processor, its translation and its A20 gate, as the guest's other half sees it.
 * What is not RAM reads all ones and swallows writes: devices do not reach each other. Code and tables that the bytes
 * belong to are kept honest, bare and monitored.
 * Preconditions: called between two instructions, which is where a timer of the `Clock` calls back.
 */
export interface DmaMemory {
  read(address: number, into: Uint8Array): void;
  write(address: number, from: Uint8Array): void;
}

/** Where reads and writes of a part of C0000h-FFFFFh go: to the RAM beneath, or to the ROM on the bus. */
export interface ShadowRam {
  /** `base` and `bytes` are multiples of 16 KiB. A machine without RAM there ignores it. */
  set(base: number, bytes: number, readRam: boolean, writeRam: boolean): void;
}

/** Any interrupt request of the board by its number, for a chip that routes to whichever software says. */
export interface IrqInputs {
  /** A driver of its own on that line; the drivers of a line are ORed. From 16 on a line goes to the I/O APIC alone. */
  input(irq: number): IrqInput;
}

export interface IrqInput extends IrqLine {
  /** While on, this driver's level is the line's, and the others are cut off (an event timer that replaces the 8254). */
  alone(on: boolean): void;
}
