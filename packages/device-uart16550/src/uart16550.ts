/**
 * National Semiconductor PC16550D UART (datasheet of June 1995): COM1 at 3F8h-3FFh, IRQ 4.
 * A byte leaves the moment it is written, so THR is always empty and its interrupt comes at once; the divisor and the
 * frame format are kept and change nothing. A received byte is taken from the channel when there is room, so nothing
 * overruns (save in loopback), and the FIFO's timeout interrupt comes at once below the trigger level.
 * It has no parity, framing or break conditions. INTR reaches the board only while MCR.OUT2 is set, as on a PC.
 */
import {
  type ByteChannel,
  type Device,
  type IrqLine,
  type IrqLines,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateNumbers,
} from '@ringfence/sdk';
import * as R from './registers.js';

const COMPONENT = 'uart16550';
const VERSION = 1;

const FIFO_BYTES = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14];

/** What hangs on the line: a terminal that is there and ready. */
const PEER_STATUS = R.MSR_CTS | R.MSR_DSR | R.MSR_DCD;

const FIELDS = [
  'ier',
  'fcr',
  'lcr',
  'mcr',
  'scr',
  'divisor',
  'overrun',
  'modemDeltas', // MSR bits 0-3
  'thrInterrupt', // THR has become empty since IIR last reported it
] as const;
type Registers = Record<(typeof FIELDS)[number], number>;

function masterReset(): Registers {
  return { ier: 0, fcr: 0, lcr: 0, mcr: 0, scr: 0, divisor: 12, overrun: 0, modemDeltas: 0, thrInterrupt: 0 };
}

@injectable()
export class Uart16550 implements Device, PortDevice {
  private r = masterReset();
  private received: number[] = [];
  private readonly irq: IrqLine;

