/**
 * A network inside the process: one Ethernet cable with a gateway (10.0.2.2) and a name server (10.0.2.3) at its other end,
 * who speak ARP, IPv4, ICMP echo, UDP and TCP, give addresses (DHCP), know names (DNS) and serve files (HTTP, TFTP).
 *
 * All time is the machine's clock, numbers that should differ come from a generator in the state, and frames wait in a
 * backlog of 256 until the card has room: so a run stays a function of its inputs, and the state goes with a snapshot.
 * Whatever a guest sends is at worst dropped. `host` opens a way out, which ends all of that but the last (nat.ts).
 * Does not do IPv6, reassembly of fragments, IGMP, or routing between guests.
 */
import {
  MAX_FRAME_BYTES,
  RingfenceError,
  checkedState,
  stateFields,
  stateNumbers,
  type Clock,
  type Network,
  type StateRecord,
  type Timer,
} from '@ringfence/sdk';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DhcpServer, LEASE_SECONDS } from './dhcp.js';
import { DNS_PORT, NameServer, type HostAddresses } from './dns.js';
import {
  BROADCAST_MAC,
  ETHERNET_HEADER,
  Neighbours,
  TYPE_ARP,
  TYPE_IPV4,
  arpReply,
  arpRequest,
  ethernetFrame,
  parseArp,
} from './ethernet.js';
import type { ForwardedStream, HostNetwork } from './host-network.js';
import { get16 } from './internet.js';
import {
  MAX_UDP_PAYLOAD,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  UNREACHABLE_PORT,
  UNREACHABLE_PROHIBITED,
  echoReply,
  icmpUnreachable,
  ipv4Packet,
  mayReport,
  parseIpv4Packet,
  parseUdp,
  udpDatagram,
  type Ipv4Packet,
  type UdpDatagram,
} from './ipv4.js';
import { Nat } from './nat.js';
import { BROADCAST, GATEWAY, NAME_SERVER, isBroadcast, isOurs, onNetwork, stationMac } from './plan.js';
import { InProcessServices } from './in-process.js';
import { withIndex, type ServedFiles } from './services.js';
import { TcpStack } from './tcp-stack.js';
import { TftpServer } from './tftp.js';

const COMPONENT = 'user-network';
const VERSION = 1;
/** Frames that wait for the card; TCP holds back from half of it on. */
const BACKLOG = 256;
const ECHO_PORT = 7;
const DISCARD_PORT = 9;
/** Any number but zero would do. */
const SEED = 0x2545_f491;

export interface UserNetworkOptions {
  readonly mac: Uint8Array;
  readonly hosts?: Readonly<Record<string, HostAddresses>>;
  /** Paths that begin with a slash, and their content. */
  readonly serve?: ServedFiles;
  /** The way out; absent: there is none. */
  readonly host?: HostNetwork;
  /** Whether 10.0.2.2 is also the host's 127.0.0.1, with `host`. */
  readonly loopback?: boolean;
  /** Whether somebody will call `forwardStream` or `forwardDatagram`. */
  readonly forwards?: boolean;
}

export class UserNetwork implements Network {
  readonly mac: Uint8Array;
  readonly connected = true;
  readonly live: boolean;
  /** The host's side: forwarded ports come here. */
  readonly nat: Nat;
  private frames: Uint8Array[] = [];
  private random = SEED;
  private neighbours = new Neighbours();
  private readonly dhcp: DhcpServer;
  private readonly names: NameServer;
  private readonly tcp: TcpStack;
  private readonly tftp: TftpServer;
  private readonly timer: Timer;
  private listener = (): void => {};
  private wake = (): void => {};

  constructor(
    private readonly clock: Clock,
    options: UserNetworkOptions,
  ) {
    const files = withIndex(options.serve ?? new Map<string, Uint8Array>());
    this.mac = options.mac.slice();
    this.live = options.host !== undefined || options.forwards === true;
    const now = (): number => clock.now();
    const { hz } = clock;
    this.dhcp = new DhcpServer(now, LEASE_SECONDS * hz);
    this.names = new NameServer(options.hosts ?? {});
    const services = new InProcessServices(
      files,
      (target) => this.nat.allows(target),
      (syn) => this.nat.connect(syn),
    );
    this.tcp = new TcpStack(
      {
        now,
        hz,
        random32: () => this.random32(),
        sendIpv4: (source, target, protocol, payload) => this.sendIpv4(source, target, protocol, payload, BACKLOG / 2),
      },
      services,
    );
    this.tftp = new TftpServer(
      {
        now,
        hz,
        sendUdp: (port, client, clientPort, payload) => this.sendUdp(GATEWAY, port, client, clientPort, payload),
      },
      files,
    );
    this.nat = new Nat(
      {
        sendUdp: (source, sourcePort, target, port, payload) => this.sendUdp(source, sourcePort, target, port, payload),
        outside: (action) => this.outside(action),
      },
      this.tcp,
      options.host,
      options.loopback === true,
    );
    this.timer = clock.createTimer('user-network', () => this.timeOut());
  }

