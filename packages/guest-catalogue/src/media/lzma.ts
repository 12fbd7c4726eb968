/**
 * Writes a raw LZMA stream (I. Pavlov, LZMA specification, "LZMA Decoder"; lc = 3, lp = 0, pb = 2, no header, no end marker)
 * that holds literals only: anything that reads LZMA reads it, and it needs no match finder. Text shrinks by a quarter,
 * which is all that is wanted here: a boot loader that takes nothing else.
 */
const PROBABILITY_BITS = 11;
const MOVE_BITS = 5;
const HALF = 1 << (PROBABILITY_BITS - 1);
const TOP = 2 ** 24;
const LITERAL_CONTEXT_BITS = 3;
const POSITION_MASK = 3;
const LITERAL_SIZE = 0x300;

export function lzmaLiterals(bytes: Uint8Array): Uint8Array {
  const coder = new RangeEncoder();
  const isMatch = new Uint16Array(POSITION_MASK + 1).fill(HALF);
  const literals = new Uint16Array(LITERAL_SIZE << LITERAL_CONTEXT_BITS).fill(HALF);
  let previous = 0;
  for (let at = 0; at < bytes.length; at++) {
    coder.encode(isMatch, at & POSITION_MASK, 0);
    const base = LITERAL_SIZE * (previous >>> (8 - LITERAL_CONTEXT_BITS));
    let symbol = 1;
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (bytes[at] >>> shift) & 1;
      coder.encode(literals, base + symbol, bit);
      symbol = (symbol << 1) | bit;
    }
    previous = bytes[at];
  }
  return coder.finish();
}

class RangeEncoder {
  private readonly out: number[] = [];
  /** Up to 33 bits. */
  private low = 0;
  private range = 0xffffffff;
  /** The last byte whose value a carry may still change, and how many FFh follow it. */
  private cache = 0;
  private pending = 1;

  encode(probabilities: Uint16Array, index: number, bit: number): void {
    const probability = probabilities[index];
    const bound = (this.range >>> PROBABILITY_BITS) * probability;
    if (bit === 0) {
      this.range = bound;
      probabilities[index] = probability + (((1 << PROBABILITY_BITS) - probability) >>> MOVE_BITS);
    } else {
      this.low += bound;
      this.range -= bound;
      probabilities[index] = probability - (probability >>> MOVE_BITS);
    }
    while (this.range < TOP) {
      this.range = (this.range << 8) >>> 0;
      this.shift();
    }
  }

  finish(): Uint8Array {
    for (let i = 0; i < 5; i++) this.shift();
    return Uint8Array.from(this.out);
  }

  private shift(): void {
    if (this.low < 0xff000000 || this.low > 0xffffffff) {
      const carry = this.low > 0xffffffff ? 1 : 0;
      for (let byte = this.cache; this.pending > 0; this.pending--) {
        this.out.push((byte + carry) & 0xff);
        byte = 0xff;
      }
      this.cache = Math.floor(this.low / TOP) & 0xff;
    }
    this.pending++;
    this.low = (this.low % TOP) * 256;
  }
}
