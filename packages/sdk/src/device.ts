/**
 * What a device is and what it may be given. A device is one chip: a class whose constructor takes capabilities by
 * token (`@inject(Clock)`, `@inject(IrqLines)`, ...), receives register offsets and knows no machine. What ports and
 * IRQs it stands at is data in its part (see plugin.ts), so that a board can put it elsewhere.
 */
import type { Stateful } from './state.js';

export interface Device extends Stateful {
  /** Power-on or RESET# state. */
  reset(): void;
  /** After `reset`, when no firmware runs: brings the chip into the state in which a BIOS hands it to a kernel. */
  handOver?(): void;
}

/** Port registers. `range` is the name of the port range in the part's resources, `offset` counts from its base. */
export interface PortDevice {
  /** Size is 1, 2 or 4; the bus splits wider accesses for ranges that declare a smaller `width`. */
  portRead(range: string, offset: number, size: number): number;
  portWrite(range: string, offset: number, size: number, value: number): void;
}

/** An interrupt request line, level style: high is asserted. */
export interface IrqLine {
  set(level: boolean): void;
}

/** The device's interrupt lines by the names its part declares ("out" for a chip with one). */
export interface IrqLines {
  line(name: string): IrqLine;
}

/** A byte stream to and from the outside world. */
export interface ByteChannel {
  send(byte: number): void;
  /** Takes the next received byte, or -1 when there is none. */
  receive(): number;
  /** Called whenever bytes have become available to `receive`. One listener; the last one set wins. */
  onReceive(listener: () => void): void;
}

/** What a chip may ask of the board as a whole. */
export interface SystemControl {
  /** RESET# is pulsed: keyboard controller, port 92h, PCI reset register. */
  reset(reason: string): void;
  powerOff(): void;
  /** The guest ends its run with a status of its own (isa-debug-exit): exit status `(value << 1) | 1`. */
  debugExit(value: number): void;
  setA20(open: boolean): void;
  a20(): boolean;
}

/** An interrupt controller as the board sees it; a part that provides it declares `provides: ['interrupt-controller']`. */
export interface InterruptController {
  setIrq(irq: number, level: boolean): void;
  /** INTA cycle. */
  acknowledge(): number;
}

/** The controller's output to the processor's INTR pin. */
export interface IntrPin {
  set(level: boolean): void;
}

/** What stands between FERR# and IGNNE#; `provides: ['float-error']`. Without one, a processor that reports an error waits for good. */
export interface FloatErrorLogic {
  /** As `Bus.floatError`. */
  floatError(again: boolean): boolean;
}

/** What carries the case's power button; `provides: ['power-button']`. A press asks the guest to shut down, no more. */
export interface PowerButton {
  pressPowerButton(): void;
}

/** A device with a screen; `provides: ['screen']`. */
export interface Screen {
  /** The visible text, one line per row, trailing blanks removed; empty in a graphics mode. */
  text(): string;
  /** What is to be seen now, or undefined when the device cannot tell (a mode it does not show). */
  frame?(): ScreenFrame | undefined;
  /** The same as pixels in every mode, text with the guest's own font; undefined as `frame`. */
  picture?(): PixelFrame | undefined;
}

/** One picture of a screen: a copy, the guest goes on without changing it. Colours are 0xRRGGBB. */
export type ScreenFrame = TextFrame | PixelFrame;

export interface TextFrame {
  readonly kind: 'text';
  readonly columns: number;
  readonly rows: number;
  /** Row by row: the character's number in the font, what it stands for, and its colours as numbers in the palette. */
  readonly codes: Uint8Array;
  readonly characters: readonly string[];
  readonly foreground: Uint8Array;
  readonly background: Uint8Array;
  readonly palette: readonly number[];
  /** Absent when it is switched off or not on the screen. */
  readonly cursor?: { readonly column: number; readonly row: number };
}

export interface PixelFrame {
  readonly kind: 'pixels';
  readonly width: number;
  readonly height: number;
  /** Three bytes a pixel, red first. */
  readonly rgb: Uint8Array;
}

/** Facts of the board that a chip may have to tell the guest (CMOS memory size, say). */
export interface BoardInfo {
  readonly ramBytes: number;
  /** Virtual power-on time, in seconds since 1970-01-01T00:00:00Z. */
  readonly epochSeconds: number;
}

export type DeviceFacet =
  | 'interrupt-controller'
  | 'screen'
  | 'isa-dma'
  | 'pci-bus'
  | 'float-error'
  | 'platform-tables'
  | 'local-apic'
  | 'io-apic'
  | 'power-button';

export interface PortRange {
  readonly base: number;
  readonly count: number;
  /** Widest access the chip takes at once, in bytes; wider ones are split, low byte first. Default 1. */
  readonly width?: 1 | 2 | 4;
}

export interface MmioRangeSpec {
  readonly base: number;
  readonly bytes: number;
}

/** Where the chip stands on a PC unless the board says otherwise. */
export interface DeviceResources {
  readonly ports?: Readonly<Record<string, PortRange>>;
  /** The device then also implements `MmioHandler`; one range a device. */
  readonly mmio?: MmioRangeSpec;
  readonly irqs?: Readonly<Record<string, number>>;
}
