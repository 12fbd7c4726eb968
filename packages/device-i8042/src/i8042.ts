/**
 * Intel 8042 as the PS/2's keyboard and auxiliary device controller (IBM PS/2 Hardware Interface Technical Reference),
 * with an AT keyboard and a PS/2 mouse plugged in. Ports 60h (data) and 64h (command, status); IRQ 1 and 12.
 * It answers at once: the input buffer is never full, and the next byte stands ready when one has been read.
 * Starts as a BIOS leaves it: keyboard on, translated to set 1, interrupting; mouse interface off. Has no password, no
 * test mode, no keyboard lock.
 */
import {
  type Device,
  type IrqLine,
  type IrqLines,
  type PortDevice,
  type StateRecord,
  type SystemControl,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateFields,
  stateNumbers,
} from '@ringfence/sdk';
import { AtKeyboard } from './keyboard.js';
import { Ps2Mouse } from './mouse.js';
import { BREAK_PREFIX, toSet1 } from './scan-codes.js';

const COMPONENT = 'i8042';
const VERSION = 1;

// Status register
const STATUS_OBF = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_NOT_LOCKED = 0x10;
const STATUS_AUX = 0x20;

// Command byte, byte 0 of the controller's RAM
const CCB_KEYBOARD_INTERRUPT = 0x01;
const CCB_AUX_INTERRUPT = 0x02;
const CCB_SYSTEM = 0x04;
const CCB_KEYBOARD_DISABLED = 0x10;
const CCB_AUX_DISABLED = 0x20;
const CCB_TRANSLATE = 0x40;
const CCB_BIOS = CCB_TRANSLATE | CCB_AUX_DISABLED | CCB_SYSTEM | CCB_KEYBOARD_INTERRUPT;
const RAM_BYTES = 32;

// Output port
const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_FULL = 0x10;
const OUTPUT_AUX_FULL = 0x20;
const OUTPUT_IDLE_CLOCKS = 0xc0;

/** Input port: keyboard not locked, colour display. */
const INPUT_PORT = 0xa0;

/** Bytes of its own that the controller keeps beside the output buffer. */
const REPLIES = 16;

const FROM_KEYBOARD = 0;
const FROM_AUX = 1;

const FIELDS = [
  'output', // the output buffer
  'full', // 1 while it holds a byte not yet read
  'source', // FROM_*
  'command', // a command that waits for its byte at port 60h, or 0
  'lastWasCommand', // whether the last write went to port 64h
  'releasing', // 80h when the keyboard's last byte was the break prefix
] as const;

function powerOn(): Record<(typeof FIELDS)[number], number> {
  return { output: 0, full: 0, source: FROM_KEYBOARD, command: 0, lastWasCommand: 0, releasing: 0 };
}

@injectable()
export class I8042 implements Device, PortDevice {
  readonly keyboard = new AtKeyboard();
  readonly mouse = new Ps2Mouse();
  private r = powerOn();
  private readonly ram = new Uint8Array(RAM_BYTES);
  /** What the controller itself puts into the output buffer next: byte, and source in bit 8. */
  private replies: number[] = [];
  private readonly keyboardIrq: IrqLine;
  private readonly auxIrq: IrqLine;

  constructor(
    @inject(Tokens.IrqLines) irqs: IrqLines,
    @inject(Tokens.SystemControl) private readonly system: SystemControl,
  ) {
    this.keyboardIrq = irqs.line('keyboard');
    this.auxIrq = irqs.line('aux');
    this.reset();
  }

  reset(): void {
    this.r = powerOn();
    this.ram.fill(0);
    this.ram[0] = CCB_BIOS;
    this.replies = [];
    this.keyboard.reset();
    this.mouse.reset();
    this.fill();
  }

  /** Keys moved: codes of set 2, as they travel on the keyboard's cable (`1C` A pressed, `F0 1C` released). */
  injectScancodes(codes: readonly number[]): void {
    this.keyboard.press(codes);
    this.fill();
  }

  /** The mouse moved; see `Ps2Mouse.move`. */
  injectMouse(dx: number, dy: number, buttons: number): void {
    this.mouse.move(dx, dy, buttons);
    this.fill();
  }

  portRead(range: string, _offset: number, _size: number): number {
    if (range === 'command') return this.status();
    const byte = this.r.output;
    this.r.full = 0;
    this.drive(); // the line falls before the next byte raises it again
    this.fill();
    return byte;
  }

  portWrite(range: string, _offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    this.r.lastWasCommand = range === 'command' ? 1 : 0;
    if (range === 'command') {
      this.r.command = 0;
      this.obey(byte);
    } else if (this.r.command !== 0) {
      const command = this.r.command;
      this.r.command = 0;
      this.parameter(command, byte);
    } else {
      this.ram[0] &= ~CCB_KEYBOARD_DISABLED; // the clock must run to send
      this.keyboard.receive(byte);
    }
    this.fill();
  }

  saveState(): StateRecord {
    const data = {
      ...this.r,
      ram: this.ram.slice(),
      replies: bytePairs(this.replies),
      keyboard: this.keyboard.saveState(),
      mouse: this.mouse.saveState(),
    };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const registers = stateNumbers(data, FIELDS);
    const ram = stateBytes(data, 'ram', RAM_BYTES);
    const replies = fromBytePairs(stateBytes(data, 'replies'));
    const loadKeyboard = this.keyboard.prepareLoad(stateFields(data, 'keyboard'));
    const loadMouse = this.mouse.prepareLoad(stateFields(data, 'mouse'));
    this.r = registers;
    this.ram.set(ram);
    this.replies = replies;
    loadKeyboard();
    loadMouse();
    this.drive();
  }

