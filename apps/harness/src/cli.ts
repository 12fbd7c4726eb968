/**
 * The command line `ringfence-harness`. `main` is the whole program as a function of arguments and an injected process;
 * it answers the exit status (0 all passed, 1 some failed, 2 bad usage, 70 a fault of ours, 130 interrupted) and never throws.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { z } from 'zod';
import {
  type NamedPart,
  nearestName,
  type PartKind,
  type PartRegistry,
  RingfenceError,
  SDK_VERSION,
  splitNamed,
  unknownName,
} from '@ringfence/sdk';
import { compareCommand, type CompareFlags } from './compare.js';
import { registryOf } from './execute.js';
import { failureList } from './failures.js';
import type { HarnessIo } from './io.js';
import { parseMatrix, spread, type Variant } from './matrix.js';
import { liveProgress, plainProgress, type Progress } from './progress.js';
import type { SuiteResults } from './results.js';
import { runSuite } from './suite-run.js';
import { type Guest, readSuite, type Suite } from './suite.js';
import { comparisonTable, TABLE_NOTE } from './table.js';
import { JUNIT_FILE, probeReportFolder, RESULTS_FILE, writeReports } from './write-reports.js';

interface RunFlags {
  readonly matrix?: string;
  readonly reportDir: string;
  readonly guest?: readonly string[];
  readonly bail?: boolean;
  readonly verbose?: boolean;
  readonly jobs?: string;
}

const EXAMPLES = `
Examples:
  ringfence-harness run guests/suite.yaml
  ringfence-harness run guests/suite.yaml --guest paging --matrix policy=step-through+data-swap,shadow=rebuild --verbose
  ringfence-harness run guests/suite.yaml --matrix policy=none     (bare only)

Axes of the matrix: policy, shadow, protection, sensitive, assist, core. An option of a part is written name:key=value.
Exit status: 0 every run passed, 1 some failed, 2 bad usage or suite, 130 interrupted (reports hold what was done).
`;

const COMPARE_EXAMPLES = `
Examples:
  ringfence-harness compare --guest debian-busybox --append 'console=ttyS0 -- "free; ps"'
  ringfence-harness compare --kernel guests/images/rotate.elf --matrix shadow=rebuild+tracked-lru,assist=vif

Without --matrix: every policy, rebuild and tracked-lru, wp-toggle, assist trap and vif.
Exit status: 0 every run ended as the bare one, 1 some did not, 2 bad usage, 130 interrupted.
`;

export async function main(argv: readonly string[], io: HarnessIo): Promise<number> {
  let status = 0;
  const { program, commands } = createProgram(io, {
    run: async (suite, flags) => {
      status = await runCommand(suite, flags, io);
    },
    compare: async (flags) => {
      status = await compareCommand(flags, io, async (variants) => checkParts(variants, await registryOf([])));
    },
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const typed =
      error instanceof CommanderError
        ? usageError(error, commands.find((command) => command.name() === argv[0]) ?? commands[0])
        : error;
    return fail(typed, io);
  }
}

function createProgram(
  io: HarnessIo,
  actions: {
    run(suite: string, flags: RunFlags): Promise<void>;
    compare(flags: CompareFlags): Promise<void>;
  },
): { program: Command; commands: readonly Command[] } {
  const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];
  const prepare = (command: Command): Command =>
    command
      .exitOverride()
      .allowExcessArguments(false)
      .showSuggestionAfterError(false)
      .configureOutput({ writeOut: (text) => io.stdout(text), writeErr: () => {} });
  const program = prepare(new Command('ringfence-harness'))
    .description('Runs guest suites bare and under a matrix of monitors, and checks that no guest can tell.')
    .version(SDK_VERSION);
  const run = prepare(program.command('run'))
    .description('run a suite')
    .argument('<suite>', 'suite file (YAML)')
    .option('--matrix <axes>', "replace axes of the suite's matrix: policy=a+b,shadow=c+d")
    .option('--report-dir <folder>', 'where results.json and junit.xml go', 'reports/harness')
    .option('--guest <name>', 'only this guest (repeatable)', collect)
    .option('--jobs <n>', 'runs at a time (default: processors)')
    .option('--bail', 'stop at the first failure')
    .option('--verbose', 'a table row for each run')
    .addHelpText('after', EXAMPLES)
    .action((suite: string, flags: RunFlags) => actions.run(suite, flags));
  const compare = prepare(program.command('compare'))
    .description('run one guest bare and under every monitor, and print what each costs')
    .option('--guest <name>', 'a guest of `ringfence guest list`, fetched when it is not here')
    .option('--kernel <file>', 'or a kernel')
    .option('--initrd <file>', 'initial RAM disk')
    .option('--append <text>', 'kernel command line')
    .option('-m, --memory <size>', 'guest memory (default: 16M, or what the guest is listed with)')
    .option('--model <name>', 'processor model')
    .option('--matrix <axes>', 'what to compare: policy=a+b,shadow=c+d,assist=e')
    .option('--max-instructions <n>', 'end every run after so many instructions')
    .option('--timeout <seconds>', 'break a run off after so much time', '7200')
    .option('--jobs <n>', 'runs at a time; times are comparable at 1', '1')
    .option('--report-dir <folder>', 'where compare.json and compare.md go', 'reports/compare')
    .addHelpText('after', COMPARE_EXAMPLES)
    .action((flags: CompareFlags) => actions.compare(flags));
  return { program, commands: [run, compare] };
}

async function runCommand(suiteFile: string, flags: RunFlags, io: HarnessIo): Promise<number> {
  const suite = readSuite(resolve(io.cwd, suiteFile));
  const variants = spread(suite.matrix, flags.matrix === undefined ? {} : parseMatrix(flags.matrix));
  checkParts(variants, await registryOf(suite.plugins));
  const guests = pickGuests(suite, flags.guest);
  const jobs = parseJobs(flags.jobs);
  const folder = resolve(io.cwd, flags.reportDir);
  probeReportFolder(folder);

  const progress: Progress = io.terminal
    ? liveProgress(
        guests.map(({ name }) => name),
        variants.length,
      )
    : plainProgress((line) => io.stdout(`${line}\n`));
  const abort = new AbortController();
  const stopListening = io.onInterrupt(() => abort.abort());
  const runner = io.createRunner(jobs);
  let results: SuiteResults;
  try {
    const bail = flags.bail === true;
    results = await runSuite({ suite, guests, variants, runner, observer: progress, bail, signal: abort.signal });
    await progress.done();
    writeReports(folder, results);
  } finally {
    await runner.close();
    stopListening();
  }
  io.stdout(closing(results, folder, flags.verbose === true, io.cwd));
  if (results.interrupted) return 130;
  return results.failed > 0 ? 1 : 0;
}

function closing(results: SuiteResults, folder: string, verbose: boolean, cwd: string): string {
  const failures = failureList(results.guests, cwd);
  const where = relative(cwd, folder) || '.';
  const left = results.notRun > 0 ? `, ${results.notRun} not run` : '';
  return [
    `\n${comparisonTable(results.guests, verbose)}\n${TABLE_NOTE}\n`,
    failures === '' ? '' : `\n${failures}`,
    `\nreports: ${where}/${RESULTS_FILE}, ${where}/${JUNIT_FILE} (${results.seconds.toFixed(1)} s)\n`,
    `suite: ${results.passed} passed, ${results.failed} failed${left}\n`,
  ].join('');
}

function pickGuests(suite: Suite, wanted: readonly string[] | undefined): readonly Guest[] {
  if (wanted !== undefined) {
    const known = suite.guests.map(({ name }) => name);
    const missing = wanted.find((name) => !known.includes(name));
    if (missing !== undefined) throw unknownName('guest of this suite', missing, known);
  }
  const guests = suite.guests.filter(({ name }) => wanted?.includes(name) ?? true);
  for (const { kernel, initrd } of guests) {
    for (const file of [kernel, initrd]) if (file !== undefined && !existsSync(file)) throw missingFile(file);
  }
  return guests;
}

function missingFile(file: string): RingfenceError {
  return new RingfenceError('RF_KERNEL_NOT_FOUND', {
    message: `the suite names ${file}, which does not exist`,
    value: file,
    fix: 'check the path; guests are built by guests/build.mjs',
  });
}

/** Every part named by the matrix exists and takes its options: a slip of the pen is no failed run. */
function checkParts(variants: readonly Variant[], registry: PartRegistry): void {
  for (const { core, monitor } of variants) {
    checkPart(registry, 'core', core);
    if (monitor === undefined) continue;
    checkPart(registry, 'policy', monitor.policy);
    checkPart(registry, 'shadow-cache', monitor.shadow);
    checkPart(registry, 'protection', monitor.protection);
    checkPart(registry, 'sensitive', monitor.sensitive);
    checkAssist(registry, monitor.sensitive, monitor.assist);
  }
}

