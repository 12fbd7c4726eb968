/** The way to the host's network: what gets through, what does not, how much waits. */
import { describe, expect, it } from 'vitest';
import { concat, parseIpv4 } from './internet.js';
import { GATEWAY, NAME_SERVER } from './plan.js';
import { ACK, FIN, RST, SYN } from './tcp-segment.js';
import { FakeHost, FakeStream } from './testing/fake-host.js';
import { GUEST, HZ, Peer, Station } from './testing/station.js';

const OUTSIDE = parseIpv4('93.184.216.34')!;
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

function setUp(options: { loopback?: boolean } = {}) {
  const host = new FakeHost();
  const station = new Station({ host, ...options });
  station.arp(GATEWAY);
  let wakes = 0;
  station.network.onWake(() => wakes++);
  return { host, station, wakes: () => wakes };
}

/** A connection of the guest's to the outside that stands. */
function connected() {
  const all = setUp();
  const peer = new Peer(all.station, 80, 5000, OUTSIDE);
  expect(peer.segment(SYN)).toEqual([]);
  const [stream] = all.host.streams;
  stream.events.connected();
  peer.take();
  peer.segment(ACK);
  return { ...all, peer, stream };
}

describe('TCP to the outside', () => {
  it('opens when the host has, and carries data both ways', () => {
    const { peer, stream, wakes } = connected();
    expect(stream.to).toBe('93.184.216.34:80');
    expect(wakes()).toBe(1);
    peer.segment(ACK, 'GET /');
    expect(stream.written).toBe('GET /');
    stream.say('200 OK');
    expect(wakes()).toBe(2);
    peer.take();
    expect(peer.received).toBe('200 OK');
  });

  it('closes one way and then the other', () => {
    const { peer, stream, station } = connected();
    peer.segment(ACK | FIN);
    expect(stream.ended).toBe(true);
    stream.say('rest');
    stream.events.finished();
    stream.events.closed(false);
    peer.take();
    peer.segment(ACK);
    expect([peer.received, peer.finished]).toEqual(['rest', true]);
    expect(peer.segment(ACK).map(({ flags }) => flags)).toEqual([RST]);
    expect(station.clock.deadlines()).toEqual({});
    expect(stream.destroyed).toBe(false);
  });

  it('closes the other way and then the one', () => {
    const { peer, stream, station } = connected();
    stream.events.finished();
    peer.take();
    expect([peer.finished, stream.ended]).toEqual([true, false]);
    peer.segment(ACK, 'more');
    expect(stream.written).toBe('more');
    peer.segment(ACK | FIN);
    expect(stream.ended).toBe(true);
    stream.events.closed(false);
    expect(peer.reset).toBe(false);
    station.clock.advance(11 * HZ);
    expect(station.clock.deadlines()).toEqual({});
  });

  it('closes both ways at once', () => {
    const { peer, stream } = connected();
    stream.events.finished();
    // its FIN crosses ours
    const before = peer.acknowledged;
    peer.segment(ACK | FIN, undefined, { acknowledged: before });
    expect(stream.ended).toBe(true);
    peer.segment(ACK);
    peer.sequence--;
    expect(peer.segment(ACK | FIN).map(({ flags }) => flags)).toEqual([ACK]);
  });

  it('is refused when the host is', () => {
    const { host, station } = setUp();
    const peer = new Peer(station, 81, 5000, OUTSIDE);
    peer.segment(SYN);
    host.streams[0].events.closed(true);
    peer.take();
    expect(peer.reset).toBe(true);
  });

  it('asks the host once, however often the guest does', () => {
    const { host, station } = setUp();
    const peer = new Peer(station, 80, 5000, OUTSIDE);
    for (let i = 0; i < 5; i++) {
      peer.segment(SYN);
      peer.sequence--;
    }
    expect(host.streams).toHaveLength(1);
  });

  it('resets each side when the other breaks', () => {
    const broken = connected();
    broken.stream.events.closed(true);
    broken.peer.take();
    expect(broken.peer.reset).toBe(true);
    const dropped = connected();
    dropped.peer.segment(RST);
    expect(dropped.stream.destroyed).toBe(true);
  });

  it('takes from the guest no more than the host does', () => {
    const { peer, stream } = connected();
    let window = 65_535;
    while (window > 0) [{ window }] = peer.segment(ACK, 'x'.repeat(Math.min(1460, window))).slice(-1);
    expect(stream.written).toHaveLength(65_535);
    expect(stream.pending).toBe(65_535);
    stream.drain();
    const [update] = peer.take();
    expect(update.window).toBe(65_535);
  });

  it('takes from the host no more than the guest does', () => {
    const { peer, stream } = connected();
    peer.window = 0;
    peer.segment(ACK);
    for (let i = 0; i < 10 && !stream.paused; i++) stream.say('y'.repeat(10_000));
    expect(stream.paused).toBe(true);
    peer.window = 65_535;
    peer.drain();
    expect(peer.received).toBe('y'.repeat(70_000));
    expect(stream.paused).toBe(false);
  });

  it('has 64 connections on their way', () => {
    const { host, station } = setUp();
    const peers = Array.from({ length: 65 }, (_, i) => new Peer(station, 80, 5000 + i, OUTSIDE));
    for (const peer of peers) peer.segment(SYN);
    expect(host.streams).toHaveLength(64);
    expect(peers[64].reset).toBe(true);
  });

  it('does not outlive a snapshot: the guest is told by a reset', () => {
    const { station, peer } = connected();
    const saved = station.network.saveState();
    const other = new Station({ host: new FakeHost() });
    other.network.loadState(saved);
    const here = Object.assign(new Peer(other, 80, 5000, OUTSIDE), { acknowledged: peer.acknowledged });
    here.take();
    expect(here.reset).toBe(true);
    expect(other.clock.deadlines()).toEqual({});
  });
});

