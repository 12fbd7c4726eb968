/** Whatever comes over the cable: nothing throws, every answer is a frame, memory and time are bounded. */
import fc from 'fast-check';
import { MAX_FRAME_BYTES } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { TYPE_ARP, TYPE_IPV4, ethernetFrame } from './ethernet.js';
import { addWords, foldChecksum, get16, put16 } from './internet.js';
import {
  IP_HEADER,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  ipv4Packet,
  parseIpv4Packet,
  udpDatagram,
} from './ipv4.js';
import { GATEWAY, NAME_SERVER, stationMac } from './plan.js';
import { GUEST, GUEST_MAC, HZ, Station } from './testing/station.js';
import { tcpSegment } from './tcp-segment.js';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const port = fc.constantFrom(0, 7, 9, 53, 67, 68, 69, 80, 50_001, 65_535);
const target = fc.constantFrom(GATEWAY, NAME_SERVER, 0xffffffff, 0x0a0002ff, 0x5db8d822, 0x7f000001, 0);

const packet = (protocol: number, payload: fc.Arbitrary<Uint8Array>) =>
  fc.tuple(payload, target, fc.constantFrom(GUEST, GUEST, GUEST, 0, GATEWAY)).map(([data, to, from]) => {
    const cut = data.subarray(0, 1480);
    return ethernetFrame(stationMac(GATEWAY), GUEST_MAC, TYPE_IPV4, ipv4Packet(from, to, protocol, cut));
  });

const udp = fc
  .tuple(port, port, target, bytes(400))
  .map(([from, to, address, data]) =>
    ethernetFrame(
      stationMac(GATEWAY),
      GUEST_MAC,
      TYPE_IPV4,
      ipv4Packet(GUEST, address, PROTOCOL_UDP, udpDatagram(GUEST, from, address, to, data)),
    ),
  );

/** Segments near enough to each other that they are about the same connections. */
const tcp = fc
  .record({
    sourcePort: fc.integer({ min: 5000, max: 5003 }),
    targetPort: fc.constantFrom(7, 9, 80),
    sequence: fc.integer({ min: 0, max: 40 }),
    acknowledged: fc.integer({ min: 0, max: 40 }),
    flags: fc.oneof(fc.constantFrom(2, 16, 17, 24, 4), fc.nat(255)),
    window: fc.constantFrom(0, 1, 100, 65_535),
    data: fc.oneof(bytes(50), fc.constant(new TextEncoder().encode('GET / HTTP/1.0\r\n\r\n'))),
    relative: fc.boolean(),
  })
  .map((init) => ({ ...init, source: GUEST, target: GATEWAY }));

const bent = fc
  .tuple(
    fc.oneof(udp, packet(PROTOCOL_TCP, bytes(100)), packet(PROTOCOL_ICMP, bytes(100))),
    fc.array(fc.tuple(fc.nat(80), fc.nat(255))),
  )
  .map(([frame, changes]) => {
    const copy = frame.slice();
    for (const [at, value] of changes) copy[at % copy.length] = value;
    // half of them with a header that is right again
    if (changes.length % 2 === 0 && copy.length >= 14 + IP_HEADER) {
      put16(copy, 24, 0);
      put16(copy, 24, foldChecksum(addWords(0, copy, 14, 14 + IP_HEADER)));
    }
    return copy;
  });

const frame = fc.oneof(
  bytes(1600),
  bytes(60).map((data) => ethernetFrame(stationMac(GATEWAY), GUEST_MAC, TYPE_ARP, data)),
  packet(PROTOCOL_ICMP, bytes(200)),
  packet(PROTOCOL_UDP, bytes(600)),
  packet(PROTOCOL_TCP, bytes(200)),
  udp,
  bent,
);

function checkFrames(frames: readonly Uint8Array[]): void {
  for (const answer of frames) {
    expect(answer.length).toBeGreaterThanOrEqual(60);
    expect(answer.length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
    if (get16(answer, 12) === TYPE_IPV4) expect(parseIpv4Packet(answer.subarray(14))).toBeDefined();
  }
}

describe('a hostile card', () => {
  it('gets nothing but frames for whatever frames it sends', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 40 }), fc.boolean(), (frames, takes) => {
        const station = new Station({ serve: new Map([['/f', new Uint8Array(5000)]]), hosts: { a: '10.0.2.2' } });
        for (const each of frames) {
          station.network.send(each);
          if (takes) checkFrames(station.frames());
        }
        station.clock.advance(200 * HZ);
        const waiting = station.frames();
        expect(waiting.length).toBeLessThanOrEqual(600);
        checkFrames(waiting);
        // and it still works
        station.clock.advance(1000 * HZ);
        station.frames();
        expect(station.arp(GATEWAY)).toHaveLength(1);
      }),
      { numRuns: 300 },
    );
  });

  it('gets nothing but frames for whatever segments it sends, and its connections end', () => {
    fc.assert(
      fc.property(fc.array(tcp, { maxLength: 60 }), (segments) => {
        const station = new Station({ serve: new Map([['/f', new Uint8Array(5000)]]) });
        // numbers near those of the last answer, so that some of it means something
        const last = new Map<number, { sequence: number; acknowledged: number }>();
        for (const { relative, ...init } of segments) {
          const known = relative ? last.get(init.sourcePort) : undefined;
          station.send(
            PROTOCOL_TCP,
            tcpSegment({
              ...init,
              sequence: ((known?.acknowledged ?? 0) + init.sequence - 5) >>> 0,
              acknowledged: ((known?.sequence ?? 0) + init.acknowledged - 5) >>> 0,
            }),
          );
          for (const answer of station.segments()) {
            last.set(answer.targetPort, {
              sequence: answer.sequence + answer.data.length + ((answer.flags & 3) === 0 ? 0 : 1),
              acknowledged: answer.acknowledged,
            });
          }
        }
        const saved = station.network.saveState();
        const other = new Station({ serve: new Map([['/f', new Uint8Array(5000)]]) });
        other.clock.jumpTo(station.clock.now());
        other.network.loadState(structuredClone(saved));
        expect(other.network.saveState()).toEqual(saved);
        for (let i = 0; i < 60; i++) {
          station.clock.advance(20 * HZ);
          checkFrames(station.frames());
        }
        expect(station.clock.deadlines()).toEqual({});
      }),
      { numRuns: 300 },
    );
  });
});
