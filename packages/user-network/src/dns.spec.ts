/** The name server through the network. */
import { describe, expect, it } from 'vitest';
import { concat, get16 } from './internet.js';
import { NAME_SERVER } from './plan.js';
import { Station } from './testing/station.js';

const [A, PTR, MX, AAAA, ANY] = [1, 12, 15, 28, 255];

function query(name: string, type: number, flags = 0x0100, dnsClass = 1, count = 1): Uint8Array {
  const labels = name === '' ? [] : name.split('.');
  const question = labels.map((label) => concat(Uint8Array.of(label.length), new TextEncoder().encode(label)));
  const head = Uint8Array.of(0x12, 0x34, flags >>> 8, flags & 255, 0, count, 0, 0, 0, 0, 0, 0);
  return concat(head, ...question, Uint8Array.of(0, type >>> 8, type & 255, 0, dnsClass));
}

function ask(station: Station, bytes: Uint8Array) {
  station.udp(NAME_SERVER, 53, bytes, 4321);
  const replies = station.datagrams();
  if (replies.length === 0) return undefined;
  expect(replies).toMatchObject([{ port: 53, from: NAME_SERVER, to: 4321 }]);
  const { payload } = replies[0];
  expect(get16(payload, 0)).toBe(0x1234);
  expect(payload[2] & 0x80).toBe(0x80);
  const answers: string[] = [];
  for (let at = bytes.length; at < payload.length;) {
    const size = get16(payload, at + 10);
    answers.push(`${get16(payload, at + 2)} ${Buffer.from(payload.subarray(at + 12, at + 12 + size)).toString('hex')}`);
    at += 12 + size;
  }
  expect(get16(payload, 6)).toBe(answers.length);
  return { code: payload[3] & 15, answers, flags: get16(payload, 2) };
}

const station = () =>
  new Station({
    hosts: { 'Files.Example': ['10.0.2.2', 'fd00::2'], two: ['10.1.0.1', '10.1.0.2'], 'dotted.': '1.2.3.4' },
  });

describe('the name server', () => {
  it('knows the hosts of the configuration, whatever the case', () => {
    expect(ask(station(), query('fiLes.examPle', A))).toEqual({ code: 0, answers: ['1 0a000202'], flags: 0x8180 });
    expect(ask(station(), query('files.example', AAAA))!.answers).toEqual(['28 fd000000000000000000000000000002']);
    expect(ask(station(), query('two', A))!.answers).toEqual(['1 0a010001', '1 0a010002']);
    expect(ask(station(), query('dotted', A))!.answers).toEqual(['1 01020304']);
    expect(ask(station(), query('files.example', ANY))!.answers).toHaveLength(2);
  });

  it('knows its own stations', () => {
    expect(ask(station(), query('gateway.ringfence.internal', A))!.answers).toEqual(['1 0a000202']);
    expect(ask(station(), query('dns.ringfence.internal', A))!.answers).toEqual(['1 0a000203']);
  });

  it('finds names of addresses', () => {
    const hex = Buffer.from('\x05files\x07example\0', 'latin1').toString('hex');
    const { answers } = ask(station(), query('2.2.0.10.in-addr.arpa', PTR))!;
    expect(answers).toContain(`12 ${hex}`);
    const v6 = `2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
    expect(ask(station(), query(v6, PTR))!.answers).toEqual([`12 ${hex}`]);
    expect(ask(station(), query('9.9.9.9.in-addr.arpa', PTR))!.code).toBe(3);
  });

  it('leaves out what does not fit a message', () => {
    const names = Array.from({ length: 8 }, (_, i) => `${String(i).repeat(60)}.${'x'.repeat(60)}`);
    const server = new Station({ hosts: Object.fromEntries(names.map((name) => [name, '10.9.9.9'])) });
    const { answers } = ask(server, query('9.9.9.10.in-addr.arpa', PTR))!;
    expect(answers).toHaveLength(3);
  });

  it('says that a name does not exist, or that it has nothing of the kind', () => {
    expect(ask(station(), query('nowhere', A))).toMatchObject({ code: 3, answers: [] });
    expect(ask(station(), query('', A))).toMatchObject({ code: 3, answers: [] });
    expect(ask(station(), query('two', AAAA))).toMatchObject({ code: 0, answers: [] });
    expect(ask(station(), query('two', MX))).toMatchObject({ code: 0, answers: [] });
  });

  it('refuses what it does not do', () => {
    const server = station();
    server.udp(NAME_SERVER, 53, query('two', A, 0x2000), 4321);
    expect(server.datagrams()[0].payload[3] & 15).toBe(4);
    expect(ask(station(), query('two', A, 0x0100, 3))!.code).toBe(4);
  });

  it.each([
    ['two questions', query('two', A, 0x0100, 1, 2)],
    ['a pointer in the question', concat(query('two', A).slice(0, 12), Uint8Array.of(0xc0, 12, 0, 1, 0, 1))],
    ['a label beyond the end', concat(query('two', A).slice(0, 12), Uint8Array.of(63, 65, 65))],
    ['a name without an end', concat(query('two', A).slice(0, 12), new Uint8Array(400).fill(1))],
    ['no type', query('two', A).slice(0, -4)],
  ])('calls it a format error: %s', (_name, bytes) => {
    const server = station();
    server.udp(NAME_SERVER, 53, bytes, 4321);
    const [{ payload }] = server.datagrams();
    expect([payload.length, payload[3] & 15]).toEqual([12, 1]);
  });

  it('does not answer answers, nor less than a header', () => {
    expect(ask(station(), query('two', A, 0x8100))).toBeUndefined();
    expect(ask(station(), new Uint8Array(11))).toBeUndefined();
  });
});
