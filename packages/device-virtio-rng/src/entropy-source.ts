/**
 * The entropy device itself (VIRTIO 1.1, 5.4 "Entropy Device"): buffers of its one queue come back full of bytes, at most
 * 4 KiB each, as the standard lets a device fill less than was asked.
 */
import { NOTHING_LEFT, type SplitQueue, VIRTIO_ID_ENTROPY, type VirtioModel } from '@ringfence/virtio';
import type { Xoshiro128 } from './generator.js';

const QUEUE_SIZE = 8;
const MOST_BYTES = 4096;
const REQUEST_SECONDS = 20e-6;
const BYTES_PER_SECOND = 10e6;

export class EntropySource implements VirtioModel {
  readonly name = 'virtio-rng';
  readonly type = VIRTIO_ID_ENTROPY;
  readonly pciDevice = 0x1005;
  readonly classCode = 0x00ff00;
  readonly features = 0;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configBytes = 0;
  private readonly buffer = new Uint8Array(MOST_BYTES);

  constructor(
    private readonly generator: Xoshiro128,
    private readonly hz: number,
  ) {}

  configRead(): number {
    return 0;
  }

  /** What the generator has given is gone: a driver's reset does not bring it back. */
  reset(): void {}

  serve(_index: number, queue: SplitQueue): number {
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    const bytes = this.buffer.subarray(0, Math.min(MOST_BYTES, chain.writableBytes));
    this.generator.fill(bytes);
    queue.push(chain.head, chain.write(0, bytes));
    return Math.ceil(this.hz * (REQUEST_SECONDS + bytes.length / BYTES_PER_SECOND));
  }
}
