/**
 * The IDE function of the Intel 82371SB PIIX3 (datasheet 290550), function 1 of device 1, 8086h:7010h: two channels at
 * their ISA addresses (1F0h-1F7h, 3F6h, IRQ 14; 170h-177h, 376h, IRQ 15), bus master registers at BAR 4, and the drives
 * of the machine on them, units 0 and 1 on the first cable. IDETIM enables both channels, as a BIOS leaves it; its timing
 * bits keep what is written. Legacy mode only: no native mode, no UDMA of its own (a drive may still claim modes).
 */
import {
  type AddressWindows,
  type Clock,
  type Device,
  type DmaMemory,
  type Drive,
  type DriveBay,
  type IrqLines,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_CONFIG_BYTES,
  type PciBus,
  PciConfig,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateFields,
  stateNumbers,
} from '@ringfence/sdk';
import { AtaDisk } from './ata-disk.js';
import { AtapiCd } from './atapi-cd.js';
import { BusMaster } from './bus-master.js';
import { IdeChannel } from './channel.js';
import type { DriveHost, IdeDrive } from './drive.js';

const COMPONENT = 'ide';
const VERSION = 1;

/** IDETIM of the two channels: bit 15 enables the channel's ports. */
const IDETIM = 0x40;
const BUS_MASTER_BYTES = 16;
const CHANNEL_BYTES = 8;

@injectable()
export class PiixIde implements Device, PortDevice {
  private readonly config: PciConfig;
  private readonly channels: readonly IdeChannel[];
  private readonly masters: readonly BusMaster[];

  constructor(
    @inject(Tokens.PciBus) bus: PciBus,
    @inject(Tokens.AddressWindows) windows: AddressWindows,
    @inject(Tokens.DmaMemory) memory: DmaMemory,
    @inject(Tokens.Clock) clock: Clock,
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.DriveBay) bay: DriveBay,
  ) {
    const drives = bay.drives('ide');
    this.masters = [new BusMaster(memory), new BusMaster(memory)];
    this.channels = ['primary', 'secondary'].map((name, channel) => {
      const host: DriveHost = {
        intrqChanged: () => this.channels[channel].update(),
        runDma: (drive) => this.runDma(channel, drive),
      };
      const make = (place: number): IdeDrive | undefined => {
        const drive = drives.find(({ unit }) => unit === channel * 2 + place);
        return drive === undefined ? undefined : makeDrive(drive, clock, host);
      };
      const master = this.masters[channel];
      return new IdeChannel(irqs.line(name), [make(0), make(1)], () => master.noteInterrupt());
    });
    this.config = new PciConfig(
      {
        name: '82371SB IDE',
        vendor: 0x8086,
        device: 0x7010,
        classCode: 0x010180, // legacy ports, bus master
        command: PCI_COMMAND_IO,
        commandWritable: PCI_COMMAND_IO | PCI_COMMAND_MASTER,
        status: 0x0280,
        bars: [{ index: 4, kind: 'io', bytes: BUS_MASTER_BYTES, range: 'master', width: 4, device: this }],
        registers: [
          [0x0d, 0x00, 0xf0], // latency timer
          [IDETIM, 0x00, 0xff],
          [IDETIM + 1, 0x80, 0xf3],
          [IDETIM + 2, 0x00, 0xff],
          [IDETIM + 3, 0x80, 0xf3],
          [0x44, 0x00, 0xff], // SIDETIM
        ],
      },
      windows,
    );
    bus.attach(1, 1, this.config);
  }

  reset(): void {
    this.config.reset();
    for (const master of this.masters) master.reset();
    for (const channel of this.channels) channel.reset();
  }

  portRead(range: string, offset: number, size: number): number {
    if (range === 'master') return gather(size, (i) => this.readMaster(offset + i));
    const channel = range.startsWith('primary') ? 0 : 1;
    if (!this.decodes(channel)) return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
    if (range.endsWith('-control')) return this.channels[channel].readAlternate();
    if (offset === 0) return this.channels[channel].read(0, size);
    return gather(size, (i) => this.channels[channel].read((offset + i) & 7, 1));
  }

  portWrite(range: string, offset: number, size: number, value: number): void {
    if (range === 'master') {
      for (let i = 0; i < size; i++) this.writeMaster(offset + i, (value >>> (8 * i)) & 0xff);
      return;
    }
    const channel = range.startsWith('primary') ? 0 : 1;
    if (!this.decodes(channel)) return;
    if (range.endsWith('-control')) this.channels[channel].writeControl(value & 0xff);
    else if (offset === 0) this.channels[channel].write(0, size, value);
    else for (let i = 0; i < size; i++) this.channels[channel].write((offset + i) & 7, 1, (value >>> (8 * i)) & 0xff);
  }

  saveState(): StateRecord {
    const [primary, secondary] = this.channels.map((channel) => channel.save());
    const [master0, master1] = this.masters.map((master) => master.save());
    const config = this.config.bytes.slice();
    return { component: COMPONENT, version: VERSION, data: { config, primary, secondary, master0, master1 } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const config = stateBytes(data, 'config', PCI_CONFIG_BYTES);
    const channels = [stateFields(data, 'primary'), stateFields(data, 'secondary')];
    const masters = [stateFields(data, 'master0'), stateFields(data, 'master1')];
    channels.forEach((saved, i) => this.channels[i].check(saved));
    masters.forEach((saved) => stateNumbers(saved, ['command', 'status', 'table']));
    this.config.load(config);
    channels.forEach((saved, i) => this.channels[i].load(saved));
    masters.forEach((saved, i) => this.masters[i].load(saved));
  }

  private decodes(channel: number): boolean {
    return (this.config.command & PCI_COMMAND_IO) !== 0 && (this.config.bytes[IDETIM + 1 + 2 * channel] & 0x80) !== 0;
  }

  private runDma(channel: number, drive: IdeDrive): boolean {
    return (this.config.command & PCI_COMMAND_MASTER) !== 0 && this.masters[channel].run(drive);
  }

  private readMaster(offset: number): number {
    return this.masters[(offset & CHANNEL_BYTES) / CHANNEL_BYTES].read(offset % CHANNEL_BYTES);
  }

  private writeMaster(offset: number, value: number): void {
    const channel = (offset & CHANNEL_BYTES) / CHANNEL_BYTES;
    this.masters[channel].write(offset % CHANNEL_BYTES, value, () => this.channels[channel].drive?.dmaStarted());
  }
}

function makeDrive(drive: Drive, clock: Clock, host: DriveHost): IdeDrive {
  return drive.media === 'disk'
    ? new AtaDisk(drive.storage, drive.unit, clock, host)
    : new AtapiCd(drive.storage, drive.unit, clock, host);
}

function gather(size: number, read: (i: number) => number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= read(i) << (8 * i);
  return value;
}
