import { describe, expect, it } from 'vitest';
import { networkFlags } from './network-flags.js';

describe('the flags of the network', () => {
  it('leave a configuration alone when there are none', () => {
    expect(networkFlags(undefined, {})).toBeUndefined();
    expect(networkFlags({ host: 'allow' }, {})).toEqual({ host: 'allow' });
  });

  it('open a network, and the way to the host', () => {
    expect(networkFlags(undefined, { net: 'user' })).toEqual({});
    expect(
      networkFlags({ hosts: { a: '1.2.3.4' } }, { net: 'user,open,loopback,mac=02:00:00:00:00:01,card=x' }),
    ).toEqual({
      hosts: { a: '1.2.3.4' },
      host: 'allow',
      loopback: 'allow',
      mac: '02:00:00:00:00:01',
      card: 'x',
    });
    expect(networkFlags({ host: 'allow' }, { net: 'none' })).toBeUndefined();
  });

  it('add forwards and files', () => {
    const base = { forwards: [{ hostPort: 1, guestPort: 2 }], serve: { '/a': 'a' } };
    expect(
      networkFlags(base, { forward: ['tcp:2222:22', 'udp:53:53', '80:8080'], serve: ['/b=/x/b', 'dir/c'] }),
    ).toEqual({
      forwards: [
        { hostPort: 1, guestPort: 2 },
        { protocol: 'tcp', hostPort: 2222, guestPort: 22 },
        { protocol: 'udp', hostPort: 53, guestPort: 53 },
        { protocol: 'tcp', hostPort: 80, guestPort: 8080 },
      ],
      serve: { '/a': 'a', '/b': '/x/b', '/c': 'dir/c' },
    });
  });

  it('add names', () => {
    expect(networkFlags({ hosts: { a: '1.1.1.1' } }, { host: ['b=10.0.2.2,fd00::2'] })).toEqual({
      hosts: { a: '1.1.1.1', b: ['10.0.2.2', 'fd00::2'] },
    });
  });

  it.each([
    [{ net: 'tap' }, 'RF_BAD_USAGE'],
    [{ net: 'user,wide' }, 'RF_BAD_USAGE'],
    [{ net: 'user,mac=' }, 'RF_BAD_USAGE'],
    [{ forward: ['22'] }, 'RF_BAD_USAGE'],
    [{ forward: ['sctp:1:2'] }, 'RF_BAD_USAGE'],
    [{ serve: ['/'] }, 'RF_BAD_USAGE'],
    [{ host: ['a'] }, 'RF_BAD_USAGE'],
    [{ net: 'none', host: ['a=1.2.3.4'] }, 'RF_CONTRADICTION'],
    [{ net: 'none', forward: ['1:2'] }, 'RF_CONTRADICTION'],
    [{ net: 'none', serve: ['a'] }, 'RF_CONTRADICTION'],
  ])('refuse %j with %s', (flags, code) => {
    expect(() => networkFlags(undefined, flags)).toThrow(expect.objectContaining({ code }));
  });
});
