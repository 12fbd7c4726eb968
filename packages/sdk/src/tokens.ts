/**
 * Dependency-injection tokens: one per contract, with the contract's own name (`@inject(Tokens.Clock)`). Wiring happens
 * once, at start-up, in a child container per machine and per device; nothing on a hot path resolves anything.
 */
import type { InjectionToken } from 'tsyringe';
import type { ApicBus, NmiGate, ProcessorPins } from './apic.js';
import type { Bus } from './bus.js';
import type { Clock } from './clock.js';
import type { DriveBay } from './block-device.js';
import type { BoardInfo, ByteChannel, IntrPin, IrqLines, SystemControl } from './device.js';
import type { FirmwareInfo } from './firmware.js';
import type { FirmwareFacts, PlatformTables } from './platform-tables.js';
import type { IsaDma } from './isa-dma.js';
import type { MachineMemory } from './memory.js';
import type { MmuFactory } from './mmu.js';
import type {
  MonitorOptions,
  ProtectionStrategy,
  SensitiveStrategy,
  ShadowCacheStrategy,
  MonitorPolicy,
} from './monitor.js';
import type { NetworkLink } from './network.js';
import type { AddressWindows, DmaMemory, IrqInputs, PciBus, ShadowRam } from './pci.js';
import type { PhysicalSpace } from './physical-space.js';
import type { CpuModel, ProcessorFactory } from './processor.js';
import type { SharedFolders } from './shared-folder.js';

function token<T>(name: string): InjectionToken<T> {
  return Symbol.for(`ringfence.${name}`);
}

export const Tokens = {
  /** The part's own options from the configuration, validated by the part's schema. */
  Options: token<Readonly<Record<string, unknown>>>('Options'),
  // capabilities of a device
  Clock: token<Clock>('Clock'),
  IrqLines: token<IrqLines>('IrqLines'),
  ByteChannel: token<ByteChannel>('ByteChannel'),
  SystemControl: token<SystemControl>('SystemControl'),
  IntrPin: token<IntrPin>('IntrPin'),
  ApicBus: token<ApicBus>('ApicBus'),
  ProcessorPins: token<ProcessorPins>('ProcessorPins'),
  NmiGate: token<NmiGate>('NmiGate'),
  PciBus: token<PciBus>('PciBus'),
  IsaDma: token<IsaDma>('IsaDma'),
  AddressWindows: token<AddressWindows>('AddressWindows'),
  DmaMemory: token<DmaMemory>('DmaMemory'),
  ShadowRam: token<ShadowRam>('ShadowRam'),
  IrqInputs: token<IrqInputs>('IrqInputs'),
  DriveBay: token<DriveBay>('DriveBay'),
  SharedFolders: token<SharedFolders>('SharedFolders'),
  /** The cable of a network card; a loose one when there is no network. */
  NetworkLink: token<NetworkLink>('NetworkLink'),
  BoardInfo: token<BoardInfo>('BoardInfo'),
  FirmwareFacts: token<FirmwareFacts>('FirmwareFacts'),
  /** Always there; on a board without such a part it has none. */
  PlatformTables: token<PlatformTables>('PlatformTables'),
  FirmwareInfo: token<FirmwareInfo>('FirmwareInfo'),
  // the machine
  MachineMemory: token<MachineMemory>('MachineMemory'),
  /** The guest's physical space. */
  GuestSpace: token<PhysicalSpace>('GuestSpace'),
  /** The board: ports, interrupt acknowledge, clock. */
  GuestBus: token<Bus>('GuestBus'),
  MmuFactory: token<MmuFactory>('MmuFactory'),
  /** The configured core: the hardware. */
  HardwareCore: token<ProcessorFactory>('HardwareCore'),
  /** The reference interpreter: the monitor's emulator is made from it. */
  EmulatorCore: token<ProcessorFactory>('EmulatorCore'),
  CpuModel: token<CpuModel>('CpuModel'),
  // the monitor
  MonitorOptions: token<MonitorOptions>('MonitorOptions'),
  MonitorPolicy: token<MonitorPolicy>('MonitorPolicy'),
  ShadowCacheStrategy: token<ShadowCacheStrategy>('ShadowCacheStrategy'),
  SensitiveStrategy: token<SensitiveStrategy>('SensitiveStrategy'),
  ProtectionStrategy: token<ProtectionStrategy>('ProtectionStrategy'),
} as const;
