/**
 * `ringfence diff-trace`: where two runs part, or two trace files. Two runs are compared without writing a trace of either
 * (packages/trace, find-divergence.ts). Exit status 0: the same; 1: they part, and where is on standard output.
 */
import { createReadStream, openSync, closeSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';
import {
  checkHeader,
  compareTraces,
  comparisonReport,
  divergenceReport,
  findDivergence,
  looksLikeTrace,
  parseRecord,
  stateDifference,
  type Divergence,
  type TraceRecord,
} from '@ringfence/trace';
import { STATUS_INTERRUPTED } from './failure.js';
import type { RunFlags } from './flags.js';
import type { CliIo } from './io.js';
import { planRun, type RunPlan, type RunRequest } from './run-plan.js';
import { sideChange } from './side-config.js';
import { lastCount, makeMachine, monitorName, startedBy, STATUS_LIMIT } from './trace-command.js';
import { checkRange, parseContext, parseWhole } from './trace-flags.js';

const STATUS_DIVERGED = 1;
const DEFAULT_CONTEXT = 8;
/** Lines shown of how two machines differ before they run. */
const START_LINES = 6;

export interface DiffFlags {
  readonly a?: readonly string[];
  readonly b?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly context?: string;
  readonly compare?: string;
}

export interface DiffRequest {
  readonly files: readonly string[];
  readonly flags: RunFlags;
  /** As of RunRequest. */
  readonly defaults?: MachineConfigInput;
  readonly seabios?: RunRequest['seabios'];
  readonly diff: DiffFlags;
}

/** Answers the exit status; throws a RingfenceError for what should be reported as an error. */
export async function diffTraceCommand(request: DiffRequest, io: CliIo): Promise<number> {
  const { files, diff } = request;
  const context = parseContext(diff.context, DEFAULT_CONTEXT);
  const traces = files.map((file) => isTrace(resolve(io.cwd, file)));
  if (traces.includes(true)) {
    checkTraceFiles(request, traces);
    return compareFiles(files, context, io);
  }
  return compareRuns(request, context, io);
}

// ------------------------------------------------------------------------------------------------ trace files

async function compareFiles(files: readonly string[], context: number, io: CliIo): Promise<number> {
  const [a, b] = files.map((file) => records(file, resolve(io.cwd, file)));
  const found = await compareTraces(a, b, context);
  io.stdout(`${comparisonReport(found).join('\n')}\n`);
  return found.difference === undefined ? 0 : STATUS_DIVERGED;
}

async function* records(name: string, path: string): AsyncGenerator<TraceRecord> {
  const stream = createReadStream(path);
  let number = 0;
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      number++;
      if (number === 1) checkHeader(line, name);
      else if (line !== '') yield parseRecord(line, name, number);
    }
  } finally {
    stream.destroy();
  }
}

/** Whether the file is a trace; a missing or unreadable one is for the configuration reader to refuse. */
function isTrace(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const start = Buffer.alloc(64);
  const fd = openSync(path, 'r');
  try {
    return looksLikeTrace(start.toString('latin1', 0, readSync(fd, start)));
  } finally {
    closeSync(fd);
  }
}

function checkTraceFiles({ files, flags, diff }: DiffRequest, traces: readonly boolean[]): void {
  const runFlags = [...Object.keys(flags), ...Object.keys(diff).filter((key) => key !== 'context')];
  if (files.length === 2 && traces.every((trace) => trace) && runFlags.length === 0) return;
  const other = files[traces.indexOf(false)];
  const what = files.length < 2 ? 'one trace file alone' : other === undefined ? 'trace files' : `"${other}"`;
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `a trace file is compared with another trace file, not with ${what}${runFlags.length > 0 ? ' and flags of a run' : ''}`,
    value: files,
    fix: 'give two files written by ringfence trace --format jsonl, or describe two runs',
  });
}

// ------------------------------------------------------------------------------------------------ runs

