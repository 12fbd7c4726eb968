/**
 * Everything a user can get wrong ends in one line with a code and a fix, status 2, and no file left behind.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/cli.js';
import { fakeIo } from '../src/testing/fake-io.js';

const root = resolve(import.meta.dirname, '../../..');
const HELLO = join(root, 'guests/images/hello.elf');
const hello = readFileSync(HELLO);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rf-bad-'));
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'text'), 'this is no kernel at all\n'.repeat(500));
  writeFileSync(join(folder, 'half.elf'), hello.subarray(0, hello.length / 2));
  writeFileSync(join(folder, 'tiny'), hello.subarray(0, 40));
  writeFileSync(join(folder, 'disk'), Buffer.alloc(2 << 20));
  writeFileSync(join(folder, 'huge'), '');
  truncateSync(join(folder, 'huge'), 8 * 2 ** 30);
  writeFileSync(join(folder, 'wrong.yaml'), 'memory: 8M\nmonitr: none\n');
  writeFileSync(join(folder, 'broken.yaml'), 'memory: [\n');
  writeFileSync(join(folder, 'throws.mjs'), 'throw new Error("no luck\\nin two lines")');
  writeFileSync(join(folder, 'nothing.mjs'), 'export default 5');
  writeFileSync(
    join(folder, 'old.mjs'),
    'export default { name: "old", sdk: "0.0.1", parts: [{ kind: "loader", name: "x" }] }',
  );
  mkdirSync(join(folder, 'folder'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(args: readonly string[]): Promise<{ status: number; out: string; err: string; left: string[] }> {
  const before = readdirSync(folder, { recursive: true }) as string[];
  const io = fakeIo({ cwd: folder });
  const status = await main(args, io);
  const left = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => !before.includes(name));
  return { status, out: io.out(), err: io.err(), left };
}

/** Arguments after `run`; the code; what the line must say. */
const CASES: readonly [args: string, code: string, says: RegExp][] = [
  ['', 'RF_BAD_USAGE', /no kernel was given.*--kernel/],
  ['--kernel missing.elf', 'RF_KERNEL_NOT_FOUND', /missing\.elf/],
  ['--kernel folder', 'RF_KERNEL_UNREADABLE', /directory/],
  ['--kernel empty', 'RF_KERNEL_', /empty/],
  ['--kernel text', 'RF_KERNEL_NOT_BOOTABLE', /text/],
  ['--kernel half.elf', 'RF_KERNEL_TRUNCATED', /half\.elf/],
  ['--kernel tiny', 'RF_KERNEL_', /tiny/],
  ['--kernel huge', 'RF_KERNEL_TOO_LARGE', /huge/],
  ['HELLO --initrd missing', 'RF_INITRD_NOT_FOUND', /missing/],
  ['HELLO --initrd huge', 'RF_INITRD_TOO_LARGE', /huge/],
  ['HELLO -m 2M --initrd disk', 'RF_INITRD_TOO_LARGE', /disk/],
  ['HELLO -m 0', 'RF_BAD_MEMORY_SIZE', /"0"/],
  ['HELLO -m 64G', 'RF_BAD_MEMORY_SIZE', /64G/],
  ['HELLO -m -5', 'RF_BAD_MEMORY_SIZE', /-5/],
  ['HELLO -m lots', 'RF_BAD_MEMORY_SIZE', /lots/],
  ['HELLO --core interpretr', 'RF_UNKNOWN_NAME', /did you mean "interpreter"/],
  ['HELLO --model p7', 'RF_UNKNOWN_NAME', /p6/],
  ['HELLO --loader multibot', 'RF_UNKNOWN_NAME', /multiboot/],
  ['HELLO --monitor stepthrough', 'RF_UNKNOWN_NAME', /did you mean "step-through"/],
  ['HELLO --monitor step-through --shadow-cache rebuilt', 'RF_UNKNOWN_NAME', /did you mean "rebuild"/],
  ['HELLO --monitor step-through --sensitive asist', 'RF_UNKNOWN_NAME', /did you mean "assist"/],
  ['HELLO --monitor step-through --protection wp', 'RF_UNKNOWN_NAME', /wp-toggle/],
  ['HELLO --monitor step-through --shadow-cache tracked-lru,capacty=4', 'RF_BAD_CONFIG', /capacty/],
  ['HELLO --monitor step-through --shadow-cache tracked-lru,capacity=0', 'RF_BAD_CONFIG', /capacity/],
  ['HELLO --monitor none --shadow-cache rebuild', 'RF_CONTRADICTION', /--shadow-cache/],
  ['HELLO --protection wp-toggle', 'RF_CONTRADICTION', /--monitor/],
  ['HELLO --assist trap', 'RF_CONTRADICTION', /without a monitor/],
  ['HELLO --monitor step-through --model i386', 'RF_CONTRADICTION', /no CR0\.WP/],
  ['HELLO --monitor step-through --assist none', 'RF_CONTRADICTION', /assist/],
  ['HELLO --assist maybe', 'RF_BAD_USAGE', /none.*trap/],
  ['HELLO --until-serial (', 'RF_BAD_USAGE', /regular expression/],
  ['HELLO --max-instructions 0', 'RF_BAD_USAGE', /--max-instructions/],
  ['HELLO --timeout soon', 'RF_BAD_USAGE', /--timeout/],
  ['HELLO --serial pipe', 'RF_BAD_USAGE', /stdio, file:PATH or none/],
  ['HELLO --serial file:no/such/file', 'RF_OUTPUT_UNWRITABLE', /no.such.file/],
  ['HELLO --serial file:a.log --debugcon file:no/b.log', 'RF_OUTPUT_UNWRITABLE', /b\.log/],
  ['HELLO --report no/such/r.json', 'RF_OUTPUT_UNWRITABLE', /r\.json/],
  ['HELLO --report folder', 'RF_OUTPUT_UNWRITABLE', /directory/],
  ['HELLO --serial file:a --debugcon file:a', 'RF_CONTRADICTION', /overwrite/],
  ['HELLO --serial file:a --report a', 'RF_CONTRADICTION', /overwrite/],
  ['--kernel text --report text', 'RF_CONTRADICTION', /overwrite the kernel/],
  ['missing.yaml', 'RF_CONFIG_NOT_FOUND', /missing\.yaml/],
  ['wrong.yaml', 'RF_BAD_CONFIG', /monitr/],
  ['broken.yaml', 'RF_BAD_CONFIG', /broken\.yaml/],
  ['HELLO --plugin ./missing.mjs', 'RF_PLUGIN_NOT_FOUND', /missing\.mjs/],
  ['HELLO --plugin not-installed', 'RF_PLUGIN_NOT_FOUND', /npm install/],
  ['HELLO --plugin ./throws.mjs', 'RF_PLUGIN_INVALID', /no luck/],
  ['HELLO --plugin ./nothing.mjs', 'RF_PLUGIN_INVALID', /exports no plugin/],
  ['HELLO --plugin ./old.mjs', 'RF_PLUGIN_SDK_MISMATCH', /0\.0\.1/],
  ['HELLO --kernle x', 'RF_BAD_USAGE', /did you mean --kernel\?/],
  ['a.yaml b.yaml', 'RF_BAD_USAGE', /too many arguments/],
  ['HELLO --append', 'RF_BAD_USAGE', /argument missing/],
];

