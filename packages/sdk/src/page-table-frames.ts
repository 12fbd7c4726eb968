/**
 * Which guest frames serve as page directories and tables, as far as anyone can tell from the directories ever in force.
 * `stateHash` masks the accessed and dirty bits in these frames and nothing else (design, section 3); bare and monitored
 * runs compute the set from the same guest memory and so alike. A page-directory-pointer table is none of them: the
 * processor sets no bits in it.
 */
import { PTE_P, PTE_PS } from './layout.js';
import { ROOT_PAE } from './mmu.js';
import type { PhysicalSpace } from './physical-space.js';

/**
 * Physical addresses of every directory in `roots` and every table a present entry of one leads to, RAM only. ROOT_PAE is
 * set in those whose entries have 8 bytes.
 */
export function pageTableFrames(roots: Iterable<number>, space: PhysicalSpace): ReadonlySet<number> {
  const frames = new Set<number>();
  for (const root of roots) {
    const pae = root % 4096 === ROOT_PAE ? ROOT_PAE : 0;
    const directory = root - pae;
    if (!space.isRam(directory)) continue;
    frames.add(root);
    const size = pae !== 0 ? 8 : 4;
    for (let at = directory; at < directory + 4096; at += size) {
      const entry = space.read(at, 4);
      // Bit 7 means "4 MB page" only with CR4.PSE; taking it at its word errs alike on both sides.
      if ((entry & PTE_P) === 0 || (entry & PTE_PS) !== 0) continue;
      if (pae !== 0 && space.read(at + 4, 4) !== 0) continue;
      const table = (entry & 0xfffff000) >>> 0;
      if (space.isRam(table)) frames.add(table + pae);
    }
  }
  return frames;
}
