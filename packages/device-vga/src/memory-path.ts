/**
 * The processor's way into video memory through A0000h-BFFFFh (IBM PS/2 Hardware Interface Technical Reference, "Video
 * Subsystem", "Graphics Controller" and "Sequencer"): which window is decoded, chain-4 and odd/even addressing, map mask,
 * write modes 0-3 with set/reset, rotation, logical functions, bit mask and latches, read modes 0 and 1; and the banked window
 * of the DISPI modes.
 *
 * Every access comes here, so what registers mean is worked out when they change (`configure`). Two states that software
 * spends its life in have ways of their own, without data path: text (even bytes in plane 0, odd ones in plane 1) and chain-4,
 * with plain writes. Everything else goes byte by byte, all four planes of a byte at once as one word.
 * Not here: wait states, the 64-KiB configuration of the sequencer (memory mode bit 1), the odd/even page bit.
 */
import type { MmioHandler } from '@ringfence/sdk';
import type { Dispi } from './dispi.js';
import type { RegisterFile } from './register-file.js';
import * as R from './registers.js';
import type { VideoMemory } from './video-memory.js';

const CLOSED = 0;
const TEXT = 1;
const CHAIN_4 = 2;
const LINEAR = 3;
const PLANES = 4;

/** What graphics register 6 bits 2-3 select: the decoded part of A0000h-BFFFFh. */
const WINDOWS = [
  { from: 0x00000, to: 0x20000 },
  { from: 0x00000, to: 0x10000 },
  { from: 0x10000, to: 0x18000 },
  { from: 0x18000, to: 0x20000 },
] as const;

const EVEN_PLANES = 0x00ff00ff;
const ODD_PLANES = ~EVEN_PLANES;
/** The last word of video memory: banks wrap there. */
const WORD_MASK = 0x3fffff;

export class MemoryPath implements MmioHandler {
  /** The latches: the four planes where the processor has read last. */
  latch = 0;
  private kind = CLOSED;
  private from = 0;
  private to = 0;
  /** Where the DISPI bank begins: in bytes of a linear mode, in bytes of a plane otherwise. */
  private bank = 0;
  private chain4 = false;
  /** A0 is no part of the offset: it chooses between planes. */
  private replacesA0 = false;
  private writesOddEven = false;
  private readsOddEven = false;
  private readsCompare = false;
  private readPlane = 0;
  private writeMode = 0;
  private rotate = 0;
  private func = 0;
  // As words: a byte for each plane.
  private mapMask = 0;
  private bitMask = 0;
  private setReset = 0;
  private enableSetReset = 0;
  private compare = 0;
  private care = 0;

  constructor(private readonly memory: VideoMemory) {}

  /** Works out what the registers mean. */
  configure(sequencer: RegisterFile, graphics: RegisterFile, misc: number, dispi: Dispi): void {
    const [s, g] = [sequencer.values, graphics.values];
    const mode = g[R.GRAPHICS_MODE];
    const memoryMode = s[R.SEQUENCER_MEMORY_MODE];
    const window = dispi.enabled ? WINDOWS[1] : WINDOWS[(g[R.GRAPHICS_MISCELLANEOUS] >>> 2) & 3];
    this.from = window.from;
    this.to = window.to;
    this.bank = dispi.enabled ? dispi.bank << 16 : 0;
    this.chain4 = (memoryMode & R.MEMORY_MODE_CHAIN_4) !== 0 && !dispi.enabled;
    this.replacesA0 = (g[R.GRAPHICS_MISCELLANEOUS] & R.GRAPHICS_CHAIN_ODD_EVEN) !== 0 && !dispi.enabled;
    this.writesOddEven = (memoryMode & R.MEMORY_MODE_NO_ODD_EVEN) === 0 && !dispi.enabled;
    this.readsOddEven = (mode & R.MODE_HOST_ODD_EVEN) !== 0 && !dispi.enabled;
    this.readsCompare = (mode & R.MODE_READ_COMPARE) !== 0;
    this.readPlane = g[R.GRAPHICS_READ_MAP];
    this.writeMode = mode & 3;
    this.rotate = g[R.GRAPHICS_DATA_ROTATE] & 7;
    this.func = g[R.GRAPHICS_DATA_ROTATE] >>> 3;
    this.mapMask = planes(s[R.SEQUENCER_MAP_MASK]);
    this.bitMask = inAllPlanes(g[R.GRAPHICS_BIT_MASK]);
    this.setReset = planes(g[R.GRAPHICS_SET_RESET]);
    this.enableSetReset = planes(g[R.GRAPHICS_ENABLE_SET_RESET]);
    this.compare = planes(g[R.GRAPHICS_COLOR_COMPARE]);
    this.care = planes(g[R.GRAPHICS_COLOR_DONT_CARE]);

    const plain =
      this.writeMode === 0 &&
      g[R.GRAPHICS_DATA_ROTATE] === 0 &&
      this.bitMask === -1 &&
      this.enableSetReset === 0 &&
      !this.readsCompare &&
      window !== WINDOWS[0] &&
      !dispi.enabled;
    const oddEven = this.writesOddEven && this.readsOddEven && this.replacesA0 && !this.chain4;
    if ((misc & R.MISC_RAM_ENABLE) === 0) this.kind = CLOSED;
    else if (dispi.linear) this.kind = LINEAR;
    else if (plain && oddEven && this.mapMask === 0xffff && (this.readPlane & 2) === 0) this.kind = TEXT;
    else if (plain && this.chain4 && this.mapMask === -1) this.kind = CHAIN_4;
    else this.kind = PLANES;
  }

