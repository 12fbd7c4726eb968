/**
 * What a shadow directory or leaf must follow: decided from the guest's own directory, and turned into the key under which
 * equal ones are found again. Keys of one paging mode never meet those of another: a change of mode drops every table.
 * Nothing here touches a shadow.
 */
import { CR0, CR0_PG, PDPTE, PTE_U, PTE_W } from '@ringfence/sdk';
import type { GuestWalk } from './guest-walk.js';
import { TOP_SLOT } from './layout.js';

export interface LeafPlan {
  /** The guest's directory entries of the slot (one, or two with PAE); 0 where nothing can be derived from one. */
  readonly entries: readonly number[];
  /** The guest's table behind each, or -1. */
  readonly parts: readonly number[];
  /** Equal for leaves that may be one; undefined when it must not be shared. */
  readonly key: number | undefined;
}

/** Above every key of a leaf (47 bits). */
const ROOT_KEYS = 2 ** 50;
const FLAT_KEY = ROOT_KEYS - 1;

/** Names the address space in force. With PAE that is what the PDPTE registers say, wherever they were loaded from. */
export function rootKey(state: Int32Array, walk: GuestWalk): number | string {
  if ((state[CR0] & CR0_PG) === 0) return FLAT_KEY;
  if (!walk.pae) return ROOT_KEYS + walk.directories()[0] / 4096;
  const words: number[] = [];
  // Presence and frame: the other bits of a PDPTE say nothing about a translation.
  for (let i = PDPTE; i < PDPTE + 8; i += 2) words.push(state[i] & 0xfffff001, state[i + 1]);
  return words.join();
}

/**
 * Plans the leaf for 4 MiB `slot`. Expects the page that is wanted to have been walked. A leaf is shared by all directories
 * whose entries there name the same tables with the same rights. A large page's D bit is that of one directory entry, so a
 * leaf with one in it is private, and so is one made for the moment from what cannot be followed.
 */
export function planLeaf(slot: number, walk: GuestWalk): LeafPlan {
  if (!walk.paging) return { entries: [], parts: [], key: undefined };
  const count = walk.pae ? 2 : 1;
  const entries: number[] = [];
  const parts: number[] = [];
  let shared = true;
  let key = slot === TOP_SLOT ? 1 : 0;
  for (let number = slot * count; number < (slot + 1) * count; number++) {
    const usable = walk.usableEntry(number);
    const large = usable !== 0 && walk.isLarge(usable);
    const table = usable === 0 || large ? -1 : walk.tableOf(usable);
    if (large || (usable === 0 && number === walk.number)) shared = false;
    entries.push(number === walk.number ? walk.pde : usable);
    parts.push(table);
    key = key * 2 ** 23 + (table < 0 ? 0 : (table / 4096) * 8 + ((usable & (PTE_W | PTE_U)) | 1));
  }
  return { entries, parts, key: shared ? key : undefined };
}
