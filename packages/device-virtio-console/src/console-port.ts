/**
 * A console device with one port (VIRTIO 1.1, 5.3 "Console Device"): queue 0 brings what the outside sends into the
 * guest's buffers, queue 1 takes what the guest writes. EMERG_WRITE sends a byte without any queue. No further ports
 * (MULTIPORT), no size of the terminal. Of one buffer at most 64 KiB are sent; no driver makes such, and the rest is lost.
 */
import type { ByteChannel } from '@ringfence/sdk';
import { NOTHING_LEFT, type SplitQueue, VIRTIO_ID_CONSOLE, type VirtioModel } from '@ringfence/virtio';

const VIRTIO_CONSOLE_F_EMERG_WRITE = 2;
const RECEIVE = 0;
const QUEUE_SIZE = 64;
const CONFIG_BYTES = 12;
const EMERG_WR = 8;
const MOST_SENT = 0x10000;
const MOST_RECEIVED = 4096;
const REQUEST_SECONDS = 10e-6;
const BYTES_PER_SECOND = 10e6;

export class ConsolePort implements VirtioModel {
  readonly name = 'virtio-console';
  readonly type = VIRTIO_ID_CONSOLE;
  readonly pciDevice = 0x1003;
  readonly classCode = 0x078000;
  readonly features = 1 << VIRTIO_CONSOLE_F_EMERG_WRITE;
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE];
  readonly configBytes = CONFIG_BYTES;
  private readonly buffer = new Uint8Array(MOST_SENT);

  constructor(
    private readonly channel: ByteChannel,
    private readonly hz: number,
  ) {}

  /** Columns, rows and ports read as zero: nobody has negotiated them. */
  configRead(): number {
    return 0;
  }

  configWrite(offset: number, value: number): void {
    if (offset === EMERG_WR) this.channel.send(value);
  }

  reset(): void {}

  serve(index: number, queue: SplitQueue): number {
    return index === RECEIVE ? this.receive(queue) : this.transmit(queue);
  }

  private transmit(queue: SplitQueue): number {
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const bytes = chain.read(0, this.buffer);
    for (let i = 0; i < bytes; i++) this.channel.send(this.buffer[i]);
    queue.push(chain.head, 0);
    return this.ticks(bytes);
  }

  /** A buffer is taken when there is a byte for it; without one, bytes wait in the channel. */
  private receive(queue: SplitQueue): number {
    const byte = queue.waiting() ? this.channel.receive() : -1;
    if (byte < 0) {
      // An empty queue asks to be told of the next buffer.
      if (!queue.waiting()) queue.pop();
      return NOTHING_LEFT;
    }
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const room = Math.min(MOST_RECEIVED, chain.writableBytes);
    let bytes = 0;
    for (let next = byte; next >= 0 && bytes < room; next = bytes < room ? this.channel.receive() : -1) {
      this.buffer[bytes++] = next;
    }
    queue.push(chain.head, chain.write(0, this.buffer.subarray(0, bytes)));
    return this.ticks(bytes);
  }

  private ticks(bytes: number): number {
    return Math.ceil(this.hz * (REQUEST_SECONDS + bytes / BYTES_PER_SECOND));
  }
}
