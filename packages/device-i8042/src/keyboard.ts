/**
 * An AT keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)"): the command set and
 * scan code sets 1 and 2. Set 3 can be selected and sends set 2's codes; keys do not repeat by themselves.
 */
import { ACK, NO_COMMAND, Ps2Device, RESEND, SELF_TEST_PASSED } from './ps2-device.js';
import { sequenceToSet1 } from './scan-codes.js';

const SET_LEDS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DEFAULTS_AND_DISABLE = 0xf5;
const DEFAULTS = 0xf6;
/** F7h-FAh: all keys typematic, make/break and so on; FBh-FDh: the same for the keys whose codes follow. Set 3 only. */
const ALL_KEYS_FIRST = 0xf7;
const SOME_KEYS_LAST = 0xfd;
const RESET = 0xff;

const IDENTITY = [0xab, 0x83];
const TYPEMATIC_DEFAULT = 0x2b;
const OVERRUN_SET_1 = 0xff;
const OVERRUN = 0x00;

const POWER_ON = { leds: 0, set: 2, typematic: TYPEMATIC_DEFAULT, scanning: 1, overrun: 0 };

export class AtKeyboard extends Ps2Device<keyof typeof POWER_ON> {
  constructor() {
    super(POWER_ON);
  }

  /** Scroll, Num and Caps Lock in bits 0-2. */
  get leds(): number {
    return this.r.leds;
  }

  /** A key moved: its code in set 2, `F0h code` for a release, with E0h or E1h before where the key has it. */
  press(codes: readonly number[]): void {
    if (this.r.scanning === 0) return;
    const sent = this.report(this.r.set === 1 ? sequenceToSet1(codes) : codes);
    if (!sent && this.r.overrun === 0) this.reply(this.r.set === 1 ? OVERRUN_SET_1 : OVERRUN);
    this.r.overrun = sent ? 0 : 1;
  }

  receive(byte: number): void {
    const command = this.r.command;
    this.r.command = NO_COMMAND;
    // A byte from EDh up is a command even where a parameter was due.
    if (command !== NO_COMMAND && byte < SET_LEDS) this.parameter(command, byte);
    else this.obey(byte);
  }

  private parameter(command: number, byte: number): void {
    this.reply(ACK);
    if (command === SET_LEDS) this.r.leds = byte & 7;
    else if (command === TYPEMATIC) this.r.typematic = byte & 0x7f;
    else if (command !== SCAN_CODE_SET)
      this.r.command = command; // FBh-FDh take codes until the next command
    else if (byte === 0) this.reply(this.r.set);
    else if (byte <= 3) this.r.set = byte;
  }

  private obey(command: number): void {
    switch (command) {
      case ECHO:
        this.reply(ECHO);
        break;
      case SET_LEDS:
      case SCAN_CODE_SET:
      case TYPEMATIC:
        this.reply(ACK);
        this.r.command = command;
        break;
      case IDENTIFY:
        this.reply(ACK, ...IDENTITY);
        break;
      case ENABLE:
        this.flush();
        this.reply(ACK);
        this.r.scanning = 1;
        break;
      case DEFAULTS_AND_DISABLE:
      case DEFAULTS:
        this.defaults();
        this.r.scanning = command === DEFAULTS ? 1 : 0;
        this.reply(ACK);
        break;
      case RESEND:
        this.resend();
        break;
      case RESET:
        this.defaults();
        this.r.leds = 0;
        this.r.scanning = 1;
        this.reply(ACK, SELF_TEST_PASSED);
        break;
      default:
        if (command < ALL_KEYS_FIRST || command > SOME_KEYS_LAST) {
          this.reply(RESEND);
          break;
        }
        this.reply(ACK);
        if (command > 0xfa) this.r.command = command;
    }
  }

  private defaults(): void {
    this.flush();
    this.r.set = 2;
    this.r.typematic = TYPEMATIC_DEFAULT;
  }
}
