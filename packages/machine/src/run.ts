/**
 * Drives a machine to its end without holding up the event loop: slices of about ten milliseconds, limits and an abort
 * signal checked between them. Slicing is invisible to the guest. Wall time is read here and nowhere below.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { RingfenceError } from '@ringfence/sdk';
import { PcMachine } from './machine.js';
import { GuestNap, Sleeper } from './sleeper.js';
import type { Machine, Outcome, RunLimits, RunReport, RunResult } from './types.js';

const SLICE_MS = 10;
const FIRST_SLICE = 100_000;
const MIN_SLICE = 10_000;
const MAX_SLICE = 50_000_000;

const EXIT_LIMIT = 124;
const EXIT_INTERRUPTED = 130;
const EXIT_INTERNAL = 70;

interface Ending {
  readonly outcome: Outcome;
  readonly exitStatus: number;
  readonly detail?: string;
  readonly error?: unknown;
}

/**
 * Runs until the guest ends, a limit is hit or `signal` fires. Never rejects for what happens inside the run. `hold` is
 * asked between slices: the guest waits for what it answers (an output whose reader is slow), limits and signal do not.
 */
export async function runMachine(
  machine: Machine,
  limits: RunLimits = {},
  signal?: AbortSignal,
  sleeper = new Sleeper(),
  hold: () => Promise<void> | undefined = () => undefined,
): Promise<RunResult> {
  if (limits.untilSerial !== undefined) machine.watchSerial(serialPattern(limits.untilSerial));
  const started = performance.now();
  const before = machine.retired;
  const wake = (): void => sleeper.wake();
  machine.onInput(wake);
  signal?.addEventListener('abort', wake);
  const ending = await drive(machine, limits, started, signal, sleeper, hold);
  signal?.removeEventListener('abort', wake);
  return result(machine, ending, (performance.now() - started) / 1000, machine.retired - before);
}

async function drive(
  machine: Machine,
  limits: RunLimits,
  started: number,
  signal: AbortSignal | undefined,
  sleeper: Sleeper,
  hold: () => Promise<void> | undefined,
): Promise<Ending> {
  const goal = limits.maxInstructions === undefined ? Infinity : machine.retired + limits.maxInstructions;
  const deadline = limits.timeoutSeconds === undefined ? Infinity : started + limits.timeoutSeconds * 1000;
  const nap = new GuestNap(machine, sleeper);
  let slice = FIRST_SLICE;
  for (;;) {
    const sliceStarted = performance.now();
    let outcome;
    try {
      outcome = machine.runSlice(Math.min(slice, goal - machine.retired));
    } catch (error) {
      return {
        outcome: 'internal-error',
        exitStatus: EXIT_INTERNAL,
        detail: error instanceof Error ? error.message : String(error),
        error,
      };
    }
    if (outcome === 'ended') return machine.end!;
    if (machine.retired >= goal)
      return {
        outcome: 'limit-instructions',
        exitStatus: EXIT_LIMIT,
        detail: `${limits.maxInstructions} instructions`,
      };
    if (signal?.aborted === true) return { outcome: 'interrupted', exitStatus: EXIT_INTERRUPTED };
    const now = performance.now();
    if (now >= deadline)
      return { outcome: 'limit-time', exitStatus: EXIT_LIMIT, detail: `${limits.timeoutSeconds} seconds` };
    const scale = Math.min(4, SLICE_MS / Math.max(0.1, now - sliceStarted));
    slice = Math.round(Math.min(MAX_SLICE, Math.max(MIN_SLICE, slice * scale)));
    const held = hold();
    if (held !== undefined) {
      void held.then(() => sleeper.wake());
      await sleeper.sleep(deadline - now);
    } else if (outcome === 'budget') await setImmediate();
    else await nap.sleep(deadline - now);
  }
}

function serialPattern(source: string): RegExp {
  try {
    return new RegExp(source, 'm');
  } catch (cause) {
    throw new RingfenceError('RF_BAD_USAGE', {
      message: `"${source}" is not a regular expression: ${cause instanceof Error ? cause.message : String(cause)}`,
      value: source,
      fix: 'escape characters such as ( [ * + ? with a backslash',
      cause,
    });
  }
}

function result(machine: Machine, ending: Ending, wallSeconds: number, retired: number): RunResult {
  if (!(machine instanceof PcMachine))
    throw new RingfenceError('RF_INTERNAL', { message: 'not a machine of createMachine' });
  const { config, assist, ramBytes, kernelName, firmwareName } = machine.parts;
  const { outcome, exitStatus, detail, error } = ending;
  const report: RunReport = {
    outcome,
    exitStatus,
    detail,
    retired: machine.retired,
    resets: machine.resets,
    virtualSeconds: machine.ticks / config.clock.hz,
    wallSeconds,
    instructionsPerSecond: wallSeconds > 0 ? Math.round(retired / wallSeconds) : 0,
    serialBytes: machine.serialBytes,
    serialSha256: machine.serialSha256(),
    // After a fault of ours nothing may be readable any more; the report must come out all the same.
    stateHash: error === undefined ? machine.stateHash() : (attempt(() => machine.stateHash()) ?? ''),
    monitor: attempt(() => machine.monitorReport()),
    machine: {
      kernel: kernelName,
      firmware: firmwareName,
      memoryBytes: ramBytes,
      core: config.cpu.core,
      model: config.cpu.model,
      assist,
      monitor:
        config.monitor === 'none'
          ? 'none'
          : typeof config.monitor.policy === 'string'
            ? config.monitor.policy
            : config.monitor.policy.name,
    },
    error: error === undefined ? undefined : describeError(error),
  };
  const died = outcome === 'triple-fault' || outcome === 'halted' || error !== undefined;
  return { outcome, exitStatus, report, dump: died ? attempt(() => machine.dump()) : undefined };
}

function describeError(error: unknown): RunReport['error'] {
  if (error instanceof RingfenceError) return { code: error.code, message: error.message, stack: error.stack };
  if (error instanceof Error) return { code: 'RF_INTERNAL', message: error.message, stack: error.stack };
  return { code: 'RF_INTERNAL', message: String(error) };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
