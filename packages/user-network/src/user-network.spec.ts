/** The network as a card sees it: who answers what, what is dropped, what is kept and given back. */
import { RingfenceError, type StateRecord } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { BROADCAST_MAC, TYPE_IPV4, ethernetFrame } from './ethernet.js';
import { addWords, foldChecksum, get16, get32, parseIpv4, put16 } from './internet.js';
import { ICMP_ECHO_REPLY, PROTOCOL_ICMP, PROTOCOL_UDP, ipv4Packet, udpDatagram } from './ipv4.js';
import { GATEWAY, NAME_SERVER, stationMac } from './plan.js';
import { ACK } from './tcp-segment.js';
import { GUEST, GUEST_MAC, HZ, Peer, Station } from './testing/station.js';

const OUTSIDE = parseIpv4('93.184.216.34')!;

function echo(payload = 'ping', type = 8): Uint8Array {
  const message = new Uint8Array(8 + payload.length);
  message[0] = type;
  message.set([0xab, 0xcd, 0, 1], 4);
  message.set(new TextEncoder().encode(payload), 8);
  put16(message, 2, foldChecksum(addWords(0, message, 0, message.length)));
  return message;
}

describe('ARP', () => {
  it.each([
    ['the gateway', GATEWAY],
    ['the name server', NAME_SERVER],
  ])('finds %s', (_name, address) => {
    const [reply, ...more] = new Station().arp(address);
    expect(more).toEqual([]);
    expect(reply).toHaveLength(60);
    expect([...reply.subarray(0, 12)]).toEqual([...GUEST_MAC, ...stationMac(address)]);
    expect(get16(reply, 20)).toBe(2);
    expect([...reply.subarray(22, 28)]).toEqual([...stationMac(address)]);
    expect([get32(reply, 28), get32(reply, 38)]).toEqual([address, GUEST]);
  });

  it('finds nobody else', () => {
    expect(new Station().arp(GUEST)).toEqual([]);
    expect(new Station().arp(0x0a000204)).toEqual([]);
    expect(new Station().arp(GATEWAY, 2)).toEqual([]);
    expect(new Station().arp(GATEWAY, 3)).toEqual([]);
  });
});

describe('ICMP', () => {
  it.each([
    ['the gateway', GATEWAY],
    ['the name server', NAME_SERVER],
  ])('is echoed by %s', (_name, address) => {
    const station = new Station();
    station.send(PROTOCOL_ICMP, echo('0123456789'), address);
    const [{ source, payload }] = station.packets();
    expect(source).toBe(address);
    expect(payload[0]).toBe(ICMP_ECHO_REPLY);
    expect([...payload.subarray(4)]).toEqual([...echo('0123456789').subarray(4)]);
    expect(foldChecksum(addWords(0, payload, 0, payload.length))).toBe(0);
  });

  it('says what cannot be reached, quoting the packet, and nothing about errors', () => {
    const station = new Station();
    station.udp(OUTSIDE, 53, new Uint8Array(100));
    const [prohibited] = station.packets();
    expect([prohibited.source, ...prohibited.payload.subarray(0, 2)]).toEqual([GATEWAY, 3, 13]);
    expect(prohibited.payload).toHaveLength(8 + 20 + 8);
    expect(get32(prohibited.payload, 8 + 16)).toBe(OUTSIDE);
    station.udp(GATEWAY, 1234, new Uint8Array(1));
    expect([...station.packets()[0].payload.subarray(0, 2)]).toEqual([3, 3]);
    station.udp(NAME_SERVER, 1234, new Uint8Array(1));
    expect([...station.packets()[0].payload.subarray(0, 2)]).toEqual([3, 3]);
    station.send(PROTOCOL_ICMP, echo(), OUTSIDE);
    expect([...station.packets()[0].payload.subarray(0, 2)]).toEqual([3, 13]);
    station.send(PROTOCOL_ICMP, echo('x', 3), OUTSIDE);
    expect(station.packets()).toEqual([]);
  });

  it('refuses TCP to the outside', () => {
    const station = new Station();
    new Peer(station, 80, 5000, OUTSIDE).segment(2);
    const peer = new Peer(station, 80, 5001, OUTSIDE);
    peer.station.send(6, new Uint8Array(20), OUTSIDE);
    const [{ payload }] = station.packets();
    expect([...payload.subarray(0, 2)]).toEqual([3, 13]);
  });

  it('leaves a damaged message alone', () => {
    const station = new Station();
    const message = echo();
    message[9] ^= 1;
    station.send(PROTOCOL_ICMP, message);
    expect(station.frames()).toEqual([]);
  });
});

