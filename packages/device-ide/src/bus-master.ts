/**
 * The bus master of one IDE channel (Programming Interface for Bus Master IDE Controller 1.0; 82371SB datasheet, 2.7 "PCI
 * Bus Master IDE Registers"): command, status and descriptor table pointer, and the walk over physical region descriptors.
 * A transfer moves as a whole at the instant the drive is ready. A table shorter than the transfer is
 * filled to its last byte and leaves the drive waiting, as hardware does; a longer one leaves the active bit set.
 * A drive waits before a whole block of its own: when started again it sends the block that was cut from its beginning.
 */
import { stateNumbers, type DmaMemory, type StateRecord } from '@ringfence/sdk';
import type { IdeDrive } from './drive.js';

const COMMAND_START = 0x01;
/** The bus master writes memory. */
const COMMAND_TO_MEMORY = 0x08;
const STATUS_ACTIVE = 0x01;
const STATUS_ERROR = 0x02;
const STATUS_INTERRUPT = 0x04;
/** Drive 0 and 1 DMA capable: software's own notes. */
const STATUS_CAPABLE = 0x60;
const PRD_LAST = 0x80000000;
const PRD_BYTES = 8;
const TABLE_BYTES = 0x10000;
const CHUNK_BYTES = 0x10000;

export class BusMaster {
  private command = 0;
  private status = 0;
  private table = 0;
  private readonly descriptor = new Uint8Array(PRD_BYTES);
  private readonly view = new DataView(this.descriptor.buffer);
  /** The region in progress. */
  private next = 0;
  private regionAt = 0;
  private regionLeft = 0;
  private last = false;

  constructor(private readonly memory: DmaMemory) {}

  reset(): void {
    this.command = this.status = this.table = 0;
  }

  read(offset: number): number {
    if (offset === 0) return this.command;
    if (offset === 2) return this.status;
    return offset >= 4 ? (this.table >>> ((offset - 4) * 8)) & 0xff : 0;
  }

  /** `started` is called when the start bit rises. */
  write(offset: number, value: number, started: () => void): void {
    if (offset === 0) {
      const rises = (value & ~this.command & COMMAND_START) !== 0;
      this.command = value & (COMMAND_START | COMMAND_TO_MEMORY);
      if (rises) {
        this.status |= STATUS_ACTIVE;
        started();
      } else if ((value & COMMAND_START) === 0) {
        this.status &= ~STATUS_ACTIVE;
      }
    } else if (offset === 2) {
      this.status =
        (this.status & STATUS_ACTIVE) |
        (value & STATUS_CAPABLE) |
        (this.status & ~value & (STATUS_ERROR | STATUS_INTERRUPT));
    } else if (offset >= 4) {
      const shift = (offset - 4) * 8;
      this.table = ((this.table & ~(0xff << shift)) | (value << shift)) & ~3;
    }
  }

  noteInterrupt(): void {
    this.status |= STATUS_INTERRUPT;
  }

  /** Moves the drive's transfer through the table. False: nothing moved, because the bus master is not running. */
  run(drive: IdeDrive): boolean {
    if ((this.command & COMMAND_START) === 0 || (this.status & STATUS_ACTIVE) === 0) return false;
    if (drive.dmaToMemory !== ((this.command & COMMAND_TO_MEMORY) !== 0)) {
      this.status = (this.status | STATUS_ERROR) & ~STATUS_ACTIVE;
      return true;
    }
    this.next = this.table >>> 0;
    this.regionLeft = 0;
    this.last = false;
    while (drive.dmaLeft > 0) {
      const wanted = Math.min(CHUNK_BYTES, drive.dmaLeft);
      const room = this.room(wanted);
      const tail = room % drive.dmaUnit;
      if (room > tail && !this.block(drive, room - tail)) {
        this.status = (this.status | STATUS_ERROR) & ~STATUS_ACTIVE;
        drive.dmaDone(false);
        return true;
      }
      if (room < wanted) {
        if (tail > 0 && drive.dmaToMemory) this.part(drive, tail);
        this.status &= ~STATUS_ACTIVE;
        return true; // the table ends first: the drive waits on
      }
    }
    if (this.last && this.regionLeft === 0) this.status &= ~STATUS_ACTIVE;
    drive.dmaDone(true);
    return true;
  }

  /** False: the storage failed. */
  private block(drive: IdeDrive, bytes: number): boolean {
    const chunk = new Uint8Array(bytes);
    if (!drive.dmaToMemory) this.move(chunk, false);
    if (!drive.dmaBlock(chunk)) return false;
    if (drive.dmaToMemory) this.move(chunk, true);
    return true;
  }

  /** The beginning of a block that the table cannot hold. The drive stays before it. */
  private part(drive: IdeDrive, bytes: number): void {
    const chunk = new Uint8Array(bytes);
    if (drive.dmaPeek(chunk)) this.move(chunk, true);
  }

  /** How much of `bytes` the table still takes. Looks ahead without moving on. */
  private room(bytes: number): number {
    let room = this.regionLeft;
    let { next, last } = this;
    const end = (this.table >>> 0) + TABLE_BYTES;
    while (room < bytes && !last && next < end) {
      this.fetch(next);
      room += this.length();
      last = (this.view.getUint32(4, true) & PRD_LAST) !== 0;
      next += PRD_BYTES;
    }
    return Math.min(room, bytes);
  }

  private move(chunk: Uint8Array, toMemory: boolean): void {
    for (let done = 0; done < chunk.length;) {
      if (this.regionLeft === 0) {
        this.fetch(this.next);
        this.regionAt = (this.view.getUint32(0, true) & ~1) >>> 0;
        this.regionLeft = this.length();
        this.last = (this.view.getUint32(4, true) & PRD_LAST) !== 0;
        this.next += PRD_BYTES;
      }
      const bytes = Math.min(chunk.length - done, this.regionLeft);
      const piece = chunk.subarray(done, done + bytes);
      if (toMemory) this.memory.write(this.regionAt, piece);
      else this.memory.read(this.regionAt, piece);
      this.regionAt += bytes;
      this.regionLeft -= bytes;
      done += bytes;
    }
  }

  private fetch(address: number): void {
    this.memory.read(address, this.descriptor);
  }

  /** Of the descriptor at hand: even, and 0 is 64 KiB. */
  private length(): number {
    return this.view.getUint16(4, true) & 0xfffe || 0x10000;
  }

  save(): StateRecord['data'] {
    const { command, status, table } = this;
    return { command, status, table };
  }

  load(data: StateRecord['data']): void {
    Object.assign(this, stateNumbers(data, ['command', 'status', 'table']));
  }
}
