/**
 * A name server (RFC 1034, 1035) that knows a fixed list of hosts: A, AAAA (RFC 3596) and PTR, case-insensitive. A name
 * that is not on the list does not exist (NXDOMAIN), unless somebody is asked further: `resolve` (nat.ts). A name on the list
 * with nothing of the wanted type is answered with no records and no error. UDP only; answers fit 512 bytes.
 * Does not do zones, EDNS, TCP, other classes than IN, or more than one question.
 */
import { concat, formatIpv4, get16, parseIpv4, parseIpv6, put16, put32 } from './internet.js';
import { DOMAIN, GATEWAY, NAME_SERVER } from './plan.js';

export const DNS_PORT = 53;

const HEADER = 12;
const RECORD = 12;
const MAX_NAME = 255;
/** RFC 1035, 2.3.4 "Size limits": what does not fit is left out. */
const MAX_MESSAGE = 512;
const MAX_RECORDS = 8;
const TTL_SECONDS = 300;

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
const TYPE_ANY = 255;
const CLASS_IN = 1;
const CLASS_ANY = 255;

const FLAG_RESPONSE = 0x8000;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE = 0x7800;

export const RCODE_OK = 0;
const RCODE_FORMAT = 1;
export const RCODE_SERVER = 2;
export const RCODE_NAME = 3;
const RCODE_NOT_IMPLEMENTED = 4;

export interface DnsQuery {
  /** Lower case, labels joined by dots; the root is ''. */
  readonly name: string;
  readonly type: number;
  /** The whole message and where its question ends, to be given back. */
  readonly message: Uint8Array;
  readonly end: number;
}

interface DnsRecord {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Addresses of a host: IPv4 or IPv6 text, one or several. */
export type HostAddresses = string | readonly string[];

export class NameServer {
  private readonly records = new Map<string, DnsRecord[]>();

  /** Preconditions: every address is one (openNetwork checks). */
  constructor(hosts: Readonly<Record<string, HostAddresses>>) {
    this.addHost(`gateway.${DOMAIN}`, [formatIpv4(GATEWAY)]);
    this.addHost(`dns.${DOMAIN}`, [formatIpv4(NAME_SERVER)]);
    for (const [name, addresses] of Object.entries(hosts)) {
      this.addHost(name.toLowerCase().replace(/\.$/, ''), typeof addresses === 'string' ? [addresses] : addresses);
    }
  }

  /** A query whose answer is the caller's to find, the answer itself, or undefined for what deserves none. */
  answer(message: Uint8Array): { readonly query?: DnsQuery; readonly reply: Uint8Array } | undefined {
    if (message.length < HEADER || (get16(message, 2) & FLAG_RESPONSE) !== 0) return undefined;
    if ((get16(message, 2) & OPCODE) !== 0) return { reply: header(message, RCODE_NOT_IMPLEMENTED, 0) };
    const question = get16(message, 4) === 1 ? parseName(message, HEADER) : undefined;
    if (question === undefined || question.end + 4 > message.length) return { reply: header(message, RCODE_FORMAT, 0) };
    const end = question.end + 4;
    const query: DnsQuery = { name: question.name, type: get16(message, question.end), message, end };
    const dnsClass = get16(message, question.end + 2);
    if (dnsClass !== CLASS_IN && dnsClass !== CLASS_ANY) return { reply: dnsReply(query, RCODE_NOT_IMPLEMENTED, []) };
    const known = this.records.get(query.name);
    if (known === undefined) return { query, reply: dnsReply(query, RCODE_NAME, []) };
    const wanted = known.filter(({ type }) => type === query.type || query.type === TYPE_ANY);
    return { reply: dnsReply(query, RCODE_OK, wanted) };
  }

  private addHost(name: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      const v4 = parseIpv4(address);
      const data = v4 === undefined ? parseIpv6(address)! : addressBytes(v4);
      this.add(name, { type: v4 === undefined ? TYPE_AAAA : TYPE_A, data });
      this.add(reverseName(data), { type: TYPE_PTR, data: encodeName(name) });
    }
  }

  private add(name: string, record: DnsRecord): void {
    const records = this.records.get(name) ?? [];
    if (records.length < MAX_RECORDS) records.push(record);
    this.records.set(name, records);
  }
}

/** An answer made of IPv4 addresses. */
export function addressReply(query: DnsQuery, addresses: readonly number[]): Uint8Array {
  const records = addresses.map((address) => ({ type: TYPE_A, data: addressBytes(address) }));
  return dnsReply(query, RCODE_OK, records.slice(0, MAX_RECORDS));
}

export function dnsReply(query: DnsQuery, code: number, records: readonly DnsRecord[]): Uint8Array {
  const { message, end } = query;
  const question = message.subarray(HEADER, end);
  const answers: Uint8Array[] = [];
  let bytes = HEADER + question.length;
  for (const { type, data } of records) {
    bytes += RECORD + data.length;
    if (bytes > MAX_MESSAGE) break;
    const fixed = new Uint8Array(RECORD);
    put16(fixed, 0, 0xc000 | HEADER); // the name is the question's
    put16(fixed, 2, type);
    put16(fixed, 4, CLASS_IN);
    put32(fixed, 6, TTL_SECONDS);
    put16(fixed, 10, data.length);
    answers.push(concat(fixed, data));
  }
  const head = header(message, code, answers.length);
  put16(head, 4, 1);
  return concat(head, question, ...answers);
}

/** A header without sections behind it. */
function header(message: Uint8Array, code: number, answers: number): Uint8Array {
  const head = new Uint8Array(HEADER);
  const flags = get16(message, 2) & (OPCODE | FLAG_RECURSION_DESIRED);
  put16(head, 0, get16(message, 0));
  put16(head, 2, flags | FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | code);
  put16(head, 6, answers);
  return head;
}

/** A name without compression, which a question has no use for: there is nothing before it to point at. */
function parseName(message: Uint8Array, start: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  for (let at = start; at < message.length && at - start <= MAX_NAME;) {
    const length = message[at++];
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: at };
    if (length > 63 || at + length > message.length) return undefined;
    labels.push(String.fromCharCode(...message.subarray(at, at + length)));
    at += length;
  }
  return undefined;
}

/** Preconditions: `isHostName(name)`. */
function encodeName(name: string): Uint8Array {
  const labels = name.split('.').map((label) => concat(Uint8Array.of(label.length), new TextEncoder().encode(label)));
  return concat(...labels, Uint8Array.of(0));
}

/** RFC 1123, 2.1 "Host Names and Numbers"; underscores too, which many use. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?$/i.test(text);
}

function reverseName(address: Uint8Array): string {
  if (address.length === 4) return `${[...address].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...address].reverse().flatMap((byte) => [byte & 15, byte >>> 4]);
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}

function addressBytes(address: number): Uint8Array {
  const bytes = new Uint8Array(4);
  put32(bytes, 0, address);
  return bytes;
}
