/**
 * The PC's interrupt controllers: two Intel 8259A in cascade (slave on IR2 of the master) and the edge/level control
 * registers of the 82371 PIIX. Ports 20h-21h, A0h-A1h, 4D0h-4D1h; drives INTR.
 * Starts as a BIOS leaves it: vectors 08h and 70h, all inputs masked. Does not do MCS-80 mode or buffered mode, and
 * answers the processor's acknowledge at once.
 */
import {
  type Device,
  type InterruptController,
  type IntrPin,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateFields,
} from '@ringfence/sdk';
import { Pic8259Chip } from './chip.js';

const COMPONENT = 'pic8259';
const VERSION = 1;

/** The master's input that the slave's INT drives. */
const CASCADE = 2;
const SPURIOUS = 7;
/** Inputs that the chipset lets be level triggered: not the timer, keyboard, cascade, RTC and coprocessor. */
const ELCR_MASTER = 0xf8;
const ELCR_SLAVE = 0xde;

@injectable()
export class Pic8259 implements Device, PortDevice, InterruptController {
  private readonly master = new Pic8259Chip(1 << CASCADE, 0x08, 1 << CASCADE);
  private readonly slave = new Pic8259Chip(0, 0x70, CASCADE);

  constructor(@inject(Tokens.IntrPin) private readonly intr: IntrPin) {}

  reset(): void {
    this.master.reset();
    this.slave.reset();
    this.update();
  }

  setIrq(irq: number, level: boolean): void {
    if (irq >= 8) this.slave.setLine(irq - 8, level);
    else if (irq !== CASCADE) this.master.setLine(irq, level);
    this.update();
  }

  acknowledge(): number {
    const input = this.master.acknowledge();
    let vector: number;
    if (input === CASCADE) {
      const slaveInput = this.slave.acknowledge();
      this.slaveAnswered();
      vector = this.slave.vector(slaveInput >= 0 ? slaveInput : SPURIOUS);
    } else {
      vector = this.master.vector(input >= 0 ? input : SPURIOUS);
    }
    this.update();
    return vector;
  }

  portRead(range: string, offset: number, _size: number): number {
    if (range === 'elcr') return (offset === 0 ? this.master : this.slave).elcr;
    if (range === 'master') {
      const value = this.master.read(offset);
      this.update();
      return value;
    }
    const polled = this.slave.polled;
    const value = this.slave.read(offset);
    if (polled) this.slaveAnswered(); // the read was an acknowledge
    this.update();
    return value;
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (range === 'elcr') {
      if (offset === 0) this.master.elcr = byte & ELCR_MASTER;
      else this.slave.elcr = byte & ELCR_SLAVE;
    } else {
      (range === 'master' ? this.master : this.slave).write(offset, byte);
    }
    this.update();
  }

  saveState(): StateRecord {
    const data = { master: this.master.saveState(), slave: this.slave.saveState() };
    return { component: COMPONENT, version: VERSION, data };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const master = Pic8259Chip.parseState(stateFields(data, 'master'));
    const slave = Pic8259Chip.parseState(stateFields(data, 'slave'));
    this.master.restore(master);
    this.slave.restore(slave);
    this.update();
  }

  /** The slave's INT falls at an acknowledge even if it rises again at once: the master must see the new edge. */
  private slaveAnswered(): void {
    this.master.setLine(CASCADE, false);
  }

  private update(): void {
    this.master.setLine(CASCADE, this.slave.int);
    this.intr.set(this.master.int);
  }
}
