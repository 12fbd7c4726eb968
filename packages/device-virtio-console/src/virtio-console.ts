/**
 * The virtio console at PCI device 8 (console-port.ts), on the board when the channel `virtio-console` leads somewhere or
 * the configuration names it. What the outside sends waits in the channel, which is not this device's state.
 */
import {
  type AddressWindows,
  type ByteChannel,
  type Clock,
  type Device,
  type DmaMemory,
  type PciBus,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
} from '@ringfence/sdk';
import { VirtioPci } from '@ringfence/virtio';
import { ConsolePort } from './console-port.js';

const COMPONENT = 'virtio-console';
const VERSION = 1;
const PCI_DEVICE = 8;
const RECEIVE = 0;

@injectable()
export class VirtioConsole implements Device {
  private readonly pci: VirtioPci;

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.ByteChannel) channel: ByteChannel,
  ) {
    this.pci = new VirtioPci(new ConsolePort(channel, clock.hz), { bus, windows, memory, clock }, PCI_DEVICE);
    channel.onReceive(() => this.pci.wake(RECEIVE));
  }

  reset(): void {
    this.pci.reset();
  }

  saveState(): StateRecord {
    return { component: COMPONENT, version: VERSION, data: { pci: this.pci.save() } };
  }

  loadState(record: StateRecord): void {
    const pci = stateFields(checkedState(record, COMPONENT, VERSION), 'pci');
    this.pci.check(pci);
    this.pci.load(pci);
  }
}
