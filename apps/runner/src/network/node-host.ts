/**
 * The host's network through Node's sockets, for guests whose user has opened it (`--net user,open`). Keeps account of every
 * socket, so that none outlives the run. A guest may not reach the host itself: none of its interfaces' addresses, whatever
 * network they are on (loopback is the stack's affair). Errors of the host's sockets are events of the guest's connections.
 * Does not do IPv6, or listening for the guest anywhere but at a forwarded port (forwards.ts).
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { HostDatagrams, HostNetwork, HostStream, StreamEvents } from '@ringfence/user-network';

const CONNECT_MS = 30_000;
/** Datagrams that the host has not taken are dropped from here on. */
const MAX_UNSENT_BYTES = 256 * 1024;
const LOOPBACK = '127.0.0.1';

export class NodeHostNetwork implements HostNetwork {
  private readonly sockets = new Set<{ close(): void }>();
  private readonly own = new Set(ownAddresses());

  mayReach(address: string): boolean {
    return address === LOOPBACK || !this.own.has(address);
  }

  connect(address: string, port: number, events: StreamEvents): HostStream {
    const socket = connect({ host: address, port, family: 4, allowHalfOpen: true });
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    socket.once('connect', () => {
      socket.setTimeout(0);
      events.connected();
    });
    return this.keep(socket, events);
  }

  /** A connected socket of the host's as a stream; the run's end closes it. */
  keep(socket: Socket, events: StreamEvents): HostStream {
    const entry = { close: () => void socket.destroy() };
    this.sockets.add(entry);
    socket.on('data', (bytes: Buffer) => events.data(bytes));
    socket.on('end', () => events.finished());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', (failed) => {
      this.sockets.delete(entry);
      events.closed(failed);
    });
    return {
      write: (bytes) => void socket.write(bytes, () => events.drained()),
      get pending() {
        return socket.writableLength;
      },
      end: () => void socket.end(),
      destroy: () => void socket.resetAndDestroy(),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
    };
  }

  openDatagrams(onMessage: (address: string, port: number, bytes: Uint8Array) => void): HostDatagrams {
    const socket = createSocket('udp4');
    this.sockets.add(socket);
    socket.on('message', (bytes, { address, port }) => onMessage(address, port, bytes));
    // What could not be sent is lost, as datagrams may be.
    socket.on('error', () => {});
    return {
      send: (address, port, bytes) => {
        if (sendable(socket)) socket.send(bytes, port, address, () => {});
      },
      close: () => {
        if (this.sockets.delete(socket)) socket.close();
      },
    };
  }

  resolve(name: string, done: (addresses: readonly string[] | undefined) => void): void {
    lookup(name, { family: 4, all: true }, (error, found) => {
      if (error === null) done(found.map(({ address }) => address));
      else done(error.code === 'ENOTFOUND' || error.code === 'ENODATA' ? [] : undefined);
    });
  }

  /** Closes whatever is open. */
  close(): void {
    for (const socket of [...this.sockets]) socket.close();
    this.sockets.clear();
  }
}

/** A socket that is not bound yet has no queue to ask for. */
function sendable(socket: ReturnType<typeof createSocket>): boolean {
  try {
    return socket.getSendQueueSize() <= MAX_UNSENT_BYTES;
  } catch {
    return true;
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
