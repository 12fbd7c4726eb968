/** The DHCP server through the network: what a client of RFC 2131 sends, and what it may expect. */
import { describe, expect, it } from 'vitest';
import { concat, get16, get32, put16, put32 } from './internet.js';
import { GUEST_MAC, HZ, Station } from './testing/station.js';

const [DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM] = [1, 2, 3, 4, 5, 6, 7, 8];
const FIRST = 0x0a00020f;

interface Ask {
  readonly options?: readonly (readonly [code: number, value: readonly number[]])[];
  readonly mac?: Uint8Array;
  readonly flags?: number;
  readonly ciaddr?: number;
  readonly giaddr?: number;
  /** Of the packet. */
  readonly from?: number;
  readonly to?: number;
}

function message(type: number, { options = [], mac = GUEST_MAC, flags = 0, ciaddr = 0, giaddr = 0 }: Ask): Uint8Array {
  const fixed = new Uint8Array(240);
  fixed.set([1, 1, 6, 3, 0xde, 0xad, 0xbe, 0xef]);
  put16(fixed, 10, flags);
  put32(fixed, 12, ciaddr);
  put32(fixed, 24, giaddr);
  fixed.set(mac, 28);
  fixed.set([0x63, 0x82, 0x53, 0x63], 236);
  const list = options.map(([code, value]) => Uint8Array.of(code, value.length, ...value));
  return concat(fixed, Uint8Array.of(53, 1, type), ...list, Uint8Array.of(255));
}

function ask(station: Station, type: number, init: Ask = {}) {
  station.udp(init.to ?? 0xffffffff, 67, message(type, init), 68, init.from ?? 0);
  const frames = station.frames();
  expect(frames.length).toBeLessThan(2);
  if (frames.length === 0) return undefined;
  const [frame] = frames;
  const bytes = frame.subarray(14 + 20 + 8, 14 + get16(frame, 16));
  const options = new Map<number, number[]>();
  for (let at = 240; bytes[at] !== 255; at += 2 + bytes[at + 1]) {
    options.set(bytes[at], [...bytes.subarray(at + 2, at + 2 + bytes[at + 1])]);
  }
  return {
    type: options.get(53)![0],
    yiaddr: get32(bytes, 16),
    ciaddr: get32(bytes, 12),
    xid: get32(bytes, 4),
    hops: bytes[3],
    options,
    bytes: bytes.length,
    mac: [...frame.subarray(0, 6)],
    to: get32(frame, 30),
    ports: [get16(frame, 34), get16(frame, 36)],
  };
}

const address = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const SERVER = [54, [10, 0, 2, 2]] as const;
const requested = (value: number) => [50, address(value)] as const;

