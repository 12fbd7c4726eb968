/**
 * What ATA disks and ATAPI drives have in common (ATA/ATAPI-6, T13/1410D): the register block with its high-order bytes,
 * status and interrupt, and the transports: data by PIO in blocks, data by DMA, completion after a delay of virtual time.
 * A drive is one state machine: `step` says what the timer continues with, `phase` what the data register does.
 * No overlap, no queuing, no security.
 */
import {
  RingfenceError,
  stateBytes,
  stateNumbers,
  type BlockDevice,
  type Clock,
  type StateRecord,
  type Timer,
} from '@ringfence/sdk';

export const STATUS_ERR = 0x01;
export const STATUS_DRQ = 0x08;
export const STATUS_DSC = 0x10;
export const STATUS_DF = 0x20;
export const STATUS_DRDY = 0x40;
export const STATUS_BSY = 0x80;
export const ERROR_ABRT = 0x04;
export const ERROR_IDNF = 0x10;
export const ERROR_UNC = 0x40;

/** Passed by diagnostics: no error. */
const DIAGNOSTIC_PASSED = 0x01;

export const PHASE_NONE = 0;
export const PHASE_IN = 1;
export const PHASE_OUT = 2;
/** Waits for the bus master. */
export const PHASE_DMA = 3;

/** Timer steps of every drive; those of a kind of drive start at STEP_OWN. */
const STEP_NONE = 0;
const STEP_RESET = 1;
const STEP_DIAGNOSTIC = 2;
const STEP_DMA = 3;
export const STEP_OWN = 8;

export const BUFFER_BYTES = 0x10000;
const RESET_US = 100;
const DMA_START_US = 5;

/** What a drive has of its channel. */
export interface DriveHost {
  /** INTRQ of some drive changed. */
  intrqChanged(): void;
  /** The selected drive wants its bus master: moves what it can. False: the bus master is not started. */
  runDma(drive: IdeDrive): boolean;
}

const NUMBERS = [
  'features',
  'count',
  'lba0',
  'lba1',
  'lba2',
  'countHigh',
  'lba0High',
  'lba1High',
  'lba2High',
  'device',
  'status',
  'error',
  'intrq',
  'command',
  'step',
  'phase',
  'pos',
  'end',
  'lba',
  'left',
  'toMemory',
  'mode',
] as const;

export abstract class IdeDrive {
  features = 0;
  count = 0;
  lba0 = 0;
  lba1 = 0;
  lba2 = 0;
  countHigh = 0;
  lba0High = 0;
  lba1High = 0;
  lba2High = 0;
  /** Device/head; its DEV bit is the channel's selection. */
  device = 0;
  status = 0;
  error = 0;
  /** 1: an interrupt is wanted, masked or not. */
  intrq = 0;
  protected command = 0;
  protected step = STEP_NONE;
  protected phase = PHASE_NONE;
  protected readonly buffer = new Uint8Array(BUFFER_BYTES);
  protected pos = 0;
  protected end = 0;
  /** The next sector to transfer, and how many remain (after what the buffer holds). */
  protected lba = 0;
  protected left = 0;
  /** 1: DMA goes from the drive to memory. */
  protected toMemory = 0;
  /** Transfer mode as SET FEATURES chose it. */
  protected mode = 0;
  private readonly timer: Timer;

  constructor(
    readonly storage: BlockDevice,
    protected readonly unit: number,
    private readonly clock: Clock,
    protected readonly host: DriveHost,
  ) {
    this.timer = clock.createTimer(`ide${unit}`, () => this.elapsed());
  }

  // ------------------------------------------------------------------------------- what a kind of drive does

