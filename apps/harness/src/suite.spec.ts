import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandOf } from './job.js';
import { readSuite } from './suite.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-suite-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function suite(text: string): string {
  const path = join(folder, 'suite.yaml');
  writeFileSync(path, text);
  return path;
}

describe('readSuite', () => {
  it('fills in the defaults and makes paths absolute', () => {
    const { guests, matrix } = readSuite(
      suite(`
defaults: { memory: 8M, maxInstructions: 5, expect: { status: 33, serial: PASS } }
guests:
  - { name: a, kernel: images/a.elf }
  - { name: b, kernel: b.elf, memory: 32M, initrd: disk, expect: { serial: [x, y] } }
matrix: { policy: [p], shadow: [{ name: tracked-lru, capacity: 4 }] }
`),
    );
    expect(guests[0]).toMatchObject({
      kernel: join(folder, 'images/a.elf'),
      memory: '8M',
      maxInstructions: 5,
      expect: { status: 33, serial: ['PASS'] },
    });
    expect(guests[1]).toMatchObject({
      memory: '32M',
      initrd: join(folder, 'disk'),
      expect: { status: 33, serial: ['x', 'y'] },
    });
    expect(matrix.shadow).toEqual([{ name: 'tracked-lru', capacity: 4 }]);
  });

  it('has the files of a network relative to the suite, and says the command that gives them', () => {
    const [guest] = readSuite(
      suite('guests: [{ name: a, kernel: k, network: { hosts: { h: 1.2.3.4 }, serve: { /f: f } } }]'),
    ).guests;
    expect(guest.network).toEqual({ hosts: { h: '1.2.3.4' }, serve: { '/f': join(folder, 'f') } });
    const command = commandOf(guest, { core: 'interpreter', monitor: undefined } as Parameters<typeof commandOf>[1]);
    expect(command).toContain(`--net user --serve /f=${join(folder, 'f')} --host h=1.2.3.4`);
  });

  it.each([
    ['guests: []', 'RF_BAD_CONFIG', 'guests'],
    ['guests: [{ name: a }]', 'RF_BAD_CONFIG', 'kernel'],
    ['guests: [{ name: a b, kernel: k }]', 'RF_BAD_CONFIG', 'letters'],
    ['guests: [{ name: a, kernel: k }, { name: a, kernel: k }]', 'RF_BAD_CONFIG', 'two guests'],
    ['guests: [{ name: a, kernel: k, expect: { serial: "(" } }]', 'RF_BAD_CONFIG', 'regular expression'],
    ['guests: [{ name: a, kernel: k, memory: 0 }]', 'RF_BAD_MEMORY_SIZE', '0'],
    ['guests: [{ name: a, kernel: k, colour: red }]', 'RF_BAD_CONFIG', 'colour'],
    ['matrix: { colour: [red] }\nguests: [{ name: a, kernel: k }]', 'RF_BAD_CONFIG', 'colour'],
    ['[', 'RF_BAD_CONFIG', 'not valid'],
    ['', 'RF_BAD_CONFIG', '(top)'],
  ])('refuses %j', (text, code, part) => {
    expect(() => readSuite(suite(text))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(part) as string }),
    );
  });

  it('says when the file is missing', () => {
    expect(() => readSuite(join(folder, 'nothing.yaml'))).toThrow(
      expect.objectContaining({ code: 'RF_CONFIG_NOT_FOUND' }),
    );
  });
});