describe('the DHCP server', () => {
  it('offers and gives 10.0.2.15 with everything a client needs', () => {
    const station = new Station();
    const offer = ask(station, DISCOVER)!;
    expect(offer).toMatchObject({ type: OFFER, yiaddr: FIRST, xid: 0xdeadbeef, hops: 0, ports: [67, 68], to: FIRST });
    expect(offer.mac).toEqual([...GUEST_MAC]);
    const ack = ask(station, REQUEST, { options: [requested(FIRST), SERVER] })!;
    expect(ack).toMatchObject({ type: ACK, yiaddr: FIRST });
    expect(ack.bytes).toBeGreaterThanOrEqual(300);
    expect(Object.fromEntries(ack.options)).toMatchObject({
      1: [255, 255, 255, 0],
      3: [10, 0, 2, 2],
      6: [10, 0, 2, 3],
      26: [5, 220],
      28: [10, 0, 2, 255],
      51: address(86_400),
      54: [10, 0, 2, 2],
      58: address(43_200),
      59: address(75_600),
    });
    expect(String.fromCharCode(...ack.options.get(15)!)).toBe('ringfence.internal');
  });

  it('gives what the parameter list asks for, in its order, and no more', () => {
    const { options } = ask(new Station(), DISCOVER, { options: [[55, [6, 1, 42]]] })!;
    expect([...options.keys()]).toEqual([53, 54, 51, 58, 59, 6, 1]);
  });

  it('broadcasts to a client that asks for it', () => {
    const { mac, to } = ask(new Station(), DISCOVER, { flags: 0x8000 })!;
    expect([mac, to]).toEqual([[255, 255, 255, 255, 255, 255], 0xffffffff]);
  });

  it('gives the client identifier back (RFC 6842)', () => {
    expect(ask(new Station(), DISCOVER, { options: [[61, [1, 2, 3]]] })!.options.get(61)).toEqual([1, 2, 3]);
  });

  it('refuses an address that is not to be had, to everybody', () => {
    const station = new Station();
    const nak = ask(station, REQUEST, { options: [requested(0x0a000263), SERVER] })!;
    expect(nak).toMatchObject({ type: NAK, yiaddr: 0, to: 0xffffffff });
    expect([...nak.options.keys()]).toEqual([53, 54]);
    expect(ask(station, REQUEST, { options: [requested(0xc0a80105)] })!.type).toBe(NAK);
  });

  it('says nothing when the client took the offer of another server', () => {
    expect(ask(new Station(), REQUEST, { options: [requested(FIRST), [54, [10, 0, 2, 99]]] })).toBeUndefined();
  });

  it('renews a lease straight to the client', () => {
    const station = new Station();
    ask(station, REQUEST, { options: [requested(FIRST), SERVER] });
    const ack = ask(station, REQUEST, { ciaddr: FIRST, from: FIRST, to: 0x0a000202, flags: 0x8000 })!;
    expect(ack).toMatchObject({ type: ACK, yiaddr: FIRST, ciaddr: FIRST, to: FIRST, mac: [...GUEST_MAC] });
  });

  it('gives each client its own, the same one again, and none when all are taken', () => {
    const station = new Station();
    const mac = (i: number) => Uint8Array.of(2, 0, 0, 0, 0, i);
    for (let i = 0; i < 16; i++) {
      const ack = ask(station, REQUEST, { mac: mac(i), options: [requested(FIRST + i), SERVER] })!;
      expect([ack.type, ack.yiaddr]).toEqual([ACK, FIRST + i]);
    }
    expect(ask(station, DISCOVER, { mac: mac(3) })!.yiaddr).toBe(FIRST + 3);
    expect(ask(station, DISCOVER, { mac: mac(16) })).toBeUndefined();
    expect(ask(station, REQUEST, { mac: mac(16), options: [requested(FIRST)] })!.type).toBe(NAK);
    ask(station, RELEASE, { mac: mac(5), ciaddr: FIRST + 5 });
    expect(ask(station, DISCOVER, { mac: mac(16) })!.yiaddr).toBe(FIRST + 5);
    // a day later the leases are over
    station.clock.advance(86_400 * HZ);
    expect(ask(station, DISCOVER, { mac: mac(17) })!.yiaddr).toBe(FIRST);
  });

  it('tells a client with an address of its own what there is, and lends it nothing', () => {
    const ack = ask(new Station(), INFORM, { ciaddr: 0x0a000263 })!;
    expect(ack).toMatchObject({ type: ACK, yiaddr: 0, to: 0x0a000263 });
    expect(ack.options.has(51)).toBe(false);
    expect(ack.options.get(6)).toEqual([10, 0, 2, 3]);
  });

  it('reads options that spilled into the file name', () => {
    const station = new Station();
    const bytes = message(DISCOVER, { options: [[52, [1]]] });
    bytes.set([61, 1, 9, 255], 108);
    station.udp(0xffffffff, 67, bytes, 68, 0);
    const [frame] = station.frames();
    expect(Buffer.from(frame).includes(Buffer.of(61, 1, 9))).toBe(true);
  });

  it.each([
    ['a relay', () => message(DISCOVER, { giaddr: 0x0a000209 })],
    ['BOOTP', () => message(DISCOVER, {}).fill(0, 240)],
    ['DECLINE', () => message(DECLINE, {})],
    ['a reply', () => message(DISCOVER, {}).fill(2, 0, 1)],
    ['a group address', () => message(DISCOVER, { mac: Uint8Array.of(1, 0, 0, 0, 0, 1) })],
    ['another cookie', () => message(DISCOVER, {}).fill(0, 236, 240)],
    ['half a message', () => message(DISCOVER, {}).slice(0, 100)],
  ])('has nothing to say to %s', (_name, make) => {
    const station = new Station();
    station.udp(0xffffffff, 67, make(), 68, 0);
    expect(station.frames()).toEqual([]);
  });
});
