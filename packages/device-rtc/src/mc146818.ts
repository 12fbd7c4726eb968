/**
 * Motorola MC146818A real-time clock plus RAM (datasheet ADI1025), with 128 bytes and the PC's contents. Ports 70h
 * (index; bit 7 masks NMI) and 71h (data), IRQ 8.
 * Time starts at the board's epoch and follows virtual time. Nothing ticks: each access first catches up with the seconds
 * and periods that have passed since the last. Timers are armed only for interrupts that are enabled and not yet pending.
 * RESET# leaves clock and RAM alone. Does not do daylight saving, the square wave pin, or crystals other than 32768 Hz.
 */
import {
  type BoardInfo,
  type Clock,
  type Device,
  type DriveBay,
  type FirmwareInfo,
  type IrqLine,
  type IrqLines,
  type NmiGate,
  type PortDevice,
  type StateRecord,
  type Timer,
  Tokens,
  checkedState,
  inject,
  injectable,
  scaleTicks,
  stateBytes,
  stateNumbers,
  ticksForCount,
} from '@ringfence/sdk';
import { addSeconds, secondsToAlarm, setTime } from './calendar.js';
import * as R from './registers.js';

const COMPONENT = 'rtc';
const VERSION = 1;

const CRYSTAL_HZ = 32768;
/** How long UIP announces an update: tBUC plus tUC, 244 + 1984 microseconds. */
const UPDATE_MICROSECONDS = 2228;
const INDEX_PORT = 0;
const NMI_DISABLE = 0x80;

