/** Ctrl-A keys of the serial console, as they come in pieces. */
import { describe, expect, it } from 'vitest';
import { EscapeKeys } from './escape-keys.js';

/** What the pieces of input come to: guest bytes as text, commands in brackets. */
function typed(...pieces: string[]): string {
  let all = '';
  const keys = new EscapeKeys({
    pass: (bytes) => (all += Buffer.from(bytes).toString('latin1')),
    quit: () => (all += '[quit]'),
    help: () => (all += '[help]'),
  });
  for (const piece of pieces) keys.feed(Buffer.from(piece, 'latin1'));
  return all;
}

describe('Ctrl-A keys', () => {
  it.each([
    ['plain text and Ctrl-C', ['ls\r\x03'], 'ls\r\x03'],
    ['quit, and nothing after it', ['ab\x01xcd'], 'ab[quit]'],
    ['help in the middle', ['ab\x01hcd\x01?'], 'ab[help]cd[help]'],
    ['a literal Ctrl-A', ['\x01\x01b\x01ac'], '\x01b\x01c'],
    ['a command split over two pieces', ['a\x01', 'x'], 'a[quit]'],
    ['an unknown command', ['a\x01zb'], 'ab'],
    ['bytes of a paste in any encoding', ['\xc3\xa9\x1b[200~x\x1b[201~'], '\xc3\xa9\x1b[200~x\x1b[201~'],
    ['nothing', [''], ''],
  ])('%s', (_what, pieces, expected) => {
    expect(typed(...pieces)).toBe(expected);
  });
});
