/**
 * The built command as a process of its own: streams, signals and standard input as the shell gives them. Needs a build,
 * as `npm test` makes one first.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const bin = join(root, 'apps/runner/bin/ringfence.js');
const HELLO = join(root, 'guests/images/hello.elf');
const built =
  existsSync(join(root, 'apps/runner/dist/main.js')) && existsSync(join(root, 'packages/preset-pc/dist/index.js'));

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-bin-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function start(args: readonly string[]): {
  child: ChildProcess;
  done: Promise<{ status: number; out: string; err: string }>;
} {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('latin1')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const done = new Promise<{ status: number; out: string; err: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: signal === null ? code! : -1, out, err }));
  });
  return { child, done };
}

describe.runIf(built)('bin/ringfence.js', () => {
  it('runs a guest, with standard input open, and ends with its status', async () => {
    const { status, out, err } = await start(['run', '--kernel', HELLO, '--serial', 'stdio']).done;
    expect(status, err).toBe(33);
    expect(out).toContain('Hello from a guest\r\n');
    expect(err).toContain('exit status 33');
  });

  it('answers bad usage with one line and status 2', async () => {
    const { status, out, err } = await start(['run', '--kernel', 'missing']).done;
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^RF_KERNEL_NOT_FOUND: .+\. Fix: .+\n$/);
  });

  it.runIf(process.platform !== 'win32').each(['SIGINT', 'SIGTERM'] as const)(
    '%s prints the report so far',
    async (signal) => {
      writeFileSync(join(folder, 'forever'), Buffer.from([0xeb, 0xfe]));
      const { child, done } = start([
        'run',
        '--kernel',
        'forever',
        '--loader',
        'flat',
        '--report',
        'r.json',
        '--timeout',
        '60',
      ]);
      setTimeout(() => child.kill(signal), 1500);
      const { status, err } = await done;
      expect(status, err).toBe(130);
      expect(JSON.parse(readFileSync(join(folder, 'r.json'), 'utf8'))).toMatchObject({ outcome: 'interrupted' });
    },
  );
});

if (!built) {
  it('bin/ringfence.js is tested after a build', (context) => context.skip('not built: run npm run build'));
}
