/** Reads the files that the network serves, with a typed error for whatever is wrong with one. */
import { readFileSync, statSync } from 'node:fs';
import { RingfenceError } from '@ringfence/sdk';

const MAX_BYTES = 1024 * 1024 * 1024;

/** Throws RF_NETWORK_FILE. */
export function readServedFile(path: string): Uint8Array {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    return readFileSync(path);
  } catch (cause) {
    throw new RingfenceError('RF_NETWORK_FILE', {
      message: `cannot serve ${path}: ${(cause as Error).message}`,
      value: path,
      fix: 'name a readable file with --serve or in network.serve',
      cause,
    });
  }
}
