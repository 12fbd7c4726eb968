/** What the fuzzer once found, replayed: packages/cpu/vectors/found, one file a bug, recorded on a real processor. Needs no such processor. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { comparable, formatFound, parseFound, type Found } from './found-file.js';
import { UserMachine } from './user-machine.js';

const folder = new URL('../../vectors/found/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
const machine = new UserMachine();

describe('vectors found by the fuzzer', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(0);
  });

  it.each(files)('%s', (name) => {
    const found = parseFound(readFileSync(new URL(name, folder), 'utf8'));
    expect(comparable(found, machine.run(found.input))).toBe(comparable(found, found.outcome));
  });

  it.each(files)('%s says all that it holds', (name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    const found = parseFound(text);
    const code = [...text.matchAll(/^code +\w+ +(\w+) +(.*)$/gm)].map(([, bytes, disassembly]) => ({
      bytes: Uint8Array.from(Buffer.from(bytes, 'hex')),
      text: disassembly,
    }));
    expect(formatFound(found, code)).toBe(text);
  });

  it('notice a wrong register, flag, memory cell or exception', () => {
    const found = parseFound(readFileSync(new URL(files[0], folder), 'utf8'));
    const right = comparable(found, found.outcome);
    const { outcome } = found;
    const wrong: Found['outcome'][] = [
      { ...outcome, regs: outcome.regs.map((value, i) => (i === 3 ? value ^ 1 : value)) },
      { ...outcome, eflags: outcome.eflags ^ (1 & ~found.openFlags) ^ 0x400 },
      { ...outcome, vector: outcome.vector + 1 },
      { ...outcome, changes: Uint32Array.from([...outcome.changes, 0x200000, 1]) },
      { ...outcome, fx: outcome.fx.map((value, i) => (i === 160 ? value ^ 1 : value)) },
    ];
    for (const each of wrong) expect(comparable(found, each)).not.toBe(right);
  });
});
