/**
 * The interrupt wires of the board: from the lines that chips drive to the processor's INTR and NMI.
 *
 *   chips -> ISA lines (ORed) -> 8259s -> LINT0 \
 *                            \-> I/O APIC -> bus -> local APIC -> INTR, NMI -> processor
 *                                             NMI -> gate -> LINT1 /
 *
 * Line n is input n of the I/O APIC, line 0 input 2 and the 8259s' INTR input 0, as on Intel's boards (MultiProcessor
 * Specification 1.4, 3.6.2 "Interrupt Modes"). Without a local APIC the 8259s and the gate drive the processor directly.
 * It knows no chip, only their contracts; what the wires carry is the chips' state, save the levels that they drive.
 */
import type {
  ApicBus,
  GuestExecutor,
  InterruptController,
  IntrPin,
  IoApic,
  IrqInput,
  LocalApic,
  NmiGate,
  ProcessorPins,
} from '@ringfence/sdk';

/** What an acknowledge cycle reads when no controller answers. */
const NO_VECTOR = 0xff;
const TIMER_LINE = 0;
const TIMER_INPUT = 2;
const EXTINT_INPUT = 0;
/** What is beyond reaches the I/O APIC only. */
const ISA_LINES = 16;

interface Driver {
  level: boolean;
}

interface Drivers {
  readonly all: Driver[];
  /** The others are cut off. */
  alone: Driver | undefined;
}

export class InterruptWiring {
  controller: InterruptController | undefined;
  localApic: LocalApic | undefined;
  ioApic: IoApic | undefined;
  /** Level of the processor's INTR pin. */
  intr = false;
  /** A snapshot is being loaded: chips drive their wires, but nothing is to come of edges. */
  restoring = false;
  private executor: GuestExecutor | undefined;
  private nmiMasked = false;
  /** Level of the 8259s' INTR. */
  private external = false;
  /** The drivers of each interrupt request line. */
  private readonly drivers = new Map<number, Drivers>();

  /** INTR of the 8259s. */
  readonly intrPin: IntrPin = {
    set: (level) => {
      this.external = level;
      if (this.localApic === undefined) this.setIntr(level);
      else this.localApic.setLint(0, level);
      this.ioApic?.setInput(EXTINT_INPUT, level);
    },
  };

  readonly pins: ProcessorPins = {
    setIntr: (level) => this.setIntr(level),
    nmi: () => {
      if (!this.restoring) this.executor?.raiseNmi();
    },
    acknowledgeExternal: () => {
      const vector = this.controller === undefined ? NO_VECTOR : this.controller.acknowledge();
      // INT of an 8259 falls in the acknowledge cycle even if it rises again at once: the I/O APIC must see the new edge.
      this.ioApic?.setInput(EXTINT_INPUT, false);
      this.ioApic?.setInput(EXTINT_INPUT, this.external);
      return vector & 0xff;
    },
  };

  readonly apicBus: ApicBus = {
    send: (destination, logical, mode, vector, level) =>
      this.localApic?.accept(destination, logical, mode, vector, level) ?? false,
    endOfInterrupt: (vector) => this.ioApic?.endOfInterrupt(vector),
    receiverChanged: () => this.ioApic?.retry(),
  };

  readonly nmiGate: NmiGate = { mask: (masked) => (this.nmiMasked = masked) };

  connect(executor: GuestExecutor): void {
    this.executor = executor;
    executor.setIntr(this.intr);
  }

  setIntr(level: boolean): void {
    this.intr = level;
    this.executor?.setIntr(level);
  }

  acknowledge(): number {
    return this.localApic === undefined ? this.pins.acknowledgeExternal() : this.localApic.acknowledge() & 0xff;
  }

  /** A pulse on the board's NMI wire, which the gate may hold back. */
  pulseNmi(): void {
    if (this.nmiMasked) return;
    if (this.localApic === undefined) {
      this.pins.nmi();
      return;
    }
    this.localApic.setLint(1, true);
    this.localApic.setLint(1, false);
  }

  /** Whether an interrupt line may come to the processor as an NMI. */
  get routesNmi(): boolean {
    return (this.localApic?.routesNmi ?? false) || (this.ioApic?.routesNmi ?? false);
  }

  /** A further driver of an interrupt request line; the drivers of a line are ORed. */
  line(irq: number): IrqInput {
    const driver: Driver = { level: false };
    let group = this.drivers.get(irq);
    if (group === undefined) this.drivers.set(irq, (group = { all: [], alone: undefined }));
    group.all.push(driver);
    const drivers = group;
    const input = irq === TIMER_LINE ? TIMER_INPUT : irq;
    const drive = (): void => {
      const { alone, all } = drivers;
      const level =
        alone !== undefined ? alone.level : driver.level || (all.length > 1 && all.some((other) => other.level));
      if (irq < ISA_LINES) this.controller?.setIrq(irq, level);
      this.ioApic?.setInput(input, level);
    };
    return {
      set: (level) => {
        driver.level = level;
        drive();
      },
      alone: (on) => {
        if (on === (drivers.alone === driver)) return;
        drivers.alone = on ? driver : undefined;
        drive();
      },
    };
  }
}
