/** The host's network and forwarded ports with real sockets, on loopback: a server here, a guest by hand there. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '@ringfence/sdk';
import { FakeClock } from '@ringfence/testkit';
import { UserNetwork, type StreamEvents } from '@ringfence/user-network';
import { afterEach, describe, expect, it } from 'vitest';
import { openForwards } from './forwards.js';
import { NodeHostNetwork } from './node-host.js';

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

async function server(onConnection: (socket: Socket) => void): Promise<number> {
  const listening: Server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  opened.push(() => listening.close());
  await once(listening, 'listening');
  return (listening.address() as AddressInfo).port;
}

function hostNetwork(): NodeHostNetwork {
  const host = new NodeHostNetwork();
  opened.push(() => host.close());
  return host;
}

/** Events as lines, and a way to wait for one. */
function recorder(): { events: StreamEvents; log: string[]; until: (line: string) => Promise<void> } {
  const log: string[] = [];
  let wake = (): void => {};
  const note = (line: string): void => {
    log.push(line);
    wake();
  };
  return {
    log,
    until: async (line) => {
      while (!log.includes(line)) await new Promise<void>((resolve) => (wake = resolve));
    },
    events: {
      connected: () => note('connected'),
      data: (bytes) => note(`data ${Buffer.from(bytes).toString()}`),
      drained: () => note('drained'),
      finished: () => note('finished'),
      closed: (failed) => note(`closed ${failed}`),
    },
  };
}

describe("the host's TCP", () => {
  it('connects, carries data both ways and closes each way by itself', async () => {
    const port = await server((socket) => {
      socket.on('data', (bytes: Buffer) => socket.write(`got ${bytes.toString()}`));
      socket.on('end', () => socket.end('bye'));
    });
    const { events, log, until } = recorder();
    const stream = hostNetwork().connect('127.0.0.1', port, events);
    await until('connected');
    stream.write(Buffer.from('x'));
    await until('data got x');
    expect(stream.pending).toBe(0);
    stream.end();
    await until('closed false');
    expect(log).toEqual(['connected', 'drained', 'data got x', 'data bye', 'finished', 'closed false']);
  });

  it('tells of a port where nobody listens', async () => {
    const port = await server(() => {});
    opened.pop()!();
    const { events, log, until } = recorder();
    hostNetwork().connect('127.0.0.1', port, events);
    await until('closed true');
    expect(log).toEqual(['closed true']);
  });

  it('holds nothing open after the run', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await server((socket) => {
      socket.on('error', () => {});
      socket.on('close', () => closed.resolve());
      socket.resume();
      socket.on('end', () => socket.end());
    });
    const host = hostNetwork();
    const { events, until } = recorder();
    host.connect('127.0.0.1', port, events);
    await until('connected');
    host.close();
    await closed.promise;
  });
});

describe("the host's UDP and names", () => {
  it('sends and receives datagrams', async () => {
    const echo: UdpSocket = createSocket('udp4');
    echo.on('message', (bytes, { port, address }) => echo.send(bytes, port, address));
    echo.bind(0, '127.0.0.1');
    opened.push(() => echo.close());
    await once(echo, 'listening');
    const { port } = echo.address();
    const came = Promise.withResolvers<string>();
    const socket = hostNetwork().openDatagrams((address, from, bytes) =>
      came.resolve(`${address} ${from === port} ${Buffer.from(bytes).toString()}`),
    );
    socket.send('127.0.0.1', port, Buffer.from('datagram'));
    expect(await came.promise).toBe('127.0.0.1 true datagram');
    socket.close();
    socket.close();
  });

  it('knows the host itself, which a guest may not reach', () => {
    const host = hostNetwork();
    expect([host.mayReach('127.0.0.1'), host.mayReach('93.184.216.34')]).toEqual([true, true]);
  });

  it('resolves what the host can', async () => {
    const found = await new Promise((resolve) => hostNetwork().resolve('localhost', resolve));
    expect(found).toContain('127.0.0.1');
  });
});

describe('a forwarded port', () => {
  const network = (clock: Clock = new FakeClock()) =>
    new UserNetwork(clock, { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), forwards: true });

  async function freePort(): Promise<number> {
    const port = await server(() => {});
    opened.pop()!();
    return port;
  }

  it('takes connections for the guest, and lets them go when there is none', async () => {
    const hostPort = await freePort();
    const clock = new FakeClock();
    const host = hostNetwork();
    const close = await openForwards([{ protocol: 'tcp', hostPort, guestPort: 22 }], network(clock), host);
    opened.push(close);
    const client = connect(hostPort, '127.0.0.1');
    client.on('error', () => {});
    await once(client, 'connect');
    // the guest never answers: after two minutes of its time the client is told
    const gone = new Promise((resolve) => client.on('close', resolve));
    while (Object.keys(clock.deadlines()).length === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(clock.hz * 300);
    await gone;
  });

  it('is refused when somebody has it, and then none is open', async () => {
    const taken = await server(() => {});
    const hostPort = await freePort();
    const forwards = [hostPort, taken].map((port) => ({ protocol: 'tcp' as const, hostPort: port, guestPort: 22 }));
    await expect(openForwards(forwards, network(), hostNetwork())).rejects.toMatchObject({
      code: 'RF_PORT_UNAVAILABLE',
    });
    const client = connect(hostPort, '127.0.0.1');
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });
});
