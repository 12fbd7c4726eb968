/**
 * What keyboard and mouse have in common at the other end of the PS/2 cable (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller"): bytes queued for the host, the last one for RESEND, a command
 * that waits for its parameter. Bytes travel at once.
 */
import { RingfenceError, type StateRecord, stateBytes, stateNumbers } from '@ringfence/sdk';

export const ACK = 0xfa;
export const RESEND = 0xfe;
export const SELF_TEST_PASSED = 0xaa;
export const NO_COMMAND = 0;

/** Bytes a device keeps for a host that does not listen. */
const QUEUE_BYTES = 16;

export abstract class Ps2Device<F extends string> {
  /** The device's registers, by name; what `saveState` keeps besides the queue. */
  protected r: Record<F | 'command' | 'last', number>;
  private queue: number[] = [];

  constructor(private readonly powerOn: Readonly<Record<F, number>>) {
    this.r = { ...powerOn, command: NO_COMMAND, last: 0 };
  }

  /** Power-on state with the self-test's answer already taken, as a BIOS leaves it. */
  reset(): void {
    this.r = { ...this.powerOn, command: NO_COMMAND, last: 0 };
    this.queue = [];
  }

  /** The host sends a byte. */
  abstract receive(byte: number): void;

  /** The next byte for the host, or -1. */
  take(): number {
    const byte = this.queue.shift() ?? -1;
    if (byte >= 0) this.r.last = byte;
    return byte;
  }

  saveState(): StateRecord['data'] {
    return { ...this.r, queue: Uint8Array.from(this.queue) };
  }

  /** Checks a saved state and answers what puts it in place, so that a bad one leaves no trace. */
  prepareLoad(data: StateRecord['data']): () => void {
    const registers = stateNumbers(data, Object.keys(this.r) as (keyof typeof this.r)[]);
    const queue = [...stateBytes(data, 'queue')];
    if (queue.length > 2 * QUEUE_BYTES) {
      throw new RingfenceError('RF_BAD_STATE', { message: 'a PS/2 queue is too long', value: queue.length });
    }
    return () => {
      this.r = registers;
      this.queue = queue;
    };
  }

  /** Answers a command: always goes through. */
  protected reply(...bytes: number[]): void {
    this.queue.push(...bytes);
    if (this.queue.length > 2 * QUEUE_BYTES) this.queue.splice(0, this.queue.length - 2 * QUEUE_BYTES);
  }

  /** Sends something that happened: all of it, or nothing when the queue is full. */
  protected report(bytes: readonly number[]): boolean {
    if (this.queue.length + bytes.length > QUEUE_BYTES) return false;
    this.queue.push(...bytes);
    return true;
  }

  /** Forgets what the host has not taken. */
  protected flush(): void {
    this.queue = [];
  }

  protected resend(): void {
    this.queue.unshift(this.r.last);
  }
}
