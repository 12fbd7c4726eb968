/**
 * `ringfence trace`: the same plan and machine as `ringfence run`, driven one instruction at a time where asked. The
 * guest's consoles go nowhere unless a flag names them, and it gets no input, so a trace can be had again.
 * Whatever ends it early (Ctrl-C, a reader that goes away, a full disk), the lines so far are whole and written.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { openShares } from '@ringfence/shared-folder';
import { openNetwork } from '@ringfence/user-network';
import { createMachine, type Machine } from '@ringfence/machine';
import { type ByteChannel, RingfenceError } from '@ringfence/sdk';
import {
  formatRecord,
  headerLine,
  recordLine,
  traceAround,
  traceRange,
  SymbolTable,
  type AroundOptions,
  type TraceRecord,
} from '@ringfence/trace';
import { createConsole, openOutputs, type ConsoleTarget } from './console.js';
import { STATUS_INTERRUPTED } from './failure.js';
import type { CliIo } from './io.js';
import { LineOutput } from './line-output.js';
import { readServedFile } from './network/served-files.js';
import { parseRegex } from './part-option.js';
import { planRun, type RunPlan, type RunRequest } from './run-plan.js';
import { planTrace, type TraceFlags, type TracePlan } from './trace-flags.js';

export const STATUS_LIMIT = 124;

export interface TraceRequest extends RunRequest {
  readonly trace: TraceFlags;
}

/** Answers the exit status; throws a RingfenceError for what should be reported as an error. */
export async function traceCommand(request: TraceRequest, io: CliIo): Promise<number> {
  const { symbols: symbolFile } = request.trace;
  const symbols = symbolFile === undefined ? undefined : readSymbols(symbolFile, io.cwd);
  const asked = planTrace(request.trace, (name) => symbols?.addressOf(name));
  const plan = await planRun(request);
  const output = asked.output === undefined ? undefined : resolve(io.cwd, asked.output);
  const serial = consoleOf(plan.serial, request.flags.serial);
  const debugcon = consoleOf(plan.debugcon, request.flags.debugcon);
  checkOutput(output, plan, request, [serial, debugcon]);

  const stop = new AbortController();
  let failure: RingfenceError | undefined;
  let gone = false;
  const hooks = {
    onError: (error: RingfenceError) => {
      failure ??= error;
      stop.abort();
    },
    onGone: () => {
      gone = true;
      stop.abort();
    },
  };
  const lines = new LineOutput(output, io, hooks);
  const consoles = [createConsole(serial, io, hooks), createConsole(debugcon, io, hooks)];
  const machine = makeMachine(plan, { serial: consoles[0], debugcon: consoles[1] });
  const scout = asked.around === undefined ? undefined : makeMachine(plan);
  openOutputs([...consoles.map((each) => each.output)]);
  lines.open();

  const shown = new Shown(lines, asked.format);
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
    stop.abort();
  });
  const seconds = plan.config.limits.timeoutSeconds;
  const timeout = seconds === undefined ? undefined : setTimeout(() => stop.abort(), seconds * 1000);
  try {
    if (asked.format === 'jsonl') lines.line(headerLine({ kernel: startedBy(plan), monitor: monitorName(plan) }));
    await traced(machine, scout, plan, asked, shown, { signal: stop.signal, nameOf: (at) => symbols?.nameOf(at) });
    lines.flush();
    if (failure !== undefined) throw failure;
    if (!gone) io.stderr(`ringfence: ${shown.summary()}${stop.signal.aborted ? ', not to the end' : ''}\n`);
    if (interrupted) return STATUS_INTERRUPTED;
    return stop.signal.aborted && !gone ? STATUS_LIMIT : 0;
  } finally {
    clearTimeout(timeout);
    stopListening();
    lines.close();
    for (const { output: bytes } of consoles) bytes?.close();
  }
}

async function traced(
  machine: Machine,
  scout: Machine | undefined,
  plan: RunPlan,
  asked: TracePlan,
  shown: Shown,
  common: Pick<AroundOptions, 'signal' | 'nameOf'>,
): Promise<void> {
  const { around, context, hits, from } = asked;
  const to = Math.min(asked.to, lastCount(plan));
  if (from > to) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `--from ${from} is behind the last instruction that --max-instructions allows, ${to}`,
      value: from,
      fix: 'choose a smaller --from or more --max-instructions',
    });
  }
  const emit = (record: TraceRecord): void => shown.add(record);
  if (around === undefined || scout === undefined) await traceRange(machine, emit, { from, to, ...common });
  else await traceAround(scout, machine, emit, { address: around, context, hits, from, to, ...common });
}

