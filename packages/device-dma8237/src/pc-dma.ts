/**
 * The DMA controllers of a PC AT: two 8237A, the first at 00h-0Fh for bytes (channels 0-3), the second at C0h-DFh, one
 * register every two ports, for words (channels 5-7); its channel 0 (4) takes in the first chip, which therefore stands still
 * until that is programmed to cascade and unmasked. Page registers at 81h-8Fh give address bits 16-23 (IBM PC AT Technical
 * Reference, "Direct Memory Access"): a transfer wraps inside its 64 KiB (128 KiB for words). The page ports of no channel keep
 * what is written; port 80h, the diagnostic checkpoint, is among them.
 * No EISA or PIIX high pages, no type F timing.
 */
import {
  type Device,
  type DmaChannel,
  type DmaMemory,
  type DmaTransfer,
  type IsaDma,
  type PortDevice,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  stateBytes,
  stateFields,
} from '@ringfence/sdk';
import { Dma8237, MODE_READ, MODE_VERIFY, MODE_WRITE } from './chip.js';

const COMPONENT = 'dma8237';
const VERSION = 1;

/** Offset from 80h of each channel's page register. */
const PAGE_OF = [0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa];
const PAGES = 16;
const CASCADE_MODE = 0xc0;
const NOTHING: DmaTransfer = { bytes: 0, terminalCount: false };

@injectable()
export class PcDma implements Device, PortDevice, IsaDma {
  private readonly chips = [new Dma8237(), new Dma8237()];
  private readonly pages = new Uint8Array(PAGES);

  constructor(@inject(Tokens.DmaMemory) private readonly memory: DmaMemory) {}

  reset(): void {
    for (const chip of this.chips) chip.reset();
    this.pages.fill(0);
  }

  /** A BIOS leaves the first chip joined to the second. */
  handOver(): void {
    this.chips[1].write(11, CASCADE_MODE);
    this.chips[1].write(10, 0);
  }

  portRead(range: string, offset: number, _size: number): number {
    if (range === 'pages') return this.pages[offset];
    return range === 'bytes' ? this.chips[0].read(offset) : this.chips[1].read(offset >> 1);
  }

  portWrite(range: string, offset: number, _size: number, value: number): void {
    if (range === 'pages') this.pages[offset] = value;
    else if (range === 'bytes') this.chips[0].write(offset, value & 0xff);
    else this.chips[1].write(offset >> 1, value & 0xff);
  }

  channel(index: number): DmaChannel {
    return {
      toMemory: (from) => this.transfer(index, MODE_WRITE, from),
      fromMemory: (into) => this.transfer(index, MODE_READ, into),
    };
  }

  saveState(): StateRecord {
    const [bytes, words] = this.chips.map((chip) => chip.state());
    return { component: COMPONENT, version: VERSION, data: { bytes, words, pages: this.pages.slice() } };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const load = [this.chips[0].prepare(stateFields(data, 'bytes')), this.chips[1].prepare(stateFields(data, 'words'))];
    const pages = stateBytes(data, 'pages', PAGES);
    for (const take of load) take();
    this.pages.set(pages);
  }

  private transfer(index: number, wanted: number, buffer: Uint8Array): DmaTransfer {
    const chip = this.chips[index >> 2];
    const own = index & 3;
    const joined = index >= 4 || (this.chips[1].open(0) && this.chips[1].cascades(0));
    const type = chip.type(own);
    if (!joined || index === 4 || !chip.open(own) || chip.cascades(own)) return NOTHING;
    if (type !== wanted && type !== MODE_VERIFY) return NOTHING;
    const width = index >= 4 ? 2 : 1;
    const { address, step, left } = chip.next(own);
    const count = Math.min(left, Math.floor(buffer.length / width));
    if (type !== MODE_VERIFY) this.move(index, wanted, buffer.subarray(0, count * width), address, step);
    return { bytes: count * width, terminalCount: chip.advance(own, count) };
  }

  /** In one piece up to where the 16-bit address wraps; downwards transfer by transfer. */
  private move(index: number, wanted: number, buffer: Uint8Array, first: number, step: 1 | -1): void {
    const width = index >= 4 ? 2 : 1;
    const page = this.pages[PAGE_OF[index]];
    const base = width === 2 ? (page & 0xfe) << 16 : page << 16;
    for (let done = 0, address = first; done < buffer.length;) {
      const most = step > 0 ? (0x10000 - address) * width : width;
      const part = buffer.subarray(done, done + most);
      if (wanted === MODE_WRITE) this.memory.write(base + address * width, part);
      else this.memory.read(base + address * width, part);
      done += part.length;
      address = (address + step * (part.length / width)) & 0xffff;
    }
  }
}