  /** Executes `command`; registers are as the host has set them. */
  protected abstract execute(): void;
  /** The timer has come for a step of its own. */
  protected abstract proceed(step: number): void;
  /** The buffer was read or filled by the host to its end. */
  protected abstract blockDone(): void;
  /** Moves `bytes.length` bytes of the DMA transfer in progress. False: the storage failed. */
  abstract dmaBlock(bytes: Uint8Array): boolean;
  /** As `dmaBlock` to memory, of any length within one block, without moving on. */
  abstract dmaPeek(into: Uint8Array): boolean;
  /** `dmaBlock` takes multiples of this. */
  abstract get dmaUnit(): number;
  /** The DMA transfer is over; `ok` false after a failure of the storage. */
  abstract dmaDone(ok: boolean): void;
  /** Bytes that the DMA transfer in progress still wants. */
  abstract get dmaLeft(): number;
  /** Leaves the signature in the registers (9.12 "Signature and persistence"). */
  protected abstract sign(): void;
  protected abstract powerOn(): void;
  protected abstract saveOwn(): Readonly<Record<string, number>>;
  protected abstract loadOwn(data: StateRecord['data']): void;
  /** DRDY after reset: an ATAPI drive shows it only once a command has been given. */
  protected abstract readonly readyStatus: number;

  // ------------------------------------------------------------------------------- registers

  get dmaToMemory(): boolean {
    return this.toMemory !== 0;
  }

  get wantsDma(): boolean {
    return this.phase === PHASE_DMA;
  }

  /** Hardware reset, as at power-on: ready at once, because firmware has waited. */
  hardReset(): void {
    this.softReset();
    this.mode = 0;
    this.powerOn();
    this.timer.disarm();
    this.step = STEP_NONE;
    this.afterReset();
  }

  /** SRST is set: stops whatever it is doing. */
  softReset(): void {
    this.timer.disarm();
    this.step = STEP_NONE;
    this.phase = PHASE_NONE;
    this.status = STATUS_BSY;
    this.setIntrq(0);
  }

  /** SRST is cleared again. */
  softResetDone(): void {
    this.wait(STEP_RESET, RESET_US);
  }

  /** EXECUTE DEVICE DIAGNOSTIC goes to both drives. */
  diagnose(): void {
    this.softReset();
    this.wait(STEP_DIAGNOSTIC, RESET_US);
  }

  writeCommand(command: number): void {
    if ((this.status & STATUS_BSY) !== 0) return;
    this.command = command;
    this.phase = PHASE_NONE;
    this.error = 0;
    this.setIntrq(0);
    this.status = STATUS_DRDY | STATUS_DSC;
    this.execute();
  }

  /** DEVICE RESET, even while busy. */
  protected restart(): void {
    this.softReset();
    this.afterReset();
  }

  /** A read of the status register takes the interrupt back. */
  readStatus(): number {
    this.setIntrq(0);
    return this.status;
  }