/** Throws RF_BAD_SYMBOLS for a file that gives none. */
function readSymbols(file: string, cwd: string): SymbolTable {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(resolve(cwd, file));
  } catch (cause) {
    throw new RingfenceError('RF_BAD_SYMBOLS', {
      message: `cannot read the symbol file ${file}: ${(cause as Error).message}`,
      value: file,
      fix: 'name a readable ELF file with symbols, or a System.map',
      cause,
    });
  }
  return SymbolTable.parse(bytes, file);
}

/** What starts the guest, for people: its kernel, or the firmware that finds one. */
export const startedBy = (plan: RunPlan): string => plan.kernel?.name ?? plan.firmware?.bios.name ?? '';

const LOOSE_CHANNEL: ByteChannel = { send: () => {}, receive: () => -1, onReceive: () => {} };

/** Makes the plan's machine; loose ends where no channel is given. */
export function makeMachine(plan: RunPlan, channels: Parameters<typeof createMachine>[0]['channels'] = {}): Machine {
  const { config, registry, kernel, initrd, firmware } = plan;
  const machine = createMachine({
    config,
    registry,
    kernel,
    initrd,
    firmware,
    drives: openDrives(config.drives),
    shares: openShares(config.shares),
    network: openNetwork(config.network, { readFile: readServedFile }),
    // The device is there whenever the configuration has it; what it says is not shown.
    channels: plan.virtioConsole.kind === 'none' ? channels : { ...channels, 'virtio-console': LOOSE_CHANNEL },
  });
  const until = config.limits.untilSerial;
  if (until !== undefined) machine.watchSerial(parseRegex('--until-serial', until));
  return machine;
}

/** Count of the last instruction that the run's own limit allows. */
export function lastCount(plan: RunPlan): number {
  const { maxInstructions } = plan.config.limits;
  return maxInstructions === undefined ? Infinity : maxInstructions - 1;
}

/** What executes the guest, for headers and messages. */
export function monitorName(plan: RunPlan): string {
  const { monitor } = plan.config;
  if (monitor === 'none') return 'none';
  return typeof monitor.policy === 'string' ? monitor.policy : monitor.policy.name;
}

/** Consoles are for the run; here they are silent unless the command line itself asks for them. */
function consoleOf(target: ConsoleTarget, flag: string | undefined): ConsoleTarget {
  return flag === undefined ? { kind: 'none' } : target;
}

/** Counts and writes records. */
class Shown {
  private first = -1;
  private last = -1;
  private instructions = 0;

  constructor(
    private readonly lines: LineOutput,
    private readonly format: 'text' | 'jsonl',
  ) {}

  add(record: TraceRecord): void {
    this.lines.line(this.format === 'jsonl' ? recordLine(record) : formatRecord(record));
    if (record.kind !== 'insn') return;
    if (this.first < 0) this.first = record.n;
    this.last = record.n;
    this.instructions++;
  }

  summary(): string {
    if (this.instructions === 0) return 'traced nothing';
    return `traced ${this.instructions} instructions, counts ${this.first} to ${this.last}`;
  }
}

function checkOutput(
  output: string | undefined,
  plan: RunPlan,
  { configFile, cwd }: RunRequest,
  consoles: readonly ConsoleTarget[],
): void {
  if (output === undefined) {
    if (consoles.every(({ kind }) => kind !== 'stdio')) return;
    throw new RingfenceError('RF_CONTRADICTION', {
      message: "the trace and the guest's console would both go to standard output",
      value: 'stdio',
      fix: 'give the trace a file (--output FILE), or the console (--serial file:FILE)',
    });
  }
  const others: [string, string | undefined][] = [
    ['kernel', plan.config.kernel],
    ['initrd', plan.config.initrd],
    ['configuration file', configFile === undefined ? undefined : resolve(cwd, configFile)],
    ...consoles.map((target): [string, string | undefined] => [
      'console output',
      target.kind === 'file' ? target.path : undefined,
    ]),
  ];
  const real = realPath(output);
  const clash = others.find(([, path]) => path !== undefined && realPath(path) === real);
  if (clash === undefined || real.startsWith('/dev/')) return;
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `the trace would overwrite the ${clash[0]}: both are ${output}`,
    value: output,
    fix: 'give the trace a file of its own',
  });
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
