/**
 * The capabilities a device gets, as fakes that remember what was done with them: interrupt lines, the INTR pin, a byte
 * channel, the board's controls, a PCI bus.
 */
import type {
  ByteChannel,
  IntrPin,
  IrqLine,
  IrqLines,
  PciBus,
  PciFunction,
  PciInterruptRouter,
  PciSlot,
  SystemControl,
} from '@ringfence/sdk';

/** One line (or pin): its level now, and how often it rose. */
export class FakeIrqLine implements IrqLine, IntrPin {
  level = false;
  rises = 0;
  /** Whether it has cut off the line's other drivers. */
  isAlone = false;

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

  alone(on: boolean): void {
    this.isAlone = on;
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

/** The bus and its pins: `pins` says which are asserted, as `device.function:pin`. */
export class FakePciBus implements PciBus {
  /** Functions by `device.function`. */
  readonly functions = new Map<string, PciFunction>();
  readonly pins = new Set<string>();
  router: PciInterruptRouter | undefined;

  attach(device: number, fn: number, pci: PciFunction): PciSlot {
    this.functions.set(`${device}.${fn}`, pci);
    return {
      setInterrupt: (pin, asserted) => {
        const name = `${device}.${fn}:${pin}`;
        if (asserted) this.pins.add(name);
        else this.pins.delete(name);
      },
    };
  }

  routeInterrupts(router: PciInterruptRouter): void {
    this.router = router;
  }

  /** A configuration write of 4 bytes, as software does it. */
  configWrite(place: string, register: number, value: number, size = 4): void {
    this.functions.get(place)!.configWrite(register, size, value);
  }

  configRead(place: string, register: number, size = 4): number {
    return this.functions.get(place)!.configRead(register, size);
  }
}