  readData(size: number): number {
    if (this.phase !== PHASE_IN) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) value |= (this.pos + i < this.end ? this.buffer[this.pos + i] : 0) << (8 * i);
    this.advance(size);
    return value;
  }

  writeData(size: number, value: number): void {
    if (this.phase !== PHASE_OUT) return;
    for (let i = 0; i < size && this.pos + i < this.end; i++) this.buffer[this.pos + i] = value >>> (8 * i);
    this.advance(size);
  }

  /** The bus master was started: a transfer that waited for it goes on. */
  dmaStarted(): void {
    if (this.phase === PHASE_DMA && this.step === STEP_NONE) this.wait(STEP_DMA, DMA_START_US);
  }

  // ------------------------------------------------------------------------------- transports

  /** Busy for so many microseconds of virtual time, then `step`. */
  protected wait(step: number, us: number): void {
    this.status = STATUS_BSY | (this.status & (STATUS_DRDY | STATUS_DSC));
    this.step = step;
    this.timer.arm(this.clock.now() + Math.max(1, Math.ceil((us * this.clock.hz) / 1e6)));
  }

  /** `bytes` bytes of the buffer from `from` are the host's to read, which an interrupt says. */
  protected offer(from: number, bytes: number): void {
    this.phase = PHASE_IN;
    this.pos = from;
    this.end = from + bytes;
    this.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
    this.setIntrq(1);
  }

  /** The host is to fill the first `bytes` bytes of the buffer. */
  protected ask(bytes: number, interrupt: boolean): void {
    this.phase = PHASE_OUT;
    this.pos = 0;
    this.end = bytes;
    this.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
    if (interrupt) this.setIntrq(1);
  }

  protected startDma(toMemory: boolean, us: number): void {
    this.toMemory = toMemory ? 1 : 0;
    this.phase = PHASE_DMA;
    this.wait(STEP_DMA, us);
  }

  protected complete(): void {
    this.phase = PHASE_NONE;
    this.status = STATUS_DRDY | STATUS_DSC;
    this.setIntrq(1);
  }

  protected fail(error: number, status = 0): void {
    this.phase = PHASE_NONE;
    this.error = error;
    this.status = STATUS_DRDY | STATUS_DSC | STATUS_ERR | status;
    this.setIntrq(1);
  }

  protected abort(): void {
    this.fail(ERROR_ABRT);
  }

  /** Modes 0-4 of PIO, 0-2 of multiword DMA and 0-2 of Ultra DMA; false for others. */
  protected setMode(mode: number): boolean {
    const kind = mode & 0xf8;
    const number = mode & 7;
    if (mode > 1 && !((kind === 0x08 && number <= 4) || ((kind === 0x20 || kind === 0x40) && number <= 2)))
      return false;
    if (kind !== 0x08 && mode > 1) this.mode = mode;
    return true;
  }

  protected setIntrq(level: number): void {
    if (this.intrq === level) return;
    this.intrq = level;
    this.host.intrqChanged();
  }

  private advance(size: number): void {
    this.pos += size;
    if (this.pos < this.end) return;
    this.phase = PHASE_NONE;
    this.blockDone();
  }

  private elapsed(): void {
    const { step } = this;
    this.step = STEP_NONE;
    if (step === STEP_RESET || step === STEP_DIAGNOSTIC) {
      this.afterReset();
      if (step === STEP_DIAGNOSTIC && (this.unit & 1) === 0) this.setIntrq(1);
    } else if (step === STEP_DMA) {
      this.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
      this.host.runDma(this);
    } else {
      this.proceed(step);
    }
  }

  private afterReset(): void {
    this.error = DIAGNOSTIC_PASSED;
    this.status = this.readyStatus;
    this.count = this.lba0 = 1;
    this.countHigh = this.lba0High = this.lba1High = this.lba2High = 0;
    this.sign();
  }

  // ------------------------------------------------------------------------------- state

  save(): StateRecord['data'] {
    const data: Record<string, number> = {};
    for (const name of NUMBERS) data[name] = this[name];
    return {
      ...data,
      ...this.saveOwn(),
      deadline: this.timer.deadline ?? -1,
      buffer: this.buffer.slice(0, this.used()),
    };
  }

  /** Bytes of the buffer that still mean something. */
  protected used(): number {
    return this.end;
  }

  /** Throws RF_BAD_STATE and changes nothing. */
  check(data: StateRecord['data']): void {
    const { pos, end, phase } = stateNumbers(data, [...NUMBERS, 'deadline', ...Object.keys(this.saveOwn())]);
    const { length } = stateBytes(data, 'buffer');
    if (end > length || length > BUFFER_BYTES || pos < 0 || phase < PHASE_NONE || phase > PHASE_DMA) {
      throw new RingfenceError('RF_BAD_STATE', { message: 'the state of an IDE drive is torn', value: end });
    }
  }

  /** Preconditions: `check` has passed. */
  load(data: StateRecord['data']): void {
    Object.assign(this, stateNumbers(data, NUMBERS));
    this.loadOwn(data);
    this.buffer.set(stateBytes(data, 'buffer'));
    const { deadline } = stateNumbers(data, ['deadline']);
    if (deadline < 0) this.timer.disarm();
    else this.timer.arm(deadline);
  }
}

/** Puts ASCII text into IDENTIFY data, where the first character of a word is its high byte. */
export function putIdentifyText(into: Uint8Array, word: number, words: number, text: string): void {
  const padded = text.padEnd(words * 2, ' ');
  for (let i = 0; i < words * 2; i++) into[word * 2 + (i ^ 1)] = padded.charCodeAt(i) & 0x7f;
}

export function putWord(into: Uint8Array, word: number, value: number): void {
  into[word * 2] = value;
  into[word * 2 + 1] = value >>> 8;
}
