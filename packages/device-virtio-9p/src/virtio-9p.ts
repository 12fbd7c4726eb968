/**
 * The folders that a machine shares with its guest: each is a virtio 9P device of its own, from PCI device 10 on, in the
 * order of the configuration. A machine without shares has none of these devices. What the client holds (fids) is saved;
 * the folders themselves are outside inputs.
 */
import {
  type AddressWindows,
  type BoardInfo,
  type Clock,
  type Device,
  type DmaMemory,
  type PciBus,
  type SharedFolders,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
  stateNumber,
} from '@ringfence/sdk';
import { VirtioPci } from '@ringfence/virtio';
import { Fids } from './fids.js';
import { NineServer } from './server.js';
import { ShareTransport } from './share-transport.js';

const COMPONENT = 'virtio-9p';
const VERSION = 1;
const FIRST_DEVICE = 10;

interface Share {
  readonly pci: VirtioPci;
  readonly server: NineServer;
}

@injectable()
export class Virtio9p implements Device {
  /** By their names in the saved state. */
  private readonly shares = new Map<string, Share>();

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.BoardInfo) board: BoardInfo,
    @inject(Tokens.SharedFolders) folders: SharedFolders,
  ) {
    folders.list().forEach((folder, i) => {
      const server = new NineServer(folder, board.epochSeconds);
      const transport = new ShareTransport(`virtio-9p${i}`, server, clock.hz);
      const pci = new VirtioPci(transport, { bus, windows, memory, clock }, FIRST_DEVICE + i);
      this.shares.set(`share${i}`, { pci, server });
    });
  }

  reset(): void {
    for (const { pci } of this.shares.values()) pci.reset();
  }

  saveState(): StateRecord {
    const data = Object.fromEntries(
      [...this.shares].map(([name, { pci, server }]) => [
        name,
        { pci: pci.save(), messageBytes: server.messageBytes, fids: server.fids.save() },
      ]),
    );
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const loads = [...this.shares].map(([name, { pci, server }]) => {
      const saved = stateFields(data, name);
      const messageBytes = stateNumber(saved, 'messageBytes');
      const fids = Fids.checked(saved.fids);
      pci.check(stateFields(saved, 'pci'));
      return () => {
        pci.load(stateFields(saved, 'pci'));
        server.messageBytes = messageBytes;
        server.fids.load(fids);
      };
    });
    for (const load of loads) load();
  }
}
