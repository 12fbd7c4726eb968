/**
 * `ringfence run`: plan, build, open the outputs, run, report. The order is the promise: nothing is created before
 * everything has been validated, and whatever ends the run (the guest, a limit, Ctrl-C, a full disk), the report so far is
 * written and the consoles are complete.
 */
import { openDrives } from '@ringfence/disk-image';
import { openShares } from '@ringfence/shared-folder';
import { openNetwork, type UserNetwork } from '@ringfence/user-network';
import { createMachine, type Machine, type RunResult, runMachine } from '@ringfence/machine';
import { type NetworkConfig, RingfenceError } from '@ringfence/sdk';
import { type ConsoleChannel, createConsole, openOutputs } from './console.js';
import { ESCAPE_HELP, EscapeKeys } from './escape-keys.js';
import type { CliIo } from './io.js';
import { probeReport, writeReport } from './report-file.js';
import { openForwards } from './network/forwards.js';
import { NodeHostNetwork } from './network/node-host.js';
import { readServedFile } from './network/served-files.js';
import { planRun, type RunPlan, type RunRequest } from './run-plan.js';
import { resetNotes } from './reset-notes.js';
import { AnsiScreen } from './screen/ansi-screen.js';
import { formatSummary } from './summary.js';

const CTRL_C = 0x03;

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
  const virtioConsole = plan.virtioConsole.kind === 'none' ? undefined : createConsole(plan.virtioConsole, io, hooks);
  const consoles = [serial, debugcon, ...(virtioConsole === undefined ? [] : [virtioConsole])];
  if (plan.screen && !io.stdoutIsTTY) throw noTerminal();
  // Standard input has one reader.
  const reader =
    plan.serial.kind === 'stdio' ? serial : plan.virtioConsole.kind === 'stdio' ? virtioConsole! : undefined;
  const takesInput = reader !== undefined && (plan.stdinWanted || io.stdin.isTTY);
  // A person is at a terminal: keys are the guest's.
  const interactive = takesInput && io.stdin.isTTY;
  const host = new NodeHostNetwork();
  const makeNetwork = openNetwork(plan.config.network, { readFile: readServedFile, openHost: () => host });
  let network: UserNetwork | undefined;
  const machine = createMachine({
    config: plan.config,
    registry: plan.registry,
    kernel: plan.kernel,
    firmware: plan.firmware,
    initrd: plan.initrd,
    drives: openDrives(plan.config.drives),
    shares: openShares(plan.config.shares),
    network: makeNetwork && ((clock) => (network = makeNetwork(clock))),
    channels: { serial, debugcon, ...(virtioConsole === undefined ? {} : { 'virtio-console': virtioConsole }) },
    awaitsInput: () => (takesInput && reader.open()) || network?.live === true,
    // Whoever may still type or send something lives in host time; a guest that waits for it need not keep the host busy.
    pacesSleep: takesInput || opensHost(plan.config.network),
    onReset: resetNotes((text) => io.stderr(text)),
  });
  for (const path of [plan.config.report, plan.screenshot]) if (path !== undefined) probeReport(path);
  const closeForwards = network && (await openForwards(plan.config.network?.forwards ?? [], network, host));
  try {
    openOutputs(consoles.map(({ output }) => output));
  } catch (error) {
    closeForwards?.();
    throw error;
  }

  const stopListening = io.onInterrupt(() => abort.abort());
  const detach = takesInput ? attachInput(reader, interactive, io, abort) : (): void => {};
  const leaveScreen = plan.screen ? showScreen(machine, io, abort) : (): void => {};
  try {
    const result = await runMachine(machine, plan.config.limits, abort.signal, undefined, () => io.stdoutDrained());
    // The summary is for a terminal as it was.
    leaveScreen();
    detach();
    closeOutputs(consoles);
    finish(plan, machine, result, io);
    if (outputError !== undefined) throw outputError;
    if (plan.screenshot !== undefined) await screenshot(plan.screenshot, machine);
    if (result.report.error !== undefined) throw faultOfOurs(result);
    return result.exitStatus;
  } finally {
    closeForwards?.();
    host.close();
    leaveScreen();
    detach();
    stopListening();
    closeOutputs(consoles);
  }
}

function opensHost(network: NetworkConfig | undefined): boolean {
  return network !== undefined && (network.host === 'allow' || network.forwards.length > 0);
}

/** Answers how to stop. On a terminal every key is the guest's, save the commands after Ctrl-A. */
function attachInput(serial: ConsoleChannel, interactive: boolean, io: CliIo, abort: AbortController): () => void {
  const pass = (bytes: Uint8Array): void => serial.feed(bytes);
  const keys = new EscapeKeys({
    pass,
    quit: () => abort.abort(),
    help: () => io.stderr(`\r\n${ESCAPE_HELP.join('\r\n')}\r\n`),
  });
  const onBytes = interactive ? (bytes: Uint8Array): void => keys.feed(bytes) : pass;
  const detach = io.stdin.attach({ onBytes, onEnd: () => serial.end(), raw: interactive });
  if (interactive) io.stderr('ringfence: Ctrl-A x ends the run, Ctrl-A h helps\r\n');
  return detach;
}

/**
 * Answers how to stop. The terminal shows nothing that is typed: keys are not the guest's here, but Ctrl-C and Ctrl-A x
 * end the run.
 */
function showScreen(machine: Machine, io: CliIo, abort: AbortController): () => void {
  const screen = new AnsiScreen(
    () => machine.frame(),
    (text) => void (io.stdout(text) || abort.abort()),
    () => io.stdoutSize(),
  );
  const quit = (): void => abort.abort();
  const keys = new EscapeKeys({ pass: (bytes) => void (bytes.includes(CTRL_C) && quit()), quit, help: () => {} });
  const detach = io.stdin.isTTY
    ? io.stdin.attach({ onBytes: (bytes) => keys.feed(bytes), onEnd: quit, raw: true })
    : (): void => {};
  const stopListening = io.onResize(() => screen.redraw());
  screen.start();
  return () => {
    screen.stop();
    stopListening();
    detach();
  };
}

/** Loaded when asked for: an encoder of PNG files is not part of a run. */
async function screenshot(path: string, machine: Machine): Promise<void> {
  const { writeScreenshot } = await import('./screen/screenshot.js');
  writeScreenshot(path, machine.picture());
}

function noTerminal(): RingfenceError {
  return new RingfenceError('RF_BAD_USAGE', {
    message: '--screen draws on a terminal, and standard output is none',
    fix: 'run it in a terminal, or take --screenshot FILE',
  });
}

function closeOutputs(channels: readonly ConsoleChannel[]): void {
  for (const { output } of channels) output?.close();
}

/** The summary first: it must be seen even when the report cannot be written. */
function finish(plan: RunPlan, machine: Machine, result: RunResult, io: CliIo): void {
  // Console bytes that do not end a line would run into the summary on a terminal.
  const { serial, debugcon, virtioConsole } = plan;
  const all = { serial, debugcon, 'virtio-console': virtioConsole };
  const toStdio = Object.entries(all).find(([, target]) => target.kind === 'stdio')?.[0];
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
