/** Every capability a device may ask for, as fakes, in one bag: `new Uart16550(kit.irqs, kit.channel)`. */
import { NO_FIRMWARE, type BoardInfo, type FirmwareInfo } from '@ringfence/sdk';
import { FakeApicBus, FakeNmiGate, FakeProcessorPins } from './fake-apic.js';
import {
  FakeAddressWindows,
  FakeDmaMemory,
  FakeDriveBay,
  FakeIrqInputs,
  FakeIsaDma,
  FakeShadowRam,
} from './fake-board.js';
import { FakeNetworkLink } from './fake-network.js';
import { FakeClock } from './fake-clock.js';
import { FakeByteChannel, FakeIrqLine, FakeIrqLines, FakePciBus, FakeSystemControl } from './fake-lines.js';

export interface DeviceKit {
  readonly clock: FakeClock;
  readonly irqs: FakeIrqLines;
  readonly channel: FakeByteChannel;
  readonly system: FakeSystemControl;
  readonly intr: FakeIrqLine;
  readonly apicBus: FakeApicBus;
  readonly pins: FakeProcessorPins;
  readonly nmiGate: FakeNmiGate;
  readonly pci: FakePciBus;
  readonly windows: FakeAddressWindows;
  readonly dma: FakeDmaMemory;
  readonly isaDma: FakeIsaDma;
  readonly shadow: FakeShadowRam;
  readonly inputs: FakeIrqInputs;
  readonly bay: FakeDriveBay;
  readonly network: FakeNetworkLink;
  readonly board: BoardInfo;
  readonly firmware: FirmwareInfo;
}

export interface DeviceKitInit {
  /** Ticks per virtual second. */
  readonly hz?: number;
  readonly ramBytes?: number;
  readonly epochSeconds?: number;
}

/** 2000-01-01T00:00:00Z, the epoch a configuration has by default. */
export const TEST_EPOCH_SECONDS = 946_684_800;

export function makeDeviceKit(init: DeviceKitInit = {}): DeviceKit {
  return {
    clock: new FakeClock(init.hz),
    irqs: new FakeIrqLines(),
    channel: new FakeByteChannel(),
    system: new FakeSystemControl(),
    intr: new FakeIrqLine('intr'),
    apicBus: new FakeApicBus(),
    pins: new FakeProcessorPins(),
    nmiGate: new FakeNmiGate(),
    pci: new FakePciBus(),
    windows: new FakeAddressWindows(),
    dma: new FakeDmaMemory(),
    isaDma: new FakeIsaDma(),
    shadow: new FakeShadowRam(),
    inputs: new FakeIrqInputs(),
    bay: new FakeDriveBay(),
    network: new FakeNetworkLink(),
    firmware: NO_FIRMWARE,
    board: { ramBytes: init.ramBytes ?? 64 * 1024 * 1024, epochSeconds: init.epochSeconds ?? TEST_EPOCH_SECONDS },
  };
}
