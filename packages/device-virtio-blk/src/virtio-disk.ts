/**
 * One block device (VIRTIO 1.1, 5.2 "Block Device"): a drive's storage behind one queue of requests. The whole transfer
 * happens at the instant the request is served; what follows waits as long as it would have taken. Errors of the host and
 * requests past the end answer VIRTIO_BLK_S_IOERR, unknown ones VIRTIO_BLK_S_UNSUPP; a chain without room for header or
 * status is a broken ring. Discard changes nothing. No SCSI commands, no write-cache switch (CONFIG_WCE), one queue.
 */
import type { BlockDevice, Drive } from '@ringfence/sdk';
import {
  type DescriptorChain,
  NOTHING_LEFT,
  type SplitQueue,
  VIRTIO_ID_BLOCK,
  type VirtioModel,
} from '@ringfence/virtio';
import {
  CONFIG_BYTES,
  MAX_REQUEST_BYTES,
  MAX_ZERO_SECTORS,
  SECTOR,
  VIRTIO_BLK_F_FLUSH,
  diskConfig,
  offeredFeatures,
} from './disk-config.js';

const VIRTIO_BLK_T_IN = 0;
const VIRTIO_BLK_T_OUT = 1;
const VIRTIO_BLK_T_FLUSH = 4;
const VIRTIO_BLK_T_GET_ID = 8;
const VIRTIO_BLK_T_DISCARD = 11;
const VIRTIO_BLK_T_WRITE_ZEROES = 13;

const VIRTIO_BLK_S_OK = 0;
const VIRTIO_BLK_S_IOERR = 1;
const VIRTIO_BLK_S_UNSUPP = 2;

const WRITE_ZEROES_FLAG_UNMAP = 1;
const HEADER_BYTES = 16;
const SEGMENT_BYTES = 16;
const ID_BYTES = 20;
const QUEUE_SIZE = 128;

/** What a request takes beyond its bytes, and how fast those go: a good SSD of the PCI age. */
const REQUEST_SECONDS = 10e-6;
const BYTES_PER_SECOND = 500e6;

export interface DiskHost {
  /** Ticks of the clock in a second. */
  readonly hz: number;
  negotiated(feature: number): boolean;
}

export class VirtioDisk implements VirtioModel {
  readonly name: string;
  readonly type = VIRTIO_ID_BLOCK;
  readonly pciDevice = 0x1001;
  readonly classCode = 0x018000;
  readonly features: number;
  readonly queueSizes = [QUEUE_SIZE];
  readonly configBytes = CONFIG_BYTES;
  private readonly storage: BlockDevice;
  private readonly config: Uint8Array;
  private readonly id = new Uint8Array(ID_BYTES);
  private readonly header = new DataView(new ArrayBuffer(HEADER_BYTES));
  private readonly piece = new Uint8Array(0x10000);
  private readonly status = new Uint8Array(1);
  /** Bytes the request in hand moved, and how many it filled from the start of what it may write. */
  private moved = 0;
  private filled = 0;

  constructor(
    drive: Drive,
    private readonly host: DiskHost,
  ) {
    this.name = `virtio-blk${drive.unit}`;
    this.storage = drive.storage;
    this.features = offeredFeatures(drive.storage);
    this.config = diskConfig(drive.storage);
    this.id.set(Buffer.from(`RINGFENCE-${drive.unit}`));
  }

  configRead(offset: number): number {
    return this.config[offset];
  }

  reset(): void {}

