/**
 * `ringfence-harness compare`: the same guest bare and under every monitor of a matrix, for who wants to see what a policy,
 * a shadow cache or an assist costs on a real kernel. No suite file, no expectations: the bare run is the yardstick, and every other
 * must end as it did. Runs go one after the other unless told otherwise, since their times are to be compared.
 * The guest is one of the catalogue, fetched when it is not here, or files given by flags.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { defaultCacheFolder, fetchGuest, findGuest } from '@ringfence/guest-catalogue';
import { RingfenceError } from '@ringfence/sdk';
import { differences } from './check.js';
import { compareMarkdown, compareText, type Compared } from './compare-table.js';
import type { HarnessIo } from './io.js';
import { jobOf, type JobResult } from './job.js';
import { parseMatrix, spread, type Variant } from './matrix.js';
import type { Guest, Matrix } from './suite.js';
import { probeReportFolder, writeWhole } from './write-reports.js';

export interface CompareFlags {
  readonly guest?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memory?: string;
  readonly model?: string;
  readonly matrix?: string;
  readonly maxInstructions?: string;
  readonly timeout: string;
  readonly reportDir: string;
  readonly jobs: string;
}

export const COMPARE_JSON = 'compare.json';
export const COMPARE_MARKDOWN = 'compare.md';

/** What the plain command compares: protections cost alike, so one stands for both. */
const MATRIX: Matrix = { protection: ['wp-toggle'], assist: ['trap', 'vif'] };

/** `check`: every part of the matrix exists. Answers the exit status. */
export async function compareCommand(
  flags: CompareFlags,
  io: HarnessIo,
  check: (variants: readonly Variant[]) => Promise<void>,
): Promise<number> {
  const variants = shortened(spread(MATRIX, flags.matrix === undefined ? {} : parseMatrix(flags.matrix)));
  await check(variants);
  const limits = {
    maxInstructions: flags.maxInstructions === undefined ? 1e15 : positive('--max-instructions', flags.maxInstructions),
    timeoutSeconds: positive('--timeout', flags.timeout),
  };
  const jobs = positive('--jobs', flags.jobs);
  const folder = resolve(io.cwd, flags.reportDir);
  probeReportFolder(folder);
  const abort = new AbortController();
  const stopListening = io.onInterrupt(() => abort.abort());
  const runner = io.createRunner(jobs);
  const close = (): void => void runner.close();
  abort.signal.addEventListener('abort', close);
  try {
    const guest = { ...(await guestOf(flags, io, abort.signal)), ...limits };
    for (const file of [guest.kernel, guest.initrd]) if (file !== undefined && !existsSync(file)) throw missing(file);
    const started = variants.map((variant) => runner.run(jobOf(guest, variant, [])));
    const runs: Compared[] = [];
    for (const [index, variant] of variants.entries()) {
      const run = compared(variant, await started[index], index === 0 ? undefined : await started[0]);
      if (run.outcome === 'interrupted') continue;
      io.stdout(`${progressLine(run)}\n`);
      runs.push(run);
      // Whole boots take hours: what is done is there to be read.
      writeWhole(join(folder, COMPARE_JSON), `${JSON.stringify({ guest, runs }, null, 2)}\n`);
      writeWhole(join(folder, COMPARE_MARKDOWN), compareMarkdown(`${guest.name} under every monitor`, runs));
    }
    if (runs.length > 0) {
      io.stdout(`\n${compareText(runs)}\nreports: ${flags.reportDir}/${COMPARE_JSON}, ${COMPARE_MARKDOWN}\n`);
    }
    if (abort.signal.aborted) return 130;
    return runs.some(({ faults }) => faults.length > 0) ? 1 : 0;
  } finally {
    await runner.close();
    stopListening();
  }
}

/** Labels without the axes in which all monitors are alike. */
function shortened(variants: readonly Variant[]): Variant[] {
  const parts = variants.map(({ label }) => label.split('/'));
  const monitored = parts.filter((_, index) => variants[index].monitor !== undefined);
  const telling = (axis: number): boolean => axis === 0 || new Set(monitored.map((words) => words[axis])).size > 1;
  return variants.map((variant, index) =>
    variant.monitor === undefined
      ? variant
      : { ...variant, label: parts[index].filter((_, axis) => telling(axis)).join('/') },
  );
}

function compared(variant: Variant, result: JobResult, bare: JobResult | undefined): Compared {
  const faults = result.error !== undefined ? [result.error] : differences(result, bare);
  if (bare !== undefined && result.error === undefined && result.outcome !== bare.outcome) {
    faults.push(`it ended as ${result.outcome}, the bare run as ${bare.outcome}`);
  }
  return {
    variant: variant.label,
    outcome: result.outcome,
    report: result.report,
    cpuSeconds: result.cpuSeconds ?? 0,
    faults,
  };
}

function progressLine({ variant, outcome, report, faults, cpuSeconds }: Compared): string {
  const seconds =
    report === undefined ? '' : `, ${report.wallSeconds.toFixed(1)} s (processor ${cpuSeconds.toFixed(1)} s)`;
  return [`${variant}: ${outcome}${seconds}`, ...faults.map((fault) => `  DIFFERS: ${fault}`)].join('\n');
}

type Limitless = Omit<Guest, 'maxInstructions' | 'timeoutSeconds'>;

async function guestOf(flags: CompareFlags, io: HarnessIo, signal: AbortSignal): Promise<Limitless> {
  const place = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : resolve(io.cwd, file);
  const common = {
    model: flags.model,
    loader: undefined,
    drives: [],
    network: undefined,
    devices: {},
    expect: { status: 0, serial: [] },
  };
  if (flags.guest === undefined) {
    if (flags.kernel === undefined) throw usage('nothing to compare', 'name a guest with --guest, or a --kernel');
    const kernel = resolve(io.cwd, flags.kernel);
    const memory = flags.memory ?? '16M';
    return {
      ...common,
      name: basename(kernel),
      kernel,
      initrd: place(flags.initrd),
      append: flags.append ?? '',
      memory,
    };
  }
  if (flags.kernel !== undefined) throw usage('both --guest and --kernel', 'give one of the two');
  const entry = findGuest(flags.guest);
  const cache = defaultCacheFolder(io.env);
  const { kernel, initrd } = await fetchGuest(entry, { cache, signal, progress: (line) => io.stderr(`${line}\n`) });
  if (entry.run === undefined || kernel === undefined) {
    throw usage(`"${entry.name}" is not started by a kernel of its own`, 'see `ringfence guest list`');
  }
  return {
    ...common,
    name: entry.name,
    kernel,
    initrd: place(flags.initrd) ?? initrd,
    append: flags.append ?? entry.run.append ?? '',
    memory: flags.memory ?? entry.run.memory,
  };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw usage(`${flag} "${text}" is not a whole number above 0`, `write e.g. ${flag} 100`);
}

function missing(file: string): RingfenceError {
  return new RingfenceError('RF_KERNEL_NOT_FOUND', {
    message: `${file} does not exist`,
    value: file,
    fix: 'check the path',
  });
}

function usage(message: string, fix: string): RingfenceError {
  return new RingfenceError('RF_BAD_USAGE', { message, fix });
}
