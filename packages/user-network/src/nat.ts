/**
 * The way to the host's network, both directions: TCP connections and UDP flows of the guest's through sockets of the host's,
 * names that the host can resolve, and forwarded ports. Bounded: 64 flows, 64 questions and connections on their way at once.
 * Containment: no target within "this network", loopback, link-local (where clouds keep their metadata) or multicast, and none
 * that the host says is itself, unless `loopback` gives 10.0.2.2 to the guest for 127.0.0.1. Addresses that answer a UDP flow
 * must be some it has talked to. Does not do ICMP, IPv6, or anything for a snapshot: what is loaded starts without flows.
 */
import {
  addressReply,
  dnsReply,
  RCODE_NAME,
  RCODE_OK,
  RCODE_SERVER,
  TYPE_A,
  isHostName,
  type DnsQuery,
} from './dns.js';
import type { ForwardedStream, HostDatagrams, HostNetwork } from './host-network.js';
import { HostRelay } from './host-relay.js';
import { formatIpv4, parseIpv4 } from './internet.js';
import { FIRST_LEASE, GATEWAY } from './plan.js';
import type { TcpConnection } from './tcp-connection.js';
import type { TcpStack } from './tcp-stack.js';
import type { TcpSegment } from './tcp-segment.js';

export const RELAY = 'host';
const MAX_FLOWS = 64;
const MAX_PENDING = 64;
const MAX_PEERS = 64;
const LOOPBACK = 0x7f00_0001;
/** Ports of the gateway's from which forwarded datagrams come. */
const FIRST_FORWARD_PORT = 61_000;
const FORWARD_PORTS = 256;

interface Flow {
  readonly socket: HostDatagrams;
  /** Those it has talked to, as `address:port`. */
  readonly peers: Set<string>;
}

interface ForwardedPeer {
  readonly key: string;
  readonly reply: (bytes: Uint8Array) => void;
}

/** What it needs of the network around it. */
export interface NatCarrier {
  sendUdp(source: number, sourcePort: number, target: number, targetPort: number, payload: Uint8Array): void;
  /** Runs what the host has brought, and looks after timers and the card then. */
  outside(action: () => void): void;
}

export class Nat {
  private readonly flows = new Map<string, Flow>();
  private readonly peers = new Map<number, ForwardedPeer>();
  private readonly connecting = new Set<string>();
  private questions = 0;
  private nextForward = 0;

  constructor(
    private readonly carrier: NatCarrier,
    private readonly tcp: TcpStack,
    /** Absent: the guest reaches nothing outside; forwarded ports work all the same. */
    private readonly host: HostNetwork | undefined,
    private readonly loopback: boolean,
  ) {}

  /** The host's name for a target of the guest's, or undefined when it may not go there. */
  private reachable(target: number): string | undefined {
    if (this.host === undefined) return undefined;
    if (target === GATEWAY) return this.loopback ? formatIpv4(LOOPBACK) : undefined;
    const first = target >>> 24;
    if (first === 0 || first === 127 || first >= 224 || target >>> 16 === 0xa9fe) return undefined;
    const text = formatIpv4(target);
    return this.host.mayReach(text) ? text : undefined;
  }

  allows(target: number): boolean {
    return this.reachable(target) !== undefined;
  }

  /** A SYN of the guest's to the outside: answered when the host's connection stands or has failed. */
  connect(syn: TcpSegment): void {
    const address = this.reachable(syn.target);
    const key = `${syn.source}:${syn.sourcePort}-${syn.target}:${syn.targetPort}`;
    if (this.connecting.has(key)) return; // it asks again: patience
    if (address === undefined || this.connecting.size >= MAX_PENDING) return this.tcp.refuse(syn);
    this.connecting.add(key);
    const relay: HostRelay = new HostRelay(
      () =>
        this.carrier.outside(() => {
          this.connecting.delete(key);
          const connection = this.tcp.admit(syn, relay, RELAY);
          if (connection === undefined) relay.closed(false);
          else relay.attach(connection);
        }),
      () =>
        this.carrier.outside(() => {
          if (this.connecting.delete(key)) this.tcp.refuse(syn);
        }),
      (connection) => this.changed(connection),
    );
    relay.join(this.host!.connect(address, syn.targetPort, relay.events));
  }

