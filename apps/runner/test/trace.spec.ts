/**
 * `ringfence trace` and `ringfence diff-trace` on real guests: the trace of a guest is the same bare and under every
 * policy, line by line; and where two runs part is found to the instruction, a broken monitor's included.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import {
  SDK_VERSION,
  definePlugin,
  parseMachineConfig,
  type MachineConfigInput,
  type MonitorPolicy,
  type Placement,
  type PolicyServices,
  type SavedMapping,
  type StructureAccess,
} from '@ringfence/sdk';
import { Tracer, divergenceReport, findDivergence, formatRecord } from '@ringfence/trace';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/cli.js';
import { fakeIo, type FakeIo } from '../src/testing/fake-io.js';

const images = resolve(import.meta.dirname, '../../../guests/images');
const image = (guest: string): string => join(images, `${guest}.elf`);
const HELLO = image('hello');
const GUESTS = readdirSync(images)
  .filter((name) => name.endsWith('.elf'))
  .map((name) => name.slice(0, -4));
const POLICIES = ['step-through', 'data-swap', 'full-emulation'];
const FIRST = 20_000;

/** The seed's step, which may forget to put the mapping back: the guest's next write is not seen. */
class Step implements MonitorPolicy {
  readonly name: string = 'step';
  readonly placement: Placement = 'shadowed';
  private readonly opened: SavedMapping[] = [];

  access(access: StructureAccess, services: PolicyServices): void {
    this.opened.push(services.saveMapping(access.linear));
    services.mapGuestPage(access);
    services.invlpg(access.linear);
    services.singleStep();
  }

  stepped(services: PolicyServices): void {
    for (const saved of this.opened.splice(0)) this.undo(saved, services);
    services.actOnChange();
  }

  protected undo(saved: SavedMapping, services: PolicyServices): void {
    services.restoreMapping(saved);
    services.invlpg(saved.linear);
  }
}

class Forgetful extends Step {
  protected override undo(saved: SavedMapping, services: PolicyServices): void {
    services.invlpg(saved.linear);
  }
}

const plugin = definePlugin({
  name: 'trace-test',
  sdk: SDK_VERSION,
  parts: [{ kind: 'policy', name: 'forgetful', summary: 'leaves the page writable', useClass: Forgetful }],
});

/** The guest `disk` wants a disk and a CD; the others do not mind. */
const DRIVES = [{ file: image('hello') }, { file: image('hello'), media: 'cdrom' as const }];

function start(guest: string, monitor: MachineConfigInput['monitor']): Machine {
  const config = parseMachineConfig({ kernel: image(guest), memory: '16M', serial: 'none', monitor, drives: DRIVES });
  return createMachine({
    config,
    drives: openDrives(config.drives),
    registry: createRegistry([plugin]),
    kernel: { bytes: readFileSync(image(guest)), name: guest },
  });
}

function traceOf(machine: Machine, count: number): string[] {
  const lines: string[] = [];
  const tracer = new Tracer(machine, (record) => lines.push(formatRecord(record)));
  while (machine.retired < count && tracer.step());
  return lines;
}

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-trace-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

async function ringfence(args: readonly string[], io: FakeIo = fakeIo({ cwd: folder })) {
  const status = await main(args, io);
  return { status, io, lines: io.out().trimEnd().split('\n') };
}

describe.each(GUESTS)('the trace of %s', (guest) => {
  it(`is the same bare and under every policy for ${FIRST} instructions`, { timeout: 5 * 60_000 }, () => {
    const bare = traceOf(start(guest, 'none'), FIRST);
    expect(bare.length).toBeGreaterThan(10_000);
    for (const policy of POLICIES) {
      const monitored = traceOf(start(guest, { policy }), FIRST);
      const different = bare.findIndex((line, i) => line !== monitored[i]);
      expect([monitored[different], monitored.length], policy).toEqual([bare[different], bare.length]);
    }
  });
});

