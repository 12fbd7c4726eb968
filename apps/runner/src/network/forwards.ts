/**
 * Ports of the host's loopback that lead to the guest: `--forward tcp:2222:22`. Every port is bound before the run begins,
 * or none is and the run does not begin.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { type ForwardConfig, RingfenceError } from '@ringfence/sdk';
import type { UserNetwork } from '@ringfence/user-network';
import type { NodeHostNetwork } from './node-host.js';

const LOOPBACK = '127.0.0.1';
const MAX_CONNECTIONS = 64;

/** Answers how to close them. Throws RF_PORT_UNAVAILABLE. */
export async function openForwards(
  forwards: readonly ForwardConfig[],
  network: UserNetwork,
  host: NodeHostNetwork,
): Promise<() => void> {
  const opened: (() => void)[] = [];
  const close = (): void => {
    for (const each of opened) each();
  };
  try {
    for (const forward of forwards) {
      opened.push(await (forward.protocol === 'tcp' ? openTcp(forward, network, host) : openUdp(forward, network)));
    }
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

function openTcp(
  { hostPort, guestPort }: ForwardConfig,
  network: UserNetwork,
  host: NodeHostNetwork,
): Promise<() => void> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    network.forwardStream(guestPort, (events) => host.keep(socket, events));
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable('tcp', hostPort, cause)));
    server.listen(hostPort, LOOPBACK, () => resolve(() => void server.close()));
  });
}

function openUdp({ hostPort, guestPort }: ForwardConfig, network: UserNetwork): Promise<() => void> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { address, port }) => {
    network.forwardDatagram(guestPort, `${address}:${port}`, bytes, (reply) =>
      socket.send(reply, port, address, () => {}),
    );
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (cause) => reject(unavailable('udp', hostPort, cause)));
    socket.bind(hostPort, LOOPBACK, () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {}); // a datagram that could not be sent is lost
      resolve(() => void socket.close());
    });
  });
}

function unavailable(protocol: string, port: number, cause: Error): RingfenceError {
  return new RingfenceError('RF_PORT_UNAVAILABLE', {
    message: `cannot have ${protocol} port ${port} of ${LOOPBACK}: ${cause.message}`,
    value: port,
    fix: 'forward another port of the host',
    cause,
  });
}
