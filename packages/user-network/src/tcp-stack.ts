/**
 * The TCP connections of the network: finds the one a segment belongs to, makes new ones for the services that listen,
 * keeps their timers, and saves and restores them. Bounded: 128 connections; a new one then takes the place of one that
 * only waits out its time, or is refused.
 */
import { RingfenceError, stateNumbers, type StateRecord, type StateValue } from '@ringfence/sdk';
import { ByteQueue } from './byte-queue.js';
import { PROTOCOL_TCP, type Ipv4Packet } from './ipv4.js';
import { NUMBERS, TcpConnection } from './tcp-connection.js';
import { MAX_WINDOW, SEND_BYTES, type TcpEnds, type TcpHost, type TcpService, type TcpState } from './tcp-contract.js';
import { ACK, MSS, RST, SYN, distance, parseTcp, resetFor, tcpSegment, type TcpSegment } from './tcp-segment.js';

export const MAX_CONNECTIONS = 128;
const FIRST_EPHEMERAL = 49_152;

type Fields = StateRecord['data'];

const EMPTY = new Uint8Array();

const STATES: readonly TcpState[] = [
  'syn-sent',
  'syn-received',
  'established',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
];

/** Who answers a SYN: a service at once, or somebody who calls `admit` or `refuse` in his own time. */
export type TcpAcceptor =
  | {
      /** For the saved state, by which `TcpServices.restore` makes the service again. */
      readonly name: string;
      readonly open: () => TcpService;
    }
  | { readonly name: string; readonly later: (syn: TcpSegment) => void };

export interface TcpServices {
  /** The acceptor for a SYN; undefined: nobody listens. */
  acceptor(target: number, port: number): TcpAcceptor | undefined;
  /** A service from its saved state; undefined for one that cannot go on, whose connection is reset. */
  restore(name: string, data: Fields): TcpService | undefined;
  save(service: TcpService): Fields;
}

/** What the stack needs of the network around it. */
export interface TcpCarrier {
  now(): number;
  readonly hz: number;
  /** A number that is the same in every run, and another one each time. */
  random32(): number;
  /** False when the backlog is full. */
  sendIpv4(source: number, target: number, protocol: number, payload: Uint8Array): boolean;
}

export class TcpStack implements TcpHost {
  private connections = new Map<string, TcpConnection>();
  private stalled = false;
  private nextPort = FIRST_EPHEMERAL;

  constructor(
    private readonly carrier: TcpCarrier,
    private readonly services: TcpServices,
  ) {}

  get hz(): number {
    return this.carrier.hz;
  }

  get count(): number {
    return this.connections.size;
  }

  now(): number {
    return this.carrier.now();
  }

  /** A packet of protocol 6 to us or, through us, to the outside. */
  input(packet: Ipv4Packet): void {
    const segment = parseTcp(packet);
    if (segment === undefined || segment.sourcePort === 0 || segment.targetPort === 0) return;
    const key = keyOf(segment.target, segment.targetPort, segment.source, segment.sourcePort);
    const connection = this.connections.get(key);
    const onlySyn = (segment.flags & (SYN | ACK | RST)) === SYN;
    // RFC 9293, 3.10.7.4: a new connection may come while the old one waits out its time.
    if (connection !== undefined && !(onlySyn && connection.state === 'time-wait')) {
      connection.input(segment);
      this.sweep(connection);
      return;
    }
    const acceptor = onlySyn ? this.services.acceptor(segment.target, segment.targetPort) : undefined;
    if (acceptor === undefined) this.refuse(segment);
    else if ('later' in acceptor) acceptor.later({ ...segment, data: EMPTY });
    else this.admit(segment, acceptor.open(), acceptor.name);
  }

  /** Accepts what a SYN asks for; undefined when there is no room, which the peer is told. */
  admit(syn: TcpSegment, service: TcpService, name: string): TcpConnection | undefined {
    if (!this.makeRoom()) {
      this.refuse(syn);
      return undefined;
    }
    const key = keyOf(syn.target, syn.targetPort, syn.source, syn.sourcePort);
    const connection = new TcpConnection(this, service, name, new ByteQueue(SEND_BYTES));
    this.connections.delete(key);
    this.connections.set(key, connection);
    connection.accept(syn, this.carrier.random32());
    return connection;
  }

  /** Opens a connection to the guest; undefined when there is no room. */
  connect(
    local: number,
    remote: number,
    remotePort: number,
    service: TcpService,
    name: string,
  ): TcpConnection | undefined {
    if (!this.makeRoom()) return undefined;
    const ends: TcpEnds = { local, localPort: this.freePort(local, remote, remotePort), remote, remotePort };
    const connection = new TcpConnection(this, service, name, new ByteQueue(SEND_BYTES));
    this.connections.set(keyOf(ends.local, ends.localPort, remote, remotePort), connection);
    connection.open(ends, this.carrier.random32());
    return connection;
  }

  transmit(connection: TcpConnection, sequence: number, flags: number, data?: Uint8Array): boolean {
    const { local, localPort, remote, remotePort, rcvNxt } = connection;
    const window = (flags & RST) !== 0 ? 0 : connection.window;
    const segment = tcpSegment({
      source: local,
      target: remote,
      sourcePort: localPort,
      targetPort: remotePort,
      sequence,
      acknowledged: (flags & ACK) !== 0 ? rcvNxt : 0,
      flags,
      window: Math.min(MAX_WINDOW, window),
      data,
    });
    if (!this.carrier.sendIpv4(local, remote, PROTOCOL_TCP, segment)) {
      this.stalled = true;
      return false;
    }
    connection.rcvEdge = (rcvNxt + window) >>> 0;
    return true;
  }

