/**
 * Intel 82077AA floppy disk controller (datasheet 290166) as a PC AT wires it: ports 3F0h-3F5h and 3F7h, IRQ 6, DMA channel 2,
 * up to four drives with diskettes in them. Command phases, reset, interrupts and drive state are here; what moves sectors is
 * in transfer.ts. Steps and sectors take a fraction of what real mechanics take; motors need no spinning up.
 * Not done: formatting (answered as write-protected), scans, relative seeks, tape, changing a diskette in mid-run,
 * sectors of other sizes than 512 bytes, transfers without DMA (answered as an overrun).
 */
import {
  type Clock,
  type Device,
  type DriveBay,
  type IrqLine,
  type IrqLines,
  type IsaDma,
  type DmaChannel,
  type PortDevice,
  type StateRecord,
  type Timer,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateFields,
  stateNumbers,
} from '@ringfence/sdk';
import { DriveMechanism } from './drive.js';
import { SECTOR_CODE, diskettes } from './media.js';
import * as R from './registers.js';
import { C, H, HEAD_AND_DRIVE, N, RECORD, moveSector, type Ending } from './transfer.js';

const COMPONENT = 'floppy';
const VERSION = 1;
const DMA_CHANNEL = 2;
const FIFO_BYTES = 16;
const SECTOR_US = 100;
const RESET_US = 10;
const OPEN_BUS = 0xff;
/** LOCK keeps these bits of CONFIGURE over a software reset: EFIFO and FIFOTHR. */
const LOCKED_BITS = 0x2f;

/** A command's way: its bytes come in, it executes, its results go out. */
const IDLE = 0;
const EXECUTION = 1;
const RESULT = 2;

const POWER_ON = {
  dor: 0,
  dsr: 2,
  tdr: 0,
  phase: IDLE,
  /** Bytes in the FIFO, and how many of its results are read. */
  length: 0,
  taken: 0,
  irq: 0,
  /** Interrupts of a reset that SENSE INTERRUPT has not asked for yet, one a drive. */
  polled: 0,
  specify1: 0,
  specify2: 0,
  configure: 0x20,
  precompensation: 0,
  perpendicular: 0,
  lock: 0,
};
const FIELDS = Object.keys(POWER_ON) as (keyof typeof POWER_ON)[];