  constructor(
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.ByteChannel) private readonly channel: ByteChannel,
  ) {
    this.irq = irqs.line('out');
    channel.onReceive(() => this.pull());
  }

  reset(): void {
    this.r = masterReset();
    this.received = [];
    this.pull();
  }

  portRead(_range: string, offset: number, _size: number): number {
    const { r } = this;
    const dlab = (r.lcr & R.LCR_DLAB) !== 0;
    switch (offset) {
      case R.RBR_THR_DLL:
        return dlab ? r.divisor & 0xff : this.readReceiverBuffer();
      case R.IER_DLM:
        return dlab ? r.divisor >>> 8 : r.ier;
      case R.IIR_FCR:
        return this.readInterruptIdentification();
      case R.LCR:
        return r.lcr;
      case R.MCR:
        return r.mcr;
      case R.LSR:
        return this.readLineStatus();
      case R.MSR:
        return this.readModemStatus();
      default:
        return r.scr;
    }
  }

  portWrite(_range: string, offset: number, _size: number, value: number): void {
    const { r } = this;
    const byte = value & 0xff;
    const dlab = (r.lcr & R.LCR_DLAB) !== 0;
    switch (offset) {
      case R.RBR_THR_DLL:
        if (dlab) r.divisor = (r.divisor & 0xff00) | byte;
        else this.transmit(byte);
        break;
      case R.IER_DLM:
        if (dlab) r.divisor = (r.divisor & 0xff) | (byte << 8);
        else this.writeInterruptEnable(byte);
        break;
      case R.IIR_FCR:
        this.writeFifoControl(byte);
        break;
      case R.LCR:
        r.lcr = byte;
        break;
      case R.MCR:
        this.writeModemControl(byte);
        break;
      case R.SCR:
        r.scr = byte;
        break;
      default: // LSR and MSR: "factory testing" only
    }
  }

  saveState(): StateRecord {
    const data = { ...this.r, received: Uint8Array.from(this.received) };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const registers = stateNumbers(data, FIELDS);
    const received = stateBytes(data, 'received');
    this.r = registers;
    this.received = [...received];
    this.update();
  }

  private get fifoEnabled(): boolean {
    return (this.r.fcr & R.FCR_ENABLE) !== 0;
  }

  private get loopback(): boolean {
    return (this.r.mcr & R.MCR_LOOP) !== 0;
  }

  private get capacity(): number {
    return this.fifoEnabled ? FIFO_BYTES : 1;
  }

  /** Takes from the channel what there is room for; in loopback SIN is disconnected. */
  private pull(): void {
    while (!this.loopback && this.received.length < this.capacity) {
      const byte = this.channel.receive();
      if (byte < 0) break;
      this.received.push(byte);
    }
    this.update();
  }

  private transmit(byte: number): void {
    if (!this.loopback) this.channel.send(byte);
    else if (this.received.length < this.capacity) this.received.push(byte);
    else {
      this.r.overrun = 1;
      if (!this.fifoEnabled) this.received[0] = byte; // the holding register is overwritten, a FIFO is not
    }
    this.r.thrInterrupt = 1;
    this.update();
  }

  private readReceiverBuffer(): number {
    const byte = this.received.shift() ?? 0;
    this.pull();
    return byte;
  }

  private readInterruptIdentification(): number {
    const source = this.interruptSource();
    if (source === R.IIR_THR_EMPTY) {
      this.r.thrInterrupt = 0;
      this.update();
    }
    return source | (this.fifoEnabled ? R.IIR_FIFOS_ENABLED : 0);
  }

  private readLineStatus(): number {
    const ready = this.received.length > 0 ? R.LSR_DATA_READY : 0;
    const overrun = this.r.overrun !== 0 ? R.LSR_OVERRUN : 0;
    this.r.overrun = 0;
    this.update();
    return ready | overrun | R.LSR_THR_EMPTY | R.LSR_TRANSMITTER_EMPTY;
  }

  private readModemStatus(): number {
    const status = this.modemLines() | this.r.modemDeltas;
    this.r.modemDeltas = 0;
    this.update();
    return status;
  }

  private writeInterruptEnable(byte: number): void {
    // Enabling the interrupt while THR is empty raises it: drivers start transmission this way.
    if ((byte & ~this.r.ier & R.IER_THR_EMPTY) !== 0) this.r.thrInterrupt = 1;
    this.r.ier = byte & 0x0f;
    this.update();
  }

  private writeFifoControl(byte: number): void {
    const enable = (byte & R.FCR_ENABLE) !== 0;
    if (enable !== this.fifoEnabled || (enable && (byte & R.FCR_RESET_RECEIVER) !== 0)) this.received = [];
    this.r.fcr = enable ? byte & (R.FCR_ENABLE | R.FCR_DMA_MODE | R.FCR_TRIGGER) : 0;
    this.pull();
  }

  private writeModemControl(byte: number): void {
    const before = this.modemLines();
    this.r.mcr = byte & 0x1f;
    const after = this.modemLines();
    const changed = before ^ after;
    this.r.modemDeltas |= (changed >>> 4) & (R.MSR_DELTA_CTS | R.MSR_DELTA_DSR | R.MSR_DELTA_DCD);
    if ((changed & before & R.MSR_RI) !== 0) this.r.modemDeltas |= R.MSR_TRAILING_EDGE_RI;
    this.pull();
  }

  /** MSR bits 4-7: the peer's lines, or in loopback our own outputs. */
  private modemLines(): number {
    const { mcr } = this.r;
    if (!this.loopback) return PEER_STATUS;
    return (
      ((mcr & R.MCR_RTS) !== 0 ? R.MSR_CTS : 0) |
      ((mcr & R.MCR_DTR) !== 0 ? R.MSR_DSR : 0) |
      ((mcr & R.MCR_OUT1) !== 0 ? R.MSR_RI : 0) |
      ((mcr & R.MCR_OUT2) !== 0 ? R.MSR_DCD : 0)
    );
  }

  /** The pending interrupt of the highest priority ("Table IV. Interrupt Control Functions"), or IIR_NONE. */
  private interruptSource(): number {
    const { ier, overrun, modemDeltas, thrInterrupt, fcr } = this.r;
    if ((ier & R.IER_LINE_STATUS) !== 0 && overrun !== 0) return R.IIR_LINE_STATUS;
    if ((ier & R.IER_RECEIVED_DATA) !== 0 && this.received.length > 0) {
      const level = this.fifoEnabled ? TRIGGER_LEVELS[fcr >>> 6] : 1;
      return this.received.length >= level ? R.IIR_RECEIVED_DATA : R.IIR_CHARACTER_TIMEOUT;
    }
    if ((ier & R.IER_THR_EMPTY) !== 0 && thrInterrupt !== 0) return R.IIR_THR_EMPTY;
    if ((ier & R.IER_MODEM_STATUS) !== 0 && modemDeltas !== 0) return R.IIR_MODEM_STATUS;
    return R.IIR_NONE;
  }

  private update(): void {
    this.irq.set(this.interruptSource() !== R.IIR_NONE && (this.r.mcr & R.MCR_OUT2) !== 0);
  }
}
