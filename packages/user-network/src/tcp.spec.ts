/** TCP through the network, against a peer by hand: what goes on the wire, loss, windows, ends, bounds. */
import { describe, expect, it } from 'vitest';
import { put16 } from './internet.js';
import { PROTOCOL_TCP } from './ipv4.js';
import { GATEWAY } from './plan.js';
import { ACK, FIN, MSS, RST, SYN, tcpSegment, type TcpSegment } from './tcp-segment.js';
import { GUEST, HZ, Peer, Station, describeSegment } from './testing/station.js';

const ECHO = 7;
const DISCARD = 9;
const SECOND = HZ;
/** Ports are taken apart by number of bytes that fill the gateway's send queue. */
const QUEUE = 65_536;

function lines(segments: TcpSegment[], peer: Peer, isn: number): string[] {
  return segments.map((segment) => describeSegment(segment, isn, 1000 + peer.localPort));
}

describe('a TCP connection', () => {
  it('opens, carries data and closes, segment by segment', () => {
    const peer = new Peer(new Station(), ECHO);
    const [synAck] = peer.segment(SYN);
    const isn = synAck.sequence;
    expect(lines([synAck], peer, isn)).toEqual(['SA 0 1 0']);
    expect([synAck.window, synAck.mss]).toEqual([65_535, MSS]);
    expect(peer.segment(ACK)).toEqual([]);
    expect(lines(peer.segment(ACK, 'hello'), peer, isn)).toEqual(['PA 1 6 5', 'A 6 6 0']);
    expect(peer.received).toBe('hello');
    expect(peer.segment(ACK)).toEqual([]);
    expect(lines(peer.segment(ACK | FIN), peer, isn)).toEqual(['A 6 7 0', 'FA 6 7 0']);
    expect(peer.segment(ACK)).toEqual([]);
    // it is gone: the next segment meets nobody
    expect(lines(peer.segment(ACK), peer, isn)).toEqual(['R 7 -6000 0']);
    expect(peer.station.clock.deadlines()).toEqual({});
  });

  it('refuses where nobody listens', () => {
    const peer = new Peer(new Station(), 8);
    const [reset] = peer.segment(SYN);
    expect(lines([reset], peer, 0)).toEqual(['RA 0 1 0']);
  });

  it('sends in segments of the size that the peer takes', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO);
    const options = Uint8Array.of(2, 4, 0, 100);
    const syn = tcpSegment({
      ...{ source: GUEST, target: GATEWAY, sourcePort: 5000, targetPort: ECHO },
      ...{ sequence: 6000, acknowledged: 0, flags: SYN, window: 65_535 },
    });
    syn.set(options, 20);
    put16(syn, 16, 0);
    station.send(PROTOCOL_TCP, withChecksum(syn));
    peer.sequence = 6001;
    peer.take();
    peer.segment(ACK);
    const sizes = peer.segment(ACK, 'x'.repeat(250)).map(({ data }) => data.length);
    expect(sizes.filter((size) => size > 0)).toEqual([100, 100, 50]);
  });

  it('retransmits after a second, then less and less often, and gives up', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO).connect();
    peer.segment(ACK, 'lost');
    peer.received = '';
    const times: number[] = [];
    for (let second = 1; second < 400; second++) {
      station.clock.advance(SECOND);
      for (const { data, flags } of station.segments()) {
        if ((flags & RST) !== 0) peer.reset = true;
        if (data.length > 0) times.push(second);
      }
    }
    expect(times).toEqual([1, 3, 7, 15, 31, 63, 123]);
    expect(peer.reset).toBe(true);
    expect(station.clock.deadlines()).toEqual({});
  });

  it('sends again at the third duplicate acknowledgement, all that is missing', () => {
    const peer = new Peer(new Station(), ECHO).connect();
    const first = peer.acknowledged;
    for (let i = 0; i < 3; i++, peer.acknowledged = first) peer.segment(ACK, 'y'.repeat(1000));
    expect(peer.segment(ACK)).toEqual([]);
    expect(peer.segment(ACK)).toEqual([]);
    const again = peer.segment(ACK);
    expect(again.map(({ data }) => data.length)).toEqual([MSS, MSS, 80]);
  });

  it('goes on where the peer had kept what came after a loss', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO).connect();
    const first = peer.acknowledged;
    for (let i = 0; i < 3; i++, peer.acknowledged = first) peer.segment(ACK, 'z'.repeat(1000));
    const end = first + 3000;
    peer.window = MSS;
    for (let i = 0; i < 3; i++) peer.segment(ACK);
    peer.acknowledged = end;
    peer.window = 65_535;
    expect(peer.segment(ACK)).toEqual([]);
    const more = peer.segment(ACK, 'more');
    expect(more.map(({ data }) => data.length)).toEqual([4, 0]);
  });

  it('keeps to the window, probes a window of zero, and goes on when it opens', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO).connect();
    peer.window = 0;
    const none = peer.segment(ACK, 'waits');
    expect(none.map(({ data }) => data.length)).toEqual([0]);
    const acknowledged = peer.acknowledged;
    for (let i = 0; i < 20; i++) {
      station.clock.advance(61 * SECOND);
      const probes = station.segments();
      expect(probes.map(({ data }) => data.length)).toEqual([1, 1, 1, 1, 1]);
      // the peer answers, and still has no room
      peer.segment(ACK, undefined, { acknowledged });
    }
    peer.window = 100;
    peer.segment(ACK);
    expect(peer.received).toBe('waits');
    expect(peer.reset).toBe(false);
  });

  it('takes no more than it said, and says so when it takes more', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO).connect();
    peer.window = 0;
    let taken = 0;
    let window = 65_535;
    while (window > 0) {
      const [{ acknowledged, window: left }] = peer.segment(ACK, 'q'.repeat(Math.min(MSS, window))).slice(-1);
      taken = acknowledged - (1000 + peer.localPort + 1);
      window = left;
    }
    expect(taken).toBe(QUEUE);
    const [full] = peer.segment(ACK, 'more', { sequence: peer.sequence });
    expect([full.acknowledged - 6001, full.window]).toEqual([QUEUE, 0]);
    peer.sequence -= 4;
    // the peer reads: the gateway's queue empties, its window opens
    peer.window = 65_535;
    peer.drain();
    expect(peer.received).toBe('q'.repeat(QUEUE));
    const [update] = peer.segment(ACK, 'r');
    expect(update.acknowledged - 6001).toBe(QUEUE + 1);
  });

  it('is not confused by old, overlapping and early segments', () => {
    const peer = new Peer(new Station(), ECHO).connect();
    peer.segment(ACK, 'abcdef');
    peer.segment(ACK, 'def', { sequence: peer.sequence - 3 });
    peer.sequence -= 3;
    peer.segment(ACK, 'efgh', { sequence: peer.sequence - 2 });
    peer.sequence -= 2;
    const [ack] = peer.segment(ACK, 'zzz', { sequence: peer.sequence + 10 });
    peer.sequence -= 3;
    expect(ack.acknowledged).toBe(peer.sequence);
    peer.segment(ACK, 'i');
    expect(peer.received).toBe('abcdefghi');
  });

  it('ends by a reset only at the very number (RFC 5961)', () => {
    const station = new Station();
    const peer = new Peer(station, ECHO).connect();
    const [challenge] = peer.segment(RST, undefined, { sequence: peer.sequence + 5 });
    expect(challenge.flags).toBe(ACK);
    expect(peer.segment(RST, undefined, { sequence: peer.sequence + 70_000 })).toEqual([]);
    expect(peer.segment(SYN, undefined, { sequence: peer.sequence }).map(({ flags }) => flags)).toEqual([ACK]);
    peer.sequence--;
    expect(peer.segment(ACK, 'there')).not.toEqual([]);
    expect(peer.received).toBe('there');
    expect(peer.segment(RST)).toEqual([]);
    expect(peer.segment(ACK).map(({ flags }) => flags)).toEqual([RST]);
  });

  it('answers a SYN that came again, and an acknowledgement of nothing', () => {
    const peer = new Peer(new Station(), ECHO);
    const [first] = peer.segment(SYN);
    peer.sequence--;
    const [second] = peer.segment(SYN);
    expect(second).toEqual(first);
    peer.segment(ACK);
    const [ack] = peer.segment(ACK, undefined, { acknowledged: peer.acknowledged + 1000 });
    expect(ack.acknowledged).toBe(peer.sequence);
  });

  it('waits out its time, and makes room for a new connection meanwhile', () => {
    const station = new Station({ serve: new Map([['/f', Uint8Array.of(65)]]) });
    const peer = new Peer(station, 80).connect();
    peer.segment(ACK, 'GET /f HTTP/1.0\r\n\r\n');
    expect(peer.finished).toBe(true);
    peer.segment(ACK | FIN);
    // our FIN is acknowledged, theirs again: the acknowledgement was lost
    peer.sequence--;
    expect(peer.segment(ACK | FIN).map(({ flags }) => flags)).toEqual([ACK]);
    const again = new Peer(station, 80);
    again.sequence = peer.sequence + 100_000;
    again.connect();
    again.segment(ACK, 'GET /f HTTP/1.0\r\n\r\n');
    expect(again.received).toContain('200 OK');
    again.segment(ACK | FIN);
    station.clock.advance(11 * SECOND);
    expect(again.segment(ACK).map(({ flags }) => flags)).toEqual([RST]);
    expect(station.clock.deadlines()).toEqual({});
  });

  it('does not live for ever', () => {
    const station = new Station();
    const peer = new Peer(station, DISCARD).connect();
    station.clock.advance(899 * SECOND);
    peer.segment(ACK, 'still here');
    station.clock.advance(899 * SECOND);
    expect(peer.take()).toEqual([]);
    station.clock.advance(2 * SECOND);
    peer.take();
    expect(peer.reset).toBe(true);
    expect(station.clock.deadlines()).toEqual({});
  });

  it('is one of 128: those that only wait make room, others do not', () => {
    const station = new Station();
    const peers = Array.from({ length: 128 }, (_, i) => new Peer(station, DISCARD, 6000 + i).connect());
    const late = new Peer(station, DISCARD, 7000);
    late.segment(SYN);
    expect(late.reset).toBe(true);
    // half open ones go first
    peers[5].segment(RST);
    const half = new Peer(station, DISCARD, 7001);
    half.segment(SYN);
    const next = new Peer(station, DISCARD, 7002).connect();
    next.segment(ACK, 'x');
    expect(next.reset).toBe(false);
    half.segment(ACK);
    expect(half.reset).toBe(true);
  });

  it('holds back while the card takes nothing, and goes on when it does', () => {
    const file = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 7);
    const station = new Station({ serve: new Map([['/big', file]]) });
    const peers = Array.from({ length: 8 }, (_, i) => new Peer(station, 80, 6000 + i).connect());
    // eight requests whose answers nobody takes up
    for (const peer of peers) {
      const data = new TextEncoder().encode('GET /big HTTP/1.0\r\n\r\n');
      const ends = { source: GUEST, target: GATEWAY, sourcePort: peer.localPort, targetPort: 80 };
      const numbers = { sequence: peer.sequence, acknowledged: peer.acknowledged, flags: ACK, window: 65_535 };
      station.send(PROTOCOL_TCP, tcpSegment({ ...ends, ...numbers, data }));
      peer.sequence += data.length;
    }
    const { frames } = station.network.saveState().data;
    expect((frames as unknown[]).length).toBe(128);
    // taken up by one peer after another: each drops what is another's, which is then sent again
    const heads = new Set<number>();
    for (let round = 0; round < 400 && heads.size < 8; round++) {
      const segments = station.segments();
      for (const peer of peers) {
        for (const { sequence, data } of segments.filter(({ targetPort }) => targetPort === peer.localPort)) {
          if (sequence !== peer.acknowledged) continue;
          peer.received += String.fromCharCode(...data);
          peer.acknowledged = (peer.acknowledged + data.length) >>> 0;
        }
        const ends = { source: GUEST, target: GATEWAY, sourcePort: peer.localPort, targetPort: 80 };
        const numbers = { sequence: peer.sequence, acknowledged: peer.acknowledged, flags: ACK, window: 65_535 };
        station.send(PROTOCOL_TCP, tcpSegment({ ...ends, ...numbers }));
        if (peer.received.length > file.length) heads.add(peer.localPort);
      }
      station.clock.advance(SECOND / 10);
    }
    expect([...heads].length).toBe(8);
    const body = Buffer.from(file).toString('latin1');
    for (const peer of peers) expect(peer.received.endsWith(body)).toBe(true);
  });
});

/** The segment with its checksum made right. */
function withChecksum(segment: Uint8Array): Uint8Array {
  let sum = (GUEST >>> 16) + (GUEST & 0xffff) + (GATEWAY >>> 16) + (GATEWAY & 0xffff) + 6 + segment.length;
  for (let at = 0; at < segment.length; at += 2) sum += (segment[at] << 8) | (segment[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  put16(segment, 16, ~sum & 0xffff);
  return segment;
}
