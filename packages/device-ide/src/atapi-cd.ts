/**
 * An ATAPI CD-ROM drive with a disc of one data track (SFF-8020i; ATA/ATAPI-6 for the transport; MMC-3 for GET
 * CONFIGURATION and events). Packets of 12 bytes, answers by PIO in pieces of the byte count limit or by DMA. Sectors have
 * 2048 bytes. No audio, no writing, no raw sectors (READ CD is refused).
 */
import { stateNumbers, type BlockDevice, type Clock, type StateRecord } from '@ringfence/sdk';
import {
  BUFFER_BYTES,
  ERROR_ABRT,
  IdeDrive,
  STATUS_DRDY,
  STATUS_DSC,
  STEP_OWN,
  putIdentifyText,
  putWord,
  type DriveHost,
} from './drive.js';
import { answer, CD_SECTOR, SENSE_MEDIUM, type CdState, type PacketAnswer } from './cd-packets.js';

const PACKET_BYTES = 12;
/** Interrupt reason, in the sector count register: command or data, and the direction. */
const REASON_COMMAND = 0x01;
const REASON_TO_HOST = 0x02;

const STEP_PACKET = STEP_OWN;
const STEP_DATA = STEP_OWN + 1;
const STEP_IDENTIFY = STEP_OWN + 2;

const COMMAND_US = 50;
const READ_US = 200;
const DMA_BYTES_PER_US = 8;

const OWN = ['limit', 'wide', 'sense', 'asc', 'ejected', 'locked', 'attention', 'identifying', 'filled'] as const;

export class AtapiCd extends IdeDrive implements CdState {
  protected readonly readyStatus = 0;
  readonly sectors: number;
  /** Sense key, and additional code and qualifier, of the last packet. */
  sense = 0;
  asc = 0;
  ejected = 0;
  locked = 0;
  /** 1: UNIT ATTENTION is to be told, of a reset. */
  attention = 1;
  /** Bytes the host takes between two interrupts. */
  private limit = 0;
  /** 1: the packet in progress moves its data by DMA. */
  private wide = 0;
  /** 1: the data in the buffer is IDENTIFY PACKET DEVICE's. */
  private identifying = 0;
  /** Bytes of the answer in the buffer, of which those before `pos` are gone. */
  private filled = 0;

  constructor(storage: BlockDevice, unit: number, clock: Clock, host: DriveHost) {
    super(storage, unit, clock, host);
    this.sectors = Math.floor(storage.bytes / CD_SECTOR);
  }

  protected powerOn(): void {
    this.sense = this.asc = this.ejected = this.locked = this.limit = this.wide = 0;
    this.identifying = this.filled = 0;
    this.attention = 1;
    this.end = this.pos = this.left = this.lba = this.command = 0;
    this.features = this.toMemory = this.device = 0;
  }

  protected sign(): void {
    this.lba1 = 0x14;
    this.lba2 = 0xeb;
    this.attention = 1;
  }

  /** DEVICE RESET reaches a busy drive too. */
  override writeCommand(command: number): void {
    if (command === 0x08) this.restart();
    else super.writeCommand(command);
  }

  protected execute(): void {
    this.identifying = 0;
    switch (this.command) {
      case 0xa0: // PACKET
        this.wide = this.features & 1;
        this.limit = this.lba1 | (this.lba2 << 8);
        this.count = REASON_COMMAND;
        return this.ask(PACKET_BYTES, false);
      case 0xa1: // IDENTIFY PACKET DEVICE
        this.identifying = 1;
        return this.wait(STEP_IDENTIFY, COMMAND_US);
      case 0x20: // READ SECTOR(S)
      case 0xec: // IDENTIFY DEVICE
        this.count = this.lba0 = 1;
        this.lba1 = 0x14;
        this.lba2 = 0xeb;
        return this.abort();
      case 0xe5: // CHECK POWER MODE
        this.count = 0xff;
        return this.complete();
      case 0xe0: // STANDBY IMMEDIATE
      case 0xe1: // IDLE IMMEDIATE
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0xe7: // FLUSH CACHE
        return this.complete();
      case 0xef: // SET FEATURES
        return this.features === 0x03 && !this.setMode(this.count) ? this.abort() : this.complete();
      default:
        return this.abort();
    }
  }

  protected proceed(step: number): void {
    if (step === STEP_IDENTIFY) {
      this.identify();
      this.left = 0;
      this.offer(0, 512);
    } else if (step === STEP_PACKET) {
      this.packet();
    } else {
      this.nextData();
    }
  }

  protected blockDone(): void {
    if (this.identifying !== 0) {
      this.status = STATUS_DRDY | STATUS_DSC;
    } else if (this.count === REASON_COMMAND) {
      // READ (10) and READ (12) go to the disc.
      const reads = this.buffer[0] === 0x28 || this.buffer[0] === 0xa8;
      this.wait(STEP_PACKET, reads ? READ_US : COMMAND_US);
    } else {
      this.wait(STEP_DATA, COMMAND_US / 10);
    }
  }

