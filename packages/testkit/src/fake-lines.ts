/**
 * The capabilities a device gets, as fakes that remember what was done with them: interrupt lines, the INTR pin, a byte
 * channel, the board's controls, a PCI bus.
 */
import type { ByteChannel, IntrPin, IrqLine, IrqLines, PciBus, PciFunction, SystemControl } from '@ringfence/sdk';

/** One line (or pin): its level now, and how often it rose. */
export class FakeIrqLine implements IrqLine, IntrPin {
  level = false;
  rises = 0;

  constructor(
    readonly name: string,
    private readonly log: string[] = [],
  ) {}

  set(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    if (level) this.rises++;
    this.log.push(`${this.name}${level ? '+' : '-'}`);
  }
}

/** Lines by name, made on first use. `log` holds every change: `out+`, `out-`. */
export class FakeIrqLines implements IrqLines {
  readonly log: string[] = [];
  private readonly lines = new Map<string, FakeIrqLine>();

  line(name = 'out'): FakeIrqLine {
    let line = this.lines.get(name);
    if (line === undefined) this.lines.set(name, (line = new FakeIrqLine(name, this.log)));
    return line;
  }
}

export class FakeByteChannel implements ByteChannel {
  readonly sent: number[] = [];
  private readonly waiting: number[] = [];
  private listener: () => void = () => {};

  send(byte: number): void {
    this.sent.push(byte);
  }

  receive(): number {
    return this.waiting.shift() ?? -1;
  }

  onReceive(listener: () => void): void {
    this.listener = listener;
  }

  /** What was sent, as Latin-1 text. */
  text(): string {
    return String.fromCharCode(...this.sent);
  }

  /** The outside world sends. */
  feed(bytes: string | readonly number[]): void {
    this.waiting.push(...(typeof bytes === 'string' ? [...bytes].map((c) => c.charCodeAt(0)) : bytes));
    this.listener();
  }

  /** Bytes fed and not yet taken. */
  get pending(): number {
    return this.waiting.length;
  }
}

/** `log` holds every call: `reset port 92h`, `a20 off`, `debug-exit 31`, `power-off`. */
export class FakeSystemControl implements SystemControl {
  readonly log: string[] = [];
  private gate = true;

  reset(reason: string): void {
    this.log.push(`reset ${reason}`);
  }

  powerOff(): void {
    this.log.push('power-off');
  }

  debugExit(value: number): void {
    this.log.push(`debug-exit ${value}`);
  }

  setA20(open: boolean): void {
    if (open !== this.gate) this.log.push(`a20 ${open ? 'on' : 'off'}`);
    this.gate = open;
  }

  a20(): boolean {
    return this.gate;
  }
}

export class FakePciBus implements PciBus {
  /** Functions by `device.function`. */
  readonly functions = new Map<string, PciFunction>();

  attach(device: number, fn: number, pci: PciFunction): void {
    this.functions.set(`${device}.${fn}`, pci);
  }
}
