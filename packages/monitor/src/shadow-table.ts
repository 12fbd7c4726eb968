/**
 * One shadow page directory or table: a frame of the pool, a mirror of what the monitor wrote into it, and what it
 * stands for. The mirror lets the monitor search its own entries without reading them back through the processor.
 *
 * Shadows always have 1024 entries of 4 bytes. A guest's tables look the same without PAE; with PAE its entries have 8
 * bytes, so a leaf follows two of its tables (or large pages) and a directory follows four of its directories: *parts*.
 * `copies` is indexed by the guest's entries, counted over all parts: in a leaf that is the index of the shadow's own
 * entry, in a directory the number of the guest's directory entry.
 * The table does not know when its entries are valid; that is the pager's business.
 */
import { PTE_A, PTE_D, type ShadowTable } from '@ringfence/sdk';
import type { Window } from './window.js';

export type TableKind =
  /** Shadows the page directory, or with PAE the four directories, of `parts`. */
  | 'directory'
  /** Directory of a guest that runs without paging. */
  | 'flat-directory'
  /** Shadows the page tables of `parts` under the inherited rights that are part of its key. */
  | 'table'
  /** 4 MiB of which some, or all, belong to a large page of the guest, or to a guest without paging; never shared. */
  | 'range';

let nextId = 1;

export class Table implements ShadowTable {
  readonly id = nextId++;
  readonly root: boolean;
  readonly guestFrames: readonly number[];
  traced = false;
  readonly entries = new Int32Array(1024);
  /**
   * The guest's entries (their low halves; the high ones are 0) when ours were made from them. Of a leaf: valid where ours
   * are non-zero. Of a directory: valid where a leaf is hooked; 0 where that leaf was made with nothing to follow there.
   */
  readonly copies: Int32Array;
  /** Directories only: the leaf in each slot. */
  readonly children = new Map<number, Table>();
  /** Leaves only: where it is hooked, as directory id * 1024 + slot. */
  readonly parents = new Map<number, { readonly directory: Table; readonly slot: number }>();
  private readonly written: number[] = [];
  private readonly everWritten = new Uint8Array(1024);

  constructor(
    readonly kind: TableKind,
    readonly key: number | string,
    /** Guest-physical address of each part, -1 for one that is not a table in RAM. */
    readonly parts: readonly number[],
    /** Bytes of one of the guest's entries. */
    readonly entryBytes: 4 | 8,
    /** Frame of the pool. */
    readonly frame: number,
    private readonly window: Window,
  ) {
    this.root = kind === 'directory' || kind === 'flat-directory';
    this.guestFrames = [...new Set(parts)].filter((part) => part >= 0);
    this.copies = new Int32Array(this.root && entryBytes === 8 ? 2048 : 1024);
  }

  /** Guest-physical address of the guest's entry `number`, or -1 when it has none. */
  guestAddress(number: number): number {
    const perPart = 4096 / this.entryBytes;
    const part = this.parts[Math.floor(number / perPart)] ?? -1;
    return part < 0 ? -1 : part + (number % perPart) * this.entryBytes;
  }

  set(index: number, value: number): void {
    if (this.entries[index] === value) return;
    if (this.everWritten[index] === 0) {
      this.everWritten[index] = 1;
      this.written.push(index);
    }
    this.entries[index] = value;
    this.window.write(this.frame, index * 4, value);
  }

  /** Makes the frame all zero again, as free frames are. */
  wipe(): void {
    for (const index of this.written) {
      this.everWritten[index] = 0;
      if (this.entries[index] === 0) continue;
      this.entries[index] = 0;
      this.window.write(this.frame, index * 4, 0);
    }
    this.written.length = 0;
  }

  /** Indices that may be non-zero. */
  used(): readonly number[] {
    return this.written;
  }
}

/**
 * Whether a guest entry that was `old` when it was shadowed still means the same. An A or D bit that has been set since
 * changes nothing; one that has been cleared means that the guest wants to see it set again.
 */
export function sameMeaning(old: number, now: number): boolean {
  const difference = old ^ now;
  return (difference & ~(PTE_A | PTE_D)) === 0 && (difference & old) === 0;
}
