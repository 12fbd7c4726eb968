/**
 * The digest by which runs are compared (design, section 3 "Comparing memory"): guest RAM with the A and D bits of every
 * page-table frame masked, the guest's processor, virtual time and every device. Nothing of the monitor's.
 */
import { createHash, type Hash } from 'node:crypto';
import { PAGE_SIZE, PTE_A, PTE_D, ROOT_PAE, digestState, type StateRecord } from '@ringfence/sdk';

const MASK = ~(PTE_A | PTE_D);

/** `frames`: physical addresses of the page-table frames, with ROOT_PAE where entries have 8 bytes. */
export function hashMachine(
  ram: Uint8Array,
  frames: ReadonlySet<number>,
  records: Readonly<Record<string, StateRecord>>,
): string {
  const hash = createHash('sha256');
  hashRam(hash, ram, frames);
  for (const name of Object.keys(records).sort()) {
    const { component, version, data } = records[name];
    digestState({ name, component, version, data }, (chunk) => hash.update(chunk));
  }
  return hash.digest('hex');
}

function hashRam(hash: Hash, ram: Uint8Array, frames: ReadonlySet<number>): void {
  const masked = new Int32Array(PAGE_SIZE / 4);
  const bytes = new Uint8Array(masked.buffer);
  let done = 0;
  for (const key of [...frames].sort((a, b) => a - b)) {
    const frame = key - (key % PAGE_SIZE);
    if (frame < done || frame + PAGE_SIZE > ram.length) continue;
    // A frame that was a table of both kinds comes first as one of 4-byte entries, all of whose words are masked.
    const step = key % PAGE_SIZE === ROOT_PAE ? 2 : 1;
    hash.update(ram.subarray(done, frame));
    bytes.set(ram.subarray(frame, frame + PAGE_SIZE));
    for (let i = 0; i < masked.length; i += step) masked[i] &= MASK;
    hash.update(bytes);
    done = frame + PAGE_SIZE;
  }
  hash.update(ram.subarray(done));
}
