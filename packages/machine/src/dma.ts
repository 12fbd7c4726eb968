/**
 * Bus masters' way to memory. Copies page by page through the guest's own map; what is not RAM (or ROM, to read) is open
 * bus. A write tells decoded code and whoever watches the page; under a monitor a watched page makes the monitor take the
 * hardware out of the guest first, because its bytes may be elsewhere and its shadow tables in use.
 */
import {
  PAGE_RAM,
  PAGE_ROM,
  PAGE_SIZE,
  PAGE_WATCH,
  PHYS_BASE,
  type DmaMemory,
  type GuestExecutor,
  type PhysicalSpace,
} from '@ringfence/sdk';

export class BoardDma implements DmaMemory {
  /** Set once there is one. */
  executor: Pick<GuestExecutor, 'release'> | undefined;

  constructor(private readonly space: PhysicalSpace) {}

  read(address: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const at = address + done;
      const bytes = Math.min(into.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const kind = this.kindOf(at);
      if ((kind & (PAGE_RAM | PAGE_ROM)) === 0) {
        into.fill(0xff, done, done + bytes);
      } else {
        if ((kind & PAGE_WATCH) !== 0) this.executor?.release();
        into.set(this.space.memory.u8.subarray(PHYS_BASE + at, PHYS_BASE + at + bytes), done);
      }
      done += bytes;
    }
  }

  write(address: number, from: Uint8Array): void {
    const { memory } = this.space;
    for (let done = 0; done < from.length;) {
      const at = address + done;
      const bytes = Math.min(from.length - done, PAGE_SIZE - (at % PAGE_SIZE));
      const kind = this.kindOf(at);
      if ((kind & PAGE_RAM) !== 0) {
        if ((kind & PAGE_WATCH) !== 0) this.executor?.release();
        memory.writeBytes(at, from.subarray(done, done + bytes));
        if ((this.kindOf(at) & PAGE_WATCH) !== 0) this.space.onWatchedWrite(at, bytes);
      }
      done += bytes;
    }
  }

  private kindOf(address: number): number {
    return address < 0x1_0000_0000 ? this.space.kind[Math.floor(address / PAGE_SIZE)] : 0;
  }
}