describe('tracing', () => {
  it('does not change the run', () => {
    const traced = start('interrupts', 'none');
    traceOf(traced, 15_000);
    const plain = start('interrupts', 'none');
    plain.runSlice(15_000);
    expect(traced.stateHash()).toBe(plain.stateHash());
  });

  it('shows interrupts, faults and port I/O', () => {
    const text = traceOf(start('interrupts', { policy: 'data-swap' }), 12_000).join('\n');
    expect(text).toMatch(/-- INTR vector 32 at 0008:\w+ -> 0008:\w+ {2}; esp \w+->\w+, .*halted 1->0/);
    expect(text).toMatch(/out 0x20, al +; out 0020 <- 20/);
    const faults = traceOf(start('descriptors', { policy: 'step-through' }), 12_500).join('\n');
    expect(faults).toMatch(/mov fs, bx +; faults.*\n.* -- #NP vector 11 error 0040 at /);
  });
});

describe('ringfence trace', () => {
  it('shows a range by counts, both ends included', async () => {
    const { status, lines, io } = await ringfence(['trace', '--kernel', HELLO, '--from', '100', '--to', '109']);
    expect(status).toBe(0);
    expect(lines.map((line) => Number(line.slice(0, 10)))).toEqual([...Array(10).keys()].map((i) => 100 + i));
    expect(io.err()).toBe('ringfence: traced 10 instructions, counts 100 to 109\n');
  });

  it('shows the end of the guest', async () => {
    const { status, lines } = await ringfence(['trace', '--kernel', HELLO, '--from', '12000']);
    expect(status).toBe(0);
    expect(lines.at(-1)).toMatch(/== end: debug-exit/);
    expect(lines.at(-2)).toMatch(/out 0xf4, al +; out 00f4 <- 10$/);
  });

  it.each(['0x101694', '0010:00101694'])('shows where %s is executed', async (address) => {
    const args = ['trace', '--kernel', HELLO, '--around', address, '--context', '2'];
    for (const monitor of ['none', 'step-through']) {
      const { status, lines } = await ringfence([...args, '--monitor', monitor]);
      expect(status).toBe(0);
      expect(lines).toHaveLength(5);
      expect(lines[2]).toMatch(/^ +16 {2}0010:00101694 32\/0 {2}81fe02b0ad2b +cmp esi, 0x2badb002/);
    }
  });

  it('shows several executions, and what two of them share only once', async () => {
    const args = ['trace', '--kernel', HELLO, '--around', '1016de', '--hits', '3', '--context', '4'];
    const counts = (await ringfence(args)).lines.map((line) => Number(line.slice(0, 10)));
    expect(counts).toEqual([...Array(23).keys()].map((i) => 25 + i));
  });

  it('names addresses by symbols', async () => {
    writeFileSync(at('System.map'), '00101685 T kmain\n001016de t copy\n');
    const args = ['trace', '--kernel', HELLO, '--symbols', 'System.map', '--around', 'copy+4', '--context', '1'];
    const { status, lines } = await ringfence(args);
    expect(status).toBe(0);
    expect(lines.map((line) => /<\S+>/.exec(line)?.[0])).toEqual(['<copy>', '<copy+4>', '<copy+6>']);
  });

  it('writes a file of JSON lines, which compare as text', async () => {
    const args = ['trace', '--kernel', HELLO, '--format', 'jsonl', '--to', '500', '--output'];
    expect((await ringfence([...args, 'a.jsonl'])).status).toBe(0);
    expect((await ringfence([...args, 'b.jsonl', '--monitor', 'data-swap'])).status).toBe(0);
    const [a, b] = ['a', 'b'].map((name) => readFileSync(at(`${name}.jsonl`), 'utf8').split('\n'));
    expect(a.slice(1)).toEqual(b.slice(1));
    expect(JSON.parse(a[1])).toMatchObject({ kind: 'insn', n: 0, cs: '0010', text: 'cli' });
  });

  it('keeps whole lines when it is interrupted', async () => {
    const io = fakeIo({ cwd: folder });
    const running = ringfence(['trace', '--kernel', image('rotate'), '--output', 't'], io);
    setTimeout(() => io.interrupt(), 200);
    expect((await running).status).toBe(130);
    expect(readFileSync(at('t'), 'utf8')).toMatch(/^ +0 {2}0010:.*\n$/s);
    expect(io.err()).toContain('not to the end');
  });

  it('ends quietly when the reader goes away', async () => {
    const { status, io } = await ringfence(['trace', '--kernel', HELLO], {
      ...fakeIo({ cwd: folder }),
      stdout: () => false,
    });
    expect([status, io.err()]).toEqual([0, '']);
  });

  it.each([
    ['RF_NOT_REACHED', ['--from', '999999']],
    ['RF_NOT_REACHED', ['--around', '0xdeadbeef']],
    ['RF_NOT_REACHED', ['--around', '1016de', '--from', '11000']],
    ['RF_BAD_USAGE', ['--from', '2', '--to', '1']],
    ['RF_BAD_USAGE', ['--from', '200', '--max-instructions', '100']],
    ['RF_BAD_USAGE', ['--around', 'main?']],
    ['RF_BAD_SYMBOLS', ['--symbols', HELLO]],
    ['RF_BAD_SYMBOLS', ['--symbols', 'missing']],
    ['RF_CONTRADICTION', ['--serial', 'stdio']],
    ['RF_CONTRADICTION', ['--output', HELLO]],
    ['RF_OUTPUT_UNWRITABLE', ['--output', '/no/such/folder/t']],
  ])('refuses with %s: %j', async (code, args) => {
    const { status, io } = await ringfence(['trace', '--kernel', HELLO, ...args]);
    expect([status, io.out()]).toEqual([2, '']);
    expect(io.err()).toMatch(new RegExp(`^${code}: .*Fix: .`));
  });
});

describe('ringfence diff-trace', () => {
  const SIDES = ['--a', 'monitor=none', '--b', 'monitor.policy=data-swap'];

  it('says that bare and monitored are the same', async () => {
    const { status, io } = await ringfence(['diff-trace', '--kernel', HELLO, ...SIDES]);
    expect([status, io.out()]).toEqual([0, 'the same: 12182 instructions, to the end of both\n']);
  });

  it.each(POLICIES)('says that a guest dies the same death bare and under %s', async (policy) => {
    // An IDT of limit 0, then UD2: #UD, #GP, #DF, none of them delivered.
    const code = [0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0x0f, 0x0b];
    const [magic, flags, base] = [0x1badb002, 0x10000, 0x100000];
    const words = [magic, flags, -(magic + flags), base, base, base + 32 + code.length, 0, base + 32];
    writeFileSync(at('k'), Buffer.concat([Buffer.from(Int32Array.from(words).buffer), Buffer.from(code)]));
    const { status, io } = await ringfence([
      'diff-trace',
      '--kernel',
      at('k'),
      '-m',
      '16M',
      '--b',
      `monitor=${policy}`,
    ]);
    expect([status, io.out()]).toEqual([0, 'the same: 3 instructions, to the end of both\n']);
    const { lines } = await ringfence(['trace', '--kernel', at('k'), '-m', '16M', '--monitor', policy, '--from', '3']);
    expect(lines.map((line) => line.slice(12, 38))).toEqual([
      '0010:00100028 32/0  0f0b  ',
      '-- #UD vector 6 at 0010:00',
      '-- #GP vector 13 error 003',
      '-- #DF vector 8 error 0000',
      '== end: triple-fault (the ',
    ]);
  });

  it('finds the first instruction that another input changes', async () => {
    const args = ['diff-trace', '--kernel', HELLO, '-m', '16M', '--context', '1'];
    const { status, lines } = await ringfence([...args, '--a', 'append=fast', '--b', 'append=slow']);
    expect(status).toBe(1);
    const [a, b] = [lines.find((line) => line.startsWith('A  '))!, lines.find((line) => line.startsWith('B  '))!];
    expect(a).toMatch(/movzx edx, byte ptr \[ecx\+eax\] +; edx \w+->00000066/);
    expect(b).toMatch(/movzx edx, byte ptr \[ecx\+eax\] +; edx \w+->00000073/);
    expect(lines).toContain(`diverged at count ${Number(a.slice(2, 13))}`);
    expect(lines).toContain('  processor.edx: A 00000066, B 00000073');
  });

  it('compares two configurations and two traces', async () => {
    for (const [name, append] of [
      ['a', 'x1'],
      ['b', 'x2'],
    ]) {
      writeFileSync(at(`${name}.yaml`), `kernel: ${HELLO}\nappend: ${append}\nmemory: 16M\n`);
      await ringfence(['trace', `${name}.yaml`, '--format', 'jsonl', '--to', '400', '--output', `${name}.jsonl`]);
    }
    const runs = await ringfence(['diff-trace', 'a.yaml', 'b.yaml']);
    const traces = await ringfence(['diff-trace', 'a.jsonl', 'b.jsonl']);
    expect([runs.status, traces.status]).toEqual([1, 1]);
    const diverged = runs.lines.find((line) => line.startsWith('diverged at count '))!;
    expect(traces.lines[0].startsWith(`${diverged} `)).toBe(true);
    expect((await ringfence(['diff-trace', 'a.jsonl', 'a.jsonl'])).status).toBe(0);
  });

  it.each([
    ['RF_BAD_USAGE', ['--kernel', HELLO]],
    ['RF_BAD_USAGE', ['--kernel', HELLO, '--a', 'append']],
    ['RF_BAD_CONFIG', ['--kernel', HELLO, '--a', 'speed=3']],
    ['RF_UNKNOWN_NAME', ['--kernel', HELLO, '--a', 'monitor=stpe-through']],
    ['RF_CONTRADICTION', ['--kernel', HELLO, ...SIDES, '--from', '3', '--compare', 'state']],
    ['RF_CONTRADICTION', ['t.jsonl', '--kernel', HELLO]],
    ['RF_CONTRADICTION', ['t.jsonl', 'm.yaml']],
    ['RF_BAD_TRACE', ['t.jsonl', 'broken.jsonl']],
    ['RF_CONFIG_NOT_FOUND', ['missing.yaml', ...SIDES]],
  ])('refuses with %s: %j', async (code, args) => {
    const header = '{"kind":"ringfence-trace","version":1,"kernel":"k","monitor":"none"}\n';
    writeFileSync(at('t.jsonl'), `${header}{"kind":"end","n":1,"outcome":"reset"}\n`);
    writeFileSync(at('broken.jsonl'), `${header}{"kind":"insn","n":0,"cs"`);
    writeFileSync(at('m.yaml'), `kernel: ${HELLO}\n`);
    const { status, io } = await ringfence(['diff-trace', ...args]);
    expect([status, io.out()]).toEqual([2, '']);
    expect(io.err()).toMatch(new RegExp(`^${code}: .*Fix: .`));
  });

  it('finds the instruction at which a broken monitor goes wrong', { timeout: 5 * 60_000 }, async () => {
    const make = () => ({ a: start('paging', 'none'), b: start('paging', { policy: 'forgetful' }) });
    const found = await findDivergence(make, { from: 0, to: 5_000_000, compare: 'state' });
    if (found.kind !== 'diverged') throw new Error(`found ${found.kind}`);
    expect(found.bad - found.good).toBe(1);
    const before = await found.rewind(found.good);
    expect(before.b.stateHash()).toBe(before.a.stateHash());
    const report = await divergenceReport(found, 4);
    const [a, b] = ['A  ', 'B  '].map((side) => report.find((line) => line.startsWith(side))!.slice(3));
    expect(a).not.toBe(b);
    expect(a.slice(0, 58)).toBe(b.slice(0, 58));
    expect(report.some((line) => line.startsWith('  processor.'))).toBe(true);
  });
});