describe('UDP', () => {
  it('is echoed and discarded by the gateway', () => {
    const station = new Station();
    station.udp(GATEWAY, 7, Uint8Array.of(1, 2, 3), 777);
    expect(station.datagrams()).toMatchObject([{ from: GATEWAY, port: 7, to: 777, payload: Uint8Array.of(1, 2, 3) }]);
    station.udp(GATEWAY, 9, Uint8Array.of(1));
    expect(station.frames()).toEqual([]);
  });

  it('does without a checksum, and not with a wrong one', () => {
    const station = new Station();
    for (const [sum, answers] of [
      [0, 1],
      [0x1234, 0],
    ]) {
      const datagram = udpDatagram(GUEST, 777, GATEWAY, 7, Uint8Array.of(1));
      put16(datagram, 6, sum);
      station.send(PROTOCOL_UDP, datagram);
      expect(station.frames()).toHaveLength(answers);
    }
  });
});

describe('what is dropped', () => {
  const packet = (change: (bytes: Uint8Array) => void, source = GUEST, target = GATEWAY): Uint8Array => {
    const bytes = ipv4Packet(source, target, PROTOCOL_ICMP, echo());
    change(bytes);
    put16(bytes, 10, 0);
    put16(bytes, 10, foldChecksum(addWords(0, bytes, 0, 20)));
    return ethernetFrame(stationMac(GATEWAY), GUEST_MAC, TYPE_IPV4, bytes);
  };
  it.each([
    ['a fragment', packet((b) => (b[6] = 0x20))],
    ['the rest of a fragment', packet((b) => (b[7] = 1))],
    ['IPv6 in IPv4 clothes', packet((b) => (b[0] = 0x65))],
    ['a header too short', packet((b) => (b[0] = 0x44))],
    ['a header beyond the packet', packet((b) => (b[0] = 0x4f))],
    ['a length beyond the frame', packet((b) => put16(b, 2, 1501))],
    ['a length below the header', packet((b) => put16(b, 2, 19))],
    ['a packet from elsewhere', packet(() => {}, OUTSIDE)],
    ['a packet in our name', packet(() => {}, GATEWAY)],
    ['a packet from everybody', packet(() => {}, 0x0a0002ff)],
    ['a broadcast', packet(() => {}, GUEST, 0xffffffff)],
    ['a multicast', packet(() => {}, GUEST, 0xe00000fb)],
    ['a packet for a neighbour who is not there', packet(() => {}, GUEST, 0x0a000263)],
    [
      'a frame for somebody else',
      ethernetFrame(GUEST_MAC, GUEST_MAC, TYPE_IPV4, ipv4Packet(GUEST, GATEWAY, 1, echo())),
    ],
    [
      'a frame from a group',
      ethernetFrame(stationMac(GATEWAY), BROADCAST_MAC, TYPE_IPV4, ipv4Packet(GUEST, GATEWAY, 1, echo())),
    ],
    ['another protocol', packet((b) => (b[9] = 2))],
    ['another type', ethernetFrame(stationMac(GATEWAY), GUEST_MAC, 0x86dd, new Uint8Array(60))],
    ['half a header', new Uint8Array(13)],
    ['a giant', new Uint8Array(1515)],
    ['nothing', new Uint8Array()],
  ])('%s', (_name, frame) => {
    const station = new Station();
    station.network.send(frame);
    expect(station.frames()).toEqual([]);
  });

  it('not a packet with options', () => {
    const station = new Station();
    const bytes = new Uint8Array(24 + echo().length);
    bytes.set(ipv4Packet(GUEST, GATEWAY, PROTOCOL_ICMP, echo()).subarray(0, 20));
    bytes[0] = 0x46;
    bytes.set([1, 1, 1, 0], 20);
    bytes.set(echo(), 24);
    put16(bytes, 2, bytes.length);
    put16(bytes, 10, 0);
    put16(bytes, 10, foldChecksum(addWords(0, bytes, 0, 24)));
    station.network.send(ethernetFrame(stationMac(GATEWAY), GUEST_MAC, TYPE_IPV4, bytes));
    expect(station.packets()).toHaveLength(1);
  });

  it('what a card that takes nothing would have got, beyond 256 frames', () => {
    const station = new Station();
    for (let i = 0; i < 1000; i++) station.udp(GATEWAY, 7, Uint8Array.of(i));
    expect(station.frames()).toHaveLength(256);
  });
});

