/**
 * System control port A of the PS/2 (port 92h): bit 0 pulses RESET# when it goes from 0 to 1, bit 1 opens the A20 gate.
 * The gate itself is the board's, shared with the keyboard controller; reads show where it stands.
 * Does not do the PS/2's watchdog, security lock and disk light: those bits keep what is written. The PCI reset
 * register (CF9h) lies within the host bridge's ports and so belongs to `device-pci-host`.
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
  stateNumber,
} from '@ringfence/sdk';

const COMPONENT = 'sysctl';
const VERSION = 1;

const FAST_RESET = 0x01;
const A20_GATE = 0x02;

@injectable()
export class SystemControlPort implements Device, PortDevice {
  private latch = 0;

  constructor(@inject(Tokens.SystemControl) private readonly system: SystemControl) {}

  reset(): void {
    this.latch = 0;
  }

  portRead(_range: string, _offset: number, _size: number): number {
    return (this.latch & ~A20_GATE) | (this.system.a20() ? A20_GATE : 0);
  }

  portWrite(_range: string, _offset: number, _size: number, value: number): void {
    const before = this.latch;
    this.latch = value & 0xff;
    this.system.setA20((value & A20_GATE) !== 0);
    if ((value & ~before & FAST_RESET) !== 0) this.system.reset('port 92h');
  }

  saveState(): StateRecord {
    return { component: COMPONENT, version: VERSION, data: { latch: this.latch } };
  }

  loadState(record: StateRecord): void {
    this.latch = stateNumber(checkedState(record, COMPONENT, VERSION), 'latch');
  }
}
