/**
 * A DHCP server (RFC 2131, options of RFC 2132) for one small network: sixteen addresses from 10.0.2.15 on, each bound to
 * the client that asked first, by client identifier or else by hardware address. A client gets the same address again.
 * Does not do BOOTP without DHCP, relays, or an address that a client declined: the table of addresses is ours alone.
 */
import { RingfenceError, type StateRecord, type StateValue } from '@ringfence/sdk';
import { concat, get16, get32, put16, put32 } from './internet.js';
import { DOMAIN, FIRST_LEASE, GATEWAY, LEASES, MTU, NAME_SERVER, NETMASK, SUBNET_BROADCAST } from './plan.js';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

const FIXED_BYTES = 236;
const MAGIC = 0x6382_5363;
/** RFC 1542, 2.1 "General BOOTP Processing": a message has at least 300 bytes. */
const MIN_BYTES = 300;
const BOOTREQUEST = 1;
const BOOTREPLY = 2;
const FLAG_BROADCAST = 0x8000;
export const LEASE_SECONDS = 86_400;

/** Options by number (RFC 2132). */
const OPTION = {
  subnetMask: 1,
  router: 3,
  nameServer: 6,
  domainName: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterList: 55,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
} as const;

const DISCOVER = 1;
const OFFER = 2;
const REQUEST = 3;
const ACK = 5;
const NAK = 6;
const RELEASE = 7;
const INFORM = 8;

/** What a client may ask for in its parameter list, and gets all of when it sends none. */
const PARAMETERS: ReadonlyMap<number, Uint8Array> = new Map([
  [OPTION.subnetMask, bytes32(NETMASK)],
  [OPTION.router, bytes32(GATEWAY)],
  [OPTION.nameServer, bytes32(NAME_SERVER)],
  [OPTION.domainName, new TextEncoder().encode(DOMAIN)],
  [OPTION.mtu, Uint8Array.of(MTU >>> 8, MTU & 0xff)],
  [OPTION.broadcast, bytes32(SUBNET_BROADCAST)],
]);

interface Lease {
  readonly client: string;
  /** Tick at which another client may have it; Infinity is not used. */
  until: number;
}

export interface DhcpReply {
  readonly message: Uint8Array;
  /** Where it goes; undefined: to everybody. */
  readonly to: { readonly address: number; readonly mac: Uint8Array } | undefined;
}

export class DhcpServer {
  /** By address, counted from FIRST_LEASE. */
  private leases = new Map<number, Lease>();

  /** `ticks`: of the clock in a lease. */
  constructor(
    private readonly now: () => number,
    private readonly ticks: number,
  ) {}

  /** The answer to a message, or undefined when it deserves none. */
  answer(message: Uint8Array): DhcpReply | undefined {
    const options = parseMessage(message);
    if (options === undefined) return undefined;
    const mac = message.slice(28, 34);
    const ciaddr = get32(message, 12);
    const client = hex(options.get(OPTION.clientIdentifier) ?? mac);
    const reply = (type: number, address: number): DhcpReply => this.reply(message, options, type, address);
    switch (options.get(OPTION.messageType)?.[0]) {
      case DISCOVER: {
        const address = this.addressFor(client, addressOf(options.get(OPTION.requestedAddress)));
        return address === undefined ? undefined : reply(OFFER, address);
      }
      case REQUEST: {
        const server = addressOf(options.get(OPTION.serverIdentifier));
        if (server !== undefined && server !== GATEWAY) return undefined; // it took another server's offer
        const wanted = addressOf(options.get(OPTION.requestedAddress)) ?? ciaddr;
        const address = this.addressFor(client, wanted);
        if (address === undefined || address !== wanted) return reply(NAK, 0);
        this.leases.set(address, { client, until: this.now() + this.ticks });
        return reply(ACK, address);
      }
      case RELEASE:
        if (this.leases.get(ciaddr)?.client === client) this.leases.delete(ciaddr);
        return undefined;
      case INFORM:
        return ciaddr === 0 ? undefined : reply(ACK, 0);
      default:
        return undefined;
    }
  }

  /** The address a client has, or the one it wants if it is to be had, or the first free one. */
  private addressFor(client: string, wanted: number | undefined): number | undefined {
    for (const [address, lease] of this.leases) if (lease.client === client) return address;
    if (wanted !== undefined && wanted >= FIRST_LEASE && wanted < FIRST_LEASE + LEASES && this.free(wanted))
      return wanted;
    for (let i = 0; i < LEASES; i++) if (this.free(FIRST_LEASE + i)) return FIRST_LEASE + i;
    return undefined;
  }

  /** An expired lease goes when somebody else could have it. */
  private free(address: number): boolean {
    const lease = this.leases.get(address);
    if (lease === undefined) return true;
    if (lease.until > this.now()) return false;
    this.leases.delete(address);
    return true;
  }

