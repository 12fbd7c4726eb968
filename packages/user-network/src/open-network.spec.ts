/** From a configuration to a network: what is refused, and with which code. */
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { FakeClock } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { openNetwork, type NetworkSurroundings } from './open-network.js';
import { FakeHost } from './testing/fake-host.js';

const readFile = (path: string): Uint8Array => new TextEncoder().encode(path);

function open(network: MachineConfigInput['network'], around: Partial<NetworkSurroundings> = {}) {
  return openNetwork(parseMachineConfig({ network }).network, { readFile, ...around });
}

describe('openNetwork', () => {
  it('makes none where there is none', () => {
    expect(open(undefined)).toBeUndefined();
    expect(open({ card: 'none' })).toBeUndefined();
  });

  it('makes one with the files and the address that the configuration says', () => {
    const read: string[] = [];
    const make = open(
      { mac: '52:54:00:AB:cd:01', serve: { '/a': 'b' } },
      { readFile: (p) => (read.push(p), readFile(p)) },
    );
    expect(read).toEqual(['b']);
    const network = make!(new FakeClock());
    expect([...network.mac]).toEqual([0x52, 0x54, 0, 0xab, 0xcd, 1]);
    expect([network.connected, network.live]).toEqual([true, false]);
  });

  it('opens the way out only when asked', () => {
    let opened = 0;
    const openHost = () => (opened++, new FakeHost());
    open({}, { openHost });
    expect(opened).toBe(0);
    expect(open({ host: 'allow' }, { openHost })!(new FakeClock()).live).toBe(true);
    expect(opened).toBe(1);
  });

  it.each<[string, MachineConfigInput['network'], string]>([
    ['a name that is none', { hosts: { 'a b': '1.2.3.4' } }, 'RF_BAD_CONFIG'],
    ['an address that is none', { hosts: { a: ['1.2.3.4', 'x'] } }, 'RF_BAD_CONFIG'],
    ['loopback without host', { loopback: 'allow' }, 'RF_CONTRADICTION'],
    ['a way out where there is none', { host: 'allow' }, 'RF_CONTRADICTION'],
    ['a forward where there is no way in', { forwards: [{ hostPort: 1, guestPort: 2 }] }, 'RF_CONTRADICTION'],
  ])('refuses %s', (_name, network, code) => {
    expect(() => open(network)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses one host port for two places', () => {
    const forwards = [
      { hostPort: 2222, guestPort: 22 },
      { hostPort: 2222, guestPort: 23 },
    ];
    const openHost = () => new FakeHost();
    expect(() => open({ forwards }, { openHost })).toThrow(expect.objectContaining({ code: 'RF_RESOURCE_CONFLICT' }));
    expect(open({ forwards: [forwards[0], { ...forwards[1], protocol: 'udp' }] }, { openHost })).toBeDefined();
  });

  it.each<[string, unknown]>([
    ['a group address', { mac: '53:54:00:12:34:56' }],
    ['a path without a slash', { serve: { a: 'b' } }],
    ['port 0', { forwards: [{ hostPort: 0, guestPort: 22 }] }],
    ['an unknown field', { dns: '8.8.8.8' }],
  ])('has the schema refuse %s', (_name, network) => {
    expect(() => parseMachineConfig({ network })).toThrow(expect.objectContaining({ code: 'RF_BAD_CONFIG' }));
  });
});
