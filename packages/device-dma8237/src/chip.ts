/**
 * One Intel 8237A programmable DMA controller (datasheet 231466, "Register Description"): four channels with base and current
 * address and word count, mode, mask, request and status registers, and the flip-flop over all 16-bit registers.
 * Transfers move whole blocks, so there is no priority, timing or HOLD. Memory-to-memory transfers, which a PC has no use for
 * (they would need channel 0, once the refresh), are not done, and the temporary register reads 0.
 */
import { stateNumber, stateNumbers, type StateRecord } from '@ringfence/sdk';

const COMMAND_DISABLE = 0x04;
const MODE_TYPE = 0x0c;
export const MODE_VERIFY = 0x00;
/** A write transfer is one to memory, a read transfer one from memory. */
export const MODE_WRITE = 0x04;
export const MODE_READ = 0x08;
const MODE_AUTO_INIT = 0x10;
const MODE_DECREMENT = 0x20;
const MODE_CASCADE = 0xc0;

const CHANNEL_FIELDS = ['baseAddress', 'baseCount', 'address', 'count', 'mode'] as const;
type Channel = Record<(typeof CHANNEL_FIELDS)[number], number>;
const CHIP_FIELDS = ['command', 'status', 'mask', 'request', 'high'] as const;

/** What a channel would move next. */
export interface Unit {
  /** In transfers: bytes for one chip of a PC, words for the other. 16 bits. */
  readonly address: number;
  readonly step: 1 | -1;
  /** Transfers until the count runs out. */
  readonly left: number;
}

export class Dma8237 {
  private readonly channels: Channel[] = [0, 1, 2, 3].map(() => fresh());
  private r = { command: 0, status: 0, mask: 0x0f, request: 0, high: 0 };

  /** RESET and the master clear command: what addresses, counts and modes are stays undefined; here they stay. */
  masterClear(): void {
    this.r = { command: 0, status: 0, mask: 0x0f, request: 0, high: 0 };
  }

  reset(): void {
    for (const channel of this.channels) Object.assign(channel, fresh());
    this.masterClear();
  }

  read(register: number): number {
    const { r } = this;
    if (register < 8) {
      const channel = this.channels[register >> 1];
      return this.half((register & 1) === 0 ? channel.address : channel.count);
    }
    if (register === 8) {
      const status = r.status | (r.request << 4);
      r.status = 0;
      return status;
    }
    // The temporary register; the others cannot be read, but later chips show the mask at its all-mask register.
    return register === 15 ? 0xf0 | r.mask : 0;
  }

  write(register: number, value: number): void {
    const { r } = this;
    if (register < 8) {
      this.load(this.channels[register >> 1], (register & 1) === 0, value);
      return;
    }
    const bit = 1 << (value & 3);
    switch (register) {
      case 8:
        r.command = value;
        break;
      case 9:
        r.request = (value & 4) !== 0 ? r.request | bit : r.request & ~bit;
        break;
      case 10:
        r.mask = (value & 4) !== 0 ? r.mask | bit : r.mask & ~bit;
        break;
      case 11:
        this.channels[value & 3].mode = value & 0xfc;
        break;
      case 12:
        r.high = 0;
        break;
      case 13:
        this.masterClear();
        break;
      case 14:
        r.mask = 0;
        break;
      case 15:
        r.mask = value & 0x0f;
        break;
    }
  }

  /** Whether a request on `channel` is let through. */
  open(channel: number): boolean {
    return (this.r.command & COMMAND_DISABLE) === 0 && (this.r.mask & (1 << channel)) === 0;
  }

  cascades(channel: number): boolean {
    return (this.channels[channel].mode & MODE_CASCADE) === MODE_CASCADE;
  }

  /** MODE_VERIFY, MODE_WRITE or MODE_READ; 0Ch, the fourth, is illegal and moves nothing. */
  type(channel: number): number {
    return this.channels[channel].mode & MODE_TYPE;
  }

  next(channel: number): Unit {
    const { address, count, mode } = this.channels[channel];
    return { address, step: (mode & MODE_DECREMENT) !== 0 ? -1 : 1, left: count + 1 };
  }

  /** `done` transfers were made. Answers whether that was terminal count. Preconditions: at most `next(channel).left`. */
  advance(channel: number, done: number): boolean {
    const { r } = this;
    const at = this.channels[channel];
    const { step, left } = this.next(channel);
    at.address = (at.address + step * done) & 0xffff;
    at.count = (at.count - done) & 0xffff;
    if (done < left) return false;
    const bit = 1 << channel;
    r.status |= bit;
    r.request &= ~bit;
    if ((at.mode & MODE_AUTO_INIT) !== 0) {
      at.address = at.baseAddress;
      at.count = at.baseCount;
    } else {
      r.mask |= bit;
    }
    return true;
  }

  state(): StateRecord['data'] {
    return { ...this.r, channels: this.channels.map((channel) => ({ ...channel })) };
  }

  /** Answers how to take a state over once everything else is known to be good. Throws RF_BAD_STATE. */
  prepare(data: StateRecord['data']): () => void {
    const r = stateNumbers(data, CHIP_FIELDS);
    const list = Array.isArray(data.channels) ? (data.channels as readonly StateRecord['data'][]) : [];
    const channels = this.channels.map((_, i) => stateNumbers(list[i] ?? {}, CHANNEL_FIELDS));
    stateNumber(data, 'high');
    return () => {
      this.r = r;
      channels.forEach((channel, i) => Object.assign(this.channels[i], channel));
    };
  }

  private half(value: number): number {
    const { r } = this;
    r.high ^= 1;
    return r.high === 1 ? value & 0xff : value >> 8;
  }

  /** Base and current together, half by half. */
  private load(channel: Channel, address: boolean, value: number): void {
    const { r } = this;
    const before = address ? channel.baseAddress : channel.baseCount;
    const merged = r.high === 0 ? (before & 0xff00) | value : (before & 0xff) | (value << 8);
    r.high ^= 1;
    if (address) channel.address = channel.baseAddress = merged;
    else channel.count = channel.baseCount = merged;
  }
}

function fresh(): Channel {
  return { baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0 };
}
