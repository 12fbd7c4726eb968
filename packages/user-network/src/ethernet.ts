/**
 * Ethernet II framing (RFC 894 "Transmission of IP Datagrams over Ethernet") and ARP (RFC 826), with the table of who on
 * the network has which hardware address. The stations of ours answer for themselves only; nobody else is answered for.
 */
import { RingfenceError, type StateValue } from '@ringfence/sdk';
import { concat, get16, get32, put16, put32 } from './internet.js';
import { NETWORK, onNetwork, stationMac } from './plan.js';

export const ETHERNET_HEADER = 14;
export const MIN_FRAME = 60;
export const TYPE_IPV4 = 0x0800;
export const TYPE_ARP = 0x0806;
export const BROADCAST_MAC = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

const ARP_BYTES = 28;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;

/** A frame padded to the least size of Ethernet. */
export function ethernetFrame(to: Uint8Array, from: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(Math.max(MIN_FRAME, ETHERNET_HEADER + payload.length));
  frame.set(to);
  frame.set(from, 6);
  put16(frame, 12, type);
  frame.set(payload, ETHERNET_HEADER);
  return frame;
}

export interface ArpPacket {
  readonly request: boolean;
  readonly senderMac: Uint8Array;
  readonly sender: number;
  readonly target: number;
}

/** Undefined for what is not a request or a reply about IPv4 over Ethernet. */
export function parseArp(bytes: Uint8Array): ArpPacket | undefined {
  if (bytes.length < ARP_BYTES) return undefined;
  const operation = get16(bytes, 6);
  const known = get16(bytes, 0) === 1 && get16(bytes, 2) === TYPE_IPV4 && bytes[4] === 6 && bytes[5] === 4;
  if (!known || (operation !== ARP_REQUEST && operation !== ARP_REPLY)) return undefined;
  return {
    request: operation === ARP_REQUEST,
    senderMac: bytes.slice(8, 14),
    sender: get32(bytes, 14),
    target: get32(bytes, 24),
  };
}

/** A station of ours answers `to`, who asked for it. */
export function arpReply(station: number, to: ArpPacket): Uint8Array {
  return arpFrame(ARP_REPLY, station, to.senderMac, to.senderMac, to.sender);
}

/** A station of ours asks everybody for `target`. */
export function arpRequest(station: number, target: number): Uint8Array {
  return arpFrame(ARP_REQUEST, station, BROADCAST_MAC, new Uint8Array(6), target);
}

function arpFrame(
  operation: number,
  station: number,
  to: Uint8Array,
  targetMac: Uint8Array,
  target: number,
): Uint8Array {
  const mac = stationMac(station);
  const fixed = Uint8Array.of(0, 1, 0x08, 0, 6, 4, 0, operation);
  const addresses = new Uint8Array(20);
  addresses.set(mac);
  put32(addresses, 6, station);
  addresses.set(targetMac, 10);
  put32(addresses, 16, target);
  return ethernetFrame(to, mac, TYPE_ARP, concat(fixed, addresses));
}

/** Hardware addresses by the last byte of the address: at most 256, because the network has no more. */
export class Neighbours {
  private readonly macs = new Map<number, Uint8Array>();

  /** What a frame says of its sender; a group address is nobody's, and an address of elsewhere is not kept. */
  learn(address: number, mac: Uint8Array): void {
    if (!onNetwork(address) || (mac[0] & 1) !== 0) return;
    this.macs.set(address & 0xff, mac.slice(0, 6));
  }

  find(address: number): Uint8Array | undefined {
    return onNetwork(address) ? this.macs.get(address & 0xff) : undefined;
  }

  save(): StateValue {
    return [...this.macs]
      .sort(([a], [b]) => a - b)
      .map(([host, mac]) => ({ address: NETWORK + host, mac: mac.slice() }));
  }

  static restore(value: StateValue | undefined): Neighbours {
    const table = new Neighbours();
    if (!Array.isArray(value)) throw badNeighbours(value);
    for (const entry of value as readonly { address?: unknown; mac?: unknown }[]) {
      const { address, mac } = entry;
      if (typeof address !== 'number' || !(mac instanceof Uint8Array) || mac.length !== 6) throw badNeighbours(entry);
      table.learn(address, mac);
    }
    return table;
  }
}

function badNeighbours(value: unknown): RingfenceError {
  return new RingfenceError('RF_BAD_STATE', { message: 'the neighbours of a saved network are not a list', value });
}
