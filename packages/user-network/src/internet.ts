/**
 * What every protocol here shares: big-endian fields, addresses as numbers and as text, and the Internet checksum
 * (RFC 1071 "Computing the Internet Checksum"). Pure functions; nobody's state.
 */

export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Unsigned. */
export function get32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The sum of 16-bit words of `bytes` from `from` up to `to`, added to `sum`: a checksum in the making. */
export function addWords(sum: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (; at + 1 < to; at += 2) sum += (bytes[at] << 8) | bytes[at + 1];
  return at < to ? sum + (bytes[at] << 8) : sum;
}

/** The checksum of a sum; 0 over a whole message with a right checksum in it. */
export function foldChecksum(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** UDP's and TCP's, over the pseudo header and `message` (RFC 793, 3.1 "Header Format"). */
export function transportChecksum(source: number, target: number, protocol: number, message: Uint8Array): number {
  const pseudo = (source >>> 16) + (source & 0xffff) + (target >>> 16) + (target & 0xffff) + protocol + message.length;
  return foldChecksum(addWords(pseudo, message, 0, message.length));
}

/** `10.0.2.15` as 0A00020Fh; undefined for what is not four decimal bytes. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined;
  return get32(Uint8Array.from(bytes), 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** The 16 bytes of an IPv6 address (RFC 4291, 2.2 "Text Representation of Addresses"); no zone, no dotted tail. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = groups.flat();
  const zeros = 8 - given.length;
  if (given.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return undefined;
  const bytes = new Uint8Array(16);
  const fill = halves.length === 1 ? [] : Array.from({ length: zeros }, () => '0');
  [...groups[0], ...fill, ...(groups[1] ?? [])].forEach((group, i) => put16(bytes, 2 * i, parseInt(group, 16)));
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
