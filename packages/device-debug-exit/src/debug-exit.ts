/**
 * QEMU's isa-debug-exit: a write of 1, 2 or 4 bytes to ports F4h-F7h ends the run with exit status `(value << 1) | 1`.
 * Reads answer 0, as QEMU's do. No IRQ, no state. What becomes of the status is the board's business.
 */
import {
  type Device,
  type PortDevice,
  type StateRecord,
  type SystemControl,
  Tokens,
  checkedState,
  inject,
  injectable,
} from '@ringfence/sdk';

const COMPONENT = 'debug-exit';
const VERSION = 1;

@injectable()
export class DebugExit implements Device, PortDevice {
  constructor(@inject(Tokens.SystemControl) private readonly system: SystemControl) {}

  reset(): void {}

  portRead(_range: string, _offset: number, _size: number): number {
    return 0;
  }

  portWrite(_range: string, _offset: number, size: number, value: number): void {
    this.system.debugExit(size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff));
  }

  saveState(): StateRecord {
    return { component: COMPONENT, version: VERSION, data: {} };
  }

  loadState(record: StateRecord): void {
    checkedState(record, COMPONENT, VERSION);
  }
}