describe('the state of a network', () => {
  const serve = new Map([['/f', Uint8Array.from({ length: 300_000 }, (_, i) => i >> 3)]]);
  /** In the middle of everything: leases, a download, an echo, a transfer, frames that wait. */
  function busy(): { station: Station; peers: Peer[] } {
    const station = new Station({ serve, hosts: { a: '10.0.2.2' } });
    const http = new Peer(station, 80, 6000).connect();
    http.segment(ACK, 'GET /f HTTP/1.0\r\n\r\n');
    const echoing = new Peer(station, 7, 6001).connect();
    echoing.segment(ACK, 'one');
    const half = new Peer(station, 80, 6002).connect();
    half.segment(ACK, 'GET /f HT');
    station.udp(GATEWAY, 69, new TextEncoder().encode('\0\x01f\0octet\0tsize\x000\0'), 3000);
    station.clock.advance(HZ / 3);
    station.udp(GATEWAY, 7, Uint8Array.of(1, 2));
    return { station, peers: [http, echoing, half] };
  }

  /** The rest of the conversation, in words. */
  function goOn(station: Station, peers: Peer[]): string {
    const log: string[] = [];
    for (const peer of peers) {
      const here = Object.assign(new Peer(station, peer.port, peer.localPort), {
        sequence: peer.sequence,
        acknowledged: peer.acknowledged,
      });
      here.segment(ACK, 'TP/1.0\r\n\r\n');
      here.drain();
      log.push(`${here.received.length} ${here.finished} ${here.acknowledged}`);
    }
    for (let i = 0; i < 200; i++) {
      station.clock.advance(HZ);
      log.push(
        `${i}: ${station
          .frames()
          .map((frame) => Buffer.from(frame).toString('hex').slice(0, 120))
          .join(' ')}`,
      );
    }
    return log.join('\n');
  }

  it('goes on in another machine as in this one', () => {
    const { station, peers } = busy();
    const saved = structuredClone(station.network.saveState());
    const other = new Station({ serve, hosts: { a: '10.0.2.2' } });
    other.clock.jumpTo(station.clock.now());
    other.network.loadState(saved);
    expect(other.network.saveState()).toEqual(saved);
    expect(other.clock.deadlines()).toEqual(station.clock.deadlines());
    expect(goOn(other, peers)).toBe(goOn(station, peers));
    expect(other.network.saveState()).toEqual(station.network.saveState());
  });

  it('is a record of its own, not a view', () => {
    const { station, peers } = busy();
    const saved = station.network.saveState();
    const copy = structuredClone(saved);
    goOn(station, peers);
    expect(saved).toEqual(copy);
  });

  it('is the same in two runs', () => {
    expect(busy().station.network.saveState()).toEqual(busy().station.network.saveState());
  });

  it('is refused when it is torn, of another kind, or serves what is not there', () => {
    const { station } = busy();
    const saved = structuredClone(station.network.saveState());
    const tcp = saved.data.tcp as { connections: StateRecord['data'][] };
    const connection = (change: object): StateRecord => ({
      ...saved,
      data: { ...saved.data, tcp: { ...tcp, connections: [{ ...tcp.connections[0], ...change }] } },
    });
    const bad: StateRecord[] = [
      { ...saved, component: 'somebody' },
      { ...saved, version: 99 },
      ...Object.keys(saved.data).map((key) => ({ ...saved, data: { ...saved.data, [key]: 'torn' } })),
      {
        ...saved,
        data: { ...saved.data, tcp: { ...tcp, connections: Array.from({ length: 200 }, () => tcp.connections[0]) } },
      },
      ...Object.keys(tcp.connections[0])
        .filter((key) => !['finQueued', 'stalled'].includes(key))
        .map((key) => connection({ [key]: undefined })),
      connection({ queue: new Uint8Array(70_000) }),
      connection({ service: 'gopher' }),
      connection({ state: 'listening' }),
      connection({ sndUna: -1 }),
      connection({ sndNxt: 0.5 }),
      connection({ mss: 0 }),
      connection({ sndMax: tcp.connections[0].sndUna, queue: new Uint8Array() }),
      { ...saved, data: { ...saved.data, frames: [new Uint8Array(1515)] } },
      { ...saved, data: { ...saved.data, frames: Array.from({ length: 257 }, () => new Uint8Array(60)) } },
    ];
    for (const record of bad) {
      expect(() => station.network.loadState(record)).toThrow(RingfenceError);
      expect(station.network.saveState()).toEqual(saved);
    }
    const bare = new Station();
    expect(() => bare.network.loadState(saved)).toThrow(/does not serve alike|do not fit/);
  });
});
