/**
 * A machine's memory: the one WebAssembly.Memory with all its typed-array views, and the book of which physical pages
 * hold decoded code. Guest RAM frames come first (physical 0..ramBytes), the monitor's private frames behind them.
 * Plain data on purpose: the hot paths of every core read these fields directly.
 * It does not know devices or who may touch what; that is `PhysicalSpace`.
 */
import { RingfenceError } from './errors.js';
import { CORE_SLOTS, FPU, FPU_WORDS, PHYS_BASE, STATE_WORDS, TLB_WORDS, stateOffset, tlbOffset } from './layout.js';

export const PAGE_SIZE = 4096;
const WASM_PAGE = 65536;
/** The most guest RAM we take: the WebAssembly memory ends at 4 GiB, and PC devices live from 3.5 GiB up. */
export const MAX_RAM_BYTES = 3 * 1024 * 1024 * 1024;

/** Told when a page starts to hold decoded code, and when bytes of such a page change. */
export interface CodeListener {
  /** Physical page `page` now holds decoded code of some core: writes to it must come to `codeWritten`. */
  codePageAdded(page: number): void;
  /** `bytes` bytes at physical address `address` changed (never across a page). Answers whether this core still holds
   *  decoded code of that page. */
  codeWritten(address: number, bytes: number): boolean;
}

export class MachineMemory {
  readonly wasm: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly view: DataView;
  /** Bytes of guest RAM, a multiple of the page size; the monitor's frames start at this physical address. */
  readonly ramBytes: number;
  readonly monitorBytes: number;
  /** One byte per physical page: 1 when some core holds decoded code of it. */
  readonly codePages: Uint8Array;
  private readonly listeners: CodeListener[] = [];

  /** Throws RF_BAD_MEMORY_SIZE for a size that is not a positive multiple of 4 KiB up to 3 GiB. */
  constructor(ramBytes: number, monitorBytes = 0) {
    if (!Number.isInteger(ramBytes) || ramBytes <= 0 || ramBytes > MAX_RAM_BYTES || ramBytes % PAGE_SIZE !== 0) {
      throw new RingfenceError('RF_BAD_MEMORY_SIZE', {
        message: `cannot give a guest ${ramBytes} bytes of memory`,
        value: ramBytes,
        fix: 'choose between 1M and 3G, in steps of 4K',
      });
    }
    this.ramBytes = ramBytes;
    this.monitorBytes = monitorBytes;
    const total = PHYS_BASE + ramBytes + monitorBytes;
    try {
      const pages = Math.ceil(total / WASM_PAGE);
      this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch (cause) {
      throw new RingfenceError('RF_BAD_MEMORY_SIZE', {
        message: `the host has no room for ${ramBytes} bytes of guest memory`,
        value: ramBytes,
        fix: 'give the guest less memory',
        cause,
      });
    }
    this.buffer = this.wasm.buffer;
    this.u8 = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.codePages = new Uint8Array((ramBytes + monitorBytes) / PAGE_SIZE);
  }

  /** The state words of a core slot. */
  stateWords(slot: number): Int32Array {
    checkSlot(slot);
    return new Int32Array(this.buffer, stateOffset(slot), STATE_WORDS);
  }

  /** The state words of the machine's one FPU: the guest's x87 state stays in it while a monitor's emulator runs. */
  fpuWords(): Int32Array {
    return new Int32Array(this.buffer, stateOffset(0) + FPU * 4, FPU_WORDS);
  }

  /** The TLB words of a core slot. */
  tlbWords(slot: number): Int32Array {
    checkSlot(slot);
    return new Int32Array(this.buffer, tlbOffset(slot), TLB_WORDS);
  }

  /** Guest RAM alone, as bytes. */
  ram(): Uint8Array {
    return this.u8.subarray(PHYS_BASE, PHYS_BASE + this.ramBytes);
  }

  addCodeListener(listener: CodeListener): void {
    this.listeners.push(listener);
  }

  /** A core has decoded code from `page`. Idempotent. */
  markCode(page: number): void {
    if (this.codePages[page] !== 0) return;
    this.codePages[page] = 1;
    for (const listener of this.listeners) listener.codePageAdded(page);
  }

  /**
   * Bytes of a page flagged in `codePages` changed. Callers test the flag first; the range stays within one page.
   * The flag is cleared once no core holds decoded code of the page.
   */
  codeWritten(address: number, bytes: number): void {
    let held = false;
    for (const listener of this.listeners) held = listener.codeWritten(address, bytes) || held;
    if (!held) this.codePages[Math.floor(address / PAGE_SIZE)] = 0;
  }

  /** Changes physical memory from outside the processors (loader, DMA, debugger): keeps decoded code honest. */
  writeBytes(address: number, bytes: Uint8Array): void {
    this.u8.set(bytes, PHYS_BASE + address);
    let at = address;
    const end = address + bytes.length;
    while (at < end) {
      const next = Math.min(end, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE);
      if (this.codePages[Math.floor(at / PAGE_SIZE)] !== 0) this.codeWritten(at, next - at);
      at = next;
    }
  }
}

function checkSlot(slot: number): void {
  if (slot < 0 || slot >= CORE_SLOTS) {
    throw new RingfenceError('RF_INTERNAL', { message: `core slot ${slot} does not exist`, value: slot });
  }
}
