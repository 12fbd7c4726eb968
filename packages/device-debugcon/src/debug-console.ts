/**
 * The "port E9 hack" of Bochs, QEMU's isa-debugcon: a byte written to port E9h, or to 402h, where SeaBIOS writes its log, goes
 * to the host's console; a read answers E9h, by which a guest finds it. No IRQ. It takes no input and has no state.
 */
import {
  type ByteChannel,
  type Device,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
} from '@ringfence/sdk';

const COMPONENT = 'debugcon';
const VERSION = 1;
const PRESENT = 0xe9;

@injectable()
export class DebugConsole implements Device, PortDevice {
  constructor(@inject(Tokens.ByteChannel) private readonly channel: ByteChannel) {}

  reset(): void {}

  portRead(_range: string, _offset: number, _size: number): number {
    return PRESENT;
  }

  portWrite(_range: string, _offset: number, _size: number, value: number): void {
    this.channel.send(value & 0xff);
  }

  saveState(): StateRecord {
    return { component: COMPONENT, version: VERSION, data: {} };
  }

  loadState(record: StateRecord): void {
    checkedState(record, COMPONENT, VERSION);
  }
}
