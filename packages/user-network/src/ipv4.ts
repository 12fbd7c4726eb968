/**
 * IPv4 headers (RFC 791), ICMP (RFC 792) and UDP (RFC 768): parsing that trusts nothing, and building.
 * Fragments are not put together: a datagram that does not fit a frame is dropped, as a host without memory for reassembly
 * may. Options are skipped. Nothing here is longer than one frame.
 */
import { addWords, foldChecksum, get16, get32, put16, put32, transportChecksum } from './internet.js';
import { MTU } from './plan.js';

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export const IP_HEADER = 20;
const UDP_HEADER = 8;
export const MAX_UDP_PAYLOAD = MTU - IP_HEADER - UDP_HEADER;
const TTL = 64;
const MORE_FRAGMENTS_AND_OFFSET = 0x3fff;
const DONT_FRAGMENT = 0x4000;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO = 8;
export const UNREACHABLE_PORT = 3;
/** RFC 1812, 5.2.7.1 "Destination Unreachable": communication administratively prohibited. */
export const UNREACHABLE_PROHIBITED = 13;

export interface Ipv4Packet {
  readonly source: number;
  readonly target: number;
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Header and payload, for an ICMP error to quote. */
  readonly whole: Uint8Array;
}

/** Undefined for a damaged packet and for a fragment. */
export function parseIpv4Packet(bytes: Uint8Array): Ipv4Packet | undefined {
  if (bytes.length < IP_HEADER || bytes[0] >>> 4 !== 4) return undefined;
  const header = (bytes[0] & 15) * 4;
  const total = get16(bytes, 2);
  if (header < IP_HEADER || total < header || total > bytes.length) return undefined;
  if (foldChecksum(addWords(0, bytes, 0, header)) !== 0) return undefined;
  if ((get16(bytes, 6) & MORE_FRAGMENTS_AND_OFFSET) !== 0) return undefined;
  return {
    source: get32(bytes, 12),
    target: get32(bytes, 16),
    protocol: bytes[9],
    payload: bytes.subarray(header, total),
    whole: bytes.subarray(0, total),
  };
}

/** Preconditions: the payload fits. Identification is zero, as RFC 6864 allows where DF is set. */
export function ipv4Packet(source: number, target: number, protocol: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IP_HEADER + payload.length);
  packet[0] = 0x45;
  put16(packet, 2, packet.length);
  put16(packet, 6, DONT_FRAGMENT);
  packet[8] = TTL;
  packet[9] = protocol;
  put32(packet, 12, source);
  put32(packet, 16, target);
  put16(packet, 10, foldChecksum(addWords(0, packet, 0, IP_HEADER)));
  packet.set(payload, IP_HEADER);
  return packet;
}

/** The answer to an echo request, or undefined when `message` is none or damaged. */
export function echoReply(message: Uint8Array): Uint8Array | undefined {
  if (message.length < 8 || message[0] !== ICMP_ECHO || message[1] !== 0) return undefined;
  if (foldChecksum(addWords(0, message, 0, message.length)) !== 0) return undefined;
  const reply = message.slice();
  reply[0] = ICMP_ECHO_REPLY;
  return withIcmpChecksum(reply);
}

/** "Destination unreachable" about `packet`: its header and the first eight bytes behind it go back with it. */
export function icmpUnreachable(code: number, packet: Ipv4Packet): Uint8Array {
  const header = packet.whole.length - packet.payload.length;
  const quoted = packet.whole.subarray(0, header + 8);
  const message = new Uint8Array(8 + quoted.length);
  message[0] = ICMP_UNREACHABLE;
  message[1] = code;
  message.set(quoted, 8);
  return withIcmpChecksum(message);
}

/** RFC 1122, 3.2.2: no error about an ICMP error; we err on the safe side and report none about any ICMP but echo. */
export function mayReport(packet: Ipv4Packet): boolean {
  return packet.protocol !== PROTOCOL_ICMP || packet.payload[0] === ICMP_ECHO;
}

function withIcmpChecksum(message: Uint8Array): Uint8Array {
  put16(message, 2, 0);
  put16(message, 2, foldChecksum(addWords(0, message, 0, message.length)));
  return message;
}

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly payload: Uint8Array;
}

/** Undefined for a damaged datagram; a checksum of zero is none. */
export function parseUdp(packet: Ipv4Packet): UdpDatagram | undefined {
  const { payload: bytes, source, target } = packet;
  if (bytes.length < UDP_HEADER) return undefined;
  const length = get16(bytes, 4);
  if (length < UDP_HEADER || length > bytes.length) return undefined;
  const datagram = bytes.subarray(0, length);
  if (get16(bytes, 6) !== 0 && transportChecksum(source, target, PROTOCOL_UDP, datagram) !== 0) return undefined;
  return { sourcePort: get16(bytes, 0), targetPort: get16(bytes, 2), payload: datagram.subarray(UDP_HEADER) };
}

/** Preconditions: at most MAX_UDP_PAYLOAD bytes of payload. */
export function udpDatagram(
  source: number,
  sourcePort: number,
  target: number,
  targetPort: number,
  payload: Uint8Array,
): Uint8Array {
  const datagram = new Uint8Array(UDP_HEADER + payload.length);
  put16(datagram, 0, sourcePort);
  put16(datagram, 2, targetPort);
  put16(datagram, 4, datagram.length);
  datagram.set(payload, UDP_HEADER);
  // A sum of zero is sent as all ones: zero says that there is none.
  put16(datagram, 6, transportChecksum(source, target, PROTOCOL_UDP, datagram) || 0xffff);
  return datagram;
}
