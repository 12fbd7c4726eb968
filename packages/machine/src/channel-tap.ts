/**
 * A tap in a byte channel: passes bytes on, counts and hashes what the guest sends, keeps the tail as text, and tells
 * the moment the output matches a pattern. Of input it tells only that there is some.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ByteChannel } from '@ringfence/sdk';

const KEPT = 64 * 1024;
/** How far back a pattern may reach. */
const MATCH_WINDOW = 4096;

export class ChannelTap implements ByteChannel {
  bytes = 0;
  private readonly hash: Hash = createHash('sha256');
  private readonly pending = new Uint8Array(4096);
  private fill = 0;
  private kept = '';
  private pattern: RegExp | undefined;
  private onMatch: () => void = () => {};
  private window = '';
  /** Called after the device has been told of input. */
  onInput: () => void = () => {};

  private listener = (): void => {};
  private readonly hook = (): void => {
    this.listener();
    this.onInput();
  };

  constructor(private readonly outside: ByteChannel | undefined) {
    outside?.onReceive(this.hook);
  }

  send(byte: number): void {
    this.bytes++;
    this.pending[this.fill++] = byte;
    if (this.fill === this.pending.length) this.drain();
    if (this.pattern !== undefined) this.match(byte);
    this.outside?.send(byte);
  }

  receive(): number {
    return this.outside === undefined ? -1 : this.outside.receive();
  }

  onReceive(listener: () => void): void {
    this.listener = listener;
    // Once more, for what came before there was a listener.
    this.outside?.onReceive(this.hook);
  }

  /** Calls back once, while the byte that completes the match is being sent. */
  watch(pattern: RegExp, onMatch: () => void): void {
    this.pattern = pattern;
    this.onMatch = onMatch;
  }

  text(): string {
    this.drain();
    return this.kept;
  }

  sha256(): string {
    this.drain();
    return this.hash.copy().digest('hex');
  }

  private drain(): void {
    const chunk = this.pending.subarray(0, this.fill);
    this.hash.update(chunk);
    this.kept = (this.kept + Buffer.from(chunk).toString('latin1')).slice(-KEPT);
    this.fill = 0;
  }

  private match(byte: number): void {
    this.window += String.fromCharCode(byte & 0xff);
    if (this.window.length > 2 * MATCH_WINDOW) this.window = this.window.slice(-MATCH_WINDOW);
    if (!this.pattern!.test(this.window)) return;
    this.pattern = undefined;
    this.window = '';
    this.onMatch();
  }
}
