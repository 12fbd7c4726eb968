/** The host's network opened to a real guest, which fetches a file from a server of the host's; and shut, as it is by itself. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/cli.js';
import { fakeIo } from '../src/testing/fake-io.js';

const images = resolve(import.meta.dirname, '../../../guests/images');
const net = resolve(images, 'net.elf');
const file = resolve(images, 'hello.elf');

let server: Server;
let port: number;
let requests: string[];
beforeAll(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.end(readFileSync(file));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => server.close());

async function freePort(): Promise<number> {
  const probe = createTcpServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}

async function connected(to: number): Promise<Socket> {
  const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** What comes back for `text`, once somebody listens. */
async function ask(to: number, text: string): Promise<string> {
  for (;;) {
    const socket = await connected(to).catch(() => undefined);
    if (socket === undefined) {
      await new Promise((again) => setTimeout(again, 20));
      continue;
    }
    socket.end(text);
    let answer = '';
    for await (const bytes of socket) answer += String(bytes);
    return answer;
  }
}

async function run(...flags: string[]) {
  const io = fakeIo();
  const status = await main(['run', '--kernel', net, '-m', '16M', '--timeout', '60', ...flags], io);
  return { status, out: io.out().replaceAll('\r', ''), err: io.err() };
}

describe('a guest on the network', () => {
  it('has the files that the process serves, and no way out', async () => {
    const { status, out } = await run('--serve', `/file=${file}`, '--host', 'file.example=10.0.2.2');
    expect(out).toMatch(/^(file of 16660 bytes \w+\n)\1frames \w+\nPASS net\n$/);
    expect(status).toBe(33);
    expect(requests).toEqual([]);
  });

  it("reaches a server on the host's loopback when that is open", async () => {
    const { status, out, err } = await run('--net', 'user,open,loopback', '--append', `port=${port}`);
    expect(out, err).toMatch(/^(file of 16660 bytes \w+\n)\1PASS net\n$/);
    expect(status).toBe(33);
    expect(requests).toEqual(['GET /file', 'GET /file']);
  });

  it('does not reach it when only the network is', async () => {
    const { status, out } = await run('--net', 'user,open', '--append', `port=${port}`);
    expect(out).toMatch(/^FAIL net\.c:\d+ tcp\[13\]/);
    expect(status).toBe(35);
    expect(requests).toHaveLength(2);
  });

  it('serves who connects to a forwarded port', async () => {
    const hostPort = await freePort();
    const ended = run('--forward', `tcp:${hostPort}:23`, '--append', 'listen=23');
    // The guest serves one session without paging and one with; the port is bound before it begins.
    const answers = [await ask(hostPort, 'HAL'), await ask(hostPort, 'x'.repeat(100_000))];
    expect(answers).toEqual(['IBM', 'y'.repeat(100_000)]);
    const { status, out, err } = await ended;
    expect([status, out], err).toEqual([33, 'PASS net\n']);
    // and shut after the run
    await expect(connected(hostPort)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it.each([
    [['--serve', 'no-such-file'], 'RF_NETWORK_FILE'],
    [['--net', 'user,card=ne2000'], 'RF_UNKNOWN_NAME'],
    [['--net', 'user,loopback'], 'RF_CONTRADICTION'],
    [['--net', 'tap'], 'RF_BAD_USAGE'],
    [['--host', 'a=b'], 'RF_BAD_CONFIG'],
  ])('is refused %j with %s before anything runs', async (flags, code) => {
    const { status, out, err } = await run(...flags);
    expect([status, out]).toEqual([2, '']);
    expect(err).toMatch(new RegExp(`^${code}: [^\n]+\n$`));
  });

  it('is refused a port of the host that somebody has', async () => {
    const { status, err } = await run('--forward', `tcp:${port}:22`);
    expect(status).toBe(2);
    expect(err).toMatch(/^RF_PORT_UNAVAILABLE: /);
  });
});
