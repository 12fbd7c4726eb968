import { describe, expect, it } from 'vitest';
import { addWords, foldChecksum, formatIpv4, parseIpv4, parseIpv6 } from './internet.js';

describe('the Internet checksum', () => {
  it('is that of RFC 1071, 3 "Numerical Examples"', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(foldChecksum(addWords(0, bytes, 0, 8))).toBe(~0xddf2 & 0xffff);
  });

  it('takes an odd byte as the high half of a word', () => {
    expect(foldChecksum(addWords(0, Uint8Array.of(1, 2, 3), 0, 3))).toBe(~(0x0102 + 0x0300) & 0xffff);
  });
});

describe('addresses', () => {
  it.each([
    ['10.0.2.15', 0x0a00020f],
    ['255.255.255.255', 0xffffffff],
    ['0.0.0.0', 0],
  ])('reads %s and writes it again', (text, value) => {
    expect(parseIpv4(text)).toBe(value);
    expect(formatIpv4(value)).toBe(text);
  });

  it.each(['256.0.0.1', '1.2.3', '1.2.3.4.5', '', 'a.b.c.d', '1.2.3.-4'])('refuses "%s"', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  it.each([
    ['fd00::2', 'fd000000000000000000000000000002'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:DB8:0:1:2:3:4:5', '20010db8000000010002000300040005'],
  ])('reads %s', (text, hex) => {
    expect(Buffer.from(parseIpv6(text)!).toString('hex')).toBe(hex);
  });

  it.each(['1:2:3', '1::2::3', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '', '1:2:3:4:5:6:7:8:9'])(
    'refuses "%s"',
    (text) => {
      expect(parseIpv6(text)).toBeUndefined();
    },
  );
});
