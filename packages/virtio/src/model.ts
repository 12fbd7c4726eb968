/**
 * What a type of virtio device (block, network, ...) brings to the transport, and the numbers both share (VIRTIO 1.1,
 * 2 "Basic Facilities of a Virtio Device", 6 "Reserved Feature Bits"). A model never touches rings or registers itself:
 * it is asked to serve a queue, and takes and returns chains.
 */
import type { SplitQueue } from './split-queue.js';

/** Device types (VIRTIO 1.1, 5 "Device Types"). */
export const VIRTIO_ID_NET = 1;
export const VIRTIO_ID_BLOCK = 2;
export const VIRTIO_ID_CONSOLE = 3;
export const VIRTIO_ID_ENTROPY = 4;
export const VIRTIO_ID_9P = 9;

/** Feature bits of the rings and the transport; a model's own bits are 0 to 23. */
export const VIRTIO_F_ANY_LAYOUT = 27;
export const VIRTIO_F_RING_INDIRECT_DESC = 28;
export const VIRTIO_F_RING_EVENT_IDX = 29;
export const VIRTIO_F_VERSION_1 = 32;

export interface VirtioModel {
  readonly name: string;
  /** VIRTIO_ID_*. */
  readonly type: number;
  /** PCI device number of the transitional device, 1000h to 103Fh. */
  readonly pciDevice: number;
  /** PCI base class, sub-class and interface. */
  readonly classCode: number;
  /** Feature bits 0 to 23 that the device offers. */
  readonly features: number;
  /** Most entries of each queue: powers of two. */
  readonly queueSizes: readonly number[];
  /** Bytes of the device's configuration structure; 0: it has none. */
  readonly configBytes: number;
  configRead(offset: number): number;
  /** Absent: nothing can be written. */
  configWrite?(offset: number, value: number): void;
  /**
   * Between two instructions: takes what chains it will from the queue and returns them. Bounded work: answers after how many
   * ticks to call again while there is more to do, or NOTHING_LEFT, and is then called at the next notification or `wake`.
   */
  serve(index: number, queue: SplitQueue): number;
  /** The driver, or RESET#, has reset the device: whatever a driver had negotiated or begun is forgotten. */
  reset(): void;
}

export const NOTHING_LEFT = -1;