  serve(_index: number, queue: SplitQueue): number {
    const chain = queue.pop();
    if (chain === undefined) return NOTHING_LEFT;
    if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < 1) {
      queue.fail();
      return NOTHING_LEFT;
    }
    this.moved = this.filled = 0;
    chain.read(0, new Uint8Array(this.header.buffer));
    this.status[0] = this.request(chain);
    const room = chain.writableBytes - 1;
    chain.write(room, this.status);
    // The length counts from the start without a gap: it reaches the status only behind data that are complete.
    queue.push(chain.head, this.filled === room ? room + 1 : this.filled);
    return Math.ceil(this.host.hz * (REQUEST_SECONDS + this.moved / BYTES_PER_SECOND));
  }

  private request(chain: DescriptorChain): number {
    switch (this.header.getUint32(0, true)) {
      case VIRTIO_BLK_T_IN:
        return this.transfer(chain, chain.writableBytes - 1, false);
      case VIRTIO_BLK_T_OUT:
        return this.transfer(chain, chain.readableBytes - HEADER_BYTES, true);
      case VIRTIO_BLK_T_FLUSH:
        return status(this.storage.flush());
      case VIRTIO_BLK_T_GET_ID:
        this.filled = chain.write(0, this.id.subarray(0, Math.min(ID_BYTES, chain.writableBytes - 1)));
        return VIRTIO_BLK_S_OK;
      case VIRTIO_BLK_T_DISCARD:
        return this.clear(chain, false);
      case VIRTIO_BLK_T_WRITE_ZEROES:
        return this.clear(chain, true);
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  private transfer(chain: DescriptorChain, bytes: number, write: boolean): number {
    const offset = this.sector(this.header, 8) * SECTOR;
    if (bytes % SECTOR !== 0 || bytes > MAX_REQUEST_BYTES || offset + bytes > this.storage.bytes) {
      return VIRTIO_BLK_S_IOERR;
    }
    if (write && this.storage.readOnly) return VIRTIO_BLK_S_IOERR;
    for (let done = 0; done < bytes; done += this.piece.length) {
      const piece = this.piece.subarray(0, Math.min(this.piece.length, bytes - done));
      if (write) {
        chain.read(HEADER_BYTES + done, piece);
        if (!this.storage.write(offset + done, piece)) return VIRTIO_BLK_S_IOERR;
      } else {
        if (!this.storage.read(offset + done, piece)) return VIRTIO_BLK_S_IOERR;
        this.filled += chain.write(done, piece);
      }
      this.moved += piece.length;
    }
    return write ? this.settle() : VIRTIO_BLK_S_OK;
  }

  /** One segment of sectors is to be zeros, or may become anything (discard). */
  private clear(chain: DescriptorChain, zeroes: boolean): number {
    if (chain.readableBytes !== HEADER_BYTES + SEGMENT_BYTES || this.storage.readOnly) return VIRTIO_BLK_S_IOERR;
    const segment = new DataView(new ArrayBuffer(SEGMENT_BYTES));
    chain.read(HEADER_BYTES, new Uint8Array(segment.buffer));
    const offset = this.sector(segment, 0) * SECTOR;
    const sectors = segment.getUint32(8, true);
    const flags = segment.getUint32(12, true);
    if ((flags & ~(zeroes ? WRITE_ZEROES_FLAG_UNMAP : 0)) !== 0) return VIRTIO_BLK_S_UNSUPP;
    const bytes = sectors * SECTOR;
    if (sectors > MAX_ZERO_SECTORS || offset + bytes > this.storage.bytes) return VIRTIO_BLK_S_IOERR;
    if (!zeroes) return VIRTIO_BLK_S_OK;
    this.piece.fill(0);
    for (let done = 0; done < bytes; done += this.piece.length) {
      const piece = this.piece.subarray(0, Math.min(this.piece.length, bytes - done));
      if (!this.storage.write(offset + done, piece)) return VIRTIO_BLK_S_IOERR;
      this.moved += piece.length;
    }
    return this.settle();
  }

  /** Without a driver that flushes, what was written must be safe when the request is answered (5.2.6.2). */
  private settle(): number {
    return status(this.host.negotiated(VIRTIO_BLK_F_FLUSH) || this.storage.flush());
  }

  private sector(view: DataView, at: number): number {
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }
}

function status(done: boolean): number {
  return done ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}
