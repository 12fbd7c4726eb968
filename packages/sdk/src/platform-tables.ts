/**
 * What firmware tells an operating system about a board, and who writes it down. A chip announces itself in its part, as data
 * (`DevicePart.firmware`): its plug-and-play identity, that it is an I/O APIC, where its power management registers are
 * put. A part that `provides: ['platform-tables']` turns the facts of all parts on the board into the tables of ACPI and of
 * the MultiProcessor Specification. It says nothing of what only a running system finds out, such as PCI functions.
 */
import type { DeviceResources } from './device.js';
import type { LoadSegment } from './loader.js';

/** A device on the ISA side that software knows by an identity of the PNP registry (`PNP0501`). */
export interface PnpFact {
  readonly kind: 'pnp';
  readonly id: string;
  /** Four characters, capital letters and digits, unique on the board: its name in the ACPI namespace. */
  readonly name: string;
  /** Names in the part's `resources`; default: all of them. */
  readonly ports?: readonly string[];
  readonly irqs?: readonly string[];
  /** The 8237's channel. */
  readonly dma?: number;
}

/** Power management registers of the layout of ACPI's fixed hardware, moved to `base` by whoever starts the board. */
export interface AcpiPowerFact {
  readonly kind: 'acpi-power';
  readonly base: number;
  /** Port ranges from `base`. */
  readonly bytes: number;
  /** Offsets from `base`. */
  readonly pm1Event: number;
  readonly pm1Control: number;
  readonly pmTimer: number;
  readonly gpe0: number;
  readonly gpe0Bytes: number;
  readonly sciIrq: number;
  readonly smiCommand: number;
  readonly acpiEnable: number;
  readonly acpiDisable: number;
  /** SLP_TYP of soft off. */
  readonly softOff: number;
}

export interface LocalApicFact {
  readonly kind: 'local-apic';
  readonly address: number;
  readonly id: number;
  readonly version: number;
}

/** ISA request n is wired to input n, request 0 to `timerInput`. */
export interface IoApicFact {
  readonly kind: 'io-apic';
  readonly address: number;
  readonly id: number;
  readonly version: number;
  readonly timerInput: number;
}

export interface HpetFact {
  readonly kind: 'hpet';
  readonly address: number;
  /** The event timer block's identification, the low word of its capabilities. */
  readonly blockId: number;
  readonly minimumTick: number;
}

/** The PCI host bridge. */
export interface PciRootFact {
  readonly kind: 'pci-root';
}

/** Routes PIRQA#-PIRQD# by four bytes of its configuration space; bit 7 of a byte is "not routed". */
export interface PirqRouterFact {
  readonly kind: 'pirq-router';
  /** Device and vendor, as its configuration space begins. */
  readonly id: number;
  readonly device: number;
  readonly fn: number;
  readonly register: number;
  /** Requests that software may choose. */
  readonly choices: readonly number[];
  /** Where firmware routes PIRQA# to PIRQD#. */
  readonly routed: readonly number[];
}

/** A register that resets the board when `value` is written. */
export interface ResetPortFact {
  readonly kind: 'reset-port';
  readonly port: number;
  readonly value: number;
}

export type FirmwareFact =
  PnpFact | AcpiPowerFact | LocalApicFact | IoApicFact | HpetFact | PciRootFact | PirqRouterFact | ResetPortFact;

/** A fact, and the part on the board that it is true of. */
export interface PlacedFact {
  readonly fact: FirmwareFact;
  readonly part: string;
  readonly resources: DeviceResources;
}

/** The capability to know them. Preconditions: asked when the whole board stands, not in a constructor. */
export interface FirmwareFacts {
  list(): readonly PlacedFact[];
}

/** A file that firmware finds in the board's configuration interface (fw_cfg). */
export interface FirmwareFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Preconditions: asked when the whole board stands, not in a constructor. */
export interface PlatformTables {
  /** Where a BIOS has left them, in F0000h-FFFFFh and in the extended BIOS data area. */
  placed(): readonly LoadSegment[];
  /** The same for firmware that places them itself: `etc/acpi/...`, and `etc/table-loader` that says how. */
  files(): readonly FirmwareFile[];
}

/** Conventional memory ends here for a kernel; up to A0000h is the extended BIOS data area. */
export const EBDA_BASE = 0x9fc00;
export const EBDA_END = 0xa0000;
