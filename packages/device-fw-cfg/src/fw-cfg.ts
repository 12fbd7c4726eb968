/**
 * fw_cfg, QEMU's interface by which firmware learns of its machine (QEMU, docs/specs/fw_cfg "QEMU Firmware Configuration
 * (fw_cfg) Device"): selector at 510h, data at 511h, and a DMA interface at 514h that copies an item at once. What the
 * items are says items.ts. No IRQ.
 * Items are read-only and made when the machine is: writes and the DMA interface's write command do nothing. A transfer
 * begins between two instructions, right after the one that started it; a long one goes on a piece at a time, so that no
 * guest can have the host copy gigabytes between two of its instructions. A new one takes the place of one under way.
 */
import {
  type BoardInfo,
  type Clock,
  type Device,
  type DmaMemory,
  type FirmwareInfo,
  type PortDevice,
  type StateRecord,
  type Timer,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateNumbers,
} from '@ringfence/sdk';
import { makeItems } from './items.js';

const COMPONENT = 'fw-cfg';
const VERSION = 1;

/** What a read of the DMA address register answers: "QEMU CFG". */
const DMA_SIGNATURE = [0x51454d55, 0x20434647];
const DATA = 1;

const CTL_ERROR = 0x01;
const CTL_READ = 0x02;
const CTL_SKIP = 0x04;
const CTL_SELECT = 0x08;
const CTL_WRITE = 0x10;
const ACCESS_BYTES = 16;
/** What is copied at once, and how many ticks until the next piece. */
const PIECE = 0x100000;
const PIECE_TICKS = 1000;
const CHUNK = 0x10000;
const ZEROS = new Uint8Array(CHUNK);
const FOUR_GIB = 0x1_0000_0000;
const NOTHING = new Uint8Array(0);

@injectable()
export class FwCfg implements Device, PortDevice {
  /** Made when they are first asked for, when the whole board stands. */
  private items: ReadonlyMap<number, Uint8Array> | undefined;
  private selector = 0;
  private offset = 0;
  /** The DMA address register, in halves; the structure that a transfer in waiting is described by, or -1. */
  private addressHigh = 0;
  private pending = -1;
  /** Of the transfer under way: where it goes on, and the bytes left. */
  private target = 0;
  private left = 0;
  private readonly timer: Timer;
  private readonly access = new Uint8Array(ACCESS_BYTES);

  constructor(
    @inject(Tokens.Clock) private readonly clock: Clock,
    @inject(Tokens.DmaMemory) private readonly memory: DmaMemory,
    @inject(Tokens.BoardInfo) private readonly board: BoardInfo,
    @inject(Tokens.FirmwareInfo) private readonly firmware: FirmwareInfo,
  ) {
    this.timer = clock.createTimer('fw-cfg', () => this.transfer());
  }

  reset(): void {
    this.selector = 0;
    this.offset = 0;
    this.addressHigh = 0;
    this.pending = -1;
    this.target = 0;
    this.left = 0;
    this.timer.disarm();
  }

  portRead(range: string, offset: number, size: number): number {
    if (range === 'dma') return this.readDma(offset, size);
    // The data port is one byte wide; the selector reads as nothing.
    return offset === DATA && size === 1 ? this.nextByte() : size === 2 ? 0xffff : 0xff;
  }

  portWrite(range: string, offset: number, size: number, value: number): void {
    if (range === 'dma') this.writeDma(offset, size, value);
    else if (offset === 0 && size === 2) this.select(value & 0xffff);
  }

  saveState(): StateRecord {
    const { selector, offset, addressHigh, pending, target, left } = this;
    const due = this.timer.deadline ?? -1;
    return {
      component: COMPONENT,
      version: VERSION,
      data: { selector, offset, addressHigh, pending, target, left, due },
    };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const names = ['selector', 'offset', 'addressHigh', 'pending', 'target', 'left', 'due'] as const;
    const { selector, offset, addressHigh, pending, target, left, due } = stateNumbers(data, names);
    this.selector = selector;
    this.offset = offset;
    this.addressHigh = addressHigh;
    this.pending = pending;
    this.target = target;
    this.left = left;
    if (due >= 0) this.timer.arm(due);
    else this.timer.disarm();
  }

  private select(selector: number): void {
    this.selector = selector;
    this.offset = 0;
  }

  private selected(): Uint8Array {
    this.items ??= makeItems(this.board, this.firmware);
    return this.items.get(this.selector) ?? NOTHING;
  }

  private nextByte(): number {
    const item = this.selected();
    if (this.offset >= item.length) return 0; // behind its end an item reads zero
    return item[this.offset++];
  }

  /** Registers here are big-endian. */
  private readDma(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) {
      const at = offset + i;
      value |= ((DMA_SIGNATURE[at >> 2] >>> (24 - 8 * (at & 3))) & 0xff) << (8 * i);
    }
    return value;
  }

  /** The low half, written at 518h, starts a transfer. Narrower writes are not defined and do nothing. */
  private writeDma(offset: number, size: number, value: number): void {
    if (size !== 4) return;
    if (offset === 0) this.addressHigh = swap(value);
    else if (offset === 4) {
      // One beyond 4 GiB names no memory at all.
      this.pending = this.addressHigh === 0 ? swap(value) : FOUR_GIB;
      this.addressHigh = 0;
      this.left = 0;
      this.timer.arm(this.clock.now());
    }
  }

  private transfer(): void {
    if (this.left === 0) this.begin();
    else this.goOn();
  }

  private begin(): void {
    const { memory, access } = this;
    memory.read(this.pending, access);
    const view = new DataView(access.buffer);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const address = view.getUint32(8) === 0 ? view.getUint32(12) : FOUR_GIB;
    if ((control & CTL_SELECT) !== 0) this.select(control >>> 16);
    if ((control & CTL_READ) !== 0) {
      this.target = address;
      this.left = Math.min(length, FOUR_GIB - address); // there is no memory beyond
      if (this.left > 0) this.goOn();
      else this.end(0);
    } else if ((control & CTL_WRITE) !== 0) {
      this.end(CTL_ERROR);
    } else {
      if ((control & CTL_SKIP) !== 0) this.skip(length);
      this.end(0);
    }
  }

  private goOn(): void {
    const item = this.selected();
    const bytes = Math.min(this.left, PIECE);
    const there = Math.min(bytes, item.length - this.offset);
    if (there > 0) this.memory.write(this.target, item.subarray(this.offset, this.offset + there));
    for (let done = there; done < bytes; done += CHUNK) {
      this.memory.write(this.target + done, ZEROS.subarray(0, Math.min(CHUNK, bytes - done)));
    }
    this.offset += there;
    this.target += bytes;
    this.left -= bytes;
    if (this.left > 0) this.timer.arm(this.clock.now() + PIECE_TICKS);
    else this.end(0);
  }

  private end(status: number): void {
    new DataView(this.access.buffer).setUint32(0, status);
    this.memory.write(this.pending, this.access.subarray(0, 4));
    this.pending = -1;
    this.target = 0;
  }

  private skip(length: number): void {
    const item = this.selected();
    this.offset = Math.min(item.length, this.offset + length);
  }
}

function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
