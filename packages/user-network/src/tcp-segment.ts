/**
 * TCP segments (RFC 9293, 3.1 "Header Format"): parsing that trusts nothing, building, and arithmetic on sequence numbers.
 * Of the options only the maximum segment size is read and sent: no window scaling, no timestamps, no SACK.
 */
import { get16, get32, put16, put32, transportChecksum } from './internet.js';
import { IP_HEADER, PROTOCOL_TCP, type Ipv4Packet } from './ipv4.js';
import { MTU } from './plan.js';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

export const TCP_HEADER = 20;
export const MSS = MTU - IP_HEADER - TCP_HEADER;
/** RFC 9293, 3.7.1 "Maximum Segment Size Option": what a peer takes that does not say. */
export const DEFAULT_MSS = 536;
/** Nobody needs less, and every segment costs an answer. */
const MIN_MSS = 64;
const OPTION_MSS = 2;

export interface TcpSegment {
  readonly source: number;
  readonly target: number;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  readonly window: number;
  /** Of a SYN; DEFAULT_MSS when it does not say. */
  readonly mss: number;
  readonly data: Uint8Array;
}

/** `a - b` of two sequence numbers, which are modulo 2^32. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

/** Undefined for a damaged segment. */
export function parseTcp(packet: Ipv4Packet): TcpSegment | undefined {
  const { payload: bytes, source, target } = packet;
  if (bytes.length < TCP_HEADER) return undefined;
  const header = (bytes[12] >>> 4) * 4;
  if (header < TCP_HEADER || header > bytes.length) return undefined;
  if (transportChecksum(source, target, PROTOCOL_TCP, bytes) !== 0) return undefined;
  return {
    source,
    target,
    sourcePort: get16(bytes, 0),
    targetPort: get16(bytes, 2),
    sequence: get32(bytes, 4),
    acknowledged: get32(bytes, 8),
    flags: bytes[13],
    window: get16(bytes, 14),
    mss: readMss(bytes.subarray(TCP_HEADER, header)),
    data: bytes.subarray(header),
  };
}

function readMss(options: Uint8Array): number {
  for (let at = 0; at < options.length;) {
    const kind = options[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) break;
    if (kind === OPTION_MSS && length === 4) return Math.max(MIN_MSS, Math.min(MSS, get16(options, at + 2)));
    at += length;
  }
  return DEFAULT_MSS;
}

export interface TcpSegmentInit {
  readonly source: number;
  readonly target: number;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  readonly window: number;
  readonly data?: Uint8Array;
}

/** The bytes of a segment; a SYN says our maximum segment size. */
export function tcpSegment(init: TcpSegmentInit): Uint8Array {
  const { data } = init;
  const options = (init.flags & SYN) !== 0 ? 4 : 0;
  const bytes = new Uint8Array(TCP_HEADER + options + (data?.length ?? 0));
  put16(bytes, 0, init.sourcePort);
  put16(bytes, 2, init.targetPort);
  put32(bytes, 4, init.sequence);
  put32(bytes, 8, init.acknowledged);
  bytes[12] = (TCP_HEADER + options) << 2;
  bytes[13] = init.flags;
  put16(bytes, 14, init.window);
  if (options !== 0) {
    bytes[TCP_HEADER] = OPTION_MSS;
    bytes[TCP_HEADER + 1] = 4;
    put16(bytes, TCP_HEADER + 2, MSS);
  }
  if (data !== undefined) bytes.set(data, TCP_HEADER + options);
  put16(bytes, 16, transportChecksum(init.source, init.target, PROTOCOL_TCP, bytes));
  return bytes;
}

/** The reset that answers a segment for which there is no connection (RFC 9293, 3.10.7.1); a reset gets none. */
export function resetFor(segment: TcpSegment): Uint8Array | undefined {
  if ((segment.flags & RST) !== 0) return undefined;
  const acked = (segment.flags & ACK) !== 0;
  const length = segment.data.length + ((segment.flags & SYN) !== 0 ? 1 : 0) + ((segment.flags & FIN) !== 0 ? 1 : 0);
  return tcpSegment({
    source: segment.target,
    target: segment.source,
    sourcePort: segment.targetPort,
    targetPort: segment.sourcePort,
    sequence: acked ? segment.acknowledged : 0,
    acknowledged: acked ? 0 : (segment.sequence + length) >>> 0,
    flags: acked ? RST : RST | ACK,
    window: 0,
  });
}
