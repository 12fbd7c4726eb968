/**
 * Bundled guests over the whole matrix, on the real machine and through the harness's own command line: every combination
 * of policy, shadow cache, protection and assist ends as the bare run does.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/cli.js';
import { inProcessRunner } from '../src/execute.js';
import type { HarnessIo } from '../src/io.js';
import type { SuiteResults } from '../src/results.js';
import { root } from './run-guest.js';

const GUESTS = ['hello', 'paging', 'rotate', 'pae', 'fpu', 'simd', 'v86'];
const COMBINATIONS = 3 * 3 * 2 * 2;
const TIMEOUT = 20 * 60_000;

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'rf-equivalence-'))));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function harness(args: readonly string[], cwd = root): Promise<Ran> {
  let [out, err] = ['', ''];
  const io: HarnessIo = {
    cwd,
    env: {},
    terminal: false,
    stdout: (text) => void (out += text),
    stderr: (text) => void (err += text),
    onInterrupt: () => () => {},
    createRunner: () => inProcessRunner(),
  };
  return { status: await main(args, io), out, err };
}

describe('equivalence', () => {
  it.each(GUESTS)(
    '%s ends alike bare and under every combination',
    async (guest) => {
      const reports = join(folder, guest);
      const ran = await harness(['run', 'guests/suite.yaml', '--guest', guest, '--report-dir', reports]);
      expect(ran.status, ran.out + ran.err).toBe(0);
      const results = JSON.parse(readFileSync(join(reports, 'results.json'), 'utf8')) as SuiteResults;
      const { runs } = results.guests[0];
      expect(runs).toHaveLength(1 + COMBINATIONS);
      for (const field of ['retired', 'serialSha256', 'stateHash'] as const) {
        expect(new Set(runs.map((run) => run.report![field])).size, field).toBe(1);
      }
      expect(ran.out).toContain(`suite: ${runs.length} passed, 0 failed\n`);
      expect(readFileSync(join(reports, 'junit.xml'), 'utf8')).toContain(`<testsuite name="${guest}"`);
    },
    TIMEOUT,
  );
});

describe('ringfence-harness refuses', () => {
  it.each([
    [[], 'RF_BAD_USAGE', /no command/],
    [['run'], 'RF_BAD_USAGE', /missing required argument/],
    [['run', 'nothing.yaml'], 'RF_CONFIG_NOT_FOUND', /nothing\.yaml/],
    [['run', 'guests/suite.yaml', '--guest', 'helo'], 'RF_UNKNOWN_NAME', /did you mean "hello"/],
    [['run', 'guests/suite.yaml', '--matrix', 'policy=stepthrough'], 'RF_UNKNOWN_NAME', /did you mean "step-through"/],
    [['run', 'guests/suite.yaml', '--matrix', 'polcy=x'], 'RF_BAD_USAGE', /did you mean policy/],
    [['run', 'guests/suite.yaml', '--matrix', 'shadow=tracked-lru:capacty=9'], 'RF_BAD_CONFIG', /capacty/],
    [['run', 'guests/suite.yaml', '--jobs', '0'], 'RF_BAD_USAGE', /--jobs/],
    [['run', 'guests/suite.yaml', '--matrx', 'x'], 'RF_BAD_USAGE', /did you mean --matrix/],
    [['run', 'guests/suite.yaml', '--report-dir', 'package.json/x'], 'RF_OUTPUT_UNWRITABLE', /package\.json/],
  ])('%j', async (args, code, says) => {
    const { status, out, err } = await harness(args);
    expect(err).toMatch(/^RF_[A-Z_]+: .+\n$/);
    expect(err).toContain(code);
    expect(err).toMatch(says);
    expect({ status, out }).toEqual({ status: 2, out: '' });
  });
});
