/**
 * The APIC system's capabilities as fakes that remember: the bus between the APICs, the processor's pins with an external
 * controller behind them, the PC's NMI mask.
 */
import type { ApicBus, NmiGate, ProcessorPins } from '@ringfence/sdk';

/** `log` holds every message: `logical 5 mode 1 vector 31 edge`, `eoi 52`, `receiver changed`. */
export class FakeApicBus implements ApicBus {
  readonly log: string[] = [];
  accepts = true;

  send(destination: number, logical: boolean, mode: number, vector: number, level: boolean): boolean {
    const to = `${logical ? 'logical' : 'physical'} ${destination.toString(16)}`;
    this.log.push(`${to} mode ${mode} vector ${vector.toString(16)} ${level ? 'level' : 'edge'}`);
    return this.accepts;
  }

  endOfInterrupt(vector: number): void {
    this.log.push(`eoi ${vector.toString(16)}`);
  }

  receiverChanged(): void {
    this.log.push('receiver changed');
  }
}

export class FakeProcessorPins implements ProcessorPins {
  intr = false;
  nmis = 0;
  /** What the external controller answers, and how often it was asked. */
  externalVector = 0x28;
  externalCycles = 0;

  setIntr(level: boolean): void {
    this.intr = level;
  }

  nmi(): void {
    this.nmis++;
  }

  acknowledgeExternal(): number {
    this.externalCycles++;
    return this.externalVector;
  }
}

export class FakeNmiGate implements NmiGate {
  masked = false;

  mask(masked: boolean): void {
    this.masked = masked;
  }
}