  // ------------------------------------------------------------------------------- packets

  private packet(): void {
    const result: PacketAnswer = answer(this, this.buffer.slice(0, PACKET_BYTES));
    this.sense = result.sense;
    this.asc = result.asc;
    if (result.sense !== 0) return this.refuse();
    this.left = result.read ?? 0;
    this.lba = result.lba ?? 0;
    this.pos = this.end = 0;
    this.filled = result.data?.length ?? 0;
    if (result.data !== undefined) this.buffer.set(result.data);
    if (this.dmaLeft === 0) return this.finish();
    if (this.wide === 0) return this.nextData();
    this.count = REASON_TO_HOST;
    this.startDma(true, this.dmaLeft / DMA_BYTES_PER_US);
  }

  /** The next piece by PIO, or the end. */
  private nextData(): void {
    if (this.pos === this.filled && this.left > 0) {
      const sectors = Math.min(this.left, BUFFER_BYTES / CD_SECTOR);
      this.pos = 0;
      this.filled = sectors * CD_SECTOR;
      if (!this.storage.read(this.lba * CD_SECTOR, this.buffer.subarray(0, this.filled))) return this.unreadable();
      this.lba += sectors;
      this.left -= sectors;
    }
    if (this.pos === this.filled) return this.finish();
    // An odd limit is allowed for the last piece only; zero means as much as fits.
    const most = this.limit === 0 || this.limit === 0xffff ? 0xfffe : this.limit === 1 ? 2 : this.limit & 0xfffe;
    const bytes = Math.min(most, this.filled - this.pos);
    this.lba1 = bytes & 0xff;
    this.lba2 = bytes >>> 8;
    this.count = REASON_TO_HOST;
    this.offer(this.pos, bytes);
  }

  get dmaLeft(): number {
    return this.filled - this.pos + this.left * CD_SECTOR;
  }

  get dmaUnit(): number {
    return this.left === 0 ? 1 : CD_SECTOR;
  }

  dmaPeek(into: Uint8Array): boolean {
    if (this.left > 0) return this.storage.read(this.lba * CD_SECTOR, into);
    into.set(this.buffer.subarray(this.pos, this.pos + into.length));
    return true;
  }

  dmaBlock(bytes: Uint8Array): boolean {
    if (!this.dmaPeek(bytes)) return false;
    if (this.left === 0) {
      this.pos += bytes.length;
    } else {
      this.lba += bytes.length / CD_SECTOR;
      this.left -= bytes.length / CD_SECTOR;
    }
    return true;
  }

  dmaDone(ok: boolean): void {
    if (ok) this.finish();
    else this.unreadable();
  }

  private finish(): void {
    this.count = REASON_COMMAND | REASON_TO_HOST;
    this.complete();
  }

  /** CHECK CONDITION: the sense key stands in the error register. */
  private refuse(): void {
    this.left = this.filled = this.pos = this.end = 0;
    this.count = REASON_COMMAND | REASON_TO_HOST;
    this.fail((this.sense << 4) | ERROR_ABRT);
  }

  private unreadable(): void {
    this.sense = SENSE_MEDIUM;
    this.asc = 0x1100; // unrecovered read error
    this.refuse();
  }

  private identify(): void {
    const id = this.buffer.fill(0, 0, 512);
    putWord(id, 0, 0x85c0); // ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes
    putIdentifyText(id, 10, 10, `RF${String(this.unit).padStart(6, '0')}`);
    putIdentifyText(id, 23, 4, '1.0');
    putIdentifyText(id, 27, 20, 'RINGFENCE CD-ROM');
    putWord(id, 49, 0x0b00); // IORDY, LBA, DMA
    putWord(id, 53, 0x0006);
    putWord(id, 63, 0x0007 | ((this.mode & 0xf8) === 0x20 ? 0x100 << (this.mode & 7) : 0));
    putWord(id, 64, 0x0003);
    for (let word = 65; word <= 68; word++) putWord(id, word, 120);
    putWord(id, 80, 0x007e); // ATA-1 to ATA/ATAPI-6
    putWord(id, 82, 0x0210); // DEVICE RESET, PACKET
    putWord(id, 83, 0x4000);
    putWord(id, 84, 0x4000);
    putWord(id, 85, 0x0210);
    putWord(id, 87, 0x4000);
    putWord(id, 88, 0x0007 | ((this.mode & 0xf8) === 0x40 ? 0x100 << (this.mode & 7) : 0));
    putWord(id, 93, 0x6001);
  }

  protected override used(): number {
    return Math.max(this.end, this.filled);
  }

  protected saveOwn(): Readonly<Record<string, number>> {
    const data: Record<string, number> = {};
    for (const name of OWN) data[name] = this[name];
    return data;
  }

  protected loadOwn(data: StateRecord['data']): void {
    Object.assign(this, stateNumbers(data, OWN));
  }
}
