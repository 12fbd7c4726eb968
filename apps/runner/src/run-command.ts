/**
 * `ringfence run`: plan, build, open the outputs, run, report. The order is the promise: nothing is created before
 * everything has been validated, and whatever ends the run (the guest, a limit, Ctrl-C, a full disk), the report so far is
 * written and the consoles are complete.
 */
import { createMachine, type Machine, type RunResult, runMachine } from '@ringfence/machine';
import { RingfenceError } from '@ringfence/sdk';
import { type ConsoleChannel, createConsole, openOutputs } from './console.js';
import type { CliIo } from './io.js';
import { probeReport, writeReport } from './report-file.js';
import { planRun, type RunPlan, type RunRequest } from './run-plan.js';
import { formatSummary } from './summary.js';

/** Answers the exit status; throws a RingfenceError for what should be reported as an error. */
export async function runCommand(request: RunRequest, io: CliIo): Promise<number> {
  const plan = await planRun(request);
  const abort = new AbortController();
  let outputError: RingfenceError | undefined;
  const hooks = {
    onError: (error: RingfenceError) => {
      outputError ??= error;
      abort.abort();
    },
    onGone: () => abort.abort(),
  };
  const serial = createConsole(plan.serial, io, hooks);
  const debugcon = createConsole(plan.debugcon, io, hooks);
  const takesInput = plan.serial.kind === 'stdio' && (plan.stdinWanted || io.stdin.isTTY);
  const machine = createMachine({
    config: plan.config,
    registry: plan.registry,
    kernel: plan.kernel,
    initrd: plan.initrd,
    channels: { serial, debugcon },
    awaitsInput: takesInput,
  });
  if (plan.config.report !== undefined) probeReport(plan.config.report);
  openOutputs([serial.output, debugcon.output]);

  const stopListening = io.onInterrupt(() => abort.abort());
  const detach = takesInput ? io.stdin.attach((bytes) => serial.feed(bytes)) : (): void => {};
  try {
    const result = await runMachine(machine, plan.config.limits, abort.signal);
    closeOutputs([serial, debugcon]);
    finish(plan, machine, result, io);
    if (outputError !== undefined) throw outputError;
    if (result.report.error !== undefined) throw faultOfOurs(result);
    return result.exitStatus;
  } finally {
    detach();
    stopListening();
    closeOutputs([serial, debugcon]);
  }
}

function closeOutputs(channels: readonly ConsoleChannel[]): void {
  for (const { output } of channels) output?.close();
}

/** The summary first: it must be seen even when the report cannot be written. */
function finish(plan: RunPlan, machine: Machine, result: RunResult, io: CliIo): void {
  // Console bytes that do not end a line would run into the summary on a terminal.
  const toStdio = plan.serial.kind === 'stdio' ? 'serial' : plan.debugcon.kind === 'stdio' ? 'debugcon' : undefined;
  const text = toStdio === undefined ? '' : machine.channelText(toStdio);
  io.stderr(`${text !== '' && !text.endsWith('\n') ? '\n' : ''}${formatSummary(result)}`);
  if (plan.config.report !== undefined) writeReport(plan.config.report, result.report);
}

function faultOfOurs(result: RunResult): RingfenceError {
  const { code, message, stack } = result.report.error!;
  const cause = new Error(message);
  cause.stack = stack;
  const known = code === 'RF_MONITOR_FAULT' || code === 'RF_MONITOR_POOL_EXHAUSTED' ? code : 'RF_INTERNAL';
  return new RingfenceError(known, {
    message: `a fault of Ringfence itself: ${message}`,
    fix: 'run again with RINGFENCE_DEBUG=1 and report what it prints, with your configuration and kernel',
    cause,
  });
}
