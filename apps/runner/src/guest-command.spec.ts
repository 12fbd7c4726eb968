/** `ringfence guest`, `run --guest`, `--screen`, `--screenshot` and serial input, over a cache with guests put there. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from './cli.js';
import { createConsole } from './console.js';
import { type FakeIo, fakeIo } from './testing/fake-io.js';

/** OUT F4h, 2: ends with status 5. Behind the Linux header that memtest86+ has. */
function tinyKernel(): Uint8Array {
  const file = Buffer.alloc(3 * 512 + 16);
  file.writeUInt8(2, 0x1f1);
  file.writeUInt32LE(1, 0x1f4);
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.writeUInt8(0x66, 0x201);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x020c, 0x206);
  file.writeUInt8(1, 0x211);
  file.writeUInt32LE(0x100000, 0x214);
  file.writeUInt32LE(0xffffffff, 0x22c);
  file.writeUInt32LE(255, 0x238);
  file.writeUInt32LE(0x100000, 0x258);
  file.set([0xb0, 0x02, 0xe6, 0xf4], 3 * 512);
  return file;
}

let cache: string;
let io: FakeIo;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'ringfence-guests-'));
  io = fakeIo({ cwd: cache, env: { RINGFENCE_CACHE: cache } });
});
afterEach(() => rmSync(cache, { recursive: true }));

/** memtest86 as a fetch would have left it, but for what is in it. */
function fetched(): void {
  const kernel = tinyKernel();
  const name = 'memtest86+ia32.bin';
  mkdirSync(join(cache, 'memtest86'));
  writeFileSync(join(cache, 'memtest86', name), kernel);
  const record = {
    format: 1,
    guest: 'memtest86',
    packages: [{ package: 'memtest86+', version: '6', architecture: 'amd64', sha256: 'ab' }],
    files: { [name]: createHash('sha256').update(kernel).digest('hex') },
  };
  writeFileSync(join(cache, 'memtest86', 'record.json'), JSON.stringify(record));
}

describe('ringfence guest', () => {
  it('lists the catalogue, and what is here', async () => {
    expect(await main(['guest', 'list'], io)).toBe(0);
    expect(io.out()).toMatch(/^memtest86 +not fetched +\S.*\n(.+\n)*debian-busybox +not fetched/m);
    fetched();
    await main(['guest', 'list'], io);
    expect(io.out()).toMatch(/^memtest86 +fetched +\S/m);
  });

  it('shows a guest, fetched or not', async () => {
    expect(await main(['guest', 'show', 'memtest86'], io)).toBe(0);
    expect(io.out()).toContain('ringfence guest fetch memtest86');
    fetched();
    await main(['guest', 'show', 'memtest86'], io);
    expect(io.out()).toMatch(/fetched +memtest86\+ 6 amd64\n +sha256 ab\n/);
    expect(io.out()).toContain(join(cache, 'memtest86', 'memtest86+ia32.bin'));
  });

  it('fetches nothing that is here', async () => {
    fetched();
    expect(await main(['guest', 'fetch', 'memtest86'], io)).toBe(0);
    expect(io.out()).toContain('already there');
  });

  it.each([
    [['guest', 'fetch', 'memtest'], 'RF_UNKNOWN_NAME', 'memtest86'],
    [['guest', 'show', 'debian'], 'RF_UNKNOWN_NAME', 'debian-busybox'],
    [['guest', 'lst'], 'RF_BAD_USAGE', 'list'],
    [['guest'], 'RF_BAD_USAGE', '--help'],
    [['run', '--guest', 'memtest'], 'RF_UNKNOWN_NAME', 'memtest86'],
    [['run', '--guest', 'memtest86', '--kernel', 'k'], 'RF_CONTRADICTION', '--kernel'],
  ])('%j is refused with %s', async (args, code, hint) => {
    expect(await main(args, io)).toBe(2);
    expect(io.err()).toContain(code);
    expect(io.err()).toContain(hint);
  });
});

describe('ringfence run --guest', () => {
  it('runs a guest with its own kernel and memory; flags and file lie over them', async () => {
    fetched();
    expect(await main(['run', '--guest', 'memtest86', '--report', 'r.json', '--serial', 'none'], io)).toBe(5);
    writeFileSync(join(cache, 'm.json'), '{ "memory": "16M", "kernel": "k" }');
    expect(await main(['run', 'm.json', '--guest', 'memtest86'], io)).toBe(2);
    expect(io.err()).toContain('RF_CONTRADICTION');
    expect(await main(['run', '--guest', 'memtest86', '-m', '1M', '--serial', 'none'], io)).toBe(2);
    expect(io.err()).toContain('RF_KERNEL_TOO_LARGE');
  });

  it('is what traces run too', async () => {
    fetched();
    expect(await main(['trace', '--guest', 'memtest86', '--to', '2'], io)).toBe(0);
    expect(io.out()).toMatch(/out .*0F4h|out 0xf4|out F4/i);
  });
});

describe('ringfence run --screen and --screenshot', () => {
  it('writes the screen at the end, whole', async () => {
    fetched();
    expect(await main(['run', '--guest', 'memtest86', '--screenshot', 's.png', '--serial', 'none'], io)).toBe(5);
    expect(readFileSync(join(cache, 's.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(readdirSync(cache).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.each([
    [['--screen'], 'RF_BAD_USAGE'],
    [['--screen', '--serial', 'stdio'], 'RF_CONTRADICTION'],
    [['--screenshot', 'no/such/folder/s.png'], 'RF_OUTPUT_UNWRITABLE'],
    [['--screenshot', 'x', '--report', 'x'], 'RF_CONTRADICTION'],
  ])('%j is refused with %s', async (args, code) => {
    fetched();
    expect(await main(['run', '--guest', 'memtest86', ...args], io)).toBe(2);
    expect(io.err()).toContain(code);
  });
});

describe('input on the serial line', () => {
  // Echoes byte by byte until a "q", which is its exit status.
  const ECHO = [
    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x71, 0x75, 0xed,
    0xe6, 0xf4,
  ];
  const start = async (isTTY: boolean, typed: string) => {
    writeFileSync(join(cache, 'echo.bin'), Uint8Array.from(ECHO));
    const terminal = fakeIo({ cwd: cache, isTTY });
    const args = ['run', '--loader', 'flat', '--kernel', 'echo.bin', '--serial', 'stdio', '--timeout', '20'];
    const running = main(args, terminal);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const raw = terminal.raw();
    terminal.type(typed);
    return { status: await running, raw, out: terminal.out(), err: terminal.err() };
  };

  it('from a terminal is raw, with Ctrl-A x for us', async () => {
    const { err, ...quit } = await start(true, 'abc\x01x');
    expect(quit).toMatchObject({ status: 130, raw: true });
    expect(err).toContain('Ctrl-A x ends');
  });

  it('from a pipe is passed on as it is', async () => {
    expect(await start(false, 'abc\x01xq')).toMatchObject({ status: 0xe3, raw: false, out: 'abc\x01xq' });
  });

  it('ends, and the guest is told to look again', () => {
    const channel = createConsole({ kind: 'none' }, io, { onError: () => {}, onGone: () => {} });
    let told = 0;
    channel.onReceive(() => told++);
    channel.feed(Uint8Array.of(1));
    expect(channel.open()).toBe(true);
    channel.end();
    expect([channel.open(), told, channel.receive(), channel.receive()]).toEqual([false, 2, 1, -1]);
  });
});