describe('containment', () => {
  it.each(['127.0.0.1', '127.9.9.9', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.0.0.1', '192.168.1.9'])(
    'keeps the guest from %s',
    (address) => {
      const { host, station } = setUp();
      const target = parseIpv4(address)!;
      new Peer(station, 80, 5000, target).segment(SYN);
      station.udp(target, 53, Uint8Array.of(1));
      expect([host.streams, host.sockets]).toEqual([[], []]);
    },
  );

  it("keeps it from the host's loopback, unless that is open", () => {
    const shut = setUp();
    const refused = new Peer(shut.station, 8080);
    refused.segment(SYN);
    expect([refused.reset, shut.host.streams]).toEqual([true, []]);
    const open = setUp({ loopback: true });
    new Peer(open.station, 8080).segment(SYN);
    expect(open.host.streams[0].to).toBe('127.0.0.1:8080');
    new Peer(open.station, 53, 5001, NAME_SERVER).segment(SYN);
    expect(open.host.streams).toHaveLength(1);
    open.station.udp(GATEWAY, 5353, Uint8Array.of(65));
    expect(open.host.sockets[0].sent).toEqual(['127.0.0.1:5353 A']);
    open.host.sockets[0].receive('127.0.0.1', 5353, Uint8Array.of(66));
    expect(open.station.datagrams()).toMatchObject([{ from: GATEWAY, port: 5353, to: 4000 }]);
    // what the gateway serves itself is not the host's
    const own = new Peer(open.station, 80, 5002).connect();
    own.segment(ACK, 'GET / HTTP/1.0\r\n\r\n');
    expect(own.received).toContain('200 OK');
  });
});

describe('UDP to the outside', () => {
  it('is answered by those it was sent to, and by nobody else', () => {
    const { host, station } = setUp();
    station.udp(OUTSIDE, 123, new TextEncoder().encode('time'), 4000);
    const [socket] = host.sockets;
    expect(socket.sent).toEqual(['93.184.216.34:123 time']);
    socket.receive('93.184.216.34', 123, Uint8Array.of(7));
    socket.receive('93.184.216.34', 124, Uint8Array.of(8));
    socket.receive('9.9.9.9', 123, Uint8Array.of(9));
    socket.receive('93.184.216.34', 123, new Uint8Array(1473));
    expect(station.datagrams()).toMatchObject([{ from: OUTSIDE, port: 123, to: 4000, payload: Uint8Array.of(7) }]);
  });

  it('uses one socket a port of the guest, and 64 at most', () => {
    const { host, station } = setUp();
    for (let i = 0; i < 70; i++) station.udp(OUTSIDE, 1000 + i, Uint8Array.of(1), 4000);
    expect(host.sockets).toHaveLength(1);
    for (let i = 0; i < 64; i++) station.udp(OUTSIDE, 53, Uint8Array.of(1), 5000 + i);
    expect(host.sockets).toHaveLength(65);
    expect(host.sockets.map(({ closed }) => closed).indexOf(false)).toBe(1);
    expect(host.sockets.filter(({ closed }) => closed)).toHaveLength(1);
  });
});

describe('names of the outside', () => {
  const query = (type: number): Uint8Array =>
    concat(
      Uint8Array.of(1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2),
      new TextEncoder().encode('de'),
      Uint8Array.of(0, 0, type, 0, 1),
    );

  it.each([
    ['one with addresses', ['1.2.3.4', '5.6.7.8'], 0, 2],
    ['one that is not', [], 3, 0],
    ['one that nobody knows about', undefined, 2, 0],
  ])('the host is asked about: %s', (_name, found, code, answers) => {
    const { host, station } = setUp();
    station.udp(NAME_SERVER, 53, query(1));
    expect(station.datagrams()).toEqual([]);
    expect(host.questions[0].name).toBe('de');
    host.questions[0].done(found);
    const [{ payload }] = station.datagrams();
    expect([payload[3] & 15, payload[7]]).toEqual([code, answers]);
  });

  it('are some: the host is not asked about what can be none', () => {
    const { host, station } = setUp();
    const bytes = query(1);
    bytes[13] = 0;
    station.udp(NAME_SERVER, 53, bytes);
    expect(host.questions).toEqual([]);
    expect(station.datagrams()[0].payload[3] & 15).toBe(3);
  });

  it('have nothing but IPv4 addresses', () => {
    const { host, station } = setUp();
    station.udp(NAME_SERVER, 53, query(28));
    host.questions[0].done(['1.2.3.4']);
    expect(station.datagrams()[0].payload.subarray(2, 8)).toEqual(Uint8Array.of(0x81, 0x80, 0, 1, 0, 0));
  });

  it('are asked for 64 at a time', () => {
    const { host, station } = setUp();
    for (let i = 0; i < 65; i++) station.udp(NAME_SERVER, 53, query(1));
    expect(host.questions).toHaveLength(64);
    expect(station.datagrams()[0].payload[3] & 15).toBe(2);
  });
});

describe('a forwarded port', () => {
  function forwarded() {
    const station = new Station({ forwards: true });
    station.arp(GATEWAY);
    let stream: FakeStream | undefined;
    station.network.forwardStream(22, (events) => (stream = new FakeStream('', events)));
    const [syn] = station.segments();
    expect(syn).toMatchObject({ source: GATEWAY, target: GUEST, targetPort: 22, flags: SYN });
    const guest = new Peer(station, syn.sourcePort, 22);
    guest.acknowledged = (syn.sequence + 1) >>> 0;
    return { station, guest, stream: stream! };
  }

  it('connects the host to the guest', () => {
    const { guest, stream } = forwarded();
    stream.say('early');
    guest.segment(SYN | ACK);
    expect(guest.received).toBe('early');
    guest.segment(ACK, 'SSH-2.0');
    expect(stream.written).toBe('SSH-2.0');
    expect(stream.paused).toBe(false);
    stream.events.finished();
    guest.take();
    expect(guest.finished).toBe(true);
  });

  it('is closed when the guest does not listen, or is not there', () => {
    const refused = forwarded();
    refused.guest.segment(RST | ACK);
    expect(refused.stream.destroyed).toBe(true);
    const absent = forwarded();
    for (let i = 0; i < 300; i++) absent.station.clock.advance(HZ);
    expect(absent.stream.destroyed).toBe(true);
    expect(absent.station.clock.deadlines()).toEqual({});
  });

  it('asks for a guest that has not spoken yet', () => {
    const station = new Station({ forwards: true });
    station.network.forwardStream(22, (events) => new FakeStream('', events));
    const [request] = station.frames();
    expect([...request.subarray(12, 14), request[21]]).toEqual([8, 6, 1]);
    station.arp(GATEWAY, 2);
    station.clock.advance(HZ);
    expect(station.segments()).toHaveLength(1);
  });

  it('carries datagrams, and answers to whom they came from', () => {
    const station = new Station({ forwards: true });
    station.arp(GATEWAY);
    const answers: string[] = [];
    const send = (peer: string): void =>
      station.network.forwardDatagram(53, peer, Uint8Array.of(1), (bytes) => answers.push(`${peer} ${text(bytes)}`));
    send('127.0.0.1:1000');
    send('127.0.0.1:1001');
    send('127.0.0.1:1000');
    const ports = station.datagrams().map(({ port }) => port);
    expect(ports[0]).toBe(ports[2]);
    expect(ports[0]).not.toBe(ports[1]);
    station.udp(GATEWAY, ports[1], new TextEncoder().encode('b'), 53);
    station.udp(GATEWAY, ports[0], new TextEncoder().encode('a'), 53);
    station.udp(GATEWAY, ports[0], new TextEncoder().encode('x'), 54);
    expect(answers).toEqual(['127.0.0.1:1001 b', '127.0.0.1:1000 a']);
    for (let i = 0; i < 100; i++) send(`127.0.0.1:${2000 + i}`);
    station.frames();
    station.udp(GATEWAY, ports[0], new TextEncoder().encode('late'), 53);
    expect(answers).toHaveLength(2);
  });
});

describe('a network without the way out', () => {
  it('is not live, and one with it is', () => {
    expect(new Station().network.live).toBe(false);
    expect(new Station({ forwards: true }).network.live).toBe(true);
    expect(setUp().station.network.live).toBe(true);
  });
});
