/** A cable whose other end is a spec: frames the card sent, and frames that wait for it. */
import { DEFAULT_MAC, type NetworkLink } from '@ringfence/sdk';

export class FakeNetworkLink implements NetworkLink {
  readonly mac = DEFAULT_MAC;
  connected = true;
  readonly sent: Uint8Array[] = [];
  readonly waiting: Uint8Array[] = [];
  private listener = (): void => {};

  send(frame: Uint8Array): void {
    this.sent.push(frame.slice());
  }

  receive(): Uint8Array | undefined {
    return this.waiting.shift();
  }

  onReceive(listener: () => void): void {
    this.listener = listener;
  }

  /** A frame comes over the cable. */
  deliver(frame: Uint8Array): void {
    this.waiting.push(frame);
    this.listener();
  }
}
