/**
 * Which guest frames serve as page directories and tables, as far as anyone can tell from the CR3 values ever loaded.
 * `stateHash` masks the accessed and dirty bits in these frames and nothing else (design, section 3); bare and monitored
 * runs compute the set from the same guest memory and so alike.
 */
import { PTE_P, PTE_PS } from './layout.js';
import type { PhysicalSpace } from './physical-space.js';

/** Physical addresses of every directory in `roots` and every table a present entry of one leads to, RAM only. */
export function pageTableFrames(roots: Iterable<number>, space: PhysicalSpace): ReadonlySet<number> {
  const frames = new Set<number>();
  for (const root of roots) {
    if (!space.isRam(root)) continue;
    frames.add(root);
    for (let i = 0; i < 1024; i++) {
      const entry = space.read(root + i * 4, 4);
      // Bit 7 means "4 MB page" only with CR4.PSE; taking it at its word errs alike on both sides.
      if ((entry & PTE_P) === 0 || (entry & PTE_PS) !== 0) continue;
      const table = (entry & 0xfffff000) >>> 0;
      if (space.isRam(table)) frames.add(table);
    }
  }
  return frames;
}
