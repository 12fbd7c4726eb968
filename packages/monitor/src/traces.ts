/**
 * Memory traces: which guest frames hold virtualized structures, and so may not be written (or touched) by the guest
 * without the monitor's knowledge. Counts references, because one frame may be several things at once.
 * It knows reasons, not tables; the pager revokes mappings when a trace starts.
 */
import type { PhysicalSpace } from '@ringfence/sdk';

export const TRACE_PAGE_TABLE = 0;
export const TRACE_DESCRIPTORS = 1;
/** The page stands in place with private bytes: the guest may not even read it. */
export const TRACE_HIDDEN = 2;
export type TraceReason = typeof TRACE_PAGE_TABLE | typeof TRACE_DESCRIPTORS | typeof TRACE_HIDDEN;

export class Traces {
  /** Bit mask of reasons, by guest page number. */
  readonly reasons: Uint8Array;
  private readonly counts = new Map<number, number>();

  constructor(
    private readonly space: PhysicalSpace,
    ramBytes: number,
    /** Called when a page gets its first reason, or its first to be hidden: mappings that grant too much must go. */
    private readonly revoke: (page: number, hidden: boolean) => void,
  ) {
    this.reasons = new Uint8Array(ramBytes / 4096);
  }

  start(frame: number, reason: TraceReason): void {
    const page = frame >>> 12;
    if (page >= this.reasons.length || !this.space.isRam(frame)) return;
    const key = page * 4 + reason;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    const before = this.reasons[page];
    const now = before | (1 << reason);
    if (now === before) return;
    this.reasons[page] = now;
    if (before === 0) this.space.setWatch(frame, true);
    const hides = reason === TRACE_HIDDEN;
    if (before === 0 || hides) this.revoke(page, hides);
  }

  stop(frame: number, reason: TraceReason): void {
    const page = frame >>> 12;
    const key = page * 4 + reason;
    const count = this.counts.get(key);
    if (count === undefined) return;
    if (count > 1) {
      this.counts.set(key, count - 1);
      return;
    }
    this.counts.delete(key);
    this.reasons[page] &= ~(1 << reason);
    if (this.reasons[page] === 0) this.space.setWatch(frame, false);
  }

  has(frame: number, reason: TraceReason): boolean {
    return (this.reasons[frame >>> 12] & (1 << reason)) !== 0;
  }

  /** Non-zero when the page at `frame` may not be written. */
  at(frame: number): number {
    const page = frame >>> 12;
    return page < this.reasons.length ? this.reasons[page] : 0;
  }
}
