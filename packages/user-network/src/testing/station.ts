/**
 * A guest by hand, for specs: sends single packets into a network and takes apart what comes back. It knows no protocol
 * beyond headers; what a peer would do next is the spec's affair.
 */
import { FakeClock } from '@ringfence/testkit';
import { BROADCAST_MAC, ETHERNET_HEADER, TYPE_ARP, TYPE_IPV4, ethernetFrame } from '../ethernet.js';
import { get16, put32 } from '../internet.js';
import {
  ipv4Packet,
  parseIpv4Packet,
  parseUdp,
  udpDatagram,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  type Ipv4Packet,
} from '../ipv4.js';
import { FIRST_LEASE, GATEWAY, stationMac } from '../plan.js';
import { ACK, parseTcp, tcpSegment, type TcpSegment, type TcpSegmentInit } from '../tcp-segment.js';
import { UserNetwork, type UserNetworkOptions } from '../user-network.js';

export const GUEST = FIRST_LEASE;
export const GUEST_MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
export const HZ = 1_000_000;

export class Station {
  readonly clock = new FakeClock(HZ);
  readonly network: UserNetwork;

  constructor(options: Partial<UserNetworkOptions> = {}) {
    this.network = new UserNetwork(this.clock, { mac: GUEST_MAC, ...options });
  }

  /** Everything that waits, as it came. */
  frames(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let frame = this.network.receive(); frame !== undefined; frame = this.network.receive()) frames.push(frame);
    return frames;
  }

  /** The IPv4 packets that wait; ARP is passed over. */
  packets(): Ipv4Packet[] {
    return this.frames()
      .filter((frame) => get16(frame, 12) === TYPE_IPV4)
      .map((frame) => parseIpv4Packet(frame.subarray(ETHERNET_HEADER))!);
  }

  send(protocol: number, payload: Uint8Array, to = GATEWAY, from = GUEST): void {
    const packet = ipv4Packet(from, to, protocol, payload);
    this.network.send(ethernetFrame(stationMac(GATEWAY), GUEST_MAC, TYPE_IPV4, packet));
  }

  udp(to: number, port: number, payload: Uint8Array, sourcePort = 4000, from = GUEST): void {
    const datagram = udpDatagram(from, sourcePort, to, port, payload);
    const packet = ipv4Packet(from, to, PROTOCOL_UDP, datagram);
    const mac = to === 0xffff_ffff ? BROADCAST_MAC : stationMac(GATEWAY);
    this.network.send(ethernetFrame(mac, GUEST_MAC, TYPE_IPV4, packet));
  }

  /** Payloads of the UDP datagrams that wait, with the port they came from. */
  datagrams(): { port: number; from: number; to: number; payload: Uint8Array }[] {
    return this.packets()
      .filter(({ protocol }) => protocol === PROTOCOL_UDP)
      .map((packet) => {
        const { sourcePort, targetPort, payload } = parseUdp(packet)!;
        return { port: sourcePort, from: packet.source, to: targetPort, payload };
      });
  }

  segments(): TcpSegment[] {
    return this.packets()
      .filter(({ protocol }) => protocol === PROTOCOL_TCP)
      .map((packet) => parseTcp(packet)!);
  }

  /** An ARP request for `target`, and what answers it. */
  arp(target: number, operation = 1): Uint8Array[] {
    const packet = new Uint8Array(28);
    packet.set([0, 1, 8, 0, 6, 4, 0, operation]);
    packet.set(GUEST_MAC, 8);
    put32(packet, 14, GUEST);
    put32(packet, 24, target);
    this.network.send(ethernetFrame(BROADCAST_MAC, GUEST_MAC, TYPE_ARP, packet));
    return this.frames();
  }
}

/** One end of a TCP connection by hand: it counts sequence numbers, and nothing else. */
export class Peer {
  sequence: number;
  acknowledged = 0;
  /** Everything that came, in order. */
  received = '';
  finished = false;
  reset = false;
  window = 65_535;

  constructor(
    readonly station: Station,
    readonly port: number,
    readonly localPort = 5000,
    readonly to = GATEWAY,
  ) {
    this.sequence = 1000 + localPort;
  }

  /** Sends one segment and takes up what comes back. */
  segment(flags: number, data?: Uint8Array | string, change: Partial<TcpSegmentInit> = {}): TcpSegment[] {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const init = {
      source: GUEST,
      target: this.to,
      sourcePort: this.localPort,
      targetPort: this.port,
      sequence: this.sequence >>> 0,
      acknowledged: (flags & ACK) !== 0 ? this.acknowledged : 0,
      flags,
      window: this.window,
      data: bytes,
      ...change,
    };
    this.station.send(PROTOCOL_TCP, tcpSegment(init), this.to);
    this.sequence += (bytes?.length ?? 0) + ((flags & 2) >> 1) + (flags & 1);
    return this.take();
  }

  /** Takes up what waits, without an answer to it. */
  take(): TcpSegment[] {
    const segments = this.station.segments().filter(({ targetPort }) => targetPort === this.localPort);
    for (const { flags, sequence, data } of segments) {
      if ((flags & 4) !== 0) this.reset = true;
      if ((flags & 2) !== 0) this.acknowledged = (sequence + 1) >>> 0;
      if (sequence !== this.acknowledged) continue;
      this.received += String.fromCharCode(...data);
      this.acknowledged = (this.acknowledged + data.length + (flags & 1)) >>> 0;
      if ((flags & 1) !== 0) this.finished = true;
    }
    return segments;
  }

  /** Handshake. */
  connect(): this {
    this.segment(2);
    this.segment(ACK);
    return this;
  }

  /** Acknowledges until nothing comes any more. */
  drain(): void {
    for (let i = 0; i < 10_000; i++) {
      const before = this.acknowledged;
      this.segment(ACK);
      if (this.acknowledged === before) return;
    }
    throw new Error('it never ends');
  }
}

/** `flags seq ack len`, numbers counted from the connection's first ones. */
export function describeSegment(segment: TcpSegment, isn: number, peerIsn: number): string {
  const names = ['F', 'S', 'R', 'P', 'A'].filter((_name, bit) => (segment.flags & (1 << bit)) !== 0);
  return `${names.join('')} ${(segment.sequence - isn) | 0} ${(segment.acknowledged - peerIsn) | 0} ${segment.data.length}`;
}
