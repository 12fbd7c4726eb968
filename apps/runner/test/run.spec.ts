/**
 * `ringfence run` on the real machine: exit statuses, consoles, reports, interruption.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main, schemaText } from '../src/cli.js';
import { fakeIo, type FakeIo } from '../src/testing/fake-io.js';

const root = resolve(import.meta.dirname, '../../..');
const HELLO = join(root, 'guests/images/hello.elf');

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-run-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

async function ringfence(
  args: readonly string[],
  io: FakeIo = fakeIo({ cwd: folder }),
): Promise<{ status: number; io: FakeIo }> {
  return { status: await main(args, io), io };
}

/** A kernel of raw code at 1 MB: multiboot with address fields. */
function kernel(name: string, code: readonly number[]): string {
  const base = 0x100000;
  const [magic, flags] = [0x1badb002, 0x10000];
  const words = [magic, flags, -(magic + flags), base, base, base + 32 + code.length, 0, base + 32];
  const bytes = Buffer.alloc(32 + code.length);
  words.forEach((word, index) => bytes.writeInt32LE(word | 0, index * 4));
  bytes.set(code, 32);
  writeFileSync(at(name), bytes);
  return at(name);
}

const debugExit = (value: number): number[] => [0xb0, value, 0xe6, 0xf4, 0xeb, 0xfe];
const FOREVER = [0xeb, 0xfe];
/** out 0x3f8: `mov dx, 0x3f8; mov al, c; out dx, al` for each character. */
const print = (text: string): number[] => [
  0x66,
  0xba,
  0xf8,
  0x03,
  ...[...Buffer.from(text)].flatMap((c) => [0xb0, c, 0xee]),
];
/** An IDT of limit 0, then UD2. */
const TRIPLE_FAULT = [0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b];

describe('exit status', () => {
  it.each([
    ["the guest's own", ['--kernel', HELLO], [], 33, 'debug-exit'],
    ['(v << 1) | 1', [], debugExit(0x45), 0x8b, 'debug-exit'],
    ['of 0 written', [], debugExit(0), 1, 'debug-exit'],
    ['124 at the instruction limit', ['--max-instructions', '1000'], FOREVER, 124, 'limit-instructions'],
    ['124 at the time limit', ['--timeout', '0.1'], FOREVER, 124, 'limit-time'],
    ['125 for a dead guest', [], TRIPLE_FAULT, 125, 'triple-fault'],
    [
      '0 when the serial output matches',
      ['--until-serial', '^login: $'],
      [...print('boot\nlogin: no'), ...FOREVER],
      0,
      'until-serial',
    ],
  ])('is %s', async (_name, args, code, status, outcome) => {
    const given = code.length > 0 ? ['--kernel', kernel('k', code)] : [];
    const ran = await ringfence(['run', ...given, ...args, '--report', 'r.json']);
    const report = JSON.parse(readFileSync(at('r.json'), 'utf8')) as Record<string, unknown>;
    expect({ status: ran.status, outcome: report.outcome, exitStatus: report.exitStatus }).toEqual({
      status,
      outcome,
      exitStatus: status,
    });
  });
});

