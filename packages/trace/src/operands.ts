/**
 * From an instruction's memory recipes and the registers before it to linear addresses, and the bytes there as the guest
 * sees them: through its own page tables, without side effects. Device memory is never read from here (a read may change
 * the device); what the guest exchanged with it is told by the observer.
 * Addresses are what the instruction names: whether a segment's limit allows them, the processor says.
 */
import { ACCESS_READ, AR_DB, SEG, SEG_ACCESS, SEG_BASE, SEG_WORDS, SS, type Processor } from '@ringfence/sdk';
import { WORD_BITS, type MemoryRecipe } from './disassembler.js';
import { hex } from './hex.js';

/** More bytes than this are shown by their first ones. */
const SHOWN_BYTES = 32;

/** Linear address of the recipe under these registers. */
export function addressOf(recipe: MemoryRecipe, words: Int32Array): number {
  const { base, index, bitOffset } = recipe;
  let offset = recipe.displacement;
  if (base >= 0) offset += words[base];
  if (index >= 0) offset += (recipe.byteIndex ? words[index] & 0xff : words[index]) * recipe.scale;
  if (bitOffset >= 0) offset += bitStringOffset(bitOffset, words);
  const wide = recipe.width === 0 ? stackIsWide(words) : recipe.width === 32;
  const at = wide ? offset | 0 : offset & 0xffff;
  return (words[SEG + recipe.segment * SEG_WORDS + SEG_BASE] + at) | 0;
}

/** A bit offset in a register reaches any word of the string (SDM Vol. 2A, "BT"). */
function bitStringOffset(bitOffset: number, words: Int32Array): number {
  const register = words[bitOffset & 7];
  return (bitOffset & WORD_BITS) !== 0 ? (((register << 16) >> 16) >> 4) * 2 : (register >> 5) * 4;
}

function stackIsWide(words: Int32Array): boolean {
  return (words[SEG + SS * SEG_WORDS + SEG_ACCESS] & AR_DB) !== 0;
}

/**
 * The value at a linear address, as a number of `size` bytes in hexadecimal (highest byte first), or the bytes in order
 * when they are more than 16. Undefined for what is not plain memory.
 */
export function valueAt(processor: Processor, linear: number, size: number): string | undefined {
  const shown = size > SHOWN_BYTES ? SHOWN_BYTES : size;
  let text = '';
  for (let i = 0; i < shown; i++) {
    const byte = byteAt(processor, (linear + i) | 0);
    if (byte < 0) return undefined;
    text = size > 16 ? text + hex(byte, 2) : hex(byte, 2) + text;
  }
  return size > SHOWN_BYTES ? `${text}...` : text;
}

/** Up to `count` bytes from a linear address, as far as plain memory goes, in order. */
export function instructionBytes(processor: Processor, linear: number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    const byte = byteAt(processor, (linear + i) | 0);
    if (byte < 0) break;
    text += hex(byte, 2);
  }
  return text;
}

/** One byte of RAM or ROM; -1 for anything else. */
function byteAt(processor: Processor, linear: number): number {
  const physical = processor.mmu.probe(linear, ACCESS_READ, 0);
  return physical < 0 ? -1 : processor.space.peek(physical);
}
