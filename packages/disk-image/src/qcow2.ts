/**
 * A qcow2 image, versions 2 and 3, to read (QEMU, docs/interop/qcow2: "Header", "Cluster mapping", "L2 table entry").
 * Two levels of tables map clusters; a cluster is absent (zeros), plain, all zeros, or compressed with deflate.
 * Refused with RF_DISK_FORMAT: backing files, encryption, external data files, extended L2 entries, zstd, images marked
 * corrupt. Internal snapshots are not looked at. A damaged table inside the image fails the accesses that need it.
 */
import { constants, inflateRawSync } from 'node:zlib';
import { RingfenceError } from '@ringfence/sdk';
import { SECTOR, type RawFile } from './raw-file.js';

export const QCOW2_MAGIC = 0x514649fb;
const HEADER_BYTES = 112;
const V2_BYTES = 72;
const INCOMPATIBLE_DIRTY = 1;
const MAX_L1_ENTRIES = 1 << 22;
const CACHED_TABLES = 64;
/** Bits 9-55 of an entry, as a mask of its high word. */
const OFFSET_HIGH = 0x00ff_ffff;
const COMPRESSED = 0x4000_0000;
const ZERO = 1;

export class Qcow2Image {
  readonly name: string;
  readonly bytes: number;
  private readonly clusterBits: number;
  private readonly clusterBytes: number;
  private readonly version: number;
  private readonly l1: DataView;
  private readonly tables = new Map<number, DataView>();
  /** The last compressed cluster, by guest cluster number. */
  private inflated = new Uint8Array(0);
  private inflatedNumber = -1;

  /** Throws RF_DISK_FORMAT. */
  constructor(private readonly file: RawFile) {
    this.name = file.name;
    const header = new DataView(new ArrayBuffer(HEADER_BYTES));
    if (file.fileBytes < V2_BYTES || !file.read(0, new Uint8Array(header.buffer))) throw this.bad('it is truncated');
    if (header.getUint32(0) !== QCOW2_MAGIC) throw this.bad('it does not begin as one');
    this.version = header.getUint32(4);
    if (this.version !== 2 && this.version !== 3) throw this.bad(`it is of version ${this.version}`);
    if (word64(header, 8) !== 0) throw this.bad('it has a backing file', 'flatten it, e.g. qemu-img convert -O qcow2');
    this.clusterBits = header.getUint32(20);
    if (this.clusterBits < 9 || this.clusterBits > 21) throw this.bad(`its clusters have 2^${this.clusterBits} bytes`);
    this.clusterBytes = 2 ** this.clusterBits;
    if (header.getUint32(32) !== 0) throw this.bad('it is encrypted');
    if (this.version === 3) this.checkFeatures(header);
    const size = word64(header, 24);
    if (size === 0 || size > Number.MAX_SAFE_INTEGER) throw this.bad(`it says it holds ${size} bytes`);
    this.bytes = Math.ceil(size / SECTOR) * SECTOR;
    this.l1 = this.readL1(header.getUint32(36), word64(header, 40));
  }

  read(offset: number, into: Uint8Array): boolean {
    for (let done = 0; done < into.length;) {
      const at = offset + done;
      const inside = at % this.clusterBytes;
      const bytes = Math.min(into.length - done, this.clusterBytes - inside);
      if (!this.readInCluster((at - inside) / this.clusterBytes, inside, into.subarray(done, done + bytes)))
        return false;
      done += bytes;
    }
    return true;
  }

  close(): void {
    this.file.close();
  }

  private readInCluster(number: number, inside: number, into: Uint8Array): boolean {
    const perTable = this.clusterBytes / 8;
    const slot = Math.floor(number / perTable) * 8;
    const tableAt = offsetOf(this.l1.getUint32(slot), this.l1.getUint32(slot + 4));
    if (tableAt === 0) return zeros(into);
    const table = this.table(tableAt);
    if (table === undefined) return false;
    const high = table.getUint32((number % perTable) * 8);
    const low = table.getUint32((number % perTable) * 8 + 4);
    if ((high & COMPRESSED) !== 0) return this.readCompressed(number, high, low, inside, into);
    if (this.version === 3 && (low & ZERO) !== 0) return zeros(into);
    const at = offsetOf(high, low);
    if (at === 0) return zeros(into);
    return at + inside + into.length <= this.file.bytes && this.file.read(at + inside, into);
  }

