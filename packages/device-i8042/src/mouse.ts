/**
 * A PS/2 mouse with three buttons (IBM PS/2 Hardware Interface Technical Reference, "Mouse"): stream, remote and wrap
 * mode, scaling kept but not applied. No wheel: it answers identity 0.
 */
import { ACK, NO_COMMAND, Ps2Device, RESEND, SELF_TEST_PASSED } from './ps2-device.js';

const SCALING_1_1 = 0xe6;
const SCALING_2_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS_REQUEST = 0xe9;
const STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const RESET_WRAP_MODE = 0xec;
const WRAP_MODE = 0xee;
const REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const DEFAULTS = 0xf6;
const RESET = 0xff;

const IDENTITY = 0x00;
const PACKET_SYNC = 0x08;
const PACKET_X_SIGN = 0x10;
const PACKET_Y_SIGN = 0x20;

const DEFAULT_SETTINGS = { resolution: 2, rate: 100, scaling: 0, remote: 0, reporting: 0 };
const POWER_ON = { ...DEFAULT_SETTINGS, wrap: 0, dx: 0, dy: 0, buttons: 0 };

export class Ps2Mouse extends Ps2Device<keyof typeof POWER_ON> {
  constructor() {
    super(POWER_ON);
  }

  /** The mouse moved (right and up are positive) and its buttons are now so: left, right, middle in bits 0-2. */
  move(dx: number, dy: number, buttons: number): void {
    this.r.dx = clamp(this.r.dx + dx);
    this.r.dy = clamp(this.r.dy + dy);
    this.r.buttons = buttons & 7;
    if (this.r.reporting !== 0 && this.r.remote === 0 && this.r.wrap === 0 && this.report(this.packet())) this.moved();
  }

  receive(byte: number): void {
    if (this.r.wrap !== 0 && byte !== RESET && byte !== RESET_WRAP_MODE) {
      this.reply(byte);
      return;
    }
    const command = this.r.command;
    this.r.command = NO_COMMAND;
    if (command !== NO_COMMAND) {
      this.reply(ACK);
      if (command === SET_RESOLUTION) this.r.resolution = byte & 3;
      else this.r.rate = byte;
    } else {
      this.obey(byte);
    }
  }

  private obey(command: number): void {
    if (command === RESEND) {
      this.resend();
      return;
    }
    this.flush(); // any command ends what was being sent
    this.reply(ACK);
    switch (command) {
      case SCALING_1_1:
      case SCALING_2_1:
        this.r.scaling = command - SCALING_1_1;
        break;
      case SET_RESOLUTION:
      case SET_SAMPLE_RATE:
        this.r.command = command;
        break;
      case STATUS_REQUEST:
        this.reply(this.status(), this.r.resolution, this.r.rate);
        break;
      case STREAM_MODE:
      case REMOTE_MODE:
        this.r.remote = command === REMOTE_MODE ? 1 : 0;
        break;
      case READ_DATA:
        this.reply(...this.packet());
        this.moved();
        break;
      case WRAP_MODE:
      case RESET_WRAP_MODE:
        this.r.wrap = command === WRAP_MODE ? 1 : 0;
        break;
      case IDENTIFY:
        this.reply(IDENTITY);
        break;
      case ENABLE:
      case DISABLE:
        this.r.reporting = command === ENABLE ? 1 : 0;
        break;
      case DEFAULTS:
        Object.assign(this.r, DEFAULT_SETTINGS);
        break;
      case RESET:
        Object.assign(this.r, POWER_ON);
        this.reply(SELF_TEST_PASSED, IDENTITY);
        break;
      default:
        this.flush();
        this.reply(RESEND);
    }
  }

  private status(): number {
    const { buttons, scaling, reporting, remote } = this.r;
    const shown = ((buttons & 1) << 2) | ((buttons & 2) >>> 1) | ((buttons & 4) >>> 1);
    return shown | (scaling << 4) | (reporting << 5) | (remote << 6);
  }

  private packet(): number[] {
    const { dx, dy, buttons } = this.r;
    const signs = (dx < 0 ? PACKET_X_SIGN : 0) | (dy < 0 ? PACKET_Y_SIGN : 0);
    return [PACKET_SYNC | buttons | signs, dx & 0xff, dy & 0xff];
  }

  private moved(): void {
    this.r.dx = 0;
    this.r.dy = 0;
  }
}

function clamp(movement: number): number {
  return Math.max(-255, Math.min(255, movement));
}
