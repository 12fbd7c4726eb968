import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RingfenceError } from '@ringfence/sdk';
import { fileOutput, stdoutOutput } from './byte-output.js';
import { createConsole, openOutputs, parseConsoleTarget } from './console.js';
import { probeReport, writeReport } from './report-file.js';
import { fakeIo } from './testing/fake-io.js';

const unwritable = expect.objectContaining({ code: 'RF_OUTPUT_UNWRITABLE' }) as unknown;
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-out-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const sendText = (output: { write(byte: number): void }, text: string): void => {
  for (const byte of Buffer.from(text)) output.write(byte);
};

describe('fileOutput', () => {
  it('creates nothing before it is opened', () => {
    const output = fileOutput(at('a'), () => {});
    expect(readdirSync(folder)).toEqual([]);
    output.open();
    sendText(output, 'hello');
    output.close();
    expect(readFileSync(at('a'), 'utf8')).toBe('hello');
  });

  it('replaces a file, and leaves it when it is discarded', () => {
    writeFileSync(at('a'), 'a longer text of before');
    const output = fileOutput(at('a'), () => {});
    output.open();
    sendText(output, 'new');
    output.discard();
    expect(readFileSync(at('a'), 'utf8')).toBe('new');
  });

  it.runIf(process.platform === 'linux')('reports a full disk once, after the byte was sent', () => {
    const errors: RingfenceError[] = [];
    const output = fileOutput('/dev/full', (error) => errors.push(error));
    output.open();
    sendText(output, 'x'.repeat(200_000));
    output.close();
    expect(errors).toEqual([unwritable]);
    expect(errors[0].message).toContain('disk is full');
  });
});

describe('openOutputs', () => {
  it('removes what it created when a later one cannot be opened', () => {
    const outputs = [fileOutput(at('a'), () => {}), undefined, fileOutput(at('no/b'), () => {})];
    expect(() => openOutputs(outputs)).toThrow(unwritable);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('stdoutOutput', () => {
  it('writes in pieces, and tells once that the reader has gone', async () => {
    const written: string[] = [];
    let gone = 0;
    const output = stdoutOutput(
      (bytes) => written.push(Buffer.from(bytes).toString()) < 2,
      () => gone++,
    );
    sendText(output, 'one');
    await new Promise(setImmediate);
    sendText(output, 'two');
    output.flush();
    sendText(output, 'three');
    output.close();
    expect(written).toEqual(['one', 'two', 'three']);
    expect(gone).toBe(1);
  });
});

describe('consoles', () => {
  it('parses targets', () => {
    expect(parseConsoleTarget('serial', 'file:x')).toEqual({ kind: 'file', path: 'x' });
    for (const text of ['', 'file:', 'tcp:1', 'Stdio']) {
      expect(() => parseConsoleTarget('serial', text)).toThrow(expect.objectContaining({ code: 'RF_BAD_USAGE' }));
    }
  });

  it('hands input on in order and tells the listener', () => {
    const channel = createConsole({ kind: 'none' }, fakeIo(), { onError: () => {}, onGone: () => {} });
    let calls = 0;
    channel.onReceive(() => calls++);
    expect(channel.receive()).toBe(-1);
    channel.feed(Buffer.from('ab'));
    expect([channel.receive(), channel.receive(), channel.receive()]).toEqual([97, 98, -1]);
    channel.feed(Buffer.from('c'));
    expect([channel.receive(), channel.receive(), calls]).toEqual([99, -1, 2]);
  });
});

describe('reports', () => {
  it('are written whole, through a symbolic link too', () => {
    writeFileSync(at('real.json'), 'old');
    symlinkSync(at('real.json'), at('link.json'));
    probeReport(at('link.json'));
    writeReport(at('link.json'), { a: 1 });
    expect(JSON.parse(readFileSync(at('real.json'), 'utf8'))).toEqual({ a: 1 });
    expect(readdirSync(folder).sort()).toEqual(['link.json', 'real.json']);
  });

  it('are probed without leaving anything', () => {
    probeReport(at('r.json'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuse a folder and a missing folder', () => {
    mkdirSync(at('dir'));
    for (const path of [at('dir'), at('no/r.json')]) {
      expect(() => probeReport(path)).toThrow(unwritable);
      expect(() => writeReport(path, {})).toThrow(unwritable);
    }
    expect(readdirSync(folder)).toEqual(['dir']);
  });

  it.runIf(process.platform === 'linux')('never replace a device', () => {
    writeReport('/dev/null', {});
    expect(() => writeReport('/dev/full', {})).toThrow(unwritable);
    expect(readdirSync('/dev')).toContain('full');
  });
});
