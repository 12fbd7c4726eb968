/**
 * Identity of a thing on a share: made from its path alone, so that every run and every host gives the same (FNV-1a, twice
 * with other starting values). What is renamed becomes another thing to a client that looks again.
 */
import type { FolderEntry, FolderPath } from '@ringfence/sdk';
import type { Qid } from './wire.js';

const QID_TYPES = { folder: 0x80, link: 0x02, file: 0x00 } as const;
const FNV_PRIME = 0x01000193;

export function qidOf(path: FolderPath, { kind }: Pick<FolderEntry, 'kind'>): Qid {
  const text = path.join('/');
  return { type: QID_TYPES[kind], path: [fnv1a(text, 0x811c9dc5), fnv1a(text, 0x5bd1e995)] };
}

function fnv1a(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), FNV_PRIME);
    hash = Math.imul(hash ^ (unit >>> 8), FNV_PRIME);
  }
  return hash >>> 0;
}
