/**
 * The state behind both register interfaces of a virtio device: status, features, queues, ISR (VIRTIO 1.1, 2.1 "Device
 * Status Field", 2.2 "Feature Bits", 3.1 "Device Initialization"). How registers lie in ports and memory is interfaces.ts.
 */
import { type DmaMemory, type StateRecord, stateFields, stateNumbers } from '@ringfence/sdk';
import {
  VIRTIO_F_ANY_LAYOUT,
  VIRTIO_F_RING_EVENT_IDX,
  VIRTIO_F_RING_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  type VirtioModel,
} from './model.js';
import { SplitQueue } from './split-queue.js';

export const STATUS_DRIVER = 0x02;
export const STATUS_DRIVER_OK = 0x04;
export const STATUS_FEATURES_OK = 0x08;
export const STATUS_NEEDS_RESET = 0x40;

export const ISR_QUEUE = 0x01;
export const ISR_CONFIG = 0x02;

const SAVED = [
  'status',
  'isr',
  'generation',
  'deviceFeatureSelect',
  'driverFeatureSelect',
  'driverLow',
  'driverHigh',
  'queueSelect',
] as const;

export interface RegisterEvents {
  interruptChanged(): void;
  notified(queue: number): void;
  /** The device was reset: nothing of the driver's is left. */
  stopped(): void;
}

export class VirtioRegisters {
  readonly queues: readonly SplitQueue[];
  status = 0;
  isr = 0;
  generation = 0;
  deviceFeatureSelect = 0;
  driverFeatureSelect = 0;
  queueSelect = 0;
  /** Feature bits offered, 0-31 and 32-63. */
  readonly offered: readonly [low: number, high: number];
  /** What the driver has said it takes. */
  private readonly driver = new Uint32Array(2);

  constructor(
    model: VirtioModel,
    memory: DmaMemory,
    private readonly events: RegisterEvents,
  ) {
    this.queues = model.queueSizes.map((size) => new SplitQueue(memory, size));
    const ring = (1 << VIRTIO_F_RING_INDIRECT_DESC) | (1 << VIRTIO_F_RING_EVENT_IDX) | (1 << VIRTIO_F_ANY_LAYOUT);
    this.offered = [(model.features | ring) >>> 0, 1 << (VIRTIO_F_VERSION_1 - 32)];
  }

  /** The queue that the driver has selected, or undefined. */
  get selected(): SplitQueue | undefined {
    return this.queues[this.queueSelect];
  }

  /**
   * Whether queues may be served. A driver of the legacy interface may use the device before DRIVER_OK (3.1.2 "Legacy
   * Interface: Device Initialization").
   */
  get running(): boolean {
    const ready = this.negotiated(VIRTIO_F_VERSION_1) ? STATUS_DRIVER_OK : STATUS_DRIVER_OK | STATUS_DRIVER;
    return (this.status & ready) !== 0 && (this.status & STATUS_NEEDS_RESET) === 0;
  }

  negotiated(feature: number): boolean {
    const word = feature >>> 5;
    return ((this.driver[word] & this.offered[word]) >>> (feature & 31)) % 2 === 1;
  }

  driverFeatures(word: number): number {
    return word < 2 ? this.driver[word] : 0;
  }

  /** Features are settled once FEATURES_OK stands, and with a legacy driver once it runs. */
  setDriverFeatures(word: number, value: number): void {
    if (word > 1 || (this.status & (STATUS_FEATURES_OK | STATUS_DRIVER_OK)) !== 0) return;
    this.driver[word] = value;
    this.settleRings();
  }

  /** The status register is written, by either interface. */
  setStatus(value: number, legacy: boolean): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let status = (value & 0xbf) | (this.status & STATUS_NEEDS_RESET);
    if (!legacy && (status & ~this.status & STATUS_FEATURES_OK) !== 0 && !this.acceptable())
      status &= ~STATUS_FEATURES_OK;
    const starts = (status & ~this.status & STATUS_DRIVER_OK) !== 0;
    this.status = status;
    // Buffers may have been made available, and notified of, before the device was live.
    if (starts) this.queues.forEach((queue, i) => queue.enabled && this.events.notified(i));
  }

  notify(index: number): void {
    if (index < this.queues.length && this.queues[index].enabled && this.running) this.events.notified(index);
  }

  /** Reading ISR acknowledges the interrupt. */
  takeIsr(): number {
    const { isr } = this;
    if (isr !== 0) {
      this.isr = 0;
      this.events.interruptChanged();
    }
    return isr;
  }

  queueInterrupt(): void {
    this.raise(ISR_QUEUE);
  }

  configChanged(): void {
    this.generation = (this.generation + 1) & 0xff;
    if ((this.status & STATUS_DRIVER_OK) !== 0) this.raise(ISR_CONFIG);
  }

  /** The driver broke a ring (2.1.2): it is told by a change of configuration. */
  needsReset(): void {
    this.status |= STATUS_NEEDS_RESET;
    this.configChanged();
  }

  reset(): void {
    this.status = this.isr = this.generation = 0;
    this.deviceFeatureSelect = this.driverFeatureSelect = this.queueSelect = 0;
    this.driver.fill(0);
    for (const queue of this.queues) queue.reset();
    this.settleRings();
    this.events.interruptChanged();
    this.events.stopped();
  }

  save(): StateRecord['data'] {
    const { status, isr, generation, deviceFeatureSelect, driverFeatureSelect, queueSelect } = this;
    const queues = Object.fromEntries(this.queues.map((queue, i) => [`queue${i}`, queue.save()]));
    const [driverLow, driverHigh] = this.driver;
    return {
      ...{ status, isr, generation, deviceFeatureSelect, driverFeatureSelect, queueSelect, driverLow, driverHigh },
      ...queues,
    };
  }

  /** Throws RF_BAD_STATE; changes nothing. */
  check(data: StateRecord['data']): void {
    stateNumbers(data, SAVED);
    this.queues.forEach((queue, i) => queue.check(stateFields(data, `queue${i}`)));
  }

  load(data: StateRecord['data']): void {
    const { driverLow, driverHigh, ...fields } = stateNumbers(data, SAVED);
    Object.assign(this, fields);
    this.driver[0] = driverLow;
    this.driver[1] = driverHigh;
    this.queues.forEach((queue, i) => queue.load(stateFields(data, `queue${i}`)));
    this.settleRings();
  }

  private settleRings(): void {
    const indirect = this.negotiated(VIRTIO_F_RING_INDIRECT_DESC);
    const eventIndex = this.negotiated(VIRTIO_F_RING_EVENT_IDX);
    for (const queue of this.queues) queue.negotiated(indirect, eventIndex);
  }

  /** A modern driver must take VERSION_1 (6.1) and nothing that was not offered (2.2.1). */
  private acceptable(): boolean {
    return this.negotiated(VIRTIO_F_VERSION_1) && this.driver.every((word, i) => (word & ~this.offered[i]) === 0);
  }

  private raise(cause: number): void {
    this.isr |= cause;
    this.events.interruptChanged();
  }
}
