/**
 * An ATA disk (ATA/ATAPI-6, T13/1410D): CHS, LBA28 and LBA48; READ and WRITE by sector, by multiple and by DMA; VERIFY,
 * SEEK, FLUSH CACHE, IDENTIFY, SET FEATURES, SET MULTIPLE, READ NATIVE MAX, power management that never sleeps.
 * Sectors have 512 bytes. A storage error is UNC to a read and a device fault to a write, at the first bad sector.
 * No SMART, no security, no host protected area to set, no queued commands.
 */
import { stateNumbers, type BlockDevice, type Clock, type StateRecord } from '@ringfence/sdk';
import {
  ERROR_ABRT,
  ERROR_IDNF,
  ERROR_UNC,
  IdeDrive,
  STATUS_DF,
  STATUS_DRDY,
  STATUS_DSC,
  STEP_OWN,
  putIdentifyText,
  putWord,
  type DriveHost,
} from './drive.js';

const SECTOR = 512;
const HEADS = 16;
const SECTORS = 63;
const MAX_CYLINDERS = 16383;
const MAX_MULTIPLE = 16;
const LBA28_SECTORS = 0x0fff_ffff;

const STEP_READ = STEP_OWN;
const STEP_WRITE = STEP_OWN + 1;
const STEP_DONE = STEP_OWN + 2;
const STEP_IDENTIFY = STEP_OWN + 3;
const STEP_FLUSH = STEP_OWN + 4;

/** Of a command, and of a sector moved; the order of a fast disk with everything in its cache. */
const COMMAND_US = 40;
const SECTOR_US = 10;
const DMA_BYTES_PER_US = 16;

const OWN = ['multiple', 'block', 'heads', 'sectors', 'extended'] as const;

export class AtaDisk extends IdeDrive {
  protected readonly readyStatus = STATUS_DRDY | STATUS_DSC;
  /** Sectors of READ MULTIPLE; 0: the command is off. */
  private multiple = MAX_MULTIPLE;
  /** Sectors between two interrupts of the transfer in progress. */
  private block = 1;
  /** Geometry set by INITIALIZE DEVICE PARAMETERS. */
  private heads = HEADS;
  private sectors = SECTORS;
  /** 1: the command in progress is one of 48 bits. */
  private extended = 0;
  private readonly total: number;

  constructor(storage: BlockDevice, unit: number, clock: Clock, host: DriveHost) {
    super(storage, unit, clock, host);
    this.total = Math.floor(storage.bytes / SECTOR);
  }

  protected powerOn(): void {
    this.multiple = MAX_MULTIPLE;
    this.heads = HEADS;
    this.sectors = SECTORS;
    this.block = 1;
    this.extended = 0;
    this.end = this.pos = this.left = this.lba = this.command = 0;
    this.features = this.toMemory = 0;
  }

  protected sign(): void {
    this.lba1 = this.lba2 = 0;
  }

  protected execute(): void {
    switch (this.command) {
      case 0x20: // READ SECTOR(S)
      case 0x21:
        return this.transfer(STEP_READ, 1, false);
      case 0x24: // READ SECTOR(S) EXT
        return this.transfer(STEP_READ, 1, true);
      case 0xc4: // READ MULTIPLE
        return this.multiple === 0 ? this.abort() : this.transfer(STEP_READ, this.multiple, false);
      case 0x29: // READ MULTIPLE EXT
        return this.multiple === 0 ? this.abort() : this.transfer(STEP_READ, this.multiple, true);
      case 0x30: // WRITE SECTOR(S)
      case 0x31:
        return this.transfer(STEP_WRITE, 1, false);
      case 0x34: // WRITE SECTOR(S) EXT
        return this.transfer(STEP_WRITE, 1, true);
      case 0xc5: // WRITE MULTIPLE
        return this.multiple === 0 ? this.abort() : this.transfer(STEP_WRITE, this.multiple, false);
      case 0x39: // WRITE MULTIPLE EXT
        return this.multiple === 0 ? this.abort() : this.transfer(STEP_WRITE, this.multiple, true);
      case 0xc8: // READ DMA
      case 0xc9:
        return this.transferDma(true, false);
      case 0x25: // READ DMA EXT
        return this.transferDma(true, true);
      case 0xca: // WRITE DMA
      case 0xcb:
        return this.transferDma(false, false);
      case 0x35: // WRITE DMA EXT
        return this.transferDma(false, true);
      case 0x40: // READ VERIFY SECTOR(S)
      case 0x41:
      case 0x70: // SEEK
        return this.address(false) ? this.wait(STEP_DONE, COMMAND_US) : undefined;
      case 0x42: // READ VERIFY SECTOR(S) EXT
        return this.address(true) ? this.wait(STEP_DONE, COMMAND_US) : undefined;
      case 0x91: // INITIALIZE DEVICE PARAMETERS
        this.heads = (this.device & 0x0f) + 1;
        this.sectors = this.count === 0 ? SECTORS : this.count;
        return this.wait(STEP_DONE, COMMAND_US);
      case 0xc6: // SET MULTIPLE MODE
        if (this.count > MAX_MULTIPLE || (this.count & (this.count - 1)) !== 0) return this.abort();
        this.multiple = this.count;
        return this.complete();
      case 0xe7: // FLUSH CACHE
      case 0xea: // FLUSH CACHE EXT
        return this.wait(STEP_FLUSH, COMMAND_US);
      case 0xe5: // CHECK POWER MODE
        this.count = 0xff; // active
        return this.complete();
      case 0xe0: // STANDBY IMMEDIATE
      case 0xe1: // IDLE IMMEDIATE
      case 0xe2: // STANDBY
      case 0xe3: // IDLE
      case 0xe6: // SLEEP
        return this.complete();
      case 0xec: // IDENTIFY DEVICE
        return this.wait(STEP_IDENTIFY, COMMAND_US);
      case 0xef: // SET FEATURES
        return this.setFeatures();
      case 0xf8: // READ NATIVE MAX ADDRESS
        this.putLba(Math.min(this.total, LBA28_SECTORS) - 1, false);
        return this.complete();
      case 0x27: // READ NATIVE MAX ADDRESS EXT
        this.putLba(this.total - 1, true);
        return this.complete();
      default:
        // RECALIBRATE, 10h-1Fh.
        return (this.command & 0xf0) === 0x10 ? this.wait(STEP_DONE, COMMAND_US) : this.abort();
    }
  }

