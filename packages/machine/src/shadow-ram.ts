/**
 * C0000h-FFFFFh between ROM and the RAM beneath it (Intel 440FX PCIset datasheet, 3.2.18 "PAM - Programmable Attribute Map
 * Registers"). Both have 256 KiB; the guest's frames hold the one that reads see, and the other is kept here, so that
 * processors fetch and read at full speed in every state but "read ROM, write RAM".
 * It knows no chip: a host bridge says what goes where.
 */
import {
  PAGE_MMIO,
  PAGE_RAM,
  PAGE_ROM,
  PHYS_BASE,
  checkedState,
  stateBytes,
  type PhysicalSpace,
  type ShadowRam,
  type StateRecord,
  type Stateful,
} from '@ringfence/sdk';
import { EXTENDED_BASE, ROM_BASE } from './memory-map.js';

const SEGMENT = 0x4000;
const BYTES = EXTENDED_BASE - ROM_BASE;
const READ = 1;
const WRITE = 2;

export class BoardShadowRam implements ShadowRam, Stateful {
  /** Per segment of 16 KiB: READ and WRITE go to RAM. */
  private readonly modes = new Uint8Array(BYTES / SEGMENT);
  /** What reads do not see: RAM where READ is clear, else ROM. */
  private readonly hidden = new Uint8Array(BYTES);
  private readonly present: boolean;

  constructor(private readonly space: PhysicalSpace) {
    this.present = space.memory.ramBytes >= EXTENDED_BASE;
    // "Read ROM, write RAM": only then accesses come here.
    space.addHandler(ROM_BASE, this.present ? BYTES : 0, {
      mmioRead: (offset, size) => this.readVisible(offset, size),
      mmioWrite: (offset, size, value) => {
        for (let i = 0; i < size; i++) this.hidden[offset + i] = value >>> (8 * i);
      },
    });
  }

  set(base: number, bytes: number, readRam: boolean, writeRam: boolean): void {
    if (!this.present) return;
    const mode = (readRam ? READ : 0) | (writeRam ? WRITE : 0);
    for (let at = base - ROM_BASE; at < base + bytes - ROM_BASE; at += SEGMENT) {
      const before = this.modes[at / SEGMENT];
      if (before === mode) continue;
      this.modes[at / SEGMENT] = mode;
      if (((before ^ mode) & READ) !== 0) this.exchange(at);
      this.map(at);
    }
  }

  saveState(): StateRecord {
    return {
      component: 'shadow-ram',
      version: 1,
      data: { modes: this.modes.slice(), hidden: this.hidden.slice() },
    };
  }

  /** Preconditions: the machine's memory is loaded already. */
  loadState(record: StateRecord): void {
    const data = checkedState(record, 'shadow-ram', 1);
    const modes = stateBytes(data, 'modes', this.modes.length);
    this.hidden.set(stateBytes(data, 'hidden', BYTES));
    for (let i = 0; i < modes.length; i++) {
      if (this.modes[i] === modes[i]) continue;
      this.modes[i] = modes[i];
      if (this.present) this.map(i * SEGMENT);
    }
  }

  private map(at: number): void {
    const mode = this.modes[at / SEGMENT];
    const kind = mode === (READ | WRITE) ? PAGE_RAM : mode === WRITE ? PAGE_MMIO : PAGE_ROM;
    this.space.remap(ROM_BASE + at, SEGMENT, kind);
  }

  /** Swaps what reads see and what they do not. */
  private exchange(at: number): void {
    const { memory } = this.space;
    const from = PHYS_BASE + ROM_BASE + at;
    const visible = memory.u8.slice(from, from + SEGMENT);
    memory.writeBytes(ROM_BASE + at, this.hidden.subarray(at, at + SEGMENT));
    this.hidden.set(visible, at);
  }

  private readVisible(offset: number, size: number): number {
    const { u8 } = this.space.memory;
    let value = 0;
    for (let i = 0; i < size; i++) value |= u8[PHYS_BASE + ROM_BASE + offset + i] << (8 * i);
    return value;
  }
}
