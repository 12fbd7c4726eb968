/**
 * The capability to use the host's network, which only an application gives, and only when it was asked to: sockets as the
 * stack wants them. Events come between two slices of a run, never from within a call. With one a run is no longer a function
 * of its configuration. Addresses are dotted text. Nothing here touches a socket; the runner's implementation does.
 */

/** What a host's stream tells. Each at most once but `data` and `drained`; nothing after `closed`. */
export interface StreamEvents {
  connected(): void;
  /** The bytes are the listener's. */
  data(bytes: Uint8Array): void;
  /** Some of what was pending has gone out. */
  drained(): void;
  /** The other side sends no more. */
  finished(): void;
  /** It is over; `failed` unless both sides had finished. */
  closed(failed: boolean): void;
}

export interface HostStream {
  write(bytes: Uint8Array): void;
  /** Bytes written that the host has not taken yet. */
  readonly pending: number;
  /** No more will be written. */
  end(): void;
  /** Closes at once, a reset on the wire. */
  destroy(): void;
  /** No `data` until `resume`. */
  pause(): void;
  resume(): void;
}

export interface HostDatagrams {
  send(address: string, port: number, bytes: Uint8Array): void;
  close(): void;
}

export interface HostNetwork {
  /** Whether a guest may talk to this address at all; the stack refuses loopback and the like by itself. */
  mayReach(address: string): boolean;
  connect(address: string, port: number, events: StreamEvents): HostStream;
  openDatagrams(onMessage: (address: string, port: number, bytes: Uint8Array) => void): HostDatagrams;
  /** IPv4 addresses of a name: none for a name that does not exist, undefined when nobody could say. */
  resolve(name: string, done: (addresses: readonly string[] | undefined) => void): void;
}

/** Somebody on the host has connected to a forwarded port: makes the stream, once told whom its events go to. */
export type ForwardedStream = (events: StreamEvents) => HostStream;
