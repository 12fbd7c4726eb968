/**
 * Whether the guest's real-mode code traps so often that the emulator had better go on with it.
 *
 * Virtual-8086 mode traps on everything a BIOS is made of (INT, IRET, CLI, IN, video memory), and an exit costs as much as some
 * hundreds of instructions. Each one runs up a debt, which instructions retired since pay off; while the debt is at its most,
 * the emulator takes stretches of instructions, longer and longer ones as long as the hardware, tried in between, traps at once again.
 * ADR 0019 says why. Where a stretch begins and ends makes no difference to the guest; this only counts.
 */

/** What an exit costs, in instructions, several times over: code that traps half as often is still better off on the emulator. */
const EXIT = 400;
/** Exits at the worst density before the first stretch, and again between two. */
const PATIENCE = 16;
const RETRIES = 2;
const FIRST_STRETCH = 64;
const LONGEST_STRETCH = 16384;

export class TrapDensity {
  private debt = 0;
  private lastExit = 0;
  private length = FIRST_STRETCH;

  /** An exit of real-mode code was settled by the emulator; `retired`: the guest's count. */
  trapped(retired: number): void {
    this.debt = Math.min(this.debt + EXIT - (retired - this.lastExit), PATIENCE * EXIT);
    this.lastExit = retired;
    if (this.debt > 0) return;
    this.debt = 0;
    this.length = FIRST_STRETCH;
  }

  get high(): boolean {
    return this.debt > (PATIENCE - 1) * EXIT;
  }

  /** The length of the stretch that begins now. */
  stretch(): number {
    const { length } = this;
    this.length = Math.min(length * 2, LONGEST_STRETCH);
    return length;
  }

  /** The stretch is over: the hardware's turn again. */
  stretched(retired: number): void {
    this.debt = (PATIENCE - RETRIES) * EXIT;
    this.lastExit = retired;
  }
}
