/**
 * The machine's network card as a virtio device at PCI device 3: the cable it is plugged into, and its saved state. The
 * device itself is net-device.ts, what it is plugged into the composition root's affair. Frames go both ways from timers,
 * between two instructions.
 */
import {
  MAX_FRAME_BYTES,
  RingfenceError,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateFields,
  type AddressWindows,
  type Clock,
  type Device,
  type DmaMemory,
  type NetworkLink,
  type PciBus,
  type StateRecord,
} from '@ringfence/sdk';
import { VirtioPci } from '@ringfence/virtio';
import { NetDevice, RECEIVEQ } from './net-device.js';

const COMPONENT = 'virtio-net';
const VERSION = 1;
const PCI_DEVICE = 3;

@injectable()
export class VirtioNet implements Device {
  private readonly card: NetDevice;
  private readonly pci: VirtioPci;

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.NetworkLink) link: NetworkLink,
  ) {
    this.card = new NetDevice(link, { hz: clock.hz, negotiated: (feature) => this.pci.negotiated(feature) });
    this.pci = new VirtioPci(this.card, { bus, windows, memory, clock }, PCI_DEVICE);
    link.onReceive(() => this.pci.wake(RECEIVEQ));
  }

  reset(): void {
    this.pci.reset();
  }

  saveState(): StateRecord {
    const waiting = this.card.waiting?.slice() ?? new Uint8Array();
    return { component: COMPONENT, version: VERSION, data: { pci: this.pci.save(), waiting } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const pci = stateFields(data, 'pci');
    const waiting = stateBytes(data, 'waiting');
    if (waiting.length > MAX_FRAME_BYTES) {
      throw new RingfenceError('RF_BAD_STATE', { message: 'the saved frame is none', value: waiting.length });
    }
    this.pci.check(pci);
    this.card.waiting = waiting.length === 0 ? undefined : waiting.slice();
    this.pci.load(pci);
  }
}