  protected proceed(step: number): void {
    switch (step) {
      case STEP_READ:
        return this.readBlock();
      case STEP_WRITE:
        return this.writeBlock();
      case STEP_IDENTIFY:
        this.left = 0;
        this.identify();
        return this.offer(0, SECTOR);
      case STEP_FLUSH:
        return this.storage.flush() ? this.complete() : this.fail(ERROR_ABRT, STATUS_DF);
      default:
        return this.complete();
    }
  }

  protected blockDone(): void {
    if (this.command === 0xec) this.status = STATUS_DRDY | STATUS_DSC;
    else if (this.isWrite()) this.wait(STEP_WRITE, SECTOR_US);
    else if (this.left > 0) this.wait(STEP_READ, SECTOR_US);
    else this.status = STATUS_DRDY | STATUS_DSC; // the last block of a read ends without a further interrupt
  }

  get dmaLeft(): number {
    return this.left * SECTOR;
  }

  get dmaUnit(): number {
    return SECTOR;
  }

  dmaPeek(into: Uint8Array): boolean {
    return this.storage.read(this.lba * SECTOR, into);
  }

  dmaBlock(bytes: Uint8Array): boolean {
    const sectors = bytes.length / SECTOR;
    if (!(this.dmaToMemory ? this.dmaPeek(bytes) : this.storage.write(this.lba * SECTOR, bytes))) return false;
    this.lba += sectors;
    this.left -= sectors;
    return true;
  }

  dmaDone(ok: boolean): void {
    if (ok) this.complete();
    else this.failAt(this.lba, this.dmaToMemory);
  }

  // ------------------------------------------------------------------------------- transfers

  private isWrite(): boolean {
    return [0x30, 0x31, 0x34, 0xc5, 0x39].includes(this.command);
  }

  private transfer(step: number, block: number, extended: boolean): void {
    if (!this.address(extended)) return;
    this.block = block;
    if (step === STEP_READ) this.wait(step, COMMAND_US);
    else this.ask(Math.min(block, this.left) * SECTOR, false); // the first block is asked for without an interrupt
  }

  private transferDma(toMemory: boolean, extended: boolean): void {
    if (!this.address(extended)) return;
    this.startDma(toMemory, COMMAND_US + (this.left * SECTOR) / DMA_BYTES_PER_US);
  }

  private readBlock(): void {
    const sectors = Math.min(this.block, this.left);
    const bytes = this.buffer.subarray(0, sectors * SECTOR);
    if (!this.storage.read(this.lba * SECTOR, bytes)) return this.failAt(this.lba, true);
    this.lba += sectors;
    this.left -= sectors;
    this.offer(0, sectors * SECTOR);
  }

  /** The buffer holds a block from the host. */
  private writeBlock(): void {
    if (!this.storage.write(this.lba * SECTOR, this.buffer.subarray(0, this.end))) return this.failAt(this.lba, false);
    const sectors = this.end / SECTOR;
    this.lba += sectors;
    this.left -= sectors;
    if (this.left > 0) this.ask(Math.min(this.block, this.left) * SECTOR, true);
    else this.complete();
  }

