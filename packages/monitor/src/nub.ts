/**
 * The nub: all the ring-0 machine code there is. One stub per vector, `push vector; hlt; iret`: HLT at CPL 0 stops the
 * processor and the monitor's TypeScript takes over; when it resumes, the IRET goes back to the guest.
 * One more stub loads the data-segment registers from the resume frame first and stops once more before its IRET, so that
 * the monitor sees what the loads gave and can hide again what they needed.
 */
import { POOL_FRAMES } from './layout.js';

/** Bytes from one vector's stub to the next. */
export const STUB_BYTES = 8;
/** Offset of the IRET in a stub, just behind its HLT. */
export const STUB_IRET = 6;
export const RELOAD_STUB = 256 * STUB_BYTES;

const PUSH_IMM32 = 0x68;
const HLT = 0xf4;
const IRET = 0xcf;
/** POP GS; POP FS; POP ES; POP DS */
const POP_SEGMENTS = [0x0f, 0xa9, 0x0f, 0xa1, 0x07, 0x1f];

/** The nub's page. */
export function nubCode(): Uint8Array {
  const code = new Uint8Array(4096);
  for (let vector = 0; vector < 256; vector++) {
    code.set([PUSH_IMM32, vector, 0, 0, 0, HLT, IRET], vector * STUB_BYTES);
  }
  code.set([...POP_SEGMENTS, HLT, IRET], RELOAD_STUB);
  return code;
}

/** The two words of an interrupt gate, DPL 0, 32 bits (SDM Vol. 3A, 6.11 "IDT Descriptors"). */
export function interruptGate(selector: number, offset: number): [number, number] {
  return [(selector << 16) | (offset & 0xffff) | 0, (offset & 0xffff0000) | 0x8e00];
}

/** A page table that maps the whole pool, with `bits` in each entry. */
export function poolTable(poolBase: number, bits: number): Int32Array {
  return Int32Array.from({ length: POOL_FRAMES }, (_, i) => (poolBase + i * 4096) | bits);
}