describe('a run', () => {
  it('hits the instruction limit exactly', async () => {
    await ringfence(['run', '--kernel', kernel('k', FOREVER), '--max-instructions', '123457', '--report', 'r.json']);
    expect(JSON.parse(readFileSync(at('r.json'), 'utf8'))).toMatchObject({ retired: 123457 });
  });

  it('passes serial bytes through to stdout, and the summary to stderr', async () => {
    const code = [...print('\x1b[2J\xff\0ok'), ...debugExit(1)];
    const { io } = await ringfence(['run', '--kernel', kernel('k', code)]);
    expect(io.out()).toBe(Buffer.from('\x1b[2J\xff\0ok').toString('latin1'));
    expect(io.err()).toMatch(/the guest ended the run.*exit status 3/);
  });

  it('writes consoles into files', async () => {
    const { status, io } = await ringfence([
      'run',
      '--kernel',
      HELLO,
      '--serial',
      'file:s.log',
      '--debugcon',
      'file:d.log',
    ]);
    expect(status).toBe(33);
    expect(io.out()).toBe('');
    expect(readFileSync(at('s.log'), 'utf8')).toContain('Hello from a guest\r\n');
    expect(readFileSync(at('d.log'), 'utf8')).toContain('only on 0xe9\n');
  });

  it('reads a configuration file, which flags override', async () => {
    writeFileSync(
      at('m.yaml'),
      `kernel: ${HELLO}\nmemory: 8M\nserial: file:s.log\nreport: r.json\nlimits: { maxInstructions: 10 }\n`,
    );
    const limited = await ringfence(['run', at('m.yaml')], fakeIo({ cwd: tmpdir() }));
    expect(limited.status).toBe(124);
    expect(JSON.parse(readFileSync(at('r.json'), 'utf8'))).toMatchObject({
      retired: 10,
      machine: { memoryBytes: 8 << 20 },
    });
    expect((await ringfence(['run', 'm.yaml', '--max-instructions', '2e9'])).status).toBe(33);
  });

  it('shows registers and stack of a guest that died', async () => {
    const { io } = await ringfence(['run', '--kernel', kernel('k', TRIPLE_FAULT)]);
    expect(io.err()).toMatch(/EIP/i);
    expect(io.err()).toMatch(/triple fault.*exit status 125/);
  });

  it('writes the report so far when it is interrupted', async () => {
    const io = fakeIo({ cwd: folder });
    const running = ringfence(['run', '--kernel', kernel('k', FOREVER), '--report', 'r.json'], io);
    setTimeout(() => io.interrupt(), 100);
    expect((await running).status).toBe(130);
    const report = JSON.parse(readFileSync(at('r.json'), 'utf8')) as { outcome: string; retired: number };
    expect(report.outcome).toBe('interrupted');
    expect(report.retired).toBeGreaterThan(1000);
    expect(io.err()).toContain('interrupted');
    expect(readdirSync(folder).sort()).toEqual(['k', 'r.json']);
  });

  it.runIf(process.platform === 'linux')('ends with a typed error when a console cannot be written', async () => {
    const { status, io } = await ringfence(['run', '--kernel', HELLO, '--serial', 'file:/dev/full']);
    expect(status).toBe(2);
    expect(io.err()).toMatch(/^RF_OUTPUT_UNWRITABLE: .*disk is full/m);
  });

  it('takes input only when asked or on a terminal', async () => {
    // in al, 0x3fd; test al, 1; jz; mov dx, 0x3f8; in al, dx; out 0xf4, al
    const code = [
      0x66,
      0xba,
      0xfd,
      0x03,
      0xec,
      0xa8,
      0x01,
      0x74,
      0xfb,
      0x66,
      0xba,
      0xf8,
      0x03,
      0xec,
      0xe6,
      0xf4,
      ...FOREVER,
    ];
    const path = kernel('k', code);
    for (const [args, isTTY, takes] of [
      [[], false, false],
      [['--serial', 'stdio'], false, true],
      [[], true, true],
    ] as const) {
      const io = fakeIo({ cwd: folder, isTTY });
      const running = ringfence(['run', '--kernel', path, '--timeout', '1', ...args], io);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(io.attached()).toBe(takes);
      io.type('A');
      expect((await running).status).toBe(takes ? 0x83 : 124);
      expect(io.attached()).toBe(false);
    }
  });
});

describe('ringfence', () => {
  it('lists every part, one line each', async () => {
    const { io } = await ringfence(['plugins']);
    expect(io.out()).toMatch(/^policy +step-through +\S.*\[.+\]$/m);
    const { io: json } = await ringfence(['plugins', '--json']);
    const parts = JSON.parse(json.out()) as { kind: string }[];
    expect(parts).toHaveLength(io.out().trim().split('\n').length);
    expect(new Set(parts.map(({ kind }) => kind))).toContain('shadow-cache');
  });

  it('prints the schema that docs/ holds', async () => {
    const { io } = await ringfence(['schema']);
    expect(io.out()).toBe(schemaText());
    const file = join(root, 'docs/config.schema.json');
    expect(existsSync(file) && readFileSync(file, 'utf8'), 'run: npx ringfence schema > docs/config.schema.json').toBe(
      schemaText(),
    );
  });

  it('explains itself', async () => {
    for (const args of [['--help'], ['run', '--help'], ['help', 'run'], ['--version']]) {
      const { status, io } = await ringfence(args);
      expect(status).toBe(0);
      expect(io.err()).toBe('');
      expect(io.out().length).toBeGreaterThan(3);
    }
    expect((await ringfence(['run', '--help'])).io.out()).toContain('Examples:');
  });
});