@injectable()
export class Fdc82077 implements Device, PortDevice {
  private r = { ...POWER_ON };
  private readonly fifo = new Uint8Array(FIFO_BYTES);
  private readonly drives: readonly DriveMechanism[];
  private readonly channel: DmaChannel;
  private readonly line: IrqLine;
  /** The end of a reset or of a sector, whichever is on. */
  private readonly timer: Timer;

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.IsaDma) dma: IsaDma,
    @inject(Tokens.DriveBay) bay: DriveBay,
  ) {
    this.line = irqs.line('out');
    this.channel = dma.channel(DMA_CHANNEL);
    const interrupt = (): void => this.interrupt();
    this.drives = diskettes(bay.drives('floppy')).map((disk, i) => new DriveMechanism(i, disk, clock, interrupt));
    this.timer = clock.createTimer('floppy', () => this.due());
  }

  reset(): void {
    this.r = { ...POWER_ON };
    this.fifo.fill(0);
    this.timer.disarm();
    for (const drive of this.drives) drive.reset();
    this.drive();
  }

  /** A BIOS has reset the controller and leaves interrupts and DMA on. */
  handOver(): void {
    this.r.dor = R.DOR_RESET_N | R.DOR_DMAGATE;
  }

  portRead(range: string, offset: number, _size: number): number {
    const { r } = this;
    if (range === 'change') return this.drives[r.dor & R.DOR_SELECT].changed ? R.DIR_DSKCHG : 0;
    switch (offset) {
      case R.DOR:
        return r.dor;
      case R.TDR:
        return r.tdr;
      case R.MSR:
        return this.mainStatus();
      case R.FIFO:
        return this.takeResult();
      default:
        return OPEN_BUS; // SRA and SRB are not driven in AT mode
    }
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    const { r } = this;
    const byte = value & 0xff;
    if (range === 'change') r.dsr = (r.dsr & ~R.DSR_RATE) | (byte & R.DSR_RATE);
    else if (offset === R.DOR) this.writeDor(byte);
    else if (offset === R.TDR) r.tdr = byte & 3;
    else if (offset === R.MSR) {
      r.dsr = byte & ~R.DSR_SW_RESET;
      if ((byte & R.DSR_SW_RESET) !== 0) this.softReset();
    } else if (offset === R.FIFO) this.commandByte(byte);
  }

  saveState(): StateRecord {
    const deadline = this.timer.deadline ?? -1;
    const drives = Object.fromEntries(this.drives.map((drive) => [`drive${drive.unit}`, drive.state()]));
    return {
      component: COMPONENT,
      version: VERSION,
      data: { ...this.r, ...drives, fifo: this.fifo.slice(), deadline },
    };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const r = stateNumbers(data, FIELDS);
    const fifo = stateBytes(data, 'fifo', FIFO_BYTES);
    const { deadline } = stateNumbers(data, ['deadline']);
    const takes = this.drives.map((drive) => drive.prepare(stateFields(data, `drive${drive.unit}`)));
    this.r = r;
    this.fifo.set(fifo);
    for (const take of takes) take();
    if (deadline < 0) this.timer.disarm();
    else this.timer.arm(deadline);
    this.drive();
  }

  // ------------------------------------------------------------------------------------------ registers

  private mainStatus(): number {
    const { r } = this;
    let status = 0;
    for (const drive of this.drives) if (drive.seeking) status |= 1 << drive.unit;
    if ((r.dor & R.DOR_RESET_N) === 0 || (r.phase === IDLE && r.length === 0 && this.timer.deadline !== undefined)) {
      return status; // in reset
    }
    if (r.phase === EXECUTION) return status | R.MSR_CMD_BUSY;
    if (r.phase === RESULT) return status | R.MSR_RQM | R.MSR_DIO | R.MSR_CMD_BUSY;
    return status | R.MSR_RQM | (r.length > 0 ? R.MSR_CMD_BUSY : 0);
  }

  private writeDor(value: number): void {
    const { r } = this;
    const before = r.dor;
    r.dor = value;
    if ((value & R.DOR_RESET_N) === 0) this.clear();
    else if ((before & R.DOR_RESET_N) === 0) this.softReset();
    this.drive();
  }

  /** What was going on is over; only the reset's own interrupts follow. */
  private softReset(): void {
    this.clear();
    this.timer.arm(this.clock.now() + this.ticks(RESET_US));
  }

  private clear(): void {
    const { r } = this;
    r.phase = IDLE;
    r.length = r.taken = r.irq = r.polled = 0;
    r.configure = r.lock !== 0 ? r.configure & LOCKED_BITS : POWER_ON.configure;
    r.perpendicular = 0;
    this.timer.disarm();
    for (const drive of this.drives) drive.abort();
    this.drive();
  }

  private due(): void {
    if (this.r.phase === EXECUTION) {
      this.sector();
      return;
    }
    this.r.polled = this.drives.length;
    this.interrupt();
  }

  private interrupt(): void {
    this.r.irq = 1;
    this.drive();
  }

  /** Drives the interrupt line. */
  private drive(): void {
    this.line.set(this.r.irq !== 0 && (this.r.dor & R.DOR_DMAGATE) !== 0);
  }

  // ------------------------------------------------------------------------------------------ commands

  private commandByte(byte: number): void {
    const { r, fifo } = this;
    if ((this.mainStatus() & (R.MSR_RQM | R.MSR_DIO)) !== R.MSR_RQM) return;
    fifo[r.length++] = byte;
    const parameters = parametersOf(fifo[0]);
    if (parameters === undefined) this.results([R.ST0_INVALID]);
    else if (r.length > parameters) this.execute();
  }

  private execute(): void {
    const { r, fifo } = this;
    const drive = this.drives[fifo[HEAD_AND_DRIVE] & R.DOR_SELECT];
    switch (fifo[0] & 0x1f) {
      case R.SPECIFY:
        [r.specify1, r.specify2] = [fifo[1], fifo[2]];
        return this.idle();
      case R.SENSE_DRIVE_STATUS:
        return this.results([drive.status() | (fifo[1] & 7)]);
      case R.RECALIBRATE:
        drive.recalibrate();
        return this.idle();
      case R.SEEK:
        drive.seek(fifo[2], fifo[1] & 4);
        return this.idle();
      case R.SENSE_INTERRUPT:
        return this.senseInterrupt();
      case R.VERSION:
        return this.results([R.VERSION_ENHANCED]);
      case R.CONFIGURE:
        [r.configure, r.precompensation] = [fifo[2], fifo[3]];
        return this.idle();
      case R.PERPENDICULAR:
        r.perpendicular = fifo[1];
        return this.idle();
      case R.LOCK:
        r.lock = fifo[0] >> 7;
        return this.results([r.lock << 4]);
      case R.DUMPREG:
        return this.results([
          ...this.drives.map(({ cylinder }) => cylinder),
          ...[r.specify1, r.specify2, 0, (r.lock << 7) | (r.perpendicular & 0x7f), r.configure, r.precompensation],
        ]);
      case R.READ_TRACK:
        fifo[RECORD] = 1;
    }
    if ((r.configure & R.CONFIGURE_EIS) !== 0 && (fifo[0] & 0x1f) !== R.READ_ID) drive.moveTo(fifo[C]);
    r.phase = EXECUTION;
    this.timer.arm(this.clock.now() + this.ticks(SECTOR_US));
  }

  /** A sector has passed under the head. */
  private sector(): void {
    const { fifo, drives } = this;
    const { diskette, cylinder } = drives[fifo[HEAD_AND_DRIVE] & R.DOR_SELECT];
    const rate = this.r.dsr & R.DSR_RATE;
    if ((fifo[0] & 0x1f) === R.READ_ID) {
      const found = diskette !== undefined && diskette.geometry.rates.includes(rate);
      if (!found) return this.end({ st1: R.ST1_MISSING_MARK, st2: 0 });
      fifo[C] = cylinder;
      fifo[H] = (fifo[HEAD_AND_DRIVE] >> 2) & 1;
      // Whichever comes by first.
      fifo[RECORD] = 1 + (Math.floor(this.clock.now() / this.ticks(SECTOR_US)) % diskette.geometry.sectors);
      fifo[N] = SECTOR_CODE;
      return this.end({ st1: 0, st2: 0 });
    }
    const channel = (this.r.dor & R.DOR_DMAGATE) !== 0 && (this.r.specify2 & 1) === 0 ? this.channel : NO_CHANNEL;
    const ending = moveSector({ bytes: fifo, diskette, cylinder, rate, channel });
    if (ending === undefined) this.timer.arm(this.clock.now() + this.ticks(SECTOR_US));
    else this.end(ending);
  }

  private end({ st1, st2 }: Ending): void {
    const { fifo } = this;
    const st0 = (st1 | st2) !== 0 && st2 !== R.ST2_CONTROL_MARK ? R.ST0_ABNORMAL : 0;
    this.results([st0 | (fifo[HEAD_AND_DRIVE] & 7), st1, st2, fifo[C], fifo[H], fifo[RECORD], fifo[N]]);
    this.interrupt();
  }

  private senseInterrupt(): void {
    const { r, drives } = this;
    r.irq = 0;
    this.drive();
    if (r.polled > 0) {
      const drive = drives[drives.length - r.polled--];
      return this.results([R.ST0_READY_CHANGED | drive.unit, drive.cylinder]);
    }
    const drive = drives.find(({ st0 }) => st0 >= 0);
    if (drive === undefined) return this.results([R.ST0_INVALID]);
    const { st0 } = drive;
    drive.st0 = -1;
    // Another drive may have arrived meanwhile.
    if (drives.some((other) => other.st0 >= 0)) this.interrupt();
    this.results([st0, drive.cylinder]);
  }

  private results(bytes: readonly number[]): void {
    const { r, fifo } = this;
    fifo.set(bytes);
    r.phase = RESULT;
    r.length = bytes.length;
    r.taken = 0;
  }

  private takeResult(): number {
    const { r, fifo } = this;
    if (r.phase !== RESULT) return 0;
    // The interrupt of a transfer is over with its first result; those of seeks and resets are sensed.
    if (r.taken === 0 && r.polled === 0 && this.drives.every(({ st0 }) => st0 < 0)) {
      r.irq = 0;
      this.drive();
    }
    const byte = fifo[r.taken++];
    if (r.taken === r.length) this.idle();
    return byte;
  }

  private idle(): void {
    this.r.phase = IDLE;
    this.r.length = this.r.taken = 0;
  }

  private ticks(microseconds: number): number {
    return Math.max(1, Math.round((microseconds * this.clock.hz) / 1e6));
  }
}

const NO_CHANNEL: DmaChannel = {
  toMemory: () => ({ bytes: 0, terminalCount: false }),
  fromMemory: () => ({ bytes: 0, terminalCount: false }),
};

/** Parameters that follow a command byte, or undefined for an invalid one. */
function parametersOf(byte: number): number | undefined {
  const command = byte & 0x1f;
  // MT, MFM and SK mean something to commands that find sectors, bit 7 to LOCK; no other may have them.
  const flags =
    command === R.LOCK
      ? R.MT
      : R.PARAMETERS[command] === 8 || command === R.READ_ID || command === R.FORMAT_TRACK
        ? 0xe0
        : 0;
  return (byte & ~0x1f & ~flags) === 0 ? R.PARAMETERS[command] : undefined;
}