async function compareRuns(request: DiffRequest, context: number, io: CliIo): Promise<number> {
  const { diff } = request;
  const [a, b] = await planSides(request, io);
  const from = diff.from === undefined ? 0 : parseWhole('--from', diff.from);
  const asked = diff.to === undefined ? Infinity : parseWhole('--to', diff.to);
  checkRange(from, asked);
  const to = Math.min(asked, lastCount(a), lastCount(b));
  const compare = parseCompare(diff.compare);
  if (diff.from !== undefined && compare === 'state') {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: '--from means nothing to --compare state: whole states are compared from the start',
      value: diff.from,
      fix: 'leave --from out, or add --compare registers',
    });
  }
  const stop = new AbortController();
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
    stop.abort();
  });
  const seconds = a.config.limits.timeoutSeconds;
  const timeout = seconds === undefined ? undefined : setTimeout(() => stop.abort(), seconds * 1000);
  const make = () => ({ a: makeMachine(a), b: makeMachine(b) });
  const progress = progressLine(io);
  try {
    const options = { from, to, signal: stop.signal, progress };
    let found: Divergence | undefined;
    if (compare !== 'registers' && diff.from === undefined) {
      found = await findDivergence(make, { ...options, compare: 'state' });
      if (found.kind === 'unlike' && compare === undefined) {
        io.stderr(
          'ringfence: the machines differ before they run, so registers are compared after each instruction:\n',
        );
        for (const line of stateDifference(...found.states).slice(0, START_LINES)) io.stderr(`  ${line}\n`);
        found = undefined;
      }
    }
    found ??= await findDivergence(make, { ...options, compare: 'registers' });
    if (found.kind === 'aborted') {
      io.stdout(`the same up to count ${found.count}, where it was stopped\n`);
      return interrupted ? STATUS_INTERRUPTED : STATUS_LIMIT;
    }
    io.stdout(`${(await reportLines(found, a, b, context)).join('\n')}\n`);
    return found.kind === 'same' ? 0 : STATUS_DIVERGED;
  } finally {
    clearTimeout(timeout);
    stopListening();
  }
}

async function reportLines(
  found: Exclude<Divergence, { kind: 'aborted' }>,
  a: RunPlan,
  b: RunPlan,
  context: number,
): Promise<string[]> {
  if (found.kind === 'same') {
    return [`the same: ${found.count} instructions${found.ended ? ', to the end of both' : ''}`];
  }
  const sides = [`A: ${sideText(a)}`, `B: ${sideText(b)}`];
  if (found.kind === 'diverged') return [...sides, ...(await divergenceReport(found, context))];
  return [
    ...sides,
    'diverged where the comparison begins:',
    ...stateDifference(...found.states).map((line) => `  ${line}`),
  ];
}

async function planSides(
  { files, flags, defaults, diff, seabios }: DiffRequest,
  io: CliIo,
): Promise<[RunPlan, RunPlan]> {
  if (files.length < 2 && diff.a === undefined && diff.b === undefined) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: 'nothing says in what the two runs differ',
      value: files,
      fix: 'add e.g. --a monitor.policy=none --b monitor.policy=step-through, or give two configurations or two traces',
    });
  }
  const plan = (file: string | undefined, flag: string, pairs: readonly string[] | undefined): Promise<RunPlan> =>
    planRun({ configFile: file, flags, defaults, cwd: io.cwd, seabios, adjust: sideChange(flag, pairs ?? [], io.cwd) });
  return [await plan(files[0], '--a', diff.a), await plan(files[1] ?? files[0], '--b', diff.b)];
}

function sideText(plan: RunPlan): string {
  return `${startedBy(plan)}, monitor ${monitorName(plan)}`;
}

function parseCompare(text: string | undefined): 'state' | 'registers' | undefined {
  if (text === undefined || text === 'state' || text === 'registers') return text;
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--compare "${text}" is neither state nor registers`,
    value: text,
    fix: 'write --compare state or --compare registers',
  });
}

/** A line on stderr now and then, so that a long comparison is seen to go on. */
function progressLine(io: CliIo): (count: number) => void {
  let next = Date.now() + 5000;
  return (count) => {
    if (Date.now() < next) return;
    next = Date.now() + 5000;
    io.stderr(`ringfence: the same up to count ${count}\n`);
  };
}
