/**
 * Video memory: 16 MiB, of which the four planes of a VGA are the first 256 KiB, a byte of each plane side by side. A word
 * of it is therefore what the VGA's latches hold: the four planes at one offset. The linear framebuffer sees the same bytes
 * in order. The host commits pages of it when they are first written. Saved are chunks of 64 KiB that hold anything but
 * zeros, so a text screen is saved as one.
 * It knows no modes: who reads and writes what is up to `MemoryPath` and the renderers.
 */
import { RingfenceError, type StateValue, stateBytes, stateFields, type StateRecord } from '@ringfence/sdk';

export const VIDEO_MEMORY_BYTES = 16 << 20;
const CHUNK_BYTES = 1 << 16;
const CHUNKS = VIDEO_MEMORY_BYTES / CHUNK_BYTES;

export class VideoMemory {
  readonly bytes = new Uint8Array(VIDEO_MEMORY_BYTES);
  readonly halves = new Uint16Array(this.bytes.buffer);
  /** The four planes at an offset, plane 0 in the low byte. */
  readonly words = new Int32Array(this.bytes.buffer);
  readonly view = new DataView(this.bytes.buffer);
  /** By address >>> 16: not 0 when something was written there since power-on. Whoever writes sets it. */
  readonly touched = new Uint8Array(CHUNKS);

  reset(): void {
    this.zero(0, VIDEO_MEMORY_BYTES);
    this.touched.fill(0);
  }

  /** Zeros, at a cost only where anything was written. */
  zero(from: number, to: number): void {
    for (let chunk = from >>> 16; chunk * CHUNK_BYTES < to; chunk++) {
      if (this.touched[chunk] === 0) continue;
      const start = chunk * CHUNK_BYTES;
      this.bytes.fill(0, Math.max(from, start), Math.min(to, start + CHUNK_BYTES));
    }
  }

  /** The chunks that are not all zeros, by number. */
  save(): { readonly [chunk: string]: StateValue } {
    const chunks: Record<string, Uint8Array> = {};
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      if (this.touched[chunk] === 0) continue;
      const words = this.words.subarray((chunk * CHUNK_BYTES) / 4, ((chunk + 1) * CHUNK_BYTES) / 4);
      if (words.some((word) => word !== 0)) {
        chunks[chunk] = this.bytes.slice(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
      }
    }
    return chunks;
  }

  /** Checks what `save` gave. Throws RF_BAD_STATE, unchanged. */
  static checked(data: StateRecord['data'], key: string): ReadonlyMap<number, Uint8Array> {
    const saved = stateFields(data, key);
    const chunks = new Map<number, Uint8Array>();
    for (const name of Object.keys(saved)) {
      const chunk = Number(name);
      if (!Number.isInteger(chunk) || chunk < 0 || chunk >= CHUNKS) {
        throw new RingfenceError('RF_BAD_STATE', { message: `video memory has no chunk "${name}"`, value: name });
      }
      chunks.set(chunk, stateBytes(saved, name, CHUNK_BYTES));
    }
    return chunks;
  }

  load(chunks: ReadonlyMap<number, Uint8Array>): void {
    this.reset();
    for (const [chunk, bytes] of chunks) {
      this.bytes.set(bytes, chunk * CHUNK_BYTES);
      this.touched[chunk] = 1;
    }
  }
}