  /** The entry holds the offset in its low bits and the number of further sectors above them. */
  private readCompressed(number: number, high: number, low: number, inside: number, into: Uint8Array): boolean {
    if (this.inflatedNumber !== number) {
      const offsetBits = BigInt(62 - (this.clusterBits - 8));
      const entry = (BigInt(high & 0x3fff_ffff) << 32n) | BigInt(low);
      const at = Number(entry & ((1n << offsetBits) - 1n));
      const most = (Number(entry >> offsetBits) + 1) * SECTOR - (at % SECTOR);
      const bytes = Math.min(most, this.file.fileBytes - at);
      if (bytes <= 0) return false;
      const packed = new Uint8Array(bytes);
      if (!this.file.read(at, packed)) return false;
      const cluster = inflate(packed, this.clusterBytes);
      if (cluster === undefined) return false;
      this.inflated = cluster;
      this.inflatedNumber = number;
    }
    into.set(this.inflated.subarray(inside, inside + into.length));
    return true;
  }

  private table(at: number): DataView | undefined {
    const cached = this.tables.get(at);
    if (cached !== undefined) return cached;
    const bytes = new Uint8Array(this.clusterBytes);
    if (at + bytes.length > this.file.fileBytes || !this.file.read(at, bytes)) return undefined;
    if (this.tables.size >= CACHED_TABLES) this.tables.clear();
    const table = new DataView(bytes.buffer);
    this.tables.set(at, table);
    return table;
  }

  private readL1(entries: number, at: number): DataView {
    const needed = Math.ceil(this.bytes / (this.clusterBytes * (this.clusterBytes / 8)));
    if (entries < needed || entries > MAX_L1_ENTRIES) throw this.bad(`its first table has ${entries} entries`);
    const bytes = new Uint8Array(needed * 8);
    if (at + bytes.length > this.file.fileBytes || !this.file.read(at, bytes)) throw this.bad('it is truncated');
    const l1 = new DataView(bytes.buffer);
    for (let slot = 0; slot < bytes.length; slot += 8) {
      const table = offsetOf(l1.getUint32(slot), l1.getUint32(slot + 4));
      if (table + this.clusterBytes > this.file.fileBytes) throw this.bad('it is truncated');
    }
    return l1;
  }

  private checkFeatures(header: DataView): void {
    const [high, low] = [header.getUint32(72), header.getUint32(76)];
    if ((low & 2) !== 0) throw this.bad('it is marked corrupt', 'repair it, e.g. qemu-img check -r all');
    if ((low & 4) !== 0) throw this.bad('its data is in another file');
    if ((low & 8) !== 0) throw this.bad('it is not compressed with zlib');
    if ((low & 16) !== 0) throw this.bad('it has extended L2 entries');
    if (high !== 0 || (low & ~(INCOMPATIBLE_DIRTY | 2 | 4 | 8 | 16)) !== 0) throw this.bad('it needs unknown features');
  }

  private bad(why: string, fix = 'convert it, e.g. qemu-img convert -O raw'): RingfenceError {
    this.file.close();
    return new RingfenceError('RF_DISK_FORMAT', {
      message: `the disk image ${this.file.name} is not a qcow2 image that we can read: ${why}`,
      value: this.file.name,
      fix,
    });
  }
}

function word64(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

/** Where a table or a plain cluster lies: bits 9-55 of its entry. */
function offsetOf(high: number, low: number): number {
  return (high & OFFSET_HIGH) * 2 ** 32 + ((low & ~0x1ff) >>> 0);
}

function zeros(into: Uint8Array): boolean {
  into.fill(0);
  return true;
}

/** Undefined when the bytes are no deflate stream of a cluster. */
function inflate(packed: Uint8Array, clusterBytes: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    // The stream ends somewhere in its last sector.
    const out = inflateRawSync(packed, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: clusterBytes });
    return out.length === clusterBytes ? new Uint8Array(out) : undefined;
  } catch {
    return undefined;
  }
}