  /** Somebody on the host wants the guest's `port`. */
  forwardStream(port: number, open: ForwardedStream): void {
    const relay = new HostRelay(
      () => {},
      () => {},
      (connection) => this.changed(connection),
    );
    const stream = open(relay.events);
    relay.join(stream);
    stream.pause();
    this.carrier.outside(() => {
      const connection = this.tcp.connect(GATEWAY, FIRST_LEASE, port, relay, RELAY);
      if (connection === undefined) stream.destroy();
      else relay.attach(connection);
    });
  }

  /** A datagram from `peer` on the host for the guest's `port`; `reply` takes what the guest answers. */
  forwardDatagram(port: number, peer: string, bytes: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    const key = `${port} ${peer}`;
    let ours = [...this.peers].find(([, known]) => known.key === key)?.[0];
    if (ours === undefined) {
      if (this.peers.size >= MAX_PEERS) this.peers.delete(this.peers.keys().next().value!);
      do {
        ours = FIRST_FORWARD_PORT + this.nextForward;
        this.nextForward = (this.nextForward + 1) % FORWARD_PORTS;
      } while (this.peers.has(ours));
    }
    this.peers.delete(ours);
    this.peers.set(ours, { key, reply });
    const from = ours;
    this.carrier.outside(() => this.carrier.sendUdp(GATEWAY, from, FIRST_LEASE, port, bytes));
  }

  /** A datagram of the guest's to a port of the gateway's; false: nobody is there. */
  datagramToGateway(sourcePort: number, targetPort: number, payload: Uint8Array): boolean {
    const peer = this.peers.get(targetPort);
    if (peer === undefined || !peer.key.startsWith(`${sourcePort} `)) return false;
    peer.reply(payload.slice());
    return true;
  }

  /** A datagram of the guest's to the outside; false: it may not go there. */
  datagram(source: number, sourcePort: number, target: number, targetPort: number, payload: Uint8Array): boolean {
    const address = this.reachable(target);
    if (address === undefined) return false;
    const key = `${source}:${sourcePort}`;
    const flow = this.flows.get(key) ?? this.openFlow(source, sourcePort);
    // The flow used last is the last to go.
    this.flows.delete(key);
    this.flows.set(key, flow);
    const peer = `${address}:${targetPort}`;
    flow.peers.delete(peer);
    if (flow.peers.size >= MAX_PEERS) flow.peers.delete(flow.peers.values().next().value!);
    flow.peers.add(peer);
    flow.socket.send(address, targetPort, payload.slice());
    return true;
  }

  private openFlow(guest: number, guestPort: number): Flow {
    if (this.flows.size >= MAX_FLOWS) {
      const [oldest, { socket }] = this.flows.entries().next().value!;
      socket.close();
      this.flows.delete(oldest);
    }
    const peers = new Set<string>();
    const socket = this.host!.openDatagrams((address, port, bytes) => {
      const from = parseIpv4(address);
      if (from === undefined || !peers.has(`${address}:${port}`)) return;
      const source = from === LOOPBACK ? GATEWAY : from;
      this.carrier.outside(() => this.carrier.sendUdp(source, port, guest, guestPort, bytes));
    });
    return { socket, peers };
  }

  /** Asks the host about a name; false: nobody to ask. */
  resolve(query: DnsQuery, answer: (reply: Uint8Array) => void): boolean {
    if (this.host === undefined) return false;
    if (!isHostName(query.name)) answer(dnsReply(query, RCODE_NAME, []));
    else if (this.questions >= MAX_PENDING) answer(dnsReply(query, RCODE_SERVER, []));
    else this.ask(this.host, { ...query, message: query.message.slice() }, answer);
    return true;
  }

  private ask(host: HostNetwork, query: DnsQuery, answer: (reply: Uint8Array) => void): void {
    this.questions++;
    host.resolve(query.name, (found) => {
      this.questions--;
      const addresses = found?.map(parseIpv4).filter((address) => address !== undefined);
      this.carrier.outside(() => {
        if (addresses === undefined) answer(dnsReply(query, RCODE_SERVER, []));
        else if (addresses.length === 0) answer(dnsReply(query, RCODE_NAME, []));
        // The guest's network has no IPv6, and we know of no other records: the name exists, with nothing of that type.
        else if (query.type !== TYPE_A) answer(dnsReply(query, RCODE_OK, []));
        else answer(addressReply(query, addresses));
      });
    });
  }

  private changed(connection: TcpConnection): void {
    this.carrier.outside(() => this.tcp.sweep(connection));
  }
}
