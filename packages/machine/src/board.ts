/**
 * The board: what connects processor and chips. Port space, interrupt routing, the interrupt pin, the A20 gate, reset
 * and power, virtual time. The same board serves a bare processor (as its bus) and a monitor's emulator.
 */
import type {
  Bus,
  DeviceObserver,
  FloatErrorLogic,
  GuestExecutor,
  IrqInput,
  LocalApicBase,
  PhysicalSpace,
  StateRecord,
  Stateful,
  SystemControl,
} from '@ringfence/sdk';
import { checkedState } from '@ringfence/sdk';
import { InterruptWiring } from './interrupt-wiring.js';
import { PortSpace } from './port-space.js';
import { Scheduler } from './scheduler.js';
import type { MachineEnd } from './types.js';

export class Board implements Bus, Stateful {
  readonly ports = new PortSpace();
  readonly scheduler: Scheduler;
  readonly interrupts = new InterruptWiring();
  floatErrorLogic: FloatErrorLogic | undefined;
  /** Set once; the run is over. */
  end: MachineEnd | undefined;
  /** Who asked for a reset since the last one; the machine does it after the instruction in progress. */
  resetReason: string | undefined;
  /** Told of every port access; undefined unless someone looks on. */
  observer: Pick<DeviceObserver, 'portAccess'> | undefined = undefined;
  /** Whether the executor is inside `run`: only then there is something to stop. */
  running = false;
  private executor: GuestExecutor | undefined;
  private a20Open = true;

  readonly control: SystemControl = {
    reset: (reason) => {
      this.resetReason ??= reason;
      this.stop();
    },
    powerOff: () => this.finish({ outcome: 'power-off', exitStatus: 0 }),
    debugExit: (value) =>
      this.finish({ outcome: 'debug-exit', exitStatus: ((value << 1) | 1) & 0xff, detail: `the guest wrote ${value}` }),
    setA20: (open) => {
      this.a20Open = open;
      this.space.setA20(open);
      this.stop();
    },
    a20: () => this.a20Open,
  };

  constructor(
    hz: number,
    private readonly space: PhysicalSpace,
  ) {
    this.scheduler = new Scheduler(hz, () => (this.executor === undefined ? 0 : this.executor.retired()));
    this.scheduler.onEarlier = () => this.stop();
  }

  connect(executor: GuestExecutor): void {
    this.executor = executor;
    this.interrupts.connect(executor);
  }

  ioRead(port: number, size: number): number {
    const value = this.ports.read(port & 0xffff, size);
    this.observer?.portAccess(false, port & 0xffff, size, value);
    return value;
  }

  ioWrite(port: number, size: number, value: number): void {
    this.observer?.portAccess(true, port & 0xffff, size, value);
    this.ports.write(port & 0xffff, size, value);
  }

  acknowledge(): number {
    return this.interrupts.acknowledge();
  }

  floatError(again: boolean): boolean {
    return this.floatErrorLogic?.floatError(again) ?? false;
  }

  now(): number {
    return this.scheduler.now();
  }

  get localApic(): LocalApicBase | undefined {
    return this.interrupts.localApic;
  }

  /** A further driver of an interrupt request line; the drivers of a line are ORed. */
  irqLine(irq: number): IrqInput {
    return this.interrupts.line(irq);
  }

  /** The run ends after the instruction in progress. The first reason wins. */
  finish(end: MachineEnd): void {
    this.end ??= end;
    this.stop();
  }

  saveState(): StateRecord {
    return {
      component: 'board',
      version: 1,
      data: { a20: this.a20Open, intr: this.interrupts.intr, ticks: this.now() },
    };
  }

  /** Preconditions: the executor's state is loaded already (time is derived from its count). */
  loadState(record: StateRecord): void {
    const data = checkedState(record, 'board', 1);
    this.scheduler.idleTicks = Number(data.ticks) - (this.executor?.retired() ?? 0);
    this.control.setA20(data.a20 === true);
    this.interrupts.setIntr(data.intr === true);
  }

  private stop(): void {
    if (this.running) this.executor?.requestStop();
  }
}
