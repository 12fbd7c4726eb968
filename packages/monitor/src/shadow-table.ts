/**
 * One shadow page directory or table: a frame of the pool, a mirror of what the monitor wrote into it, and what it
 * stands for. The mirror lets the monitor search its own entries without reading them back through the processor.
 * The table does not know when its entries are valid; that is the pager's business.
 */
import { PTE_A, PTE_D, type ShadowTable } from '@ringfence/sdk';
import type { Window } from './window.js';

export type TableKind =
  /** Shadows the page directory at `guestFrame`. */
  | 'directory'
  /** Directory of a guest that runs without paging. */
  | 'flat-directory'
  /** Shadows the page table at `guestFrame` under the inherited rights `rights`. */
  | 'table'
  /** 4 MiB from guest-physical `guestBase` on: a large page of the guest, or a slot without paging. */
  | 'range';

let nextId = 1;

export class Table implements ShadowTable {
  readonly id = nextId++;
  readonly root: boolean;
  traced = false;
  readonly entries = new Int32Array(1024);
  /** The guest's entries when ours were made from them; valid where ours are non-zero. */
  readonly copies = new Int32Array(1024);
  /** Directories only: the leaf in each slot. */
  readonly children = new Map<number, Table>();
  /** Leaves only: where it is hooked, as directory id * 1024 + slot. */
  readonly parents = new Map<number, { readonly directory: Table; readonly slot: number }>();
  private readonly written: number[] = [];
  private readonly everWritten = new Uint8Array(1024);

  constructor(
    readonly kind: TableKind,
    readonly key: number,
    /** Guest-physical address of the guest's table, or -1. */
    readonly guestFrame: number,
    /** Guest-physical address the first entry maps, for a range; else -1. */
    readonly guestBase: number,
    /** Frame of the pool. */
    readonly frame: number,
    private readonly window: Window,
  ) {
    this.root = kind === 'directory' || kind === 'flat-directory';
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