  forwardStream(port: number, open: ForwardedStream): void {
    this.nat.forwardStream(port, open);
  }

  forwardDatagram(port: number, peer: string, bytes: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    this.nat.forwardDatagram(port, peer, bytes, reply);
  }

  // the cable

  send(frame: Uint8Array): void {
    if (frame.length < ETHERNET_HEADER || frame.length > MAX_FRAME_BYTES) return;
    const mac = frame.subarray(6, 12);
    if ((mac[0] & 1) !== 0) return;
    const payload = frame.subarray(ETHERNET_HEADER);
    const type = get16(frame, 12);
    if (type === TYPE_ARP) this.inputArp(payload);
    else if (type === TYPE_IPV4 && this.hears(frame)) this.inputIpv4(mac, payload);
    this.arm();
  }

  receive(): Uint8Array | undefined {
    const frame = this.frames.shift();
    if (this.frames.length <= BACKLOG / 4) {
      this.tcp.resume();
      this.arm();
    }
    return frame;
  }

  onReceive(listener: () => void): void {
    this.listener = listener;
  }

  onWake(wake: () => void): void {
    this.wake = wake;
  }

  /** Whether a frame is for one of our stations, or for all. */
  private hears(frame: Uint8Array): boolean {
    if ((frame[0] & 1) !== 0) return true;
    const to = frame.subarray(0, 6);
    return equal(to, stationMac(GATEWAY)) || equal(to, stationMac(NAME_SERVER));
  }

  private inputArp(payload: Uint8Array): void {
    const packet = parseArp(payload);
    if (packet === undefined || isOurs(packet.sender)) return;
    this.neighbours.learn(packet.sender, packet.senderMac);
    if (packet.request && isOurs(packet.target)) this.push(arpReply(packet.target, packet), BACKLOG);
  }

  private inputIpv4(mac: Uint8Array, payload: Uint8Array): void {
    const packet = parseIpv4Packet(payload);
    if (packet === undefined) return;
    const { source, target, protocol } = packet;
    if (protocol === PROTOCOL_UDP && (isBroadcast(target) || isOurs(target)) && this.inputDhcp(packet)) return;
    // Only its own network may speak, and not in our name.
    if (!onNetwork(source) || isOurs(source) || isBroadcast(source)) return;
    if (isBroadcast(target) || target >>> 28 === 14) return;
    this.neighbours.learn(source, mac);
    if (onNetwork(target) && !isOurs(target)) return;
    if (protocol === PROTOCOL_TCP && !this.prohibited(packet)) this.tcp.input(packet);
    else if (protocol === PROTOCOL_UDP) this.inputUdp(packet);
    else if (protocol === PROTOCOL_ICMP) this.inputIcmp(packet);
  }

  /** The outside is closed for a packet, which its sender is told. */
  private prohibited(packet: Ipv4Packet): boolean {
    if (isOurs(packet.target) || this.nat.allows(packet.target)) return false;
    this.unreachable(UNREACHABLE_PROHIBITED, packet);
    return true;
  }

  private inputIcmp(packet: Ipv4Packet): void {
    const reply = isOurs(packet.target) ? echoReply(packet.payload) : undefined;
    if (reply !== undefined) this.sendIpv4(packet.target, packet.source, PROTOCOL_ICMP, reply, BACKLOG);
    else if (!isOurs(packet.target)) this.unreachable(UNREACHABLE_PROHIBITED, packet);
  }

  private inputUdp(packet: Ipv4Packet): void {
    const datagram = parseUdp(packet);
    if (datagram === undefined || datagram.targetPort === 0) return;
    const { source, target } = packet;
    const { sourcePort, targetPort, payload } = datagram;
    if (!isOurs(target)) {
      if (!this.nat.datagram(source, sourcePort, target, targetPort, payload)) {
        this.unreachable(UNREACHABLE_PROHIBITED, packet);
      }
    } else if (!(target === GATEWAY ? this.gatewayUdp(source, datagram) : this.inputDns(source, datagram))) {
      this.unreachable(UNREACHABLE_PORT, packet);
    }
  }

  /** False: nobody is there. */
  private gatewayUdp(source: number, { sourcePort, targetPort, payload }: UdpDatagram): boolean {
    if (targetPort === ECHO_PORT) this.sendUdp(GATEWAY, ECHO_PORT, source, sourcePort, payload);
    else if (this.tftp.owns(targetPort)) this.tftp.input(targetPort, source, sourcePort, payload);
    else if (targetPort === DISCARD_PORT) return true;
    else {
      return (
        this.nat.datagramToGateway(sourcePort, targetPort, payload) ||
        this.nat.datagram(source, sourcePort, GATEWAY, targetPort, payload)
      );
    }
    return true;
  }

