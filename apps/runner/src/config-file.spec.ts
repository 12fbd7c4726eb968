import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absolutePaths, readConfigFile } from './config-file.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-config-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'machine.yaml');
  writeFileSync(path, text);
  return path;
}

describe('readConfigFile', () => {
  it('reads YAML and makes its paths relative to the file', () => {
    const text = `
kernel: k.elf
initrd: /abs/disk
serial: file:out/serial.log
debugcon: stdio
report: r.json
plugins: [./p.js, ../q, some-package]
`;
    expect(readConfigFile(file(text))).toEqual({
      kernel: join(folder, 'k.elf'),
      initrd: '/abs/disk',
      serial: `file:${join(folder, 'out/serial.log')}`,
      debugcon: 'stdio',
      report: join(folder, 'r.json'),
      plugins: [join(folder, 'p.js'), join(folder, '../q'), 'some-package'],
    });
  });

  it('reads JSON and an empty file', () => {
    expect(readConfigFile(file('{"memory": "8M"}'))).toEqual({ memory: '8M' });
    expect(readConfigFile(file(''))).toEqual({});
  });

  it('leaves values of a wrong type for the schema', () => {
    expect(readConfigFile(file('kernel: 5\nplugins: [7]'))).toEqual({ kernel: 5, plugins: [7] });
    for (const network of [null, 5, [1], { serve: ['a'] }, { serve: null }]) {
      expect(readConfigFile(file(JSON.stringify({ network })))).toEqual({ network });
    }
  });

  it('makes the files that the network serves relative to the file, and those of flags to the folder', () => {
    const network = { mac: '52:54:00:00:00:01', serve: { '/a': 'a', '/b': '/abs/b' } };
    expect(readConfigFile(file(JSON.stringify({ network })))).toEqual({
      network: { ...network, serve: { '/a': join(folder, 'a'), '/b': '/abs/b' } },
    });
    expect(absolutePaths({ serve: ['x/y', '/p=q', '/abs/z'] }, '/base')).toEqual({
      serve: ['/y=/base/x/y', '/p=/base/q', '/z=/abs/z'],
    });
  });

  it.each([
    ['a: [1', 'RF_BAD_CONFIG'],
    ['a: *nothing', 'RF_BAD_CONFIG'],
    ['- a list', 'RF_BAD_CONFIG'],
    ['just text', 'RF_BAD_CONFIG'],
    ['a: 1\na: 2', 'RF_BAD_CONFIG'],
  ])('refuses %j', (text, code) => {
    expect(() => readConfigFile(file(text))).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a missing file and a folder', () => {
    for (const path of [join(folder, 'no.yaml'), folder]) {
      expect(() => readConfigFile(path)).toThrow(expect.objectContaining({ code: 'RF_CONFIG_NOT_FOUND' }));
    }
  });
});
