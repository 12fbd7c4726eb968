/**
 * The machine's drives of interface `virtio`: unit n is a virtio block device (virtio-disk.ts) at PCI device 4 + n. A
 * machine without such drives has none of these devices. The storage saves itself; here are the transports.
 */
import {
  type AddressWindows,
  type Clock,
  type Device,
  type DmaMemory,
  type DriveBay,
  type PciBus,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
} from '@ringfence/sdk';
import { VirtioPci } from '@ringfence/virtio';
import { VirtioDisk } from './virtio-disk.js';

const COMPONENT = 'virtio-blk';
const VERSION = 1;
const FIRST_DEVICE = 4;

@injectable()
export class VirtioBlk implements Device {
  /** By their names in the saved state. */
  private readonly disks = new Map<string, VirtioPci>();

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.DriveBay) bay: DriveBay,
  ) {
    for (const drive of bay.drives('virtio')) {
      const disk = new VirtioDisk(drive, { hz: clock.hz, negotiated: (feature) => pci.negotiated(feature) });
      const pci: VirtioPci = new VirtioPci(disk, { bus, windows, memory, clock }, FIRST_DEVICE + drive.unit);
      this.disks.set(`disk${drive.unit}`, pci);
    }
  }

  reset(): void {
    for (const disk of this.disks.values()) disk.reset();
  }

  saveState(): StateRecord {
    const data = Object.fromEntries([...this.disks].map(([name, disk]) => [name, disk.save()]));
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    for (const [name, disk] of this.disks) disk.check(stateFields(data, name));
    for (const [name, disk] of this.disks) disk.load(stateFields(data, name));
  }
}