  private inputDns(source: number, { sourcePort, targetPort, payload }: UdpDatagram): boolean {
    if (targetPort !== DNS_PORT) return false;
    const answer = this.names.answer(payload);
    const send = (reply: Uint8Array): void => this.sendUdp(NAME_SERVER, DNS_PORT, source, sourcePort, reply);
    if (answer === undefined) return true;
    if (answer.query === undefined || !this.nat.resolve(answer.query, send)) send(answer.reply);
    return true;
  }

  /** True when it was for the DHCP server. */
  private inputDhcp(packet: Ipv4Packet): boolean {
    const datagram = parseUdp(packet);
    if (datagram === undefined || datagram.targetPort !== DHCP_SERVER_PORT) return false;
    const reply = this.dhcp.answer(datagram.payload);
    if (reply === undefined) return true;
    const target = reply.to?.address ?? BROADCAST;
    const udp = udpDatagram(GATEWAY, DHCP_SERVER_PORT, target, DHCP_CLIENT_PORT, reply.message);
    const ip = ipv4Packet(GATEWAY, target, PROTOCOL_UDP, udp);
    // The client has no address yet at which it could be asked for its hardware address: it says it in the message.
    this.push(ethernetFrame(reply.to?.mac ?? BROADCAST_MAC, stationMac(GATEWAY), TYPE_IPV4, ip), BACKLOG);
    return true;
  }

  private unreachable(code: number, packet: Ipv4Packet): void {
    if (!mayReport(packet)) return;
    this.sendIpv4(GATEWAY, packet.source, PROTOCOL_ICMP, icmpUnreachable(code, packet), BACKLOG / 2);
  }

  private sendUdp(source: number, sourcePort: number, target: number, port: number, payload: Uint8Array): void {
    if (payload.length > MAX_UDP_PAYLOAD) return;
    this.sendIpv4(source, target, PROTOCOL_UDP, udpDatagram(source, sourcePort, target, port, payload), BACKLOG);
  }

  /** False when so many frames wait that this one may not. A neighbour not known yet is asked for; what was sent is lost. */
  private sendIpv4(source: number, target: number, protocol: number, payload: Uint8Array, limit: number): boolean {
    const mac = this.neighbours.find(target);
    const station = isOurs(source) ? source : GATEWAY;
    if (mac === undefined) {
      if (onNetwork(target)) this.push(arpRequest(station, target), BACKLOG);
      return true;
    }
    const packet = ipv4Packet(source, target, protocol, payload);
    return this.push(ethernetFrame(mac, stationMac(station), TYPE_IPV4, packet), limit);
  }

  private push(frame: Uint8Array, limit: number): boolean {
    if (this.frames.length >= limit) return false;
    this.frames.push(frame);
    this.listener();
    return true;
  }

  // time and the host

  private outside(action: () => void): void {
    action();
    this.arm();
    this.wake();
  }

  private timeOut(): void {
    const now = this.clock.now();
    if (this.tcp.deadline() <= now) this.tcp.timeOut();
    if (this.tftp.deadline() <= now) this.tftp.timeOut();
    this.arm();
  }

  private arm(): void {
    const next = Math.min(this.tcp.deadline(), this.tftp.deadline());
    if (next === Infinity) this.timer.disarm();
    else if (next !== this.timer.deadline) this.timer.arm(next);
  }

  /** Marsaglia's xorshift with 32 bits. */
  private random32(): number {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x >>> 0;
    return this.random;
  }

  // state

  saveState(): StateRecord {
    return {
      component: COMPONENT,
      version: VERSION,
      data: {
        random: this.random,
        frames: this.frames.map((frame) => frame.slice()),
        neighbours: this.neighbours.save(),
        leases: this.dhcp.save(),
        tcp: this.tcp.save(),
        tftp: this.tftp.save(),
      },
    };
  }

  loadState(record: StateRecord): void {
    const data = checkedState(record, COMPONENT, VERSION);
    const { random } = stateNumbers(data, ['random']);
    const frames = framesOf(data.frames);
    const neighbours = Neighbours.restore(data.neighbours);
    const takeOver = [
      this.dhcp.restore(data.leases),
      this.tftp.restore(stateFields(data, 'tftp')),
      this.tcp.restore(stateFields(data, 'tcp')),
    ];
    this.random = random;
    this.frames = frames;
    this.neighbours = neighbours;
    for (const take of takeOver) take();
    this.arm();
  }
}

function framesOf(value: unknown): Uint8Array[] {
  const frames: readonly unknown[] = Array.isArray(value) ? value : [undefined];
  const isFrame = (frame: unknown): frame is Uint8Array =>
    frame instanceof Uint8Array && frame.length >= ETHERNET_HEADER && frame.length <= MAX_FRAME_BYTES;
  if (frames.length <= BACKLOG && frames.every(isFrame)) return frames.map((frame) => frame.slice());
  throw new RingfenceError('RF_BAD_STATE', {
    message: 'the frames of a saved network are not a list of frames',
    value,
  });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}