  private status(): number {
    const full = this.r.full !== 0 ? STATUS_OBF | (this.r.source === FROM_AUX ? STATUS_AUX : 0) : 0;
    const system = (this.ram[0] & CCB_SYSTEM) !== 0 ? STATUS_SYSTEM : 0;
    return full | system | (this.r.lastWasCommand !== 0 ? STATUS_COMMAND : 0) | STATUS_NOT_LOCKED;
  }

  /** A command at port 64h. */
  private obey(command: number): void {
    if (command >= 0xf0) {
      if ((command & 1) === 0) this.system.reset('keyboard controller'); // pulses output port bits that are 0
    } else if (command >= 0x20 && command < 0x40) {
      this.answer(this.ram[command & 0x1f]);
    } else if (command >= 0x60 && command < 0x80) {
      this.r.command = command;
    } else {
      this.obeySpecial(command);
    }
  }

  private obeySpecial(command: number): void {
    switch (command) {
      case 0xa4: // test password: none installed
        this.answer(0xf1);
        break;
      case 0xa7:
        this.ram[0] |= CCB_AUX_DISABLED;
        break;
      case 0xa8:
        this.ram[0] &= ~CCB_AUX_DISABLED;
        break;
      case 0xa9: // test the auxiliary interface: no error
      case 0xab: // test the keyboard interface: no error
        this.answer(0x00);
        break;
      case 0xaa: // self-test passed
        this.ram[0] |= CCB_SYSTEM;
        this.answer(0x55);
        break;
      case 0xad:
        this.ram[0] |= CCB_KEYBOARD_DISABLED;
        break;
      case 0xae:
        this.ram[0] &= ~CCB_KEYBOARD_DISABLED;
        break;
      case 0xc0:
        this.answer(INPUT_PORT);
        break;
      case 0xd0:
        this.answer(this.outputPort());
        break;
      case 0xd1: // write output port
      case 0xd2: // write keyboard output buffer
      case 0xd3: // write auxiliary output buffer
      case 0xd4: // write auxiliary device
        this.r.command = command;
        break;
      case 0xdd: // the A20 commands of HP's Vectra
      case 0xdf:
        this.system.setA20(command === 0xdf);
        break;
      case 0xe0: // read test inputs: both clocks idle
        this.answer(0x00);
        break;
      default: // not a command of this controller
    }
  }

  /** The byte at port 60h that a command waited for. */
  private parameter(command: number, byte: number): void {
    switch (command) {
      case 0xd1:
        this.system.setA20((byte & OUTPUT_A20) !== 0);
        if ((byte & OUTPUT_NO_RESET) === 0) this.system.reset('keyboard controller');
        break;
      case 0xd2:
        this.answer(byte);
        break;
      case 0xd3:
        this.answer(byte | (FROM_AUX << 8));
        break;
      case 0xd4:
        this.ram[0] &= ~CCB_AUX_DISABLED;
        this.mouse.receive(byte);
        break;
      default:
        this.ram[command & 0x1f] = byte;
    }
  }

  /** Queues a byte of the controller's own; a guest that never reads loses the oldest. */
  private answer(reply: number): void {
    this.replies.push(reply);
    if (this.replies.length > REPLIES) this.replies.shift();
  }

  private outputPort(): number {
    const full = this.r.source === FROM_AUX ? OUTPUT_AUX_FULL : OUTPUT_KEYBOARD_FULL;
    const a20 = this.system.a20() ? OUTPUT_A20 : 0;
    return OUTPUT_NO_RESET | a20 | (this.r.full !== 0 ? full : 0) | OUTPUT_IDLE_CLOCKS;
  }

  /** Puts the next byte into the output buffer when it is free: the controller's own, the keyboard's, the mouse's. */
  private fill(): void {
    if (this.r.full === 0) {
      const next = this.replies.shift() ?? this.nextFromDevices();
      if (next >= 0) {
        this.r.output = next & 0xff;
        this.r.source = next >>> 8;
        this.r.full = 1;
      }
    }
    this.drive();
  }

  private nextFromDevices(): number {
    while ((this.ram[0] & CCB_KEYBOARD_DISABLED) === 0) {
      const byte = this.keyboard.take();
      if (byte < 0) break;
      if ((this.ram[0] & CCB_TRANSLATE) === 0) return byte;
      if (byte === BREAK_PREFIX) {
        this.r.releasing = 0x80;
        continue;
      }
      const translated = toSet1(byte) | this.r.releasing;
      this.r.releasing = 0;
      return translated;
    }
    const byte = (this.ram[0] & CCB_AUX_DISABLED) === 0 ? this.mouse.take() : -1;
    return byte < 0 ? -1 : byte | (FROM_AUX << 8);
  }

  private drive(): void {
    const { full, source } = this.r;
    const ccb = this.ram[0];
    const keyboardOn = (ccb & (CCB_KEYBOARD_INTERRUPT | CCB_KEYBOARD_DISABLED)) === CCB_KEYBOARD_INTERRUPT;
    this.keyboardIrq.set(full !== 0 && source === FROM_KEYBOARD && keyboardOn);
    this.auxIrq.set(full !== 0 && source === FROM_AUX && (ccb & CCB_AUX_INTERRUPT) !== 0);
  }
}

/** Replies as bytes: value, source, value, source. */
function bytePairs(replies: readonly number[]): Uint8Array {
  return Uint8Array.from(replies.flatMap((reply) => [reply & 0xff, reply >>> 8]));
}

function fromBytePairs(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length >>> 1 }, (_, i) => bytes[2 * i] | (bytes[2 * i + 1] << 8));
}
