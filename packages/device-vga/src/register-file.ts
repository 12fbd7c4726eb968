/**
 * A file of indexed registers as the VGA has four: an index, registers of which only some bits exist. Registers that do not
 * exist read 0 and swallow writes.
 */
export class RegisterFile {
  index = 0;
  readonly values: Uint8Array;

  /** `bits`: by register, the bits that exist; as many registers there are. */
  constructor(protected readonly bits: readonly number[]) {
    this.values = new Uint8Array(bits.length);
  }

  reset(values: readonly number[]): void {
    this.index = 0;
    this.values.set(values);
  }

  read(): number {
    return this.index < this.values.length ? this.values[this.index] : 0;
  }

  write(byte: number): void {
    if (this.index < this.values.length) this.values[this.index] = byte & this.bits[this.index];
  }

  /** Takes saved values over; bits that do not exist are dropped. */
  load(index: number, values: Uint8Array): void {
    this.index = index & 0xff;
    values.forEach((value, n) => (this.values[n] = value & this.bits[n]));
  }
}