  /** Takes address and count from the registers; false: the command has failed with IDNF. */
  private address(extended: boolean): boolean {
    this.extended = extended ? 1 : 0;
    const lba28 = this.lba0 | (this.lba1 << 8) | (this.lba2 << 16);
    if (extended) {
      this.left = this.count | (this.countHigh << 8) || 0x10000;
      this.lba = lba28 + (this.lba0High | (this.lba1High << 8) | (this.lba2High << 16)) * 0x100_0000;
    } else {
      this.left = this.count || 0x100;
      const cylinder = this.lba1 | (this.lba2 << 8);
      const head = this.device & 0x0f;
      this.lba =
        (this.device & 0x40) !== 0
          ? lba28 + head * 0x100_0000
          : (cylinder * this.heads + head) * this.sectors + this.lba0 - 1;
      const beyond = (this.device & 0x40) === 0 && (this.lba0 === 0 || this.lba0 > this.sectors || head >= this.heads);
      if (beyond) this.lba = this.total;
    }
    if (this.lba + (this.command === 0x70 ? 1 : this.left) <= this.total) return true;
    this.putLba(Math.max(this.lba, 0), extended);
    this.fail(ERROR_IDNF);
    return false;
  }

  private failAt(lba: number, read: boolean): void {
    this.putLba(lba, this.extended !== 0);
    if (read) this.fail(ERROR_UNC);
    else this.fail(ERROR_ABRT, STATUS_DF);
  }

  private putLba(lba: number, extended: boolean): void {
    this.lba0 = lba & 0xff;
    this.lba1 = (lba >>> 8) & 0xff;
    this.lba2 = (lba >>> 16) & 0xff;
    const high = Math.floor(lba / 0x100_0000);
    if (extended) {
      this.lba0High = high & 0xff;
      this.lba1High = (high >>> 8) & 0xff;
      this.lba2High = (high >>> 16) & 0xff;
    } else {
      this.device = (this.device & 0xf0) | (high & 0x0f);
    }
  }

  // ------------------------------------------------------------------------------- about itself

  private setFeatures(): void {
    const known =
      this.features === 0x03 ? this.setMode(this.count) : [0x02, 0x82, 0x55, 0xaa, 0x66, 0xcc].includes(this.features); // caches, look-ahead, defaults
    if (known) this.complete();
    else this.abort();
  }

  private identify(): void {
    const id = this.buffer.fill(0, 0, SECTOR);
    const cylinders = Math.min(MAX_CYLINDERS, Math.floor(this.total / (HEADS * SECTORS)));
    const now = Math.min(65535, Math.floor(this.total / (this.heads * this.sectors)));
    const long = (word: number, value: number): void => {
      putWord(id, word, value & 0xffff);
      putWord(id, word + 1, Math.floor(value / 0x10000) & 0xffff);
    };
    putWord(id, 0, 0x0040); // a fixed disk
    putWord(id, 1, cylinders);
    putWord(id, 3, HEADS);
    putWord(id, 6, SECTORS);
    putIdentifyText(id, 10, 10, `RF${String(this.unit).padStart(6, '0')}`);
    putIdentifyText(id, 23, 4, '1.0');
    putIdentifyText(id, 27, 20, 'RINGFENCE HARDDISK');
    putWord(id, 47, 0x8000 | MAX_MULTIPLE);
    putWord(id, 49, 0x0b00); // IORDY, LBA, DMA
    putWord(id, 50, 0x4000);
    putWord(id, 51, 0x0200);
    putWord(id, 53, 0x0007);
    putWord(id, 54, now);
    putWord(id, 55, this.heads);
    putWord(id, 56, this.sectors);
    long(57, now * this.heads * this.sectors);
    putWord(id, 59, this.multiple === 0 ? 0 : 0x0100 | this.multiple);
    long(60, Math.min(this.total, LBA28_SECTORS));
    putWord(id, 63, 0x0007 | ((this.mode & 0xf8) === 0x20 ? 0x100 << (this.mode & 7) : 0));
    putWord(id, 64, 0x0003);
    for (let word = 65; word <= 68; word++) putWord(id, word, 120); // cycle times in ns
    putWord(id, 80, 0x007e); // ATA-1 to ATA/ATAPI-6
    putWord(id, 82, 0x0068); // power management, write cache, look-ahead
    putWord(id, 83, 0x7400); // 48-bit addresses, both FLUSH CACHEs
    putWord(id, 84, 0x4000);
    putWord(id, 85, 0x0068);
    putWord(id, 86, 0x3400);
    putWord(id, 87, 0x4000);
    putWord(id, 88, 0x0007 | ((this.mode & 0xf8) === 0x40 ? 0x100 << (this.mode & 7) : 0));
    putWord(id, 93, 0x6001);
    long(100, this.total % 0x1_0000_0000);
    putWord(id, 102, Math.floor(this.total / 0x1_0000_0000));
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