  /** The backlog has room again. */
  resume(): void {
    if (!this.stalled) return;
    this.stalled = false;
    for (const connection of [...this.connections.values()]) connection.resume();
  }

  /** The earliest deadline of a connection, or Infinity. */
  deadline(): number {
    let next = Infinity;
    for (const { deadline } of this.connections.values()) if (deadline < next) next = deadline;
    return next;
  }

  timeOut(): void {
    const now = this.now();
    for (const connection of [...this.connections.values()]) {
      if (connection.deadline <= now) connection.timeOut();
      this.sweep(connection);
    }
  }

  /** Forgets a connection that is over, for whatever reason outside `input` and `timeOut`. */
  sweep(connection: TcpConnection): void {
    if (connection.state !== 'closed') return;
    const { local, localPort, remote, remotePort } = connection;
    const key = keyOf(local, localPort, remote, remotePort);
    if (this.connections.get(key) === connection) this.connections.delete(key);
  }

  refuse(segment: TcpSegment): void {
    const reset = resetFor(segment);
    if (reset !== undefined) this.carrier.sendIpv4(segment.target, segment.source, PROTOCOL_TCP, reset);
  }

  /** A map keeps the order of insertion: the first that waits is the oldest. */
  private makeRoom(): boolean {
    if (this.connections.size < MAX_CONNECTIONS) return true;
    for (const [key, { state }] of this.connections) {
      if (state !== 'time-wait' && state !== 'syn-received') continue;
      this.connections.get(key)!.service.closed(state === 'time-wait');
      return this.connections.delete(key);
    }
    return false;
  }

  private freePort(local: number, remote: number, remotePort: number): number {
    do this.nextPort = this.nextPort === 65_535 ? FIRST_EPHEMERAL : this.nextPort + 1;
    while (this.connections.has(keyOf(local, this.nextPort, remote, remotePort)));
    return this.nextPort;
  }

  save(): Fields {
    return {
      nextPort: this.nextPort,
      stalled: this.stalled,
      connections: [...this.connections.values()].map((c) => this.saveOne(c)),
    };
  }

  private saveOne(connection: TcpConnection): StateValue {
    const data: Record<string, StateValue> = { state: connection.state, service: connection.serviceName };
    for (const key of NUMBERS) data[key] = connection[key];
    data.retransmitAt = finite(connection.retransmitAt);
    data.lifeEnds = finite(connection.lifeEnds);
    data.finQueued = connection.finQueued;
    data.stalled = connection.stalled;
    data.queue = connection.queue.copy(0, connection.queue.length);
    data.serviceState = this.services.save(connection.service);
    return data;
  }

  /** A check first, so that a bad record leaves the stack as it was; answers how to take it over. */
  restore(data: Fields): () => void {
    const { nextPort, stalled, connections } = data;
    if (typeof nextPort !== 'number' || typeof stalled !== 'boolean' || !Array.isArray(connections)) throw bad(data);
    if (connections.length > MAX_CONNECTIONS) throw bad(connections.length);
    const restored = (connections as readonly Fields[]).map((fields) => this.restoreOne(fields));
    return () => {
      this.nextPort = nextPort;
      this.stalled = stalled;
      this.connections = new Map();
      for (const { connection, alive } of restored) {
        const { local, localPort, remote, remotePort } = connection;
        this.connections.set(keyOf(local, localPort, remote, remotePort), connection);
        if (alive) continue;
        connection.abort();
        this.sweep(connection);
      }
    };
  }

  private restoreOne(data: Fields): { connection: TcpConnection; alive: boolean } {
    const { state, service: name, serviceState, queue: bytes, finQueued, stalled } = data;
    if (!(bytes instanceof Uint8Array) || bytes.length > SEND_BYTES || typeof name !== 'string') throw bad(data);
    if (typeof serviceState !== 'object' || serviceState === null || !STATES.includes(state as TcpState))
      throw bad(data);
    const service = this.services.restore(name, serviceState as Fields);
    const queue = new ByteQueue(SEND_BYTES);
    queue.push(bytes);
    const connection = new TcpConnection(this, service ?? GONE, name, queue);
    const numbers = stateNumbers(data, NUMBERS);
    if (!arePossible(numbers, bytes.length)) throw bad(numbers);
    Object.assign(connection, numbers);
    const { retransmitAt, lifeEnds } = stateNumbers(data, ['retransmitAt', 'lifeEnds']);
    connection.retransmitAt = retransmitAt < 0 ? Infinity : retransmitAt;
    connection.lifeEnds = lifeEnds < 0 ? Infinity : lifeEnds;
    connection.state = state as TcpState;
    connection.finQueued = finQueued === true;
    connection.stalled = stalled === true;
    return { connection, alive: service !== undefined };
  }
}

/** Whether what is on the way is in the queue, or the SYN or FIN at its ends. */
function arePossible(numbers: Record<(typeof NUMBERS)[number], number>, queued: number): boolean {
  const { sndUna, sndNxt, sndMax, mss } = numbers;
  const whole = Object.values(numbers).every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32);
  const sent = distance(sndNxt, sndUna);
  const most = distance(sndMax, sndUna);
  return whole && sent >= 0 && sent <= most && most <= queued + 1 && mss > 0 && mss <= MSS;
}

/** Stands in for a service that could not be restored. */
const GONE: TcpService = {
  room: () => 0,
  receive: () => {},
  finished: () => {},
  writable: () => {},
  closed: () => {},
};

function keyOf(local: number, localPort: number, remote: number, remotePort: number): string {
  return `${local}:${localPort}-${remote}:${remotePort}`;
}

function finite(tick: number): number {
  return tick === Infinity ? -1 : tick;
}

function bad(value: unknown): RingfenceError {
  return new RingfenceError('RF_BAD_STATE', { message: 'the connections of a saved network do not fit', value });
}
