/**
 * What a TCP connection, the stack that keeps it and the service behind it are to each other, and the sizes they agree on.
 * No behaviour: that is tcp-connection.ts and tcp-stack.ts.
 */
import type { TcpConnection } from './tcp-connection.js';

/** What a connection may have sent and not have had acknowledged. */
export const SEND_BYTES = 65_536;
/** Without window scaling there is no larger one. */
export const MAX_WINDOW = 65_535;

export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

/** What a connection serves. It is called with the connection it belongs to. */
export interface TcpService {
  /** How many more bytes it takes. It may not promise less later than it promised and was not sent. */
  room(connection: TcpConnection): number;
  /** Preconditions: within `room`. */
  receive(connection: TcpConnection, data: Uint8Array): void;
  /** The peer sends no more. */
  finished(connection: TcpConnection): void;
  /** The connection is there, or there is room in its queue again. */
  writable(connection: TcpConnection): void;
  /** It is over; `orderly` when both sides had said so. */
  closed(orderly: boolean): void;
}

/** What a connection needs of the stack around it. */
export interface TcpHost {
  now(): number;
  readonly hz: number;
  /** Sends one segment; false when the backlog is full: `resume` is called once it is not. */
  transmit(connection: TcpConnection, sequence: number, flags: number, data?: Uint8Array): boolean;
}

export interface TcpEnds {
  readonly local: number;
  readonly localPort: number;
  readonly remote: number;
  readonly remotePort: number;
}
