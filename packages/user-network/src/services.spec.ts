/** The web server and TFTP through the network. */
import { describe, expect, it } from 'vitest';
import { concat } from './internet.js';
import { GATEWAY } from './plan.js';
import { ACK, FIN } from './tcp-segment.js';
import { HZ, Peer, Station } from './testing/station.js';

const BIG = Uint8Array.from({ length: 200_001 }, (_, i) => (i * 31) >>> 3);
const FILES = new Map([
  ['/hello.txt', Buffer.from('hello\n')],
  ['/a b/ü.bin', Uint8Array.of(0, 255)],
  ['/big', BIG],
  ['/empty', new Uint8Array()],
]);

const station = () => new Station({ serve: FILES });

function request(text: string, at = station()): Peer {
  const peer = new Peer(at, 80).connect();
  peer.segment(ACK, text);
  peer.drain();
  return peer;
}

describe('the web server', () => {
  it('gives a file and closes', () => {
    const peer = request('GET /hello.txt HTTP/1.1\r\nHost: 10.0.2.2\r\n\r\n');
    expect(peer.received.split('\r\n')).toEqual([
      'HTTP/1.1 200 OK',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Length: 6',
      'Connection: close',
      '',
      'hello\n',
    ]);
    expect(peer.finished).toBe(true);
  });

  it('gives a file that is larger than the send queue, byte for byte', () => {
    const { received, finished } = request('GET /big HTTP/1.0\r\n\r\n');
    expect(finished).toBe(true);
    expect(Buffer.from(received.slice(-BIG.length), 'latin1').equals(BIG)).toBe(true);
  });

  it('gives the head alone to HEAD, and nothing after it for an empty file', () => {
    for (const peer of [request('HEAD /big HTTP/1.0\n\n'), request('GET /empty HTTP/1.0\r\n\r\n')]) {
      expect(peer.received).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
      expect(peer.finished).toBe(true);
    }
  });

  it('decodes the path, and takes no notice of a query or a proxy form', () => {
    expect(request('GET /a%20b/%C3%BC.bin?x=1 HTTP/1.0\r\n\r\n').received).toContain('\r\n\r\n\0\xff');
    expect(request('GET http://10.0.2.2/hello.txt HTTP/1.1\r\n\r\n').received).toContain('hello\n');
  });

  it('lists what there is', () => {
    const { received } = request('GET / HTTP/1.0\r\n\r\n');
    expect(received.split('\r\n\r\n')[1].split('\n')[3]).toBe('      200001 /big');
  });

  it.each([
    ['GET /nowhere HTTP/1.0\r\n\r\n', '404'],
    ['GET /%zz HTTP/1.0\r\n\r\n', '404'],
    ['GET /../hello.txt HTTP/1.0\r\n\r\n', '404'],
    ['POST /hello.txt HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc', '405'],
    ['hello\r\n\r\n', '400'],
    ['GET /hello.txt SPDY/1\r\n\r\n', '400'],
  ])('answers %j with %s', (text, status) => {
    const { received, finished } = request(text);
    expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(finished).toBe(true);
  });

  it('takes a request in pieces, and none without end', () => {
    const at = station();
    const peer = new Peer(at, 80).connect();
    for (const letter of 'GET /hello.txt HTTP/1.0\r\n\r\n') peer.segment(ACK, letter);
    peer.drain();
    expect(peer.received).toContain('hello\n');
    const endless = new Peer(at, 80, 5001).connect();
    for (let i = 0; i < 20; i++) endless.segment(ACK, 'x'.repeat(1000));
    endless.drain();
    expect(endless.received).toMatch(/^HTTP\/1.1 431 /);
  });

  it('closes when the client says nothing', () => {
    const peer = new Peer(station(), 80).connect();
    peer.segment(ACK | FIN);
    expect([peer.finished, peer.received]).toEqual([true, '']);
  });
});

const text = (...words: string[]) => new TextEncoder().encode(words.map((word) => `${word}\0`).join(''));

describe('TFTP', () => {
  const CLIENT = 3000;
  function start(at: Station, opcode: number, ...words: string[]) {
    at.udp(GATEWAY, 69, concat(Uint8Array.of(0, opcode), text(...words)), CLIENT);
    return at.datagrams();
  }
  const ack = (at: Station, tid: number, block: number, from = CLIENT) => {
    at.udp(GATEWAY, tid, Uint8Array.of(0, 4, block >>> 8, block & 255), from);
    return at.datagrams();
  };

  it('sends a file block by block, the last one short', () => {
    const at = station();
    let [data] = start(at, 1, 'big', 'octet');
    const blocks: Uint8Array[] = [];
    for (let block = 1; ; block++) {
      expect([...data.payload.subarray(0, 4)]).toEqual([0, 3, block >>> 8, block & 255]);
      blocks.push(data.payload.slice(4));
      const next = ack(at, data.port, block);
      if (next.length === 0) break;
      [data] = next;
    }
    expect(Buffer.concat(blocks).equals(BIG)).toBe(true);
    expect(blocks).toHaveLength(391);
    expect(at.clock.deadlines()).toEqual({});
  });

  it('ends a file of whole blocks with an empty one', () => {
    const at = new Station({ serve: new Map([['/k', new Uint8Array(512)]]) });
    const [data] = start(at, 1, '/k', 'netascii');
    const [empty] = ack(at, data.port, 1);
    expect(empty.payload).toHaveLength(4);
    expect(ack(at, data.port, 2)).toEqual([]);
  });

  it('agrees on block size and tells the size', () => {
    const at = station();
    const [oack] = start(at, 1, 'big', 'octet', 'BLKSIZE', '9000', 'tsize', '0', 'windowsize', '4');
    expect(String.fromCharCode(...oack.payload)).toBe('\0\x06blksize\x001468\0tsize\x00200001\0');
    const [data] = ack(at, oack.port, 0);
    expect(data.payload).toHaveLength(4 + 1468);
  });

  it('sends again after a second, never for an old acknowledgement, and gives up', () => {
    const at = station();
    const [data] = start(at, 1, 'big', 'octet');
    ack(at, data.port, 1);
    expect(ack(at, data.port, 1)).toEqual([]);
    let times = 0;
    for (let i = 0; i < 20; i++) {
      at.clock.advance(HZ);
      times += at.datagrams().length;
    }
    expect(times).toBe(5);
    expect(at.clock.deadlines()).toEqual({});
  });

  it('refuses what it does not do', () => {
    const at = station();
    expect([...start(at, 1, 'nowhere', 'octet')[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 1]);
    expect([...start(at, 2, 'big', 'octet')[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 2]);
    expect([...start(at, 1, 'big', 'mail')[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 4]);
    expect([...start(at, 9, 'big', 'octet')[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 4]);
    const [data] = start(at, 1, 'big', 'octet');
    // another client at this transfer
    expect([...ack(at, data.port, 1, 3001)[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 5]);
    expect(ack(at, data.port, 1)).toHaveLength(1);
  });

  it('has eight transfers at most', () => {
    const at = station();
    for (let i = 0; i < 20; i++) at.udp(GATEWAY, 69, concat(Uint8Array.of(0, 1), text('big', 'octet')), 3000 + i);
    const first = at.datagrams();
    expect(first).toHaveLength(20);
    expect([...ack(at, first[0].port, 1)[0].payload.subarray(0, 4)]).toEqual([0, 5, 0, 5]);
    expect((at.network.saveState().data.tftp as { transfers: unknown[] }).transfers).toHaveLength(8);
  });
});