function checkAssist(registry: PartRegistry, sensitive: NamedPart, assist: string | undefined): void {
  const { name } = splitNamed(sensitive);
  const { assists } = registry.get('sensitive', name);
  if (assist !== undefined && !assists.some((known) => known === assist)) {
    throw unknownName(`assist that "${name}" works with`, assist, assists);
  }
}

function checkPart(registry: PartRegistry, kind: PartKind, given: NamedPart): void {
  const { name, options } = splitNamed(given);
  const part = registry.get(kind, name);
  const result = (part.options ?? z.strictObject({})).safeParse(options);
  if (result.success) return;
  throw new RingfenceError('RF_BAD_CONFIG', {
    message: `options of ${kind} "${name}" are not valid: ${result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`.trim()).join('; ')}`,
    value: options,
    fix: `correct the options of ${name} or leave them out`,
  });
}

function parseJobs(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 256) return jobs;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--jobs "${text}" is not a whole number from 1 to 256`,
    value: text,
    fix: 'write e.g. --jobs 2',
  });
}

function usageError(error: CommanderError, run: Command): RingfenceError {
  const what =
    error.code === 'commander.help' ? 'no command was given' : error.message.split('\n')[0].replace(/^error: /, '');
  const given = /unknown (?:option|command) '([^'=]+)/.exec(what)?.[1];
  const known = ['run', 'compare', '--help', '--version', ...run.options.map((option) => option.long ?? '')];
  const nearest = given === undefined ? undefined : nearestName(given, known);
  const hint = nearest === undefined ? '' : `did you mean ${nearest}? `;
  return new RingfenceError('RF_BAD_USAGE', {
    message: what,
    value: given,
    fix: `${hint}see ringfence-harness ${run.name()} --help`,
  });
}

function fail(error: unknown, io: HarnessIo): number {
  const typed =
    error instanceof RingfenceError
      ? error
      : new RingfenceError('RF_INTERNAL', {
          message: `a fault of the harness itself: ${error instanceof Error ? error.message : String(error)}`,
          fix: 'run again with RINGFENCE_DEBUG=1 and report what it prints',
          cause: error,
        });
  io.stderr(`${typed.toLine().replace(/\s*[\r\n]+\s*/g, ' ')}\n`);
  if (io.env.RINGFENCE_DEBUG === '1') io.stderr(`${error instanceof Error ? error.stack : ''}\n`);
  return typed.blame === 'usage' ? 2 : 70;
}
