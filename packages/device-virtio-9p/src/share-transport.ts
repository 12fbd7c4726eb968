/**
 * The 9P transport (Linux, net/9p; VIRTIO device type 9, feature MOUNT_TAG): each chain of the one queue is a request and
 * the room for its reply. The device's configuration is the tag that the guest mounts by. A request that is too long, or a
 * chain without room for any reply, is a broken ring.
 */
import { NOTHING_LEFT, type SplitQueue, VIRTIO_ID_9P, type VirtioModel } from '@ringfence/virtio';
import { HEADER_BYTES, MOST_BYTES, type NineServer } from './server.js';

const VIRTIO_9P_MOUNT_TAG = 0;
const QUEUE_SIZE = 128;
const ERROR_BYTES = HEADER_BYTES + 4;
const REQUEST_SECONDS = 20e-6;
const BYTES_PER_SECOND = 200e6;

export class ShareTransport implements VirtioModel {
  readonly type = VIRTIO_ID_9P;
  readonly pciDevice = 0x1009;
  readonly classCode = 0x018000;
  readonly features = 1 << VIRTIO_9P_MOUNT_TAG;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configBytes: number;
  private readonly config: Uint8Array;
  private readonly request = new Uint8Array(MOST_BYTES);
  private readonly reply = new Uint8Array(MOST_BYTES);

  constructor(
    readonly name: string,
    private readonly server: NineServer,
    private readonly hz: number,
  ) {
    const tag = Buffer.from(server.folder.tag);
    this.config = Uint8Array.of(tag.length, 0, ...tag);
    this.configBytes = this.config.length;
  }

  configRead(offset: number): number {
    return this.config[offset];
  }

  reset(): void {
    this.server.reset();
  }

  serve(_index: number, queue: SplitQueue): number {
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const { readableBytes, writableBytes } = chain;
    if (readableBytes < HEADER_BYTES || readableBytes > MOST_BYTES || writableBytes < ERROR_BYTES) {
      queue.fail();
      return NOTHING_LEFT;
    }
    const request = this.request.subarray(0, readableBytes);
    chain.read(0, request);
    const bytes = this.server.answer(request, this.reply);
    queue.push(chain.head, chain.write(0, this.reply.subarray(0, bytes)));
    return Math.ceil(this.hz * (REQUEST_SECONDS + (readableBytes + bytes) / BYTES_PER_SECOND));
  }
}