@injectable()
export class Mc146818 implements Device, PortDevice {
  private readonly cmos: Uint8Array;
  private index = 0;
  /** The tick at which the divider chain stood at zero: updates fall a whole number of seconds after it. */
  private phase: number;
  /** Seconds since `phase` that the clock's bytes have taken in. */
  private seconds = 0;
  /** Periods of the periodic interrupt since `phase` that register C has taken in. */
  private periods = 0;
  private readonly irq: IrqLine;
  private readonly timer: Timer;

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.BoardInfo) board: BoardInfo,
    @inject(Tokens.FirmwareInfo) firmware: FirmwareInfo,
    @inject(Tokens.DriveBay) bay: DriveBay,
    @inject(Tokens.NmiGate) private readonly nmi: NmiGate,
  ) {
    this.cmos = R.biosCmos(board, firmware, bay.drives('ide'), bay.drives('floppy'));
    this.phase = clock.now();
    setTime(this.cmos, board.epochSeconds);
    this.irq = irqs.line('out');
    this.timer = clock.createTimer('rtc', () => this.settle());
  }

  /** RESET#: interrupts off and forgotten; everything else lives on the battery. */
  reset(): void {
    this.catchUp();
    this.cmos[R.REGISTER_B] &= ~(R.B_PIE | R.B_AIE | R.B_UIE | R.B_SQWE);
    this.cmos[R.REGISTER_C] = 0;
    this.selectRegister(0);
    this.settle();
  }

  portRead(_range: string, offset: number, _size: number): number {
    if (offset === INDEX_PORT) return 0xff; // write-only
    this.catchUp();
    switch (this.index & 0x7f) {
      case R.REGISTER_A:
        return this.cmos[R.REGISTER_A] | (this.updateInProgress() ? R.A_UIP : 0);
      case R.REGISTER_C: {
        const flags = this.cmos[R.REGISTER_C] | (this.interrupting() ? R.C_IRQF : 0);
        this.cmos[R.REGISTER_C] = 0;
        this.settle();
        return flags;
      }
      case R.REGISTER_D:
        return R.D_VALID_RAM_AND_TIME;
      default:
        return this.cmos[this.index & 0x7f];
    }
  }

  portWrite(_range: string, offset: number, _size: number, value: number): void {
    if (offset === INDEX_PORT) {
      this.selectRegister(value & 0xff);
      return;
    }
    this.catchUp();
    const register = this.index & 0x7f;
    const byte = value & 0xff;
    if (register === R.REGISTER_A) this.writeRegisterA(byte & ~R.A_UIP);
    else if (register === R.REGISTER_B) this.writeRegisterB(byte);
    else if (register !== R.REGISTER_C && register !== R.REGISTER_D) this.cmos[register] = byte;
    this.settle();
  }

  saveState(): StateRecord {
    const { index, phase, seconds, periods } = this;
    return {
      component: COMPONENT,
      version: VERSION,
      data: { cmos: this.cmos.slice(), index, phase, seconds, periods },
    };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const cmos = stateBytes(data, 'cmos', R.CMOS_BYTES);
    const { index, phase, seconds, periods } = stateNumbers(data, ['index', 'phase', 'seconds', 'periods']);
    this.cmos.set(cmos);
    this.selectRegister(index);
    this.phase = phase;
    this.seconds = seconds;
    this.periods = periods;
    this.drive();
  }

  private selectRegister(index: number): void {
    this.index = index;
    this.nmi.mask((index & NMI_DISABLE) !== 0);
  }

  private writeRegisterA(byte: number): void {
    const ran = this.dividerRuns();
    this.cmos[R.REGISTER_A] = byte;
    if (this.dividerRuns() && !ran) {
      // "the first update cycle begins one-half second later"
      this.phase = this.clock.now() - Math.floor(this.clock.hz / 2);
      this.seconds = 0;
    }
    this.periods = this.periodsPassed();
  }

  private writeRegisterB(byte: number): void {
    this.cmos[R.REGISTER_B] = (byte & R.B_SET) !== 0 ? byte & ~R.B_UIE : byte; // SET clears UIE
  }

  private dividerRuns(): boolean {
    return (this.cmos[R.REGISTER_A] & R.A_DIVIDER) === R.A_DIVIDER_RUNNING;
  }

  private clockRuns(): boolean {
    return this.dividerRuns() && (this.cmos[R.REGISTER_B] & R.B_SET) === 0;
  }

  private updateInProgress(): boolean {
    if (!this.clockRuns()) return false;
    const left = this.clock.hz - ((this.clock.now() - this.phase) % this.clock.hz);
    return left * 1_000_000 <= UPDATE_MICROSECONDS * this.clock.hz;
  }

  /** Cycles of the crystal between two periodic interrupts; undefined when they are off. */
  private periodCycles(): number | undefined {
    const rate = this.cmos[R.REGISTER_A] & R.A_RATE;
    if (rate === 0 || !this.dividerRuns()) return undefined;
    return rate <= 2 ? 1 << (rate + 6) : 1 << (rate - 1); // rates 1 and 2 are those of 8 and 9
  }

  private periodsPassed(): number {
    const cycles = this.periodCycles();
    if (cycles === undefined) return 0;
    return Math.floor(scaleTicks(this.clock.now() - this.phase, this.clock.hz, CRYSTAL_HZ) / cycles);
  }

  private secondsPassed(): number {
    return Math.floor((this.clock.now() - this.phase) / this.clock.hz);
  }

  /** Takes in the time that has passed: the clock's bytes and the flags of register C. */
  private catchUp(): void {
    const periods = this.periodsPassed();
    if (periods > this.periods) {
      this.periods = periods;
      this.cmos[R.REGISTER_C] |= R.C_PF;
    }
    if (!this.dividerRuns()) return;
    const passed = this.secondsPassed() - this.seconds;
    if (passed <= 0) return;
    this.seconds += passed;
    if (!this.clockRuns()) return; // SET: the seconds go by unnoticed
    if (secondsToAlarm(this.cmos, passed) !== undefined) this.cmos[R.REGISTER_C] |= R.C_AF;
    this.cmos[R.REGISTER_C] |= R.C_UF;
    addSeconds(this.cmos, passed);
  }

  private interrupting(): boolean {
    const enabled = this.cmos[R.REGISTER_B] & (R.B_PIE | R.B_AIE | R.B_UIE);
    return (this.cmos[R.REGISTER_C] & enabled) !== 0;
  }

  private settle(): void {
    this.catchUp();
    this.drive();
  }

  /** IRQ 8 takes its level, and the timer the next event that could raise it. */
  private drive(): void {
    this.irq.set(this.interrupting());
    const deadline = Math.min(this.nextPeriodic(), this.nextUpdate(), this.nextAlarm());
    if (deadline === Infinity) this.timer.disarm();
    else this.timer.arm(deadline);
  }

  /** Whether the interrupt with this enable bit (the same bit as its flag) is on and not yet pending. */
  private awaits(bit: number): boolean {
    return (this.cmos[R.REGISTER_B] & ~this.cmos[R.REGISTER_C] & bit) !== 0;
  }

  private nextPeriodic(): number {
    const cycles = this.periodCycles();
    if (cycles === undefined || !this.awaits(R.B_PIE)) return Infinity;
    return this.phase + ticksForCount((this.periods + 1) * cycles, this.clock.hz, CRYSTAL_HZ);
  }

  private nextUpdate(): number {
    if (!this.clockRuns() || !this.awaits(R.B_UIE)) return Infinity;
    return this.phase + (this.seconds + 1) * this.clock.hz;
  }

  private nextAlarm(): number {
    if (!this.clockRuns() || !this.awaits(R.B_AIE)) return Infinity;
    const seconds = secondsToAlarm(this.cmos);
    return seconds === undefined ? Infinity : this.phase + (this.seconds + seconds) * this.clock.hz;
  }
}
