/**
 * A PCI configuration header of type 0 (PCI Local Bus Specification 2.1, 6.1 "Configuration Space Organization" and 6.2.5
 * "Base Addresses"): identification, command and status, base address registers with their windows, interrupt line and
 * pin, and registers of the function's own with a mask of what software may write. Sizing by writing all ones and moving
 * by rewriting need no further code. A base address of zero decodes nothing, as firmware expects of a register that
 * nobody has assigned. Does not do 64-bit or below-1-MiB base addresses or capabilities.
 */
import type { PortDevice } from './device.js';
import type { AddressWindow, AddressWindows, PciFunction } from './pci.js';
import type { MmioHandler } from './physical-space.js';

export const PCI_CONFIG_BYTES = 256;
export const PCI_COMMAND_IO = 0x01;
export const PCI_COMMAND_MEMORY = 0x02;
export const PCI_COMMAND_MASTER = 0x04;

const COMMAND = 0x04;
const BASE_ADDRESS = 0x10;
const EXPANSION_ROM = 0x30;
const EXPANSION_ROM_ENABLE = 0x01;
/** The least that an expansion ROM decodes. */
const EXPANSION_ROM_GRAIN = 0x800;
const INTERRUPT_LINE = 0x3c;
const BAR_IO = 0x01;

/** Ports at a base address register; `bytes` is a power of two from 4. */
export interface PciIoBar {
  readonly index: number;
  readonly kind: 'io';
  readonly bytes: number;
  readonly range: string;
  readonly width: 1 | 2 | 4;
  readonly device: PortDevice;
}

/** Memory at a base address register; `bytes` is a power of two from 16. */
export interface PciMemoryBar {
  readonly index: number;
  readonly kind: 'memory';
  readonly bytes: number;
  readonly prefetchable?: boolean;
  readonly handler: MmioHandler;
}

/** One byte of the function's own registers: its value after reset, and which bits software may write. */
export type PciRegister = readonly [register: number, value: number, writable: number];

export interface PciConfigInit {
  readonly name: string;
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Base class, sub-class and programming interface, 24 bits. */
  readonly classCode: number;
  /** 80h: the device has further functions. */
  readonly headerType?: number;
  /** Bits of the command register that software may set; the rest read as zero. */
  readonly commandWritable: number;
  /** The command register after reset. */
  readonly command?: number;
  readonly status?: number;
  /** 1 is INTA#; 0 none. */
  readonly interruptPin?: number;
  readonly bars?: readonly (PciIoBar | PciMemoryBar)[];
  readonly registers?: readonly PciRegister[];
  /** An expansion ROM (6.2.5.2 "Expansion ROM Base Address Register"). */
  readonly rom?: Uint8Array | undefined;
}

export class PciConfig implements PciFunction {
  readonly name: string;
  /** The 256 bytes as they stand. */
  readonly bytes = new Uint8Array(PCI_CONFIG_BYTES);
  private readonly initial = new Uint8Array(PCI_CONFIG_BYTES);
  private readonly writable = new Uint8Array(PCI_CONFIG_BYTES);
  private rom: { readonly bytes: number; readonly window: AddressWindow } | undefined;
  private readonly windows: { readonly bar: PciIoBar | PciMemoryBar; readonly window: AddressWindow }[] = [];

  /** `changed` is called after every write, when windows have moved already. */
  constructor(
    init: PciConfigInit,
    windows: AddressWindows,
    private readonly changed: () => void = () => {},
  ) {
    this.name = init.name;
    const { initial, writable } = this;
    put(initial, 0x00, 2, init.vendor);
    put(initial, 0x02, 2, init.device);
    put(initial, COMMAND, 2, init.command ?? 0);
    put(initial, 0x06, 2, init.status ?? 0);
    initial[0x08] = init.revision ?? 0;
    put(initial, 0x09, 3, init.classCode);
    initial[0x0e] = init.headerType ?? 0;
    initial[0x3d] = init.interruptPin ?? 0;
    put(writable, COMMAND, 2, init.commandWritable);
    if ((init.interruptPin ?? 0) !== 0) writable[INTERRUPT_LINE] = 0xff;
    for (const [register, value, mask] of init.registers ?? []) {
      initial[register] = value;
      writable[register] = mask;
    }
    for (const bar of init.bars ?? []) {
      const at = BASE_ADDRESS + 4 * bar.index;
      initial[at] = bar.kind === 'io' ? BAR_IO : bar.prefetchable === true ? 0x08 : 0;
      put(writable, at, 4, -bar.bytes);
      const window =
        bar.kind === 'io'
          ? windows.ports(init.name, bar.range, bar.bytes, bar.width, bar.device)
          : windows.memory(bar.bytes, bar.handler);
      this.windows.push({ bar, window });
    }
    if (init.rom !== undefined) this.addRom(init.rom, windows);
    this.bytes.set(initial);
  }

  reset(): void {
    this.load(this.initial);
  }

  /** The command register. */
  get command(): number {
    return this.bytes[COMMAND] | (this.bytes[COMMAND + 1] << 8);
  }

  configRead(register: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.bytes[(register + i) & 0xff] << (8 * i);
    return value;
  }

  configWrite(register: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) {
      const at = (register + i) & 0xff;
      const mask = this.writable[at];
      this.bytes[at] = (this.bytes[at] & ~mask) | ((value >>> (8 * i)) & mask);
    }
    this.place();
    this.changed();
  }

  /** Takes over a saved configuration space; windows follow. */
  load(bytes: Uint8Array): void {
    this.bytes.set(bytes);
    this.place();
    this.changed();
  }

  private addRom(rom: Uint8Array, windows: AddressWindows): void {
    let bytes = EXPANSION_ROM_GRAIN;
    while (bytes < rom.length) bytes *= 2;
    put(this.writable, EXPANSION_ROM, 4, -bytes | EXPANSION_ROM_ENABLE);
    const window = windows.memory(bytes, {
      mmioRead: (offset, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value |= (rom[offset + i] ?? 0xff) << (8 * i);
        return value;
      },
      mmioWrite: () => {},
    });
    this.rom = { bytes, window };
  }

  private place(): void {
    if (this.rom !== undefined) {
      const register = this.configRead(EXPANSION_ROM, 4);
      const enabled = (this.command & PCI_COMMAND_MEMORY) !== 0 && (register & EXPANSION_ROM_ENABLE) !== 0;
      const base = (register & -this.rom.bytes) >>> 0;
      this.rom.window.place(enabled && base !== 0 ? base : -1);
    }
    for (const { bar, window } of this.windows) {
      const enabled = (this.command & (bar.kind === 'io' ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) !== 0;
      const base = (this.configRead(BASE_ADDRESS + 4 * bar.index, 4) & -bar.bytes) >>> 0;
      const reachable = base !== 0 && (bar.kind === 'memory' || base + bar.bytes <= 0x10000);
      window.place(enabled && reachable ? base : -1);
    }
  }
}

function put(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * i);
}
