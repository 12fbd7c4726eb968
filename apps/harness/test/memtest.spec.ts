/**
 * A guest that nobody here wrote: Debian's memtest86+, bare and under three policies, on a processor with PAE, which it then
 * uses (all of linear space in 2 MiB pages), and on one without, where it never turns paging on. It must draw its screen on
 * the serial line, be inside its tests, find no errors, and end every run of a model in the same state.
 * RINGFENCE_MEMTEST_INSTRUCTIONS says how long each run is; its tests begin at about 600 million (its delays are in time,
 * and time is instructions), CI asks for 2000 million.
 */
import { beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { ensureGuest, type GuestOrSkip } from './fetched-guest.js';
import { type GuestRun, runGuest } from './run-guest.js';
import { screenOf } from './terminal.js';

const INSTRUCTIONS = Number(process.env.RINGFENCE_MEMTEST_INSTRUCTIONS ?? 800_000_000);
const TIMEOUT = 20 * 60_000;

let fetched: GuestOrSkip;

function kernelOrSkip(context: TestContext): string {
  if (fetched.guest !== undefined) return fetched.guest.kernel;
  context.skip(fetched.skip);
}

const run = (kernel: string, model: string, monitor: 'none' | { policy: string }): Promise<GuestRun> =>
  runGuest(kernel, {
    append: 'console=ttyS0,115200',
    memory: '8M',
    cpu: { model },
    monitor,
    limits: { maxInstructions: INSTRUCTIONS, timeoutSeconds: 600 },
  });

describe.each([
  { model: 'p6', pae: true },
  { model: 'pentium', pae: false },
])('memtest86+ on $model', ({ model, pae }) => {
  let bare: GuestRun;

  beforeAll(async () => {
    fetched = await ensureGuest('memtest86');
    if (fetched.guest !== undefined) bare = await run(fetched.guest.kernel, model, 'none');
  }, TIMEOUT);

  it('draws its screen on the serial line and is inside its tests, bare', async (context) => {
    kernelOrSkip(context);
    expect(bare.report, bare.dump).toMatchObject({ outcome: 'limit-instructions', retired: INSTRUCTIONS });
    const screen = (await screenOf(bare.serial)).join('\n');
    expect(screen).toMatch(/Memtest86\+ v6/);
    expect(screen).toMatch(/Test #\d/);
    expect(screen).toMatch(/\[(Address test|Moving inversions|Block move|Random|Modulo|Bit fade)/);
    expect(screen).toMatch(/Pass: +\d+ +Errors: 0\b/);
    expect(screen.includes('[PAE]')).toBe(pae);
  });

  it.for(['step-through', 'data-swap', 'full-emulation'])(
    'ends the same under %s',
    { timeout: TIMEOUT },
    async (policy, context) => {
      const monitored = await run(kernelOrSkip(context), model, { policy });
      expect(monitored.report.error).toBeUndefined();
      const { retired, serialSha256, stateHash } = bare.report;
      expect(monitored.report).toMatchObject({ outcome: 'limit-instructions', retired, serialSha256, stateHash });
      expect((await screenOf(monitored.serial)).join('\n')).toMatch(/Errors: 0\b/);
      expect(monitored.report.monitor!.exits.total).toBeGreaterThan(1000);
    },
  );
});
