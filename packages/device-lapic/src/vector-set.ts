/**
 * A 256-bit register of interrupt vectors, as IRR, ISR and TMR are: eight words of 32 vectors (SDM Vol. 3A, "Interrupt
 * Acceptance for Fixed Interrupts"). Priority is the vector's number, the highest first.
 */
export const VECTOR_SET_BYTES = 32;

export class VectorSet {
  private readonly words = new Int32Array(8);

  has(vector: number): boolean {
    return (this.words[vector >>> 5] & (1 << (vector & 31))) !== 0;
  }

  set(vector: number, on: boolean): void {
    const bit = 1 << (vector & 31);
    if (on) this.words[vector >>> 5] |= bit;
    else this.words[vector >>> 5] &= ~bit;
  }

  /** The highest vector, or -1. */
  highest(): number {
    for (let i = 7; i >= 0; i--) {
      if (this.words[i] !== 0) return i * 32 + 31 - Math.clz32(this.words[i]);
    }
    return -1;
  }

  /** 32 vectors from 32 * `index`. */
  word(index: number): number {
    return this.words[index];
  }

  clear(): void {
    this.words.fill(0);
  }

  /** Little-endian, whatever the host. */
  bytes(): Uint8Array {
    const view = new DataView(new ArrayBuffer(VECTOR_SET_BYTES));
    this.words.forEach((word, i) => view.setInt32(i * 4, word, true));
    return new Uint8Array(view.buffer);
  }

  /** Preconditions: VECTOR_SET_BYTES of them. */
  restore(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, VECTOR_SET_BYTES);
    for (let i = 0; i < 8; i++) this.words[i] = view.getInt32(i * 4, true);
  }
}
