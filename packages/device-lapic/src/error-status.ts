/**
 * The error status register (SDM Vol. 3A, "Error Handling"): errors gather until software latches them by a write, or, on a
 * Pentium, reads them. The error interrupt comes once until then.
 */
import { stateFields, stateNumbers, type StateRecord } from '@ringfence/sdk';

const FIELDS = ['latched', 'gathered', 'signalled'] as const;
type Fields = Record<(typeof FIELDS)[number], number>;

export class ErrorStatus {
  private f: Fields = { latched: 0, gathered: 0, signalled: 0 };

  constructor(
    /** Errors that this family reports. */
    private readonly reported: number,
    private readonly interrupt: () => void,
  ) {}

  reset(): void {
    this.f = { latched: 0, gathered: 0, signalled: 0 };
  }

  note(bit: number): void {
    if ((this.reported & bit) === 0) return;
    this.f.gathered |= bit;
    if (this.f.signalled !== 0) return;
    this.f.signalled = 1;
    this.interrupt();
  }

  latch(): void {
    this.f = { latched: this.f.gathered, gathered: 0, signalled: 0 };
  }

  get value(): number {
    return this.f.latched;
  }

  saveState(): Fields {
    return { ...this.f };
  }

  static parseState(data: StateRecord['data'], key: string): Fields {
    return stateNumbers(stateFields(data, key), FIELDS);
  }

  restore(fields: Fields): void {
    this.f = fields;
  }
}
