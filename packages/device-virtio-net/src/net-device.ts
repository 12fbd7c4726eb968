/**
 * A network card (VIRTIO 1.1, 5.1 "Network Device"): one receive and one transmit queue between a driver and a cable. One
 * frame is served at a time, and the next waits as long as it would have been on a gigabit link. A frame for which the driver
 * has no buffer waits here, and those behind it at the cable's other end, which bounds them; one that the driver's buffer
 * cannot hold is lost, and so is one from the driver that is no Ethernet frame. A transmit chain without a whole header is a
 * broken ring. Offers no checksum or segmentation offloads, no merged receive buffers, no control queue: every frame that
 * comes over the cable is passed on.
 */
import { MAX_FRAME_BYTES, type NetworkLink } from '@ringfence/sdk';
import { NOTHING_LEFT, VIRTIO_F_VERSION_1, VIRTIO_ID_NET, type SplitQueue, type VirtioModel } from '@ringfence/virtio';

const VIRTIO_NET_F_MTU = 3;
const VIRTIO_NET_F_MAC = 5;
const VIRTIO_NET_F_STATUS = 16;
const VIRTIO_NET_S_LINK_UP = 1;

export const RECEIVEQ = 0;
export const TRANSMITQ = 1;
const QUEUE_SIZE = 256;
const CONFIG_BYTES = 12;
const MTU = 1500;

/** struct virtio_net_hdr ends with num_buffers only in the modern interface (5.1.6.1 "Legacy Interface: Device Operation"). */
const LEGACY_HEADER = 10;
const HEADER = 12;
const NUM_BUFFERS = 10;
const ETHERNET_HEADER = 14;

/** How fast the link is, and what a frame needs besides its bytes: preamble, FCS and gap (IEEE 802.3, 4.4.2). */
const BYTES_PER_SECOND = 125e6;
const FRAME_OVERHEAD = 24;

export interface NetHost {
  /** Ticks of the clock in a second. */
  readonly hz: number;
  negotiated(feature: number): boolean;
}

export class NetDevice implements VirtioModel {
  readonly name = 'virtio-net';
  readonly type = VIRTIO_ID_NET;
  readonly pciDevice = 0x1000;
  readonly classCode = 0x020000;
  readonly features = (1 << VIRTIO_NET_F_MTU) | (1 << VIRTIO_NET_F_MAC) | (1 << VIRTIO_NET_F_STATUS);
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE];
  readonly configBytes = CONFIG_BYTES;
  /** Taken from the cable and not yet in a buffer of the driver's. */
  waiting: Uint8Array | undefined;
  private readonly config = new Uint8Array(CONFIG_BYTES);
  private readonly buffer = new Uint8Array(HEADER + MAX_FRAME_BYTES);

  constructor(
    private readonly link: NetworkLink,
    private readonly host: NetHost,
  ) {
    const view = new DataView(this.config.buffer);
    this.config.set(link.mac);
    view.setUint16(6, link.connected ? VIRTIO_NET_S_LINK_UP : 0, true);
    view.setUint16(8, 1, true); // max_virtqueue_pairs
    view.setUint16(10, MTU, true);
  }

  configRead(offset: number): number {
    return this.config[offset];
  }

  reset(): void {
    this.waiting = undefined;
  }

  serve(index: number, queue: SplitQueue): number {
    return index === RECEIVEQ ? this.receive(queue) : this.transmit(queue);
  }

  private receive(queue: SplitQueue): number {
    this.waiting ??= this.link.receive();
    if (this.waiting === undefined) return NOTHING_LEFT;
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const frame = this.waiting;
    this.waiting = undefined;
    const header = this.headerBytes();
    const bytes = header + frame.length;
    let written = 0;
    if (chain.writableBytes >= bytes) {
      this.buffer.fill(0, 0, header);
      if (header === HEADER) this.buffer[NUM_BUFFERS] = 1;
      this.buffer.set(frame, header);
      written = chain.write(0, this.buffer.subarray(0, bytes));
    }
    queue.push(chain.head, written);
    return this.ticks(frame.length);
  }

  private transmit(queue: SplitQueue): number {
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const header = this.headerBytes();
    const bytes = chain.readableBytes - header;
    if (bytes < 0) {
      queue.fail();
      return NOTHING_LEFT;
    }
    const sent = bytes >= ETHERNET_HEADER && bytes <= MAX_FRAME_BYTES;
    if (sent) {
      const frame = this.buffer.subarray(0, bytes);
      chain.read(header, frame);
      this.link.send(frame);
    }
    queue.push(chain.head, 0);
    return this.ticks(sent ? bytes : 0);
  }

  private headerBytes(): number {
    return this.host.negotiated(VIRTIO_F_VERSION_1) ? HEADER : LEGACY_HEADER;
  }

  private ticks(bytes: number): number {
    return Math.ceil((this.host.hz * (bytes + FRAME_OVERHEAD)) / BYTES_PER_SECOND);
  }
}
