/**
 * The guest on a processor of its own, no monitor: the yardstick. An adapter from the processor's contract to what the
 * machine drives.
 */
import {
  FLAG_IF,
  dumpProcessor,
  pageTableFrames,
  type GuestExecutor,
  type MonitorReport,
  type Processor,
  type StateRecord,
  type Stop,
} from '@ringfence/sdk';

export class BareExecutor implements GuestExecutor {
  constructor(readonly processor: Processor) {}

  get guest(): Processor {
    return this.processor;
  }

  run(budget: number): Stop {
    return this.processor.run(budget);
  }

  requestStop(): void {
    this.processor.requestStop();
  }

  setIntr(level: boolean): void {
    this.processor.setIntr(level);
  }

  raiseNmi(): void {
    this.processor.raiseNmi();
  }

  interruptsEnabled(): boolean {
    return (this.processor.getEflags() & FLAG_IF) !== 0;
  }

  retired(): number {
    return this.processor.retired();
  }

  guestState(): StateRecord {
    return this.processor.saveState();
  }

  loadGuestState(record: StateRecord): void {
    this.processor.loadState(record);
  }

  get pageTableRoots(): Set<number> {
    return this.processor.mmu.roots;
  }

  pageTableFrames(): ReadonlySet<number> {
    return pageTableFrames(this.processor.mmu.roots, this.processor.space);
  }

  settle(): void {
    // Nobody borrows the guest's bytes here.
  }

  release(): void {
    // And nobody watches its pages.
  }

  dump(): string {
    return dumpProcessor(this.processor);
  }

  monitorReport(): MonitorReport | undefined {
    return undefined;
  }
}
