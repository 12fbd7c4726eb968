/**
 * Intel 8254 programmable interval timer (order number 231164) with the PC's port 61h around it: speaker gate and data,
 * OUT2, refresh toggle. Ports 40h-43h, 61h; counter 0's OUT is IRQ 0, level for level.
 * Its CLK of 1193182 Hz is derived from virtual time exactly; a host timer is armed only for counter 0's next edge of OUT.
 * Starts as a BIOS leaves it (18.2 Hz on counter 0, refresh on counter 1). Makes no sound, reports no NMI sources.
 */
import {
  type Clock,
  type Device,
  type IrqLine,
  type IrqLines,
  type PortDevice,
  type StateRecord,
  type Timer,
  Tokens,
  checkedState,
  inject,
  injectable,
  scaleTicks,
  stateFields,
  stateNumber,
  ticksForCount,
} from '@ringfence/sdk';
import { Counter8254 } from './counter.js';

const COMPONENT = 'pit8254';
const VERSION = 1;

/** Frequency of the CLK inputs: a twelfth of the 14.31818 MHz crystal. */
export const PIT_HZ = 1_193_182;

const CONTROL_WORD = 3;
const READ_BACK = 3;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

// Port 61h
const GATE2 = 0x01;
const SPEAKER_DATA = 0x02;
const CHECK_DISABLES = 0x0c;
const REFRESH_TOGGLE = 0x10;
const OUT2 = 0x20;
/** DRAM refresh comes every 18 CLKs (15 microseconds), whatever counter 1 was told since. */
const REFRESH_CYCLES = 18;

@injectable()
export class Pit8254 implements Device, PortDevice {
  private counters = powerOnCounters(0);
  /** The bits of port 61h that software owns. */
  private control = 0;
  private readonly irq: IrqLine;
  private readonly timer: Timer;

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.IrqLines) irqs: IrqLines,
  ) {
    this.irq = irqs.line('out');
    this.timer = clock.createTimer('pit8254', () => this.edge());
    this.reset();
  }

  reset(): void {
    this.counters = powerOnCounters(this.now());
    this.control = 0;
    this.follow();
  }

  portRead(range: string, offset: number, _size: number): number {
    const now = this.now();
    if (range === 'control') {
      const refresh = Math.floor(now / REFRESH_CYCLES) % 2 !== 0 ? REFRESH_TOGGLE : 0;
      return this.control | refresh | (this.counters[2].out(now) ? OUT2 : 0);
    }
    return offset === CONTROL_WORD ? 0xff : this.counters[offset].read(now);
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    const now = this.now();
    const byte = value & 0xff;
    if (range === 'control') {
      this.control = byte & (GATE2 | SPEAKER_DATA | CHECK_DISABLES);
      this.counters[2].setGate((byte & GATE2) !== 0, now);
      return;
    }
    if (offset !== CONTROL_WORD) this.counters[offset].write(byte, now);
    else if (byte >>> 6 === READ_BACK) this.readBack(byte, now);
    else this.counters[byte >>> 6].writeControl(byte & 0x3f, now);
    if (offset === 0 || offset === CONTROL_WORD) this.follow();
  }

  saveState(): StateRecord {
    const [counter0, counter1, counter2] = this.counters.map((counter) => counter.saveState());
    return { component: COMPONENT, version: VERSION, data: { counter0, counter1, counter2, control: this.control } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const states = [0, 1, 2].map((n) => Counter8254.parseState(stateFields(data, `counter${n}`)));
    const control = stateNumber(data, 'control');
    states.forEach((state, n) => this.counters[n].restore(state));
    this.control = control;
    this.follow();
  }

  /** CLK cycles since power-on. */
  private now(): number {
    return scaleTicks(this.clock.now(), this.clock.hz, PIT_HZ);
  }

  private readBack(command: number, now: number): void {
    for (let n = 0; n < 3; n++) {
      if ((command & (2 << n)) === 0) continue;
      if ((command & READ_BACK_NO_COUNT) === 0) this.counters[n].latchCount(now);
      if ((command & READ_BACK_NO_STATUS) === 0) this.counters[n].latchStatus(now);
    }
  }

  /** IRQ 0 takes OUT's level, and the timer its next edge. */
  private follow(): void {
    const now = this.now();
    this.irq.set(this.counters[0].out(now));
    const edge = this.counters[0].nextEdge(now);
    if (edge === undefined) this.timer.disarm();
    else this.timer.arm(ticksForCount(edge, this.clock.hz, PIT_HZ));
  }

  /**
   * The deadline of an edge. A tick may be longer than a CLK cycle, so that mode 2's low pulse begins and ends within
   * one: the line falls in any case before it takes its level, or a rising edge would be lost.
   */
  private edge(): void {
    if (this.counters[0].mode === 2) this.irq.set(false);
    this.follow();
  }
}

/** What a BIOS programs: counter 0 mode 3 with 65536, counter 1 mode 2 with 18, counter 2 mode 3 with its gate low. */
function powerOnCounters(now: number): Counter8254[] {
  const counters = [new Counter8254(1), new Counter8254(1), new Counter8254(0)];
  const [timer, refresh, speaker] = counters;
  timer.writeControl(0x36, now);
  timer.write(0, now);
  timer.write(0, now);
  refresh.writeControl(0x14, now);
  refresh.write(REFRESH_CYCLES, now);
  speaker.writeControl(0x36, now);
  return counters;
}
