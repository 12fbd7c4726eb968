/** The host's network as a spec plays it: streams and sockets that do nothing by themselves. */
import type { HostDatagrams, HostNetwork, HostStream, StreamEvents } from '../host-network.js';

export class FakeStream implements HostStream {
  written = '';
  pending = 0;
  ended = false;
  destroyed = false;
  paused = false;

  constructor(
    readonly to: string,
    readonly events: StreamEvents,
  ) {}

  write(bytes: Uint8Array): void {
    this.written += String.fromCharCode(...bytes);
    this.pending += bytes.length;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** The host has taken everything. */
  drain(): void {
    this.pending = 0;
    this.events.drained();
  }

  say(text: string): void {
    this.events.data(new TextEncoder().encode(text));
  }
}

export interface FakeSocket {
  readonly sent: string[];
  closed: boolean;
  readonly receive: (address: string, port: number, bytes: Uint8Array) => void;
}

export class FakeHost implements HostNetwork {
  readonly streams: FakeStream[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly questions: { name: string; done: (addresses: readonly string[] | undefined) => void }[] = [];

  mayReach(address: string): boolean {
    return address !== '192.168.1.9';
  }

  connect(address: string, port: number, events: StreamEvents): HostStream {
    const stream = new FakeStream(`${address}:${port}`, events);
    this.streams.push(stream);
    return stream;
  }

  openDatagrams(onMessage: FakeSocket['receive']): HostDatagrams {
    const socket: FakeSocket = { sent: [], closed: false, receive: onMessage };
    this.sockets.push(socket);
    return {
      send: (address, port, bytes) => void socket.sent.push(`${address}:${port} ${String.fromCharCode(...bytes)}`),
      close: () => (socket.closed = true),
    };
  }

  resolve(name: string, done: (addresses: readonly string[] | undefined) => void): void {
    this.questions.push({ name, done });
  }
}