  mmioRead(offset: number, size: number): number {
    if (this.kind === CLOSED || offset < this.from || offset + size > this.to) {
      return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
    }
    const { memory } = this;
    const at = offset - this.from;
    if (this.kind === TEXT) {
      if (size === 1) {
        const word = at & 0xfffe;
        this.latch = memory.words[word];
        return memory.bytes[(word << 2) | (at & 1)];
      }
      if ((at & 1) === 0) {
        const low = memory.halves[at << 1];
        this.latch = memory.words[at + size - 2];
        return size === 2 ? low : low | (memory.halves[(at + 2) << 1] << 16);
      }
    } else if (this.kind === CHAIN_4) {
      if (size === 1 || (at & (size - 1)) === 0) {
        const word = (this.latch = memory.words[at & 0xfffc]);
        return size === 4 ? word : size === 2 ? (word >>> ((at & 2) << 3)) & 0xffff : (word >>> ((at & 3) << 3)) & 0xff;
      }
    } else if (this.kind === LINEAR) {
      const address = this.bank + at;
      if (size === 4) return memory.view.getInt32(address, true);
      return size === 2 ? memory.view.getUint16(address, true) : memory.bytes[address];
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readByte(at + i) << (8 * i);
    return value;
  }

  mmioWrite(offset: number, size: number, value: number): void {
    if (this.kind === CLOSED || offset < this.from || offset + size > this.to) return;
    const { memory } = this;
    const at = offset - this.from;
    if (this.kind === TEXT) {
      memory.touched[at >>> 14] = 1;
      if (size === 1) {
        memory.bytes[((at & 0xfffe) << 2) | (at & 1)] = value;
        return;
      }
      if ((at & 1) === 0) {
        memory.halves[at << 1] = value;
        if (size === 4) {
          memory.halves[(at + 2) << 1] = value >>> 16;
          memory.touched[(at + 2) >>> 14] = 1;
        }
        return;
      }
    } else if (this.kind === CHAIN_4) {
      memory.touched[at >>> 14] = 1;
      const address = ((at & 0xfffc) << 2) | (at & 3);
      if (size === 1) {
        memory.bytes[address] = value;
        return;
      }
      if ((at & (size - 1)) === 0) {
        if (size === 4) memory.words[address >>> 2] = value;
        else memory.halves[address >>> 1] = value;
        return;
      }
    } else if (this.kind === LINEAR) {
      const address = this.bank + at;
      memory.touched[address >>> 16] = 1;
      if (size === 4) memory.view.setInt32(address, value, true);
      else if (size === 2) memory.view.setInt16(address, value, true);
      else memory.bytes[address] = value;
      return;
    }
    for (let i = 0; i < size; i++) this.writeByte(at + i, (value >>> (8 * i)) & 0xff);
  }

  /** The offset in the planes of address `at` of the window. */
  private wordOf(at: number): number {
    if (this.chain4) return at & 0xfffc;
    const offset = this.replacesA0 ? (at & 0xfffe) | (at >>> 16) : at & 0xffff;
    return (this.bank + offset) & WORD_MASK;
  }

  private readByte(at: number): number {
    const word = this.wordOf(at);
    this.latch = this.memory.words[word];
    if (this.readsCompare) {
      let differs = (this.latch ^ this.compare) & this.care;
      differs |= differs >>> 16;
      differs |= differs >>> 8;
      return ~differs & 0xff;
    }
    const plane = this.chain4 ? at & 3 : this.readsOddEven ? (this.readPlane & 2) | (at & 1) : this.readPlane & 3;
    return (this.latch >>> (8 * plane)) & 0xff;
  }

  private writeByte(at: number, byte: number): void {
    const word = this.wordOf(at);
    let mask = this.mapMask;
    if (this.chain4) mask &= 0xff << (8 * (at & 3));
    else if (this.writesOddEven) mask &= (at & 1) !== 0 ? ODD_PLANES : EVEN_PLANES;
    const { words, touched } = this.memory;
    words[word] = (this.written(byte) & mask) | (words[word] & ~mask);
    touched[word >>> 14] = 1;
  }

  /** What the data path makes of a byte: for each plane, before the map mask. */
  private written(byte: number): number {
    let { bitMask } = this;
    let data: number;
    const rotated = ((byte >>> this.rotate) | (byte << (8 - this.rotate))) & 0xff;
    switch (this.writeMode) {
      case 0:
        data = (inAllPlanes(rotated) & ~this.enableSetReset) | (this.setReset & this.enableSetReset);
        break;
      case 1:
        return this.latch;
      case 2:
        data = planes(byte);
        break;
      default:
        bitMask &= inAllPlanes(rotated);
        data = this.setReset;
    }
    if (this.func === 1) data &= this.latch;
    else if (this.func === 2) data |= this.latch;
    else if (this.func === 3) data ^= this.latch;
    return (data & bitMask) | (this.latch & ~bitMask);
  }
}

/** FFh in the planes whose bits are set. */
function planes(bits: number): number {
  return (
    ((bits & 1) * 0xff) | (((bits >>> 1) & 1) * 0xff00) | (((bits >>> 2) & 1) * 0xff0000) | (-((bits >>> 3) & 1) << 24)
  );
}

function inAllPlanes(byte: number): number {
  return Math.imul(byte, 0x01010101);
}
