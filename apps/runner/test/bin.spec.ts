/**
 * The built command as a process of its own: streams, signals and standard input as the shell gives them. Needs a build,
 * as `npm test` makes one first.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
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

/** A program that makes pseudo-terminals, of util-linux. */
const hasScript = spawnSync('script', ['--version']).status === 0;

describe.runIf(built && hasScript)('on a terminal', () => {
  /** `ringfence ARGS` on a terminal of its own, between two looks at the terminal's settings. */
  function onTerminal(
    args: string,
    prefix = '',
  ): {
    say(text: string): void;
    seen(text: string | RegExp): Promise<void>;
    end: Promise<string>;
  } {
    const command = `stty -g; ${prefix}${process.execPath} ${bin} ${args}; echo status $?; stty -g`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder });
    let all = '';
    child.stdout.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
    const end = new Promise<string>((resolve) => child.on('close', () => resolve(all)));
    const seen = async (text: string | RegExp): Promise<void> => {
      while (all.search(text) < 0) await new Promise((resolve) => child.stdout.once('data', resolve));
    };
    return { say: (text) => void child.stdin.write(text), seen, end };
  }
  const settings = (all: string): string[] => all.match(/^[0-9a-f]+(:[0-9a-f]+){5,}/gm) ?? [];

  // Echoes its serial line, byte by byte, until it gets a "q".
  const ECHO = [
    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x71, 0x75, 0xed,
    0xe6, 0xf4,
  ];

  it('gives every key to the guest, ends with Ctrl-A x, and puts the terminal back', { timeout: 30_000 }, async () => {
    writeFileSync(join(folder, 'echo.bin'), Uint8Array.from(ECHO));
    const { say, seen, end } = onTerminal('run --loader flat --kernel echo.bin');
    await seen('Ctrl-A x ends');
    const paste = 'abcdefghijklmnopqrstuvwxyz'.replace('q', '').repeat(40);
    say(`<${paste}>\x03\x04!`);
    await seen('\x03\x04!');
    say('\x01h');
    await seen('this help');
    say('\x01');
    say('x');
    const all = await end;
    expect(all).toContain(`<${paste}>`);
    expect(all).toMatch(/interrupted; exit status 130/);
    expect(all).toContain('status 130');
    const [before, after] = settings(all);
    expect(before).toBeTruthy();
    expect(after).toBe(before);
  });

  it('puts the terminal back when the guest ends, and when a signal comes', { timeout: 30_000 }, async () => {
    writeFileSync(join(folder, 'echo.bin'), Uint8Array.from(ECHO));
    const guest = onTerminal('run --loader flat --kernel echo.bin');
    await guest.seen('Ctrl-A x ends');
    guest.say('q');
    const ended = await guest.end;
    expect(ended).toContain(`status ${(0x71 << 1) | 1}`);
    const signalled = await onTerminal('run --loader flat --kernel echo.bin', 'timeout --foreground 2 ').end;
    expect(signalled).toContain('interrupted; exit status 130');
    for (const all of [ended, signalled]) {
      const [before, after] = settings(all);
      expect(before).toBeTruthy();
      expect(after).toBe(before);
    }
  });

  it("draws the guest's screen and gives the terminal back", { timeout: 30_000 }, async () => {
    // mov word [0xb8000], 0x2f21; jmp $
    writeFileSync(
      join(folder, 'screen.bin'),
      Uint8Array.from([0x66, 0xc7, 0x05, 0, 0x80, 0x0b, 0, 0x21, 0x2f, 0xeb, 0xfe]),
    );
    const { say, seen, end } = onTerminal('run --loader flat --kernel screen.bin --screen --screenshot s.png');
    await seen(/\[38;2;255;255;255;48;2;0;170;0m!/);
    say('\x03');
    const all = await end;
    expect(all).toMatch(/\[\?1049h.*\[\?1049l.*interrupted/s);
    const [before, after] = settings(all);
    expect(after).toBe(before);
    expect(readFileSync(join(folder, 's.png')).subarray(1, 4).toString()).toBe('PNG');
  });
});

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

  it('lets a guest that floods the serial line wait for a slow reader, and a limit end it', async () => {
    // mov dx, 3f8h; mov al, 'x'; then out dx, al for ever
    writeFileSync(join(folder, 'flood'), Buffer.from([0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, 0xeb, 0xfd]));
    const args = ['run', '--kernel', 'flood', '--loader', 'flat', '--report', 'r.json', '--timeout', '1.5'];
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
    const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
    // Nobody reads until the run is over.
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const over = new Promise((resolve) => child.stderr.on('data', () => err.includes('exit status') && resolve('')));
    await Promise.race([over, closed]);
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
    expect(await closed).toBe(124);
    const report = JSON.parse(readFileSync(join(folder, 'r.json'), 'utf8')) as Record<string, unknown>;
    expect(report).toMatchObject({ outcome: 'limit-time', serialBytes: bytes });
    // Two slices' worth at most, not the tens of millions that the guest could have sent.
    expect(bytes).toBeLessThan(6_000_000);
  });

  it.runIf(existsSync('/dev/full'))(
    'says in one line that the disk is full under the report, after the run',
    async () => {
      const { status, out, err } = await start(['run', '--kernel', HELLO, '--report', '/dev/full']).done;
      expect(status).toBe(2);
      expect(out).toContain('Hello from a guest\r\n');
      expect(err).toMatch(
        /exit status 33[^]*^RF_OUTPUT_UNWRITABLE: cannot write \/dev\/full: the disk is full\. Fix: .+$/m,
      );
      expect(err).not.toMatch(/^\s+at /m);
    },
  );

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