describe('ringfence run refuses', () => {
  it.each(CASES)('%s', async (args, code, says) => {
    const words = args
      .replace('HELLO', `--kernel ${HELLO}`)
      .split(' ')
      .filter((word) => word !== '');
    const given = /--serial |--debugcon |--report /.test(args) ? [] : ['--report', 'r.json', '--serial', 'file:s.log'];
    const { status, out, err, left } = await run(['run', ...given, ...words]);
    expect(err).toMatch(/^RF_[A-Z_]+: .+\n$/);
    expect(err).toContain(code);
    expect(err).toMatch(says);
    expect(err).toContain('. Fix: ');
    expect({ status, out, left }).toEqual({ status: 2, out: '', left: [] });
  });

  const badFolder = join(root, 'guests/bad');
  it.each(readdirSync(badFolder).filter((name) => !/\.(md|txt)$/.test(name)))('guests/bad/%s', async (name) => {
    const { status, err, left } = await run(['run', '--kernel', join(badFolder, name), '--report', 'r.json']);
    expect(err).toMatch(/^RF_KERNEL_[A-Z_]+: .+\. Fix: .+\n$/);
    expect({ status, left }).toEqual({ status: 2, left: [] });
  });
});

describe('ringfence refuses', () => {
  it.each([
    [[], /no command/],
    [['rnu'], /did you mean run\?/],
    [['--verion'], /did you mean --version\?/],
    [['plugins', '--jsn'], /did you mean --json\?/],
    [['schema', 'extra'], /too many arguments/],
  ])('%j', async (args, says) => {
    const { status, err } = await run(args);
    expect(err).toMatch(/^RF_BAD_USAGE: .+\n$/);
    expect(err).toMatch(says);
    expect(status).toBe(2);
  });
});
