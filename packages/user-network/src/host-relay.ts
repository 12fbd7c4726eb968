/**
 * A TCP connection of the guest's joined to one of the host's. Both ways are bounded: towards the host the window shrinks by
 * what the host has not taken, towards the guest the host's stream is paused while the send queue is full; what it had already
 * handed over, one chunk, waits here. Not restorable: after a snapshot is loaded such connections are reset.
 */
import { concat } from './internet.js';
import type { HostStream, StreamEvents } from './host-network.js';
import type { TcpConnection } from './tcp-connection.js';
import { MAX_WINDOW, type TcpService } from './tcp-contract.js';

export class HostRelay implements TcpService {
  private connection: TcpConnection | undefined;
  private stream: HostStream | undefined;
  private waiting: Uint8Array | undefined;
  private hostFinished = false;
  private hostClosed = false;

  /** What the host's stream is to tell. */
  readonly events: StreamEvents = {
    connected: () => this.onConnected(this),
    data: (bytes) => {
      this.waiting = this.waiting === undefined ? bytes : concat(this.waiting, bytes);
      this.pass();
      this.tell();
    },
    drained: () => {
      this.connection?.windowOpened();
      this.tell();
    },
    finished: () => {
      this.hostFinished = true;
      this.pass();
      this.tell();
    },
    closed: (failed) => {
      this.hostClosed = true;
      if (this.connection === undefined) return this.onFailed();
      // Both directions at their end: what waits still goes out. Otherwise it broke.
      if (failed || !this.hostFinished) this.connection.abort();
      this.tell();
    },
  };

  /**
   * `onConnected`: the host's side stands. `onFailed`: it is over before the guest's side stood. `changed`: something
   * happened that the stack has to look after.
   */
  constructor(
    private readonly onConnected: (relay: HostRelay) => void,
    private readonly onFailed: () => void,
    private readonly changed: (connection: TcpConnection) => void,
  ) {}

  /** Preconditions: once, before anything else. */
  join(stream: HostStream): void {
    this.stream = stream;
  }

  /** The guest's side is on its way or stands. */
  attach(connection: TcpConnection): void {
    this.connection = connection;
  }

  room(): number {
    return Math.max(0, MAX_WINDOW - (this.stream?.pending ?? 0));
  }

  receive(_connection: TcpConnection, data: Uint8Array): void {
    // A copy: the frame is the card's.
    this.stream?.write(data.slice());
  }

  finished(): void {
    this.stream?.end();
  }

  writable(connection: TcpConnection): void {
    this.connection = connection;
    this.pass();
  }

  closed(orderly: boolean): void {
    if (!orderly && !this.hostClosed) this.stream?.destroy();
    this.stream = undefined;
    this.waiting = undefined;
  }

  /** Moves what waits into the connection, as far as it goes. */
  private pass(): void {
    const { connection, stream } = this;
    if (connection === undefined || connection.state === 'syn-sent' || connection.state === 'syn-received') return;
    if (this.waiting !== undefined) {
      const bytes = Math.min(connection.room, this.waiting.length);
      const now = this.waiting.subarray(0, bytes);
      this.waiting = bytes === this.waiting.length ? undefined : this.waiting.subarray(bytes);
      if (bytes > 0) connection.write(now);
    }
    if (this.waiting !== undefined) stream?.pause();
    else if (this.hostFinished) connection.close();
    else stream?.resume();
  }

  private tell(): void {
    if (this.connection !== undefined) this.changed(this.connection);
  }
}
