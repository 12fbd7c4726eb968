/** The newc archive writer. */
import { describe, expect, it } from 'vitest';
import { type CpioEntry, writeCpio } from './cpio.js';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'folder', path: 'bin', mode: 0o755 },
  { kind: 'file', path: 'bin/tool', mode: 0o755, bytes: Buffer.from('12345') },
  { kind: 'link', path: 'bin/sh', target: 'tool' },
];

describe('cpio writer', () => {
  it('writes newc members, aligned, and a trailer', () => {
    const archive = Buffer.from(writeCpio(ENTRIES));
    const members: string[] = [];
    for (let at = 0; ;) {
      expect(archive.toString('latin1', at, at + 6)).toBe('070701');
      const field = (n: number): number => parseInt(archive.toString('latin1', at + 6 + n * 8, at + 14 + n * 8), 16);
      const nameAt = at + 110;
      const name = archive.toString('latin1', nameAt, nameAt + field(11) - 1);
      const contentAt = (nameAt + field(11) + 3) & ~3;
      members.push(`${name} ${field(1).toString(8)} ${archive.toString('latin1', contentAt, contentAt + field(6))}`);
      if (name === 'TRAILER!!!') break;
      at = (contentAt + field(6) + 3) & ~3;
    }
    expect(members).toEqual(['bin 40755 ', 'bin/tool 100755 12345', 'bin/sh 120777 tool', 'TRAILER!!! 0 ']);
    expect(archive.length % 512).toBe(0);
  });

  it('gives the same bytes each time', () => {
    expect(Buffer.compare(writeCpio(ENTRIES), writeCpio(ENTRIES))).toBe(0);
  });

  it('writes device numbers', () => {
    const archive = Buffer.from(writeCpio([{ kind: 'device', path: 'console', mode: 0o600, major: 5, minor: 1 }]));
    expect(archive.toString('latin1', 14, 22)).toBe('00002180');
    expect(archive.toString('latin1', 6 + 9 * 8, 6 + 11 * 8)).toBe('0000000500000001');
  });

  it.each([['/bin'], ['usr/bin/x'], ['']])('refuses %j, whose folder nobody made', (path) => {
    expect(() => writeCpio([{ kind: 'file', path, mode: 0o644, bytes: new Uint8Array(0) }])).toThrow(
      expect.objectContaining({ code: 'RF_INTERNAL' }),
    );
  });
});
