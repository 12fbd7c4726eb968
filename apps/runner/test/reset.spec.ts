/**
 * A guest that resets its machine, by a triple fault and by the keyboard controller, and knows from its memory that it
 * did: the run ends or goes on as `--on-reset` says, the same bare and under every policy, dump included.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeIo } from '../src/testing/fake-io.js';
import { main } from '../src/cli.js';

/** Counts its starts at 200000h: 1 dies of a triple fault, 2 pulses RESET#, 3 writes its count to the debug-exit port. */
const GUEST = [
  [0xa1, 0x00, 0x00, 0x20, 0x00], // mov eax, [200000h]
  [0x40, 0xa3, 0x00, 0x00, 0x20, 0x00], // inc eax; mov [200000h], eax
  [0x3c, 0x02, 0x74, 0x0b, 0x77, 0x0f], // cmp al, 2; je pulse; ja leave
  [0x0f, 0x01, 0x1d, 0x00, 0x00, 0x30, 0x00, 0x0f, 0x0b], // lidt [300000h], which is zero; ud2
  [0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe], // pulse: mov al, feh; out 64h, al; jmp $
  [0xe6, 0xf4, 0xeb, 0xfe], // leave: out f4h, al; jmp $
].flat();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringfence-reset-'));
  writeFileSync(join(folder, 'guest.bin'), Uint8Array.from(GUEST));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]) {
  const io = fakeIo({ cwd: folder });
  const flags = ['--kernel', 'guest.bin', '--loader', 'flat,address=0x100000', '-m', '4M', '--report', 'r.json'];
  const status = await main(['run', ...flags, ...args], io);
  const report = JSON.parse(readFileSync(join(folder, 'r.json'), 'utf8')) as Record<string, unknown>;
  const [dump] = io.err().split('\nringfence: ');
  return { status, report, dump, err: io.err() };
}

const MONITORS = ['none', 'step-through', 'data-swap', 'full-emulation'];

describe('a reset', () => {
  it.each(MONITORS)('starts the machine again, with its memory as it was (monitor: %s)', async (monitor) => {
    const { status, report, err } = await run('--on-reset', 'restart', '--monitor', monitor);
    expect(status, err).toBe(7);
    expect(report).toMatchObject({ outcome: 'debug-exit', resets: 2 });
    expect(err).toMatch(
      /EAX=00000001 .*\n[^]*ringfence: reset 1 after \d+ instructions \(the guest died of a triple fault\)/,
    );
    expect(err).toMatch(/ringfence: reset 2 after \d+ instructions \(.*keyboard controller.*\)/i);
  });

  it('leaves every machine in the same state, with the same dump', async () => {
    const runs = [];
    for (const monitor of MONITORS) runs.push(await run('--on-reset', 'restart', '--monitor', monitor));
    const facts = runs.map(({ report, dump }) => [report.retired, report.stateHash, dump]);
    for (const fact of facts) expect(fact).toEqual(facts[0]);
  });

  it.each(MONITORS)('ends the run by default, and shows who died (monitor: %s)', async (monitor) => {
    const { status, report, dump } = await run('--monitor', monitor);
    expect(status).toBe(125);
    expect(report).toMatchObject({ outcome: 'triple-fault', resets: 0 });
    expect(dump).toBe((await run()).dump);
  });

  it('is refused in words that do not exist', async () => {
    const io = fakeIo({ cwd: folder });
    expect(await main(['run', '--kernel', 'guest.bin', '--on-reset', 'again'], io)).toBe(2);
    expect(io.err()).toContain('--on-reset "again" is neither end nor restart');
  });
});