  private reply(request: Uint8Array, asked: Map<number, Uint8Array>, type: number, address: number): DhcpReply {
    const fixed = request.slice(0, FIXED_BYTES);
    const ciaddr = get32(request, 12);
    const isNak = type === NAK;
    fixed[0] = BOOTREPLY;
    fixed[3] = 0; // hops
    put16(fixed, 8, 0); // secs
    if (isNak || type === OFFER) put32(fixed, 12, 0);
    put32(fixed, 16, address);
    put32(fixed, 20, 0); // siaddr: nothing to boot from
    fixed.fill(0, 44); // sname and file
    const options: [number, Uint8Array][] = [
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.serverIdentifier, bytes32(GATEWAY)],
    ];
    if (!isNak && address !== 0) {
      options.push([OPTION.leaseTime, bytes32(LEASE_SECONDS)]);
      options.push([OPTION.renewalTime, bytes32(LEASE_SECONDS / 2)]);
      options.push([OPTION.rebindingTime, bytes32((LEASE_SECONDS / 8) * 7)]);
    }
    if (!isNak) {
      const wanted = new Set(asked.get(OPTION.parameterList) ?? PARAMETERS.keys());
      for (const code of wanted) {
        const value = PARAMETERS.get(code);
        if (value !== undefined) options.push([code, value]);
      }
    }
    // RFC 6842: what the client calls itself goes back with every answer.
    const identifier = asked.get(OPTION.clientIdentifier);
    if (identifier !== undefined) options.push([OPTION.clientIdentifier, identifier]);
    const body = concat(
      fixed,
      bytes32(MAGIC),
      ...options.map(([code, value]) => concat(Uint8Array.of(code, value.length), value)),
      Uint8Array.of(255),
    );
    const message = new Uint8Array(Math.max(MIN_BYTES, body.length));
    message.set(body);
    return { message, to: this.destination(request, isNak, ciaddr, address) };
  }

  /** RFC 2131, 4.1 "Constructing and sending DHCP messages". */
  private destination(request: Uint8Array, isNak: boolean, ciaddr: number, address: number): DhcpReply['to'] {
    const broadcast = isNak || (ciaddr === 0 && (get16(request, 10) & FLAG_BROADCAST) !== 0);
    return broadcast ? undefined : { address: ciaddr !== 0 ? ciaddr : address, mac: request.slice(28, 34) };
  }

  save(): StateValue {
    return [...this.leases]
      .sort(([a], [b]) => a - b)
      .map(([address, { client, until }]) => ({ address, client, until }));
  }

  /** A check first, so that a bad record leaves the server as it was; answers how to take it over. */
  restore(value: StateRecord['data'][string] | undefined): () => void {
    const leases = new Map<number, Lease>();
    const bad = (): RingfenceError =>
      new RingfenceError('RF_BAD_STATE', { message: 'the leases of a saved network are not a list of leases', value });
    if (!Array.isArray(value) || value.length > LEASES) throw bad();
    for (const entry of value as readonly { address?: unknown; client?: unknown; until?: unknown }[]) {
      const { address, client, until } = entry;
      if (typeof address !== 'number' || typeof client !== 'string' || typeof until !== 'number') throw bad();
      leases.set(address, { client, until });
    }
    return () => (this.leases = leases);
  }
}

/** The options of a request over Ethernet that came without a relay; undefined for anything else. */
function parseMessage(message: Uint8Array): Map<number, Uint8Array> | undefined {
  if (message.length < FIXED_BYTES + 4 || message[0] !== BOOTREQUEST || message[1] !== 1 || message[2] !== 6)
    return undefined;
  if (get32(message, 24) !== 0 || (message[28] & 1) !== 0 || get32(message, FIXED_BYTES) !== MAGIC) return undefined;
  const options = new Map<number, Uint8Array>();
  readOptions(message.subarray(FIXED_BYTES + 4), options);
  // Option 52: the file name, the server name or both hold options too.
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  if ((overload & 1) !== 0) readOptions(message.subarray(108, 236), options);
  if ((overload & 2) !== 0) readOptions(message.subarray(44, 108), options);
  return options;
}

/** Of an option that comes twice the first is taken; one that is cut short ends the list. */
function readOptions(bytes: Uint8Array, options: Map<number, Uint8Array>): void {
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at++];
    if (code === 0) continue;
    if (code === 255 || at >= bytes.length) return;
    const length = bytes[at++];
    if (at + length > bytes.length) return;
    if (!options.has(code)) options.set(code, bytes.slice(at, at + length));
    at += length;
  }
}

function addressOf(option: Uint8Array | undefined): number | undefined {
  return option?.length === 4 ? get32(option, 0) : undefined;
}

function bytes32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  put32(bytes, 0, value);
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
